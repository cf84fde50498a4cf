"""The battery on made-up texts whose register is known: what is counted, what is compared, and with what."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.language.register_words import LEXICON
from wake2vec.language import register
from wake2vec.language.register import (
    MEASURES,
    OF_PIECES,
    Measured,
    draw_texts,
    group_samples,
    half_of,
    make_instrument,
    measure,
    measure_group,
    measure_phase,
    origins,
    outside,
    piece_length,
    pieces_of,
    pool,
    references,
    sample_words,
    shuffled,
)
from wake2vec.language.register_coinages import judge
from wake2vec.storage import read_text, write_csv, write_json, write_text
from wake2vec.text.lexicon import lexicon_from_list


@pytest.mark.parametrize(
    ("prompt", "text", "found"),
    [
        ("the wurd", "ling sang, and ", ["sang", "and"]),  # the prompt's word went on
        ("the wurd", " sang, and", ["sang"]),  # the last may have been cut off
        ("the wurd", " sang, and.", ["sang", "and"]),
        ("the wurd", "’s sang.", ["sang"]),
        ("“", "Sang", []),
        ("the wurd", "", []),
        ("", "Eve and Adam’s.", ["eve", "and", "adam's"]),
    ],
)
def test_whole_words_of_the_models_own(prompt, text, found):
    assert sample_words(prompt, text) == found


def test_pieces_do_not_cross_texts_and_know_where_they_are_from():
    texts = [list("abcdefg"), list("hi"), list("jklmno")]
    assert pieces_of(texts, 3) == [list("abc"), list("def"), list("jkl"), list("mno")]
    assert origins(texts, 3).tolist() == [0, 0, 2, 2]


def test_shuffling_keeps_every_word_in_its_passage():
    texts = [list("abcdefghij"), list("klm")]
    mixed = shuffled(texts, np.random.default_rng(0))
    assert [sorted(text) for text in mixed] == texts and mixed != texts


def test_half_of_the_passages_are_compared_with_and_no_piece_is_drawn_from_them():
    rng = np.random.default_rng(0)
    texts = [["a"] * 20] * 11
    chosen = draw_texts(texts, half_of([texts]), 50, rng)
    assert (chosen.sum(1) == 5).all() and 0.2 < chosen.mean(0).min()
    origin = np.repeat(np.arange(11), 4)
    picks = outside(chosen, origin, 10, rng)
    assert picks.shape == (50, 10) and all(len(set(row)) == 10 for row in picks)
    assert not np.take_along_axis(chosen, origin[picks], 1).any()
    assert outside(chosen, origin, 99, rng).shape == (50, 24)  # no more than there are
    assert outside(chosen, origin[:0], 10, rng).shape == (50, 0)


# Two languages that share their rare words and differ in the frequent ones, and coinages in one of them.


def language(rng, wake, passages, words=240):
    common = ["the", "and", "of", "to", "a", "in", "that", "it", "was", "he"]
    shares = 1 / np.arange(1, 11)
    shares = shares[:: -1 if wake else 1] / shares.sum()
    rare = ["river", "moon", "bread", "house", "door", "garden", "table", "green", "small", "night"]
    coined = [f"{a}{b}" for a in ("mirg", "vlon", "zabt", "quib") for b in ("ulk", "oth", "erz", "amn")]
    kinds = rng.random((passages, words))
    draws = [[rng.choice(common, p=shares), rng.choice(rare), rng.choice(coined)] for _ in range(passages * words)]
    places = np.where(kinds < 0.5, 0, np.where((kinds < 0.9) | (not wake), 1, 2)).ravel()
    return [[draws[i * words + j][places[i * words + j]] for j in range(words)] for i in range(passages)]


HALF = 4 * 240  # words, of eight passages


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(5)
    wake, plain = ((language(rng, of, 12), language(rng, of, 8)) for of in (True, False))
    training = {word for text in wake[0] for word in text}
    kind = judge(LEXICON, training, (), max_zipf=1.0, min_length=3)
    instrument = make_instrument(wake, plain, kind, lambda word: "none", 40)
    return SimpleNamespace(instrument=instrument, wake=wake, plain=plain, rng=rng)


def test_a_pool_is_the_mean_of_its_pieces_and_the_delta_of_their_sum(made):
    from wake2vec.language import register_delta as delta

    pieces = pieces_of(made.wake[1], 24)
    measured = measure(made.instrument, pieces)
    picks = np.array([[0, 3, 5], [7, 7, 2]])
    chosen = {name: draw_texts(texts, HALF, 2, made.rng) for name, texts in made.instrument.held_out.items()}
    against = references(made.instrument, chosen)
    found = pool(made.instrument, measured, picks, against)
    np.testing.assert_allclose(found["coinages"], measured.values[picks][:, :, OF_PIECES.index("coinages")].mean(1))
    scale = made.instrument.scale
    text = pieces[7] + pieces[7] + pieces[2]
    own = delta.standardise(delta.counts([text], scale.words), np.array([72]), scale)[0]
    reference = sum((text for text, took in zip(made.plain[1], chosen["plain"][1], strict=True) if took), [])
    other = delta.standardise(delta.counts([reference], scale.words), np.array([len(reference)]), scale)[0]
    assert found["burrows_plain"][1] == pytest.approx(delta.burrows(own, other))
    assert found["cosine_plain"][1] == pytest.approx(delta.cosine(own, other))
    np.testing.assert_allclose(found["cosine"], found["cosine_plain"] - found["cosine_wake"])
    assert tuple(found) == MEASURES


def test_a_pieces_own_deltas_are_means_over_all_that_it_is_compared_with(made):
    from wake2vec.language import register_delta as delta

    pieces, rng = pieces_of(made.wake[1], 24)[:3], np.random.default_rng(0)
    chosen = {name: draw_texts(texts, HALF, 5, rng) for name, texts in made.instrument.held_out.items()}
    against, scale = references(made.instrument, chosen), made.instrument.scale
    found = register.single_deltas(made.instrument, measure(made.instrument, pieces), against)
    for piece, values in zip(pieces, found, strict=True):
        own = delta.standardise(delta.counts([piece], scale.words), np.array([24]), scale)[0]
        wake = np.mean([delta.burrows(own, other) for other in against["wake"]])
        plain = np.mean([delta.burrows(own, other) for other in against["plain"]])
        assert (values["burrows_wake"], values["burrows"]) == (pytest.approx(wake), pytest.approx(plain - wake))
    assert tuple(found[0]) == register.OF_POOLS and len({values["cosine"] for values in found}) == 3


def test_the_languages_lie_on_their_own_sides(made):
    """Texts that the instrument has not seen: the Wake's are nearer to the Wake in every measure of nearness."""
    sides = [measure(made.instrument, pieces_of(language(made.rng, wake, 6), 24)) for wake in (True, False)]
    chosen = {name: draw_texts(texts, HALF, 300, made.rng) for name, texts in made.instrument.held_out.items()}
    wake, plain = (
        measure_group(made.instrument, side, references(made.instrument, chosen), made.rng) for side in sides
    )
    for name in ("coinages", "ratio", "burrows", "cosine"):
        assert wake[name]["interval"][0] > plain[name]["interval"][1], name
        assert wake[name]["interval"][0] <= wake[name]["value"] <= wake[name]["interval"][1]
    assert wake["burrows_wake"]["value"] < plain["burrows_wake"]["value"]


