"""Copied runs against a slow and obvious search, and distinct-n against numbers worked out by hand."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wake2vec.language.register_copying import copied, copying, distinct, run_lengths, word_ids

WORDS = st.lists(st.sampled_from("abc"), max_size=12)


def obvious(text, source):
    """The longest run from each word of the text on, found by looking at every place of the source."""
    found = []
    for i in range(len(text)):
        runs = [0]
        for j in range(len(source)):
            n = 0
            while i + n < len(text) and j + n < len(source) and text[i + n] == source[j + n]:
                n += 1
            runs.append(n)
        found.append(max(runs))
    return found


@given(WORDS, WORDS)
def test_run_lengths_are_those_of_an_exhaustive_search(text, source):
    index = {"a": 0, "b": 1, "c": 2}
    lengths = run_lengths(word_ids([text], index), word_ids([source], index))
    assert lengths[:-1].tolist() == obvious(text, source)
    assert lengths[-1] == 0  # the break behind the text


def test_no_run_crosses_the_end_of_a_text():
    found = copying([["a", "b"], ["c", "d"]], [["x", "b", "c"], ["a", "b"], ["c", "d"]])
    assert found["longest"].tolist() == [2, 2]
    split = copying([["a", "b", "c", "d", "e", "f"]], [["a", "b", "c"], ["d", "e", "f"]])
    assert split["longest"].tolist() == [3] and split["copied"].tolist() == [0]


def test_words_of_runs_that_are_long_enough_count_as_copied():
    lengths = np.array([1, 3, 2, 1, 0, 4, 3, 2, 1, 0])
    assert copied(lengths, 3).tolist() == [False, True, True, True, False, True, True, True, True, False]
    assert copied(lengths, 5).sum() == 0


def test_a_planted_passage_is_found_and_its_shuffle_is_not():
    rng = np.random.default_rng(0)
    source = [[f"w{i}" for i in rng.integers(0, 5000, 2000)] for _ in range(5)]
    planted = ["unheard"] * 12 + source[3][100:118]
    alien = [f"v{i}" for i in rng.integers(0, 5000, 30)]
    shuffled = [planted[i] for i in rng.permutation(30)]
    found = copying([planted, alien, shuffled], source)
    assert found["copied"].tolist() == [pytest.approx(0.6), 0, 0]
    assert found["longest"][0] == 18 and found["longest"][1] == 0 and found["longest"][2] < 5


def test_an_empty_text_or_source_has_no_copies():
    assert copying([["a"]], [])["longest"].tolist() == [0]
    assert np.isnan(copying([[]], [["a"]])["copied"][0])
    assert len(copying([], [["a"]])["copied"]) == 0


@pytest.mark.parametrize("loop", [False, True])
def test_a_long_book_takes_seconds_even_where_it_says_one_thing_over_and_over(loop):
    rng = np.random.default_rng(1)
    source = np.tile(np.arange(3), 20_000) if loop else rng.zipf(1.3, 180_000).clip(max=20_000)
    text = np.tile(np.arange(3), 200) if loop else source[50_000:50_600]
    started = time.process_time()
    assert run_lengths(text, source).max() == 600
    assert time.process_time() - started < 8


def test_distinct_n():
    assert distinct("a b a b a".split(), 1) == 2 / 5
    assert distinct("a b a b a".split(), 2) == 2 / 4
    assert distinct("a b c".split(), 2) == 1
    assert np.isnan(distinct(["a"], 2))
