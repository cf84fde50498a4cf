"""What is known of spectra without drawing or decomposing them, against drawing and decomposing them."""

import numpy as np
import pytest

from wake2vec.geometry import spectra
from wake2vec.geometry.isotropy import isoscore, null_eigenvector
from wake2vec.geometry.nulls import walk_gaussian
from wake2vec.geometry.vectors import moments


def gaussian_moments(lengths, dimension, seed):
    return moments(walk_gaussian(lengths, dimension, seed), np.zeros(dimension, np.float32))


def published_isoscore(rows):
    """The paper's algorithm step by step, in float64: PCA, variances, normalised, defect, share, rescaled."""
    d = rows.shape[1]
    variances = np.linalg.eigvalsh(np.cov(rows.T.astype(np.float64))).clip(0)
    scaled = np.sqrt(d) * variances / np.linalg.norm(variances)
    defect = np.linalg.norm(scaled - 1) / np.sqrt(2 * (d - np.sqrt(d)))
    share = (d - defect**2 * (d - np.sqrt(d))) ** 2 / d**2
    return (d * share - 1) / (d - 1)


@pytest.mark.parametrize(("equal", "score"), [(5, 1.0), (1, 0.0), (3, 0.5), (2, 0.25)])
def test_isoscore_by_hand(equal, score):
    # rows +-e_1 ... +-e_k in five dimensions: k equal variances of five give (k - 1) / 4
    axes = np.eye(5, dtype=np.float32)[:equal]
    rows = np.concatenate([axes, -axes])
    assert isoscore(rows) == pytest.approx(score) == pytest.approx(published_isoscore(rows))


def test_isoscore_of_two_unequal_variances_by_hand():
    # variances 3 and 1 of two: PR = 16 / 10, so (1.6 - 1) / 1
    rows = np.array([[3**0.5, 0], [-(3**0.5), 0], [0, 1], [0, -1]], np.float32)
    assert isoscore(rows + 7) == pytest.approx(0.6)


def test_isoscore_is_the_published_algorithm():
    rng = np.random.default_rng(0)
    for d in (2, 9, 40):
        rows = (rng.standard_normal((200, d)) * np.linspace(0.1, 2, d) + 3).astype(np.float32)
        assert isoscore(rows) == pytest.approx(published_isoscore(rows), abs=1e-6)


def test_isoscore_of_rows_that_do_not_differ_is_none():
    assert isoscore(np.full((9, 4), 0.3, np.float32)) is None


def test_eigenvectors_are_those_of_float64():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((300, 30)) * np.linspace(0.2, 3, 30)
    found, truth = spectra.decompose(rows.T @ rows)[1], np.linalg.eigh(rows.T @ rows)[1]
    assert np.abs(np.abs((found * truth).sum(0)) - 1).max() < 1e-5
    np.testing.assert_allclose(found.T @ found, np.eye(30), atol=2e-6)
    np.testing.assert_allclose(spectra.eigenvalues(rows.T @ rows), np.linalg.eigvalsh(rows.T @ rows)[::-1])


@pytest.mark.parametrize(
    ("n", "d", "spread", "longest"), [(80, 12, 0.0, 1), (300, 32, 0.4, 1), (60, 100, 0.2, 1), (100, 16, 0.0, 4)]
)
def test_the_participation_ratio_of_structureless_rows_is_known(n, d, spread, longest):
    lengths = np.exp(spread * np.random.default_rng(0).standard_normal(n))
    lengths[0] *= longest
    drawn = [spectra.participation_ratio(gaussian_moments(lengths, d, seed)) for seed in range(200)]
    mean, std = spectra.null_participation(lengths, d)
    assert np.mean(drawn) == pytest.approx(mean, abs=0.5 * std)
    assert np.std(drawn) == pytest.approx(std, rel=0.25)
    assert np.mean(np.abs(np.array(drawn) - mean) < 1.96 * std) > 0.9


@pytest.mark.parametrize(("n", "d", "spread"), [(1500, 300, 0.3), (150, 300, 0.1), (1500, 96, 0.2)])
def test_the_approximated_null_of_the_eigenvector_form_is_the_drawn_one(n, d, spread):
    rng = np.random.default_rng(n)
    lengths = np.minimum(2.0, 0.6 * np.exp(spread * rng.standard_normal(n)))
    method, drawn = null_eigenvector(lengths, d, rng, 12)
    other, near = null_eigenvector(lengths, d, rng, 60, limit=0)
    assert (method, other) == ("drawn", "approximated")
    assert np.mean(near) == pytest.approx(np.mean(drawn), abs=1.2 * np.std(drawn, ddof=1))
    assert 0.5 < np.std(near) / np.std(drawn, ddof=1) < 2


def test_long_rows_are_drawn_however_many_they_are():
    rng = np.random.default_rng(0)
    assert null_eigenvector(np.full(50, 3.0), 8, rng, 2, limit=0)[0] == "drawn"


def test_the_null_spectrum_is_that_of_a_full_draw():
    lengths = np.random.default_rng(0).uniform(0.5, 1.5, 2000)
    full = np.linalg.eigvalsh(moments(walk_gaussian(lengths, 500, 0), np.zeros(500, np.float32)).gram)
    small = spectra.null_spectrum(lengths, 500, np.random.default_rng(1))
    assert small.sum() == pytest.approx(full.sum(), rel=0.02) == pytest.approx((lengths**2).sum(), rel=0.02)
    np.testing.assert_allclose(small[25:475], full[25:475], rtol=0.06)


def test_the_extreme_vectors_hold_the_extremes():
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((400, 80)) * np.exp(-np.arange(80) / 30) * 0.3 + 0.02
    gram = rows.T @ rows
    few, every = spectra.extreme_vectors(gram, rows.sum(0), kept=12), spectra.decompose(gram)[1]
    ratios = []
    for vectors in (few, every):
        z = np.exp(rows @ np.concatenate([vectors, -vectors], axis=1)).sum(0)
        ratios.append(z.min() / z.max())
    assert few.shape[1] <= 24 and ratios[0] == pytest.approx(ratios[1], rel=1e-6)