def test_held_out_wake_is_its_own_landmark_and_a_single_sample_has_no_interval(made):
    """More of the same Wake falls into the range of held-out Wake, as often as 95 % promises: no passage helps it."""
    chosen = {name: draw_texts(texts, HALF, 400, made.rng) for name, texts in made.instrument.held_out.items()}
    against = references(made.instrument, chosen)
    texts = made.wake[1]
    picks = outside(chosen["wake"], origins(texts, 24), 10, made.rng)
    landmark = register.measure_landmark(
        made.instrument, measure(made.instrument, pieces_of(texts, 24)), picks, against, samples=10
    )
    inside = []
    for _ in range(40):
        fresh = measure(made.instrument, pieces_of(language(made.rng, True, 1), 24))
        found = measure_group(made.instrument, fresh, {k: v[:20] for k, v in against.items()}, made.rng)
        inside.append(
            [landmark[n]["low"] <= found[n]["value"] <= landmark[n]["high"] for n in ("coinages", "burrows_wake")]
        )
    assert (np.mean(inside, 0) > 0.8).all()
    one = Measured(24, fresh.values[:1], fresh.counts[:1])
    assert measure_group(made.instrument, one, against, made.rng)["coinages"]["interval"] is None


def test_a_range_is_that_of_as_many_pieces_of_another_text(made):
    """Half of 40 pieces, drawn again and again, lie nearer to their mean than 20 new ones do, √3 times; and of 40 the
    spread is not quite known.
    """
    values = made.rng.normal(0.5, 0.1, (40, len(OF_PIECES)))
    nothing = np.zeros((4000, len(made.instrument.scale.words)))
    pieces = Measured(24, values, nothing[:40])
    picks = made.rng.random((4000, 40)).argsort(1)[:, :20]
    found = register.measure_landmark(made.instrument, pieces, picks, {"wake": nothing, "plain": nothing}, 20)
    reach = [(found[name]["high"] - found[name]["low"]) / 2 for name in OF_PIECES]
    np.testing.assert_allclose(reach, 2.0227 * values.std(0, ddof=1) * (1 / 20 + 1 / 40) ** 0.5, rtol=0.06)
    whole = register.measure_landmark(made.instrument, pieces, np.tile(np.arange(40), (9, 1)), {}, 40)
    assert whole["pieces"] == 40 and whole["coinages"] is None, "of all pieces there is but one draw"


