"""Deltas against numbers worked out by hand, SciPy's distances, and authors that must be told apart."""

import numpy as np
import pytest
from scipy.spatial import distance

from wake2vec.language.register_delta import burrows, cosine, counts, fit_scale, standardise


def test_counts_are_of_the_vocabulary_alone():
    assert counts([["a", "b", "a"], ["c"], []], ["a", "c"]).tolist() == [[2, 0], [0, 1], [0, 0]]


def test_a_scale_by_hand():
    """Two texts a side: shares of "a" are 1/2, 0 and 1/4, 1/4; of "b" 1/2, 1 and 1/2, 1/2; "d" stands in one side."""
    one = [["a", "b"], ["b", "b"]]
    other = [["a", "b", "b", "d"]] * 2
    scale = fit_scale(one, other, 3)
    assert scale.words == ["b", "a", "d"]
    assert scale.mean.tolist() == [0.625, 0.25, 0.125]
    spread = [[-0.125, 0.375, -0.125, -0.125], [0.25, -0.25, 0, 0], [-0.125, -0.125, 0.125, 0.125]]
    np.testing.assert_allclose(scale.deviation, [np.sqrt(np.mean(np.square(row))) for row in spread])


def test_each_language_has_half_of_the_weight_however_many_texts_it_has():
    one, other = [["a", "b", "b", "b"], ["a", "a", "a", "b"]], [["b", "b", "a", "a"]]
    more = fit_scale(one, other * 50, 2)
    few = fit_scale(one, other, 2)
    np.testing.assert_allclose(more.mean, few.mean)
    np.testing.assert_allclose(more.deviation, few.deviation)


def test_a_word_that_is_everywhere_as_frequent_is_left_out():
    alike = [["a"] + [other] * 4 for other in "bcdef"]
    assert "a" not in fit_scale(alike[:2], alike[2:], 20).words, "0.2 in all of them, but for rounding"
    assert fit_scale([["a", "b"], ["a", "c"]], [["a", "b"]], 5).words == ["b", "c"]


def test_deltas_are_the_mean_absolute_difference_and_the_cosine_distance():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 4, 30))
    np.testing.assert_allclose(
        burrows(one, other), [distance.cityblock(a, b) / 30 for a, b in zip(one, other, strict=True)]
    )
    np.testing.assert_allclose(cosine(one, other), [distance.cosine(a, b) for a, b in zip(one, other, strict=True)])
    assert cosine(one, one) == pytest.approx(0) and cosine(one, -one) == pytest.approx(2)


def write(rng, shares, words):
    return [f"w{i}" for i in rng.choice(len(shares), words, p=shares)]


def test_two_authors_are_told_apart_and_one_author_is_not():
    """Two authors whose frequent words differ by a fifth: their texts are nearer to their own author's."""
    rng = np.random.default_rng(2)
    base = 1 / np.arange(1, 301)
    authors = [base * np.exp(rng.normal(0, 0.25, 300)) for _ in range(2)]
    authors = [shares / shares.sum() for shares in authors]
    texts = [[write(rng, shares, 400) for _ in range(30)] for shares in authors]
    scale = fit_scale(*texts, 100)
    profiles = [counts([sum(half, [])], scale.words) for half in texts]
    profiles = [standardise(profile, np.array([12_000]), scale) for profile in profiles]
    unseen = [standardise(counts([write(rng, s, 700) for _ in range(20)], scale.words), np.full(20, 700), scale)
              for s in authors]  # fmt: skip
    for measure in (burrows, cosine):
        nearer = [measure(unseen[i], profiles[i]) < measure(unseen[i], profiles[1 - i]) for i in (0, 1)]
        assert np.mean(nearer) > 0.95
    same = standardise(counts([write(rng, authors[0], 700) for _ in range(200)], scale.words), np.full(200, 700), scale)
    twin = standardise(counts([write(rng, authors[0], 12_000)], scale.words), np.array([12_000]), scale)
    assert 0.3 < np.mean(burrows(same, profiles[0]) < burrows(same, twin)) < 0.9


def test_a_delta_falls_with_the_length_of_the_text():
    """Why only texts of equal length are compared."""
    rng = np.random.default_rng(3)
    shares = 1 / np.arange(1, 301)
    shares /= shares.sum()
    texts = [write(rng, shares, 400) for _ in range(40)]
    scale = fit_scale(texts[:20], texts[20:], 100)
    own = standardise(counts([sum(texts, [])], scale.words), np.array([16_000]), scale)
    short, long = (
        burrows(
            standardise(counts([write(rng, shares, n) for _ in range(20)], scale.words), np.full(20, n), scale), own
        )
        for n in (100, 1000)
    )
    assert short.min() > long.max()


def test_a_text_without_words_has_no_scores():
    scale = fit_scale([["a", "b"]], [["a", "a"]], 2)
    assert np.isnan(standardise(np.zeros((1, 2)), np.array([0]), scale)).all()
