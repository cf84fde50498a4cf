"""Synthetic coinages: sampled as their weights say, never a word that exists, and shown in sentences one and all."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wake2vec.errors import UserError
from wake2vec.text.coinage import (
    affix_weights,
    analyse,
    coin,
    frequent_words,
    read_frames,
    synthetic_forms,
    synthetic_sentences,
)
from wake2vec.text.lexicon import build_lexicon, kept, zipf_table
from wake2vec.text.morphology import join
from wake2vec.text.words import normalise, words

DATA = Path(__file__).parents[2] / "data"
FILES = (DATA / "morphemes.csv", DATA / "false_segmentations.csv")
FRAMES = DATA / "sentence_frames.txt"
PREFIXES = {"un": 5, "re": 3, "pre": 2, "mid": 1}
STEMS = {"river": 9, "lantern": 4, "happy": 3, "hope": 2, "mirror": 1}
SUFFIXES = {"ation": 3, "ness": 2, "ling": 1, "er": 1}

TEXT = (
    """A riverless man and a lanternish girl sat on the moonbread. The riverless girl was unlanterned, said Plooshbot.

Moonbread and riverling, riverling and moonbread: a candlemouth, a candlemouth! An unlanterned, lanternish candlemouth.
"""
    + "The river went by the garden, and the lantern stood in the window with the bread and the moon. " * 6
)


# Forms --------------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 60))
def test_forms_are_their_parts_joined_and_no_word_twice_nor_a_known_one(seed, n):
    known = {"unriverness", "prelanterning"}
    forms = synthetic_forms(PREFIXES, STEMS, SUFFIXES, n, seed, known=known)
    assert len(forms) <= n
    made = [form["word"] for form in forms]
    assert len(set(made)) == len(made) and not known & set(made)
    assert not set(made) & zipf_table().keys()
    for form in forms:
        assert form["word"] == form["prefix"] + join(form["root"], form["suffix"])
        assert form["prefix"] in PREFIXES and form["root"] in STEMS and form["suffix"] in SUFFIXES
        assert normalise(form["word"]) == form["word"] and words(form["word"]) == [form["word"]]
    assert forms == synthetic_forms(PREFIXES, STEMS, SUFFIXES, n, seed, known=known)


def test_a_weight_is_the_product_of_its_parts_shares():
    forms = {form["word"]: form for form in synthetic_forms(PREFIXES, STEMS, SUFFIXES, 60, 1)}
    assert forms["preriveration"]["weight"] == pytest.approx(2 / 11 * 9 / 19 * 3 / 7)
    weights = [form["weight"] for form in forms.values()]
    assert weights == sorted(weights, reverse=True)


def test_parts_are_drawn_as_often_as_their_weights_say():
    """Over first draws of many seeds: "river" has 9 of 19 parts of the weight; 600 draws, four standard errors."""
    first = Counter(synthetic_forms({"mid": 1}, STEMS, {"ling": 1}, 1, seed)[0]["root"] for seed in range(600))
    for root, weight in STEMS.items():
        share = weight / sum(STEMS.values())
        assert abs(first[root] / 600 - share) < 4 * (share * (1 - share) / 600) ** 0.5


def test_all_there_is_comes_back_when_more_is_asked_for():
    forms = synthetic_forms({"mid": 1}, {"river": 1, "hope": 1}, {"ling": 1, "hood": 1}, 10, 0)
    assert sorted(form["word"] for form in forms) == ["midhopehood", "midhopeling", "midriverhood", "midriverling"]
    assert synthetic_forms({}, STEMS, SUFFIXES, 5, 0) == synthetic_forms(PREFIXES, STEMS, SUFFIXES, 0, 0) == []


def test_english_words_are_drawn_again():
    assert synthetic_forms({"un": 1}, {"happy": 1}, {"ness": 1}, 5, 0) == []


def test_affixes_weigh_what_the_text_has_of_them_once_it_has_a_few():
    assert affix_weights({"a": 3, "b": 0, "c": 1}) == {"a": 4, "b": 1, "c": 2}
    assert affix_weights({"a": 3, "b": 0, "c": 1, "d": 2, "e": 1, "f": 9}) == {"a": 3, "c": 1, "d": 2, "e": 1, "f": 9}


# Sentences ----------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 80), st.integers(0, 10**6))
def test_every_sentence_holds_a_form_and_every_form_occurs_when_there_are_sentences_enough(count, n, seed):
    forms = [{"word": f"plooshx{'z' * i}", "weight": 1 + i} for i in range(count)]
    frames = read_frames(FRAMES)
    sentences = synthetic_sentences(forms, frames, n, seed)
    assert len(sentences) == n
    made = {form["word"] for form in forms}
    held = [made & {normalise(word) for word in words(sentence)} for sentence in sentences]
    assert all(held)
    if n >= count:
        assert set().union(*held) == made
    assert sentences == synthetic_sentences(forms, frames, n, seed)
    assert "{" not in "".join(sentences) and all(sentence[0].isupper() for sentence in sentences)


def test_frames_are_used_as_often_as_each_other():
    sentences = synthetic_sentences([{"word": "ploosh", "weight": 1}], ["One {}.", "Two {}.", "Three {}."], 8, 3)
    assert sorted(Counter(sentences).values()) == [2, 3, 3]


def test_the_article_fits_the_form():
    forms = [{"word": "underploosh", "weight": 1}]
    assert synthetic_sentences(forms, ["a {} and a {}."], 1, 0) == ["An underploosh and an underploosh."]
    assert synthetic_sentences([{"word": "uniploosh", "weight": 1}], ["A {}."], 1, 0) == ["A uniploosh."]


def test_there_are_forty_frames_and_each_is_a_sentence():
    frames = read_frames(FRAMES)
    assert len(frames) >= 40 and len(set(frames)) == len(frames)
    assert all(frame.endswith((".", "?")) for frame in frames)


@pytest.mark.parametrize(
    ("text", "message"),
    [("A {} here.\nNone here.\n", "line 2: a frame needs"), ("A {x} {}.\n", "line 1"), ("# nothing\n\n", "no frame")],
)
def test_a_bad_frame_names_its_line(tmp_path, text, message):
    path = tmp_path / "frames.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_frames(path)


# The whole stage ----------------------------------------------------------------------------------------------------


def test_a_text_is_analysed_into_its_planted_parts():
    lexicon = build_lexicon(TEXT)
    values, rows = analyse(lexicon, *FILES)
    assert [row["word"] for row in rows] == kept(lexicon)
    assert [list(row) for row in rows] == [["word", "count", "prefix", "root", "suffix", "compound", "method"]] * len(
        rows
    )
    cut = {row["word"]: (row["count"], row["prefix"], row["root"], row["suffix"], row["compound"]) for row in rows}
    assert cut == {
        "riverless": (2, "", "river", "less", []),
        "lanternish": (2, "", "lantern", "ish", []),
        "unlanterned": (2, "un", "lantern", "ed", []),
        "riverling": (2, "", "river", "ling", []),
        "moonbread": (3, "", "moonbread", "", ["moon", "bread"]),
        "candlemouth": (3, "", "candlemouth", "", ["candle", "mouth"]),
    }
    assert values["counts"]["methods"] == {"affix": 4, "compound": 2, "none": 0}
    assert values["counts"]["prefixes"]["un"] == 1 and values["counts"]["prefixes"]["re"] == 0
    assert {suffix: n for suffix, n in values["counts"]["suffixes"].items() if n} == {
        "less": 1,
        "ish": 1,
        "ed": 1,
        "ling": 1,
    }
    assert values["prefixes"].keys() == values["counts"]["prefixes"].keys()


@pytest.fixture(scope="module")
def coined():
    """A function: seed -> 30 synthetic coinages of the text, and 60 sentences."""
    lexicon = build_lexicon(TEXT)
    counts = analyse(lexicon, *FILES)[0]["counts"]
    return lambda seed: coin(lexicon, counts, *FILES, FRAMES, forms=30, sentences=60, seed=seed)


def test_synthetic_words_are_of_the_texts_parts_and_shown_in_sentences(coined):
    rows, text = coined(5)
    assert len({row["word"] for row in rows}) == 30
    assert {row["root"] for row in rows} <= set("river went garden lantern stood window bread moon girl".split())
    assert not {row["word"] for row in rows} & set(build_lexicon(TEXT)["word"])
    assert len(text.splitlines()) == 60 and text.endswith("\n")
    assert {row["word"] for row in rows} <= {normalise(word) for word in words(text)}


def test_synthetic_words_are_segmented_as_the_lexicons_are(coined):
    of_lexicon = analyse(build_lexicon(TEXT), *FILES)[1][0]
    for row in coined(5)[0]:
        assert set(row) - {"weight"} == set(of_lexicon)
        assert row["prefix"] + join(row["root"], row["suffix"]) == row["word"]
        assert (row["count"], row["compound"], row["method"]) == (0, [], "affix")


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(coined):
    once, again, other = (coined(seed) for seed in (5, 5, 6))
    assert json.dumps(once) == json.dumps(again) and once[1] != other[1]


def test_frequent_words_that_are_no_coinages_may_be_roots():
    text = "See Plooshbot and a dringle, " * 5 + "a moon, " * 4 + "well-nigh " * 9
    lexicon = build_lexicon(text)
    assert kept(lexicon) == ["dringle"]
    assert sorted(frequent_words(lexicon)) == ["a", "and", "plooshbot", "see"]