def test_both_languages_are_compared_with_as_many_words(made):
    """Delta falls with a text's length: a longer reference would be nearer to everything."""
    long, short = [["a"] * n for n in (30, 50, 40) * 9], [["a"] * 35] * 8
    half = half_of([long, short])
    assert half == 140
    words = [(draw_texts(texts, half, 500, made.rng) @ [len(t) for t in texts]) for texts in (long, short)]
    assert (words[1] == 140).all() and abs(words[0].mean() - 140) < 5 and abs(words[0] - 140).max() <= 25
    assert draw_texts(short[:2], half_of([short[:2]]), 50, made.rng).sum(1).tolist() == [1] * 50


def test_deltas_are_not_read_against_fewer_pieces_than_there_are_samples(made):
    """Longer texts lie nearer to everything: a group of more pieces than the held-out text has would always win."""
    chosen = {name: draw_texts(texts, HALF, 200, made.rng) for name, texts in made.instrument.held_out.items()}
    against, origin = references(made.instrument, chosen), origins(made.wake[1], 24)
    pieces = measure(made.instrument, pieces_of(made.wake[1], 24))
    whole, short = (
        register.measure_landmark(made.instrument, pieces, outside(chosen["wake"], origin, n, made.rng), against, n)
        for n in (40, 400)
    )
    assert whole["pieces"] == short["pieces"] == 40
    assert whole["burrows_wake"] and short["coinages"]
    assert [name for name in MEASURES if short[name] is None] == list(register.OF_POOLS)


def test_samples_are_grouped_by_temperature_and_by_prompt():
    samples = [{"temperature": t, "seeded_with": kind} for t in (1.0, 0.5) for kind in ("own", "high-drift", "own")]
    assert group_samples(samples) == {
        (0.5, "all"): [3, 4, 5],
        (0.5, "own"): [3, 5],
        (0.5, "high-drift"): [4],
        (1.0, "all"): [0, 1, 2],
        (1.0, "own"): [0, 2],
        (1.0, "high-drift"): [1],
    }


def test_the_length_of_a_piece():
    assert [piece_length({"words": w, "tokens": t}) for w, t in ((None, 60), (None, 1), (12, 60))] == [30, 2, 12]


