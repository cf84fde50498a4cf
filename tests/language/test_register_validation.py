"""The battery orders the testbed's mixtures, and the judge of order finds planted order and no other."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from tests.conftest import ROOT
from wake2vec.errors import UserError
from wake2vec.language import register_validation
from wake2vec.language.register import make_instrument, origins
from wake2vec.language.register_coinages import judge, parsing
from wake2vec.language.register_validation import (
    EXPECTED,
    SHARES,
    disjoint_groups,
    judge_order,
    mean_interval,
    scrambled,
    spearman,
    twins,
    validate,
    with_copies,
    with_loops,
)
from wake2vec.text.build import build_testbed
from wake2vec.text.corpus import passages_of
from wake2vec.text.lexicon import build_lexicon
from wake2vec.text.words import normalise, words

TEXT = {
    "characters": 150_000,
    "seed": 3,
    "hapax_share": 0.82,
    "coinage_rate": 0.06,
    "split": {"held_out": 0.4, "seed": 42},
}


def word_lists(text):
    return [[normalise(word) for word in words(passage)] for passage in passages_of(text)]


@pytest.fixture(scope="module")
def testbed():
    """A coined text, its plain twin's held-out passages, and another plain text."""
    coined = build_testbed("coined", TEXT | {"language": "coined"})
    plain = build_testbed("plain", TEXT | {"language": "plain", "seed": 4})
    wake, other = (tuple(map(word_lists, text[:2])) for text in (coined, plain))
    lexicon = build_lexicon(coined[0])
    kind = judge(lexicon, {word for text in wake[0] for word in text}, (), max_zipf=1.0, min_length=3)
    parse = parsing(lexicon, ROOT / "data/morphemes.csv", ROOT / "data/false_segmentations.csv")
    return make_instrument(wake, other, kind, parse, 150), twins(wake[1], TEXT)


def test_the_battery_orders_mixtures_of_known_shares(testbed):
    instrument, plain = testbed
    found = validate(instrument, plain, size=30, pieces=24, seed=0)["mixtures"]
    for kind, names in {
        "language": ("coinages", "quoted", "parsed", "fused", "ratio"),
        "copied": ("copied", "longest"),
        "looped": ("distinct_1", "distinct_2"),
        "scrambled": ("parsed", "unparsed"),
    }.items():
        for name in names:
            judged = found[kind][name]
            assert judged["orders"], (kind, name, judged)
            assert judged["expected"] * judged["rho"] > 0.8, (kind, name, judged)
    shares = [point["mean"] for point in found["language"]["coinages"]["by_share"]]
    np.testing.assert_allclose(shares, np.linspace(shares[0], shares[-1], 5), atol=0.005)  # in proportion
    copied = [point["mean"] for point in found["copied"]["copied"]["by_share"]]
    assert copied[-1] == 1 and copied[2] > 0.5
    noise = {name: [p["mean"] for p in found["scrambled"][name]["by_share"]] for name in ("parsed", "unparsed")}
    assert noise["unparsed"][-1] > 0.4 and noise["parsed"][-1] < 0.2 * noise["parsed"][0]  # noise is no coining


def test_the_plain_twin_is_the_same_text_word_for_word(testbed):
    instrument, plain = testbed
    coined = instrument.held_out["wake"]
    assert [len(text) for text in coined] == [len(text) for text in plain]
    same = [a == b for one, other in zip(coined, plain, strict=True) for a, b in zip(one, other, strict=True)]
    assert 0.9 < np.mean(same) < 0.98


def test_no_group_is_compared_with_its_own_text_in_plain(testbed, monkeypatch):
    """A plain corpus of the same seed and split, as two corpora of the default settings are, holds out the twins."""
    instrument, plain = testbed
    wake, seen = instrument.held_out["wake"], {}
    monkeypatch.setattr(register_validation, "references", lambda _, chosen: seen.update(chosen))
    for short in (None, 60):  # a short passage would still fit where its own half is longer than the other
        wake, plain = ([text[: short if i % 2 else None] for i, text in enumerate(texts)] for texts in (wake, plain))
        same = replace(instrument, held_out={"wake": wake, "plain": plain})
        for seed in range(10):
            groups, _ = disjoint_groups(same, plain, 30, 24, np.random.default_rng(seed))
            passages = origins(plain, 30)
            for group, of_wake, others in zip(groups, seen["wake"], seen["plain"], strict=True):
                assert others.any() and not others[passages[group]].any() and not of_wake[passages[group]].any()


def test_a_text_that_is_not_the_testbeds_is_refused(testbed):
    with pytest.raises(UserError, match="not the one that its settings make"):
        twins(testbed[0].held_out["wake"][1:], TEXT)


