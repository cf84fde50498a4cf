"""Paired differences between any two models: right by hand, covering the truth, and refused across texts."""

import math

import numpy as np
import pandas as pd
import pytest

from wake2vec.errors import UserError
from wake2vec.intervals import widening
from wake2vec.language.comparison import by_passage, compare, compare_files, compare_words, ratio
from wake2vec.storage import write_json


def scored(nats, sizes, sha="a" * 64, context=64, stride=32):
    passages = [{"nats": n, "bytes": b, "tokens": 1} for n, b in zip(nats, sizes, strict=True)]
    return {"passages": passages, "valid_sha256": sha, "context": context, "stride": stride}


def test_a_ratio_by_hand():
    rng = np.random.default_rng(0)
    # twice the one, once each, twice the other: from 0 to 3, and t with one degree of freedom ends at 12.7 for 1.96
    value, bounds = ratio([-6, 0], [2, 1], rng)
    far = 12.7062 / 1.959964 * 2**0.5
    assert value == -2.0 and bounds == pytest.approx([-2 - 1 * far, -2 + 2 * far], rel=1e-4)
    assert ratio([6, 0], [2, 1], rng, least=0)[1] == pytest.approx([0, 2 + 1 * far], rel=1e-4)
    assert ratio([6, 0], [2, 0], rng) == (3.0, None)  # a single passage has any size
    assert ratio([0, 0], [0, 0], rng) == (None, None)


@pytest.mark.parametrize("passages", [2, 3, 4, 6, 12, 40])
def test_intervals_hold_the_truth_of_few_passages_too(passages):
    """Of noise around 0: the quantiles alone hold it in half of all cases for two passages, in 0.73 for three."""
    rng = np.random.default_rng(passages)
    held = [
        low < 0 < high
        for low, high in (ratio(rng.normal(size=passages), np.ones(passages), rng, draws=400)[1] for _ in range(500))
    ]
    assert 0.90 < np.mean(held) < 0.98
    among = [
        ratio([*rng.normal(size=passages), *[0] * 30], [1] * passages + [0] * 30, rng, draws=400)[1] for _ in range(300)
    ]
    assert np.mean([low < 0 < high for low, high in among]) > 0.88, "the same where other passages hold nothing"


def test_draws_without_the_rare_thing_are_left_out():
    value, (low, high) = ratio([4, 8, *[0] * 30], [1, 2, *[0] * 30], np.random.default_rng(0))
    assert value == low == high == 4


def test_two_files_compare_by_hand():
    ln2 = math.log(2)
    found = compare(scored([8 * ln2, 24 * ln2], [4, 12]), scored([4 * ln2, 12 * ln2], [4, 12]))
    assert found["bits_per_byte"] == pytest.approx(-1) and found["interval"] == pytest.approx([-1, -1])
    assert (found["passages"], found["bytes"]) == (2, 16)


def test_a_planted_difference_is_found_and_noise_is_not():
    """100 nats a passage between passages, 5 within: the pairs find what two intervals of their own never would."""
    rng = np.random.default_rng(0)
    covered, found = 0, 0
    for trial in range(60):
        sizes = rng.integers(1800, 2200, 40)
        hard = rng.normal(2000, 100, 40)
        one, same, worse = (hard + shift + rng.normal(0, 5, 40) for shift in (0, 0, 0.01 * 2000 * math.log(2)))
        low, high = compare(scored(one, sizes), scored(same, sizes), seed=trial, draws=400)["interval"]
        covered += low < 0 < high
        low, high = compare(scored(one, sizes), scored(worse, sizes), seed=trial, draws=400)["interval"]
        found += low > 0
        assert low < 0.01 + 0.003 and high > 0.01 - 0.003
    assert covered >= 52 and found == 60


@pytest.mark.parametrize("other", [scored([1, 2], [4, 13]), scored([1], [4]), scored([1, 2], [4, 12], "b" * 64)])
def test_other_bytes_are_refused_in_words(tmp_path, other):
    for name, values in (("one.json", scored([1, 2], [4, 12])), ("two.json", other)):
        write_json(tmp_path / name, "likelihood", values, {})
    with pytest.raises(UserError, match="different held-out text") as refused:
        compare_files(tmp_path / "one.json", tmp_path / "two.json")
    for said in ("one.json: 2 passages, 16 bytes", "two.json: ", "Accepted", "same files"):
        assert said in str(refused.value)


@pytest.mark.parametrize("window", [{"context": 256}, {"stride": 1}])
def test_another_window_is_refused_in_words(window):
    with pytest.raises(UserError, match="unequally much text before each token") as refused:
        compare(scored([1, 2], [4, 12]), scored([1, 2], [4, 12], **window))
    assert "windows of 64 tokens, moved by 32" in str(refused.value) and "evaluation.stride" in str(refused.value)


def frame(bits, kinds, passages=(0, 0, 1, 1)):
    words = {"passage": passages, "start": [0, 5, 0, 5], "word": list("abcd")}
    return pd.DataFrame({**words, "surprisal": bits, "kind": kinds})


def test_words_compare_on_the_same_words():
    before = frame([10.0, 2.0, 20.0, 4.0], ["coinage without row", "plain", "coinage without row", "plain"])
    after = frame([4.0, 2.5, 30.0, 3.5], ["coinage with row", "plain", "coinage without row", "plain"])
    found = compare_words(before, after)
    assert found["coinage"] == {"words": 2, "before": 15.0, "after": 17.0, "difference": 2.0} | {
        "interval": pytest.approx([2 - 8 * widening(2), 2 + 8 * widening(2)])
    }
    assert found["with_row"]["words"] == 1 and found["with_row"]["difference"] == -6.0
    assert found["with_row"]["interval"] is None
    assert found["plain"]["difference"] == 0 and found["disputed"] == 0
    disputed = compare_words(before, after.assign(kind=["coinage with row", "plain", "plain", "plain"]))
    assert disputed["disputed"] == 1 and disputed["coinage"]["words"] == 1 and disputed["plain"]["words"] == 2


def test_words_of_another_text_are_refused():
    one = frame([1.0] * 4, ["plain"] * 4)
    with pytest.raises(UserError, match=r"first where \[1, 0, 'c'\] meets \[1, 0, 'x'\]"):
        compare_words(one, one.assign(word=list("abxd")))
    with pytest.raises(UserError, match="4 and 3 lines"):
        compare_words(one, one.iloc[:3])


def test_what_was_not_measured_adds_nothing():
    passages, mask = np.array([0, 0, 2]), np.array([True, False, True])
    np.testing.assert_array_equal(by_passage(passages, mask), [1, 0, 1])
    np.testing.assert_array_equal(by_passage(passages, mask, np.array([3.0, 5.0, np.nan])), [3, 0, 0])