@pytest.fixture
def files(tmp_path, made):
    from wake2vec.text.corpus import join_passages

    for name, (train, valid) in {"wake": made.wake, "plain": made.plain}.items():
        write_text(tmp_path / f"{name}_train.txt", join_passages([" ".join(text) for text in train]))
        write_text(tmp_path / f"{name}_valid.txt", join_passages([" ".join(text) for text in valid]))
    write_csv(tmp_path / "lexicon.csv", LEXICON[LEXICON["word"] != "bread"])

    def write(samples):
        write_json(tmp_path / "generation.json", "generation", {"samples": samples}, {})
        paths = {"train": "wake_train.txt", "valid": "wake_valid.txt", "lexicon": "lexicon.csv"}
        paths |= {"plain_train": "plain_train.txt", "plain_valid": "plain_valid.txt", "generation": "generation.json"}
        data = {"morphemes": "morphemes.csv", "blocklist": "false_segmentations.csv"}
        return {name: str(tmp_path / path) for name, path in paths.items()} | {
            name: str(ROOT / "data" / path) for name, path in data.items()
        }

    return write


SETTINGS = {
    "words": 20,
    "tokens": 60,
    "frequent": 30,
    "seed": 0,
    "max_zipf": 1.0,
    "min_length": 3,
    "names": "exclude",
    "plain": "p",
}


def sample(words, **more):
    return {"prompt": "x", "text": " " + " ".join(words) + ".", "temperature": 1.0, "seeded_with": "own"} | more


def test_a_phase_is_measured_from_files(made, files):
    copied, alien = made.wake[0][0][:25], ["zwurk", "glomp"] * 12
    values = measure_phase(files([sample(copied), sample(alien, temperature=0.5), sample(["too", "short"])]), SETTINGS)
    assert (values["words"], values["short"], values["plain"]) == (20, 1, "p")
    assert [(g["temperature"], g["kind"], g["samples"]) for g in values["groups"]] == [
        (0.5, "all", 1), (0.5, "own", 1), (1.0, "all", 1), (1.0, "own", 1)
    ]  # fmt: skip
    first, second = values["samples"]
    assert (first["sample"], first["copied"], first["longest"], first["words"]) == (0, 1, 20, 25)
    assert (second["copied"], second["unparsed"], second["distinct_1"]) == (0, 1, 0.1)
    [group] = [g["values"] for g in values["groups"] if (g["temperature"], g["kind"]) == (1.0, "all")]
    assert {name: first[name] for name in MEASURES} == pytest.approx({n: group[n]["value"] for n in MEASURES})
    [landmark] = values["landmarks"]
    assert landmark["held_out"]["coinages"]["mean"] > 3 * landmark["plain"]["coinages"]["mean"]
    assert landmark["shuffled"]["copied"]["mean"] < 0.2
    two = measure_phase(files([sample(copied), sample(alien)]), SETTINGS)
    assert [marks["samples"] for marks in two["landmarks"]] == [1, 2]  # single pieces too, for single samples
    again = measure_phase(files([sample(copied), sample(alien, temperature=0.5), sample(["too", "short"])]), SETTINGS)
    assert again == values


@pytest.mark.parametrize("names", ["exclude", "keep"])
def test_a_name_is_one_whatever_the_word_list(files, made, names):
    """A user's list gives no reason but that a word is not in it."""
    paths = files([sample(made.wake[0][0][:25])])
    write_text(paths["train"], "The river met Grimbold, and Grimbold met a moonbread; then Grimbold sang.\n")
    write_csv(paths["lexicon"], lexicon_from_list(["moonbread"], read_text(paths["train"])))
    kind = register.read_instrument(paths, SETTINGS | {"names": names}).kind
    assert [kind(word) for word in ("grimbold", "moonbread", "river")] == [
        "plain" if names == "exclude" else "quoted", "quoted", "plain"
    ]  # fmt: skip


def test_something_is_drawn_to_compare_with_however_long_a_passage_is(made):
    texts = [["a"] * n for n in (900, 20, 20, 20)]
    drawn = draw_texts(texts, 30, 400, made.rng)
    assert drawn.any(1).all() and drawn[:, 0].any() and not drawn.all(1).any()
    assert not draw_texts(texts[:1], 450, 5, made.rng).any(), "which would leave nothing to compare with it"
    never = np.tile([False, True, True, True], (400, 1))
    assert (draw_texts(texts, 30, 400, made.rng, never) == [True, False, False, False]).all()


