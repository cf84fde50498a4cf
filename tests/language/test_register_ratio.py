"""The letter models against a slow and obvious one, and what the ratio must and must not find."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wake2vec.language.register_ratio import bits, fit, fit_pair, ratio

TEXT = st.text("ab c", max_size=20)


def witten_bell(train, text, characters, order):
    """log2 P of `text` after a space, by the formula, one character at a time."""
    total = 0.0
    past = "\0" * (order - 1) + " " if order > 1 else ""
    for i, character in enumerate(text):
        before = (past + text[:i])[-(order - 1) :] if order > 1 else ""
        p = 1 / (len(characters) + 1)
        for n in range(1, order + 1):
            context = before[len(before) - n + 1 :] if n > 1 else ""
            following = Counter(train[j + n - 1] for j in range(len(train) - n + 1) if train[j : j + n - 1] == context)
            if following:
                p = (following[character] + len(following) * p) / (following.total() + len(following))
        total += math.log2(p)
    return total


@settings(deadline=None)
@given(st.text("ab ", min_size=1, max_size=30), TEXT, TEXT, st.integers(1, 4))
def test_a_model_is_the_formula(train, one, other, order):
    model = fit(train, "ab ", order)
    expected = [witten_bell(train, text, "ab ", order) for text in (one, other)]
    assert bits(model, [one, other]) == pytest.approx(expected)


def test_probabilities_of_the_next_character_sum_to_one():
    model = fit("abracadabra arba", "abcdr ", 3)
    whole = bits(model, ["abr" + character for character in "abcdr ?"]) - bits(model, ["abr"])
    assert np.exp2(whole).sum() == pytest.approx(1)


LATIN = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore".split()
MADE = "zwök krzat vrunk ptok glorb snizz qwarl thrix brumf zogg klept mivz drasp fnord yarble gwix".split()


def written(rng, vocabulary, texts, words=50):
    return [[vocabulary[i] for i in rng.integers(0, len(vocabulary), words)] for _ in range(texts)]


def test_the_ratio_names_the_language_and_orders_mixtures():
    rng = np.random.default_rng(0)
    models = fit_pair(written(rng, MADE, 20), written(rng, LATIN, 20))
    made, latin = written(rng, MADE, 10), written(rng, LATIN, 10)
    mixed = [a[:25] + b[:25] for a, b in zip(made, latin, strict=True)]
    found = [ratio(*models, pieces) for pieces in (made, mixed, latin)]
    assert found[0].min() > 1 and found[2].max() < -1
    assert found[0].min() > found[1].max() and found[1].min() > found[2].max()


def test_two_samples_of_one_language_give_no_ratio():
    """Nor does the longer of two trainings win: both learn from as many words."""
    rng = np.random.default_rng(1)
    vocabulary = LATIN + MADE
    models = fit_pair(written(rng, vocabulary, 20), written(rng, vocabulary, 400))
    assert abs(ratio(*models, written(rng, vocabulary, 50)).mean()) < 0.02


def test_the_ratio_is_anti_symmetric_and_of_every_piece_by_itself():
    rng = np.random.default_rng(2)
    one, other = fit_pair(written(rng, MADE, 5), written(rng, LATIN, 5))
    pieces = [*written(rng, MADE, 3), ["ξένος"], ["a"]]
    found = ratio(one, other, pieces)
    np.testing.assert_allclose(found, -ratio(other, one, pieces))
    np.testing.assert_allclose(found, [ratio(one, other, [piece])[0] for piece in pieces])
    assert len(ratio(one, other, [])) == 0