def test_a_text_too_short_to_try_is_refused(testbed):
    with pytest.raises(UserError, match="split.held_out"):
        validate(testbed[0], testbed[1], size=5000, pieces=24, seed=0)


def test_spearmans_rho_is_scipys():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 5, (2, 6, 30))
    expected = [spearmanr(a, b).statistic for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(spearman(one, other), expected)
    assert np.isnan(spearman(np.ones(4), np.arange(4.0)))


def test_planted_order_is_found_in_the_expected_direction_alone():
    rng = np.random.default_rng(1)
    rising = np.array(SHARES) + rng.normal(0, 0.3, (20, 1)) + rng.normal(0, 0.05, (20, 5))
    assert judge_order(rising, 1)["orders"] is True
    assert judge_order(rising, -1)["orders"] is False
    assert judge_order(-rising, -1)["orders"] is True
    assert judge_order(rising, None)["orders"] is None
    assert judge_order(np.ones((20, 5)), 1) | {"by_share": []} == {
        "rho": 0, "interval": [0, 0], "expected": 1, "orders": False, "by_share": []
    }  # fmt: skip
    by_hand = judge_order(np.array([[1, 2, 3, 4, 5], [1, 2, 3, 5, 4.0]]), 1)  # rhos 1 and 1 - 6 * 2 / (5 * 24)
    assert by_hand["rho"] == pytest.approx(0.95)
    # with the third: mean 1.9 / 3, deviation 0.5508, and t of two degrees of freedom 4.3027
    assert by_hand["interval"] == pytest.approx([1.9 / 3 - 4.3027 * 0.5508 / 3**0.5, 1], abs=1e-3)
    assert by_hand["orders"] is False  # two groups prove nothing
    np.testing.assert_allclose([p["mean"] for p in judge_order(rising, 1)["by_share"]], rising.mean(0))


def test_groups_that_stand_on_different_levels_are_ordered_all_the_same():
    """Level is what a text is about, order what is mixed into it."""
    levels = np.random.default_rng(2).normal(0, 100, (11, 1))
    assert judge_order(levels + SHARES, 1)["rho"] == pytest.approx(1)


@pytest.mark.parametrize("groups", [4, 11])
@pytest.mark.parametrize("noise", [0.05, 0.15, 0.3, 1.0, 1e9])
def test_the_interval_of_rho_covers_as_often_as_it_says(groups, noise):
    """Groups drawn again and again from a large population of them, whose mean rho is the truth."""
    rng = np.random.default_rng(3)
    population = np.array(SHARES) + rng.normal(0, noise, (40_000, 5))
    rhos = spearman(np.broadcast_to(SHARES, population.shape), population)
    low, high = mean_interval(rhos[: len(rhos) // groups * groups].reshape(-1, groups))
    assert ((low <= rhos.mean()) & (rhos.mean() <= high)).mean() >= 0.93
    if noise == 1e9:
        assert 0.03 < ((low > 0) | (high < 0)).mean() < 0.07  # found where there is none


def test_pure_noise_is_seldom_in_order():
    rng = np.random.default_rng(4)
    assert np.mean([judge_order(rng.normal(size=(11, 5)), 1)["orders"] for _ in range(400)]) < 0.02


def test_a_bend_is_no_order():
    values = np.tile([0.0, 1, 2, 3, 2.9], (10, 1)) + np.random.default_rng(3).normal(0, 0.001, (10, 5))
    assert judge_order(values, 1)["orders"] is False


def test_copies_and_loops_have_the_share_that_they_are_to_have():
    piece, other = list("abcdefgh"), list("stuvwxyz")
    assert with_copies([piece], [other], 0.25) == [list("stcdefgh")]
    assert with_copies([piece], [other], 0) == [piece] and with_copies([piece], [other], 1) == [other]
    assert with_loops([piece], 0.5) == [list("abcdabab")] and with_loops([piece], 1) == [list("abababab")]
    assert with_loops([piece], 0) == [piece]


def test_scrambled_words_keep_their_letters():
    pieces = [["moonbread", "the"], ["riverling", "a"]]
    broken = scrambled(pieces, np.random.default_rng(0))
    assert [[sorted(word) for word in piece] for piece in broken] == [[sorted(w) for w in piece] for piece in pieces]
    assert broken[0][0] != "moonbread" and broken[1][0] != "riverling"


def test_what_is_expected_is_expected_of_measures():
    from wake2vec.language.register import MEASURES

    assert {name for names in EXPECTED.values() for name in names} == set(MEASURES)
    assert pd.Series([sign for names in EXPECTED.values() for sign in names.values()]).isin([-1, 1]).all()