@pytest.mark.parametrize(("among", "size"), [(4, 1), (6, 2), (12, 3)])
def test_the_range_of_few_pieces_holds_the_mean_of_others(made, among, size):
    """Of normal shares; cut at the pieces' own extremes it is far too short where they are four or six."""
    nothing, held = np.zeros((400, len(made.instrument.scale.words))), []
    for _ in range(200):
        pieces = Measured(24, made.rng.normal(0.5, 0.1, (among, len(OF_PIECES))), nothing[:among])
        picks = made.rng.random((400, among)).argsort(1)[:, :size]
        found = register.measure_landmark(made.instrument, pieces, picks, {"wake": nothing, "plain": nothing}, size)
        fresh = made.rng.normal(0.5, 0.1, (size, len(OF_PIECES))).mean(0)
        held.append([found[n]["low"] <= v <= found[n]["high"] for n, v in zip(OF_PIECES, fresh, strict=True)])
    assert np.mean(held) > 0.85


def test_an_interval_of_few_samples_holds_their_mean(made):
    """The quantiles of draws from three numbers hold it in 0.73 of all cases."""
    against, held = {of: np.zeros((400, len(made.instrument.scale.words))) for of in ("wake", "plain")}, []
    for _ in range(200):
        samples = Measured(24, made.rng.normal(0.5, 0.02, (3, len(OF_PIECES))), against["wake"][:3])
        found = measure_group(made.instrument, samples, against, made.rng)
        held.append([found[name]["interval"][0] <= 0.5 <= found[name]["interval"][1] for name in OF_PIECES])
    assert 0.88 < np.mean(held) < 0.98


def test_a_range_leaves_out_what_cannot_be():
    ends = np.array([-0.5, 1.5])
    found = {name: register.possible(name, ends).tolist() for name in MEASURES}
    assert found["coinages"] == found["distinct_2"] == [0, 1] and found["longest"] == found["cosine_wake"] == [0, 1.5]
    assert found["ratio"] == found["burrows"] == found["cosine"] == [-0.5, 1.5]


def test_a_phase_is_compared_with_as_many_words_of_both_languages(files, made, monkeypatch):
    from wake2vec.text.corpus import join_passages

    paths, seen = files([sample(made.wake[0][0][:25])]), []
    write_text(paths["plain_valid"], join_passages([" ".join(text) for text in made.plain[1] * 5]))
    known = register.references
    monkeypatch.setattr(register, "references", lambda i, chosen: seen.append((i, chosen)) or known(i, chosen))
    measure_phase(paths, SETTINGS)
    [(instrument, chosen)] = seen
    words = [chosen[of] @ [len(text) for text in instrument.held_out[of]] for of in ("wake", "plain")]
    assert (words[0] == HALF).all() and (words[1] == HALF).all()


def test_samples_that_are_all_too_short_leave_no_group(files):
    values = measure_phase(files([sample(["too", "short"])]), SETTINGS)
    assert values["groups"] == values["landmarks"] == values["samples"] == [] and values["short"] == 1


@pytest.mark.parametrize("single", [[], ["plain"], ["wake", "plain"]])
def test_deltas_need_two_held_out_passages_of_each_language(made, files, single):
    paths = files([sample(made.wake[0][0][:25]), sample(made.wake[0][1][:25])])
    for language, (_, held_out) in (("wake", made.wake), ("plain", made.plain)):
        if language in single:
            name = "valid" if language == "wake" else "plain_valid"
            write_text(paths[name], " ".join(word for text in held_out for word in text) + "\n")
    values = measure_phase(paths, SETTINGS)
    assert values["single"] == single
    for measured in ({n: v["value"] for n, v in values["groups"][0]["values"].items()}, values["samples"][0]):
        assert np.isfinite([measured[name] for name in OF_PIECES]).all()
        known = [name for name in register.OF_POOLS if np.isfinite(measured[name])]
        languages = [language for language in ("wake", "plain") if language not in single]
        some = [f"{delta}_{language}" for delta in ("burrows", "cosine") for language in languages]
        assert known == (some if single else list(register.OF_POOLS))


def test_the_built_in_plain_text_is_plain():
    training, held_out = register.built_in_plain()
    assert 3.5 < len(training) / len(held_out) < 4.5
    kind = judge(LEXICON.iloc[:0], set(), (), max_zipf=1.0, min_length=3)
    words = [word for text in held_out for word in text]
    assert sum(kind(word) != "plain" for word in words) / len(words) < 0.005
