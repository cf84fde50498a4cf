import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from wake2vec.geometry.dimension import figures, measure_dimension, smooth_figures, spectrum
from wake2vec.geometry.vectors import Rows, mean_row, walk


def test_figures_by_hand():
    # Shares .5 .3 .1 .1: 90 % after three components exactly, 95 % after four; 1 / (.25 + .09 + .01 + .01) = 2.7778
    found = figures(np.array([0.5, 0.3, 0.1, 0.1]))
    assert (found["d90"], found["d95"]) == (3, 4) and found["participation_ratio"] == pytest.approx(1 / 0.36)
    assert smooth_figures(np.array([0.5, 0.3, 0.2]))["d90"] == pytest.approx(2.5)
    assert figures(np.array([1.0, 0.0])) == {"d90": 1, "d95": 1, "participation_ratio": 1.0}


def test_spectrum_agrees_with_sklearn_in_all_components():
    rows = (np.random.default_rng(0).standard_normal((700, 150)) * np.linspace(1, 2, 150) + 2).astype(np.float32)
    shares = spectrum(walk(rows), mean_row(rows))
    pca = PCA(svd_solver="full").fit(rows.astype(np.float64))
    np.testing.assert_allclose(shares, pca.explained_variance_ratio_, rtol=2e-6)  # float32 products
    assert figures(shares)["d90"] == np.searchsorted(np.cumsum(pca.explained_variance_ratio_), 0.9) + 1 > 100


def test_more_components_than_rows_agree_with_sklearn():
    rows = np.random.default_rng(0).standard_normal((12, 40)).astype(np.float32)
    shares = spectrum(walk(rows), mean_row(rows))
    np.testing.assert_allclose(shares[:11], PCA().fit(rows).explained_variance_ratio_[:11], rtol=1e-5)
    assert shares[11:].max() == 0


@pytest.mark.parametrize("k", [1, 5, 30])
def test_a_planted_dimension_is_found(k):
    rng = np.random.default_rng(k)
    flat = rng.standard_normal((2000, k)) @ np.linalg.qr(rng.standard_normal((64, k)))[0].T
    values = measure_dimension(Rows(rng.standard_normal((2000, 64)), flat + 5), 0)
    new = values["groups"]["new"]
    assert new["d95"] <= k and new["d90"] >= 0.85 * k and new["participation_ratio"] == pytest.approx(k, rel=0.05)
    for name in ("d90", "d95", "participation_ratio"):
        assert new["interval"][name][1] < new["null"][name]["low"]
        base = values["groups"]["base"]
        assert base["null"][name]["low"] - 0.5 <= base[name] <= base["null"][name]["high"] + 0.5


def test_groups_are_compared_at_equal_count():
    # Gaussian rows alike but for their number: uncut, 60 rows fill at most 59 of 100 dimensions, 5,000 fill 100.
    rng = np.random.default_rng(0)
    values = measure_dimension(Rows(rng.standard_normal((5000, 100)), rng.standard_normal((60, 100))), 0)
    base, new = values["groups"]["base"], values["groups"]["new"]
    assert values["matched_count"] == base["count"] == new["count"] == 60
    assert abs(base["d90"] - new["d90"]) <= 2 and base["d90"] < 59
    assert len(new["cumulative"]) == 59 and new["cumulative"][-1] == pytest.approx(1.0)


def test_the_null_of_whole_components_is_no_single_number():
    """Of 12 dimensions structureless rows need 11 for 95 % nearly always: a p from that alone would be 0 or 1."""
    p = []
    for seed in range(20):
        rows = np.random.default_rng(seed).standard_normal((60, 12))
        new = measure_dimension(Rows(rows, rows), seed, shuffles=1)["groups"]["new"]
        for name in ("d90", "d95"):
            null = new["null"][name]
            assert null["low"] <= new[name] <= null["high"] or null["p"] < 0.05
            p.append(null["p"])
    assert min(p) > 1e-4 and np.mean(np.array(p) < 0.05) < 0.15
    assert np.mean(np.array(p) > 0.5) > 0.3 and max(p) < 1


def test_gaussian_rows_lie_inside_the_null_band():
    inside = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rows = Rows(rng.standard_normal((80, 12)), rng.standard_normal((80, 12)))
        new = measure_dimension(rows, seed, shuffles=2)["groups"]["new"]
        band = new["null"]["participation_ratio"]
        inside += band["low"] <= new["participation_ratio"] <= band["high"]
    assert inside >= 34


def test_the_interval_covers_what_other_samples_give():
    rng = np.random.default_rng(0)
    mix, found = np.linspace(0.2, 2, 20), []
    for seed in range(50):
        rows = rng.standard_normal((200, 20)) * mix
        found.append(measure_dimension(Rows(rows, rows), seed, draws=2, shuffles=2)["groups"]["new"])
    for name in ("d90", "participation_ratio"):
        truth = np.median([f[name] for f in found])  # a whole one, of components
        assert np.mean([f["interval"][name][0] <= truth <= f["interval"][name][1] for f in found]) >= 0.84
    variance = np.sort(mix**2)[::-1].cumsum() / (mix**2).sum()
    assert np.median([f["d90"] for f in found]) == np.searchsorted(variance, 0.9) + 1
    assert {type(end) for f in found for end in f["interval"]["d90"]} == {int}


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0.05, 50), st.floats(-3, 3))
def test_rotation_scale_and_shift_change_nothing(seed, scale, shift):
    rng = np.random.default_rng(seed)
    rows = (rng.standard_normal((60, 8)) * np.linspace(0.3, 2, 8)).astype(np.float32)
    moved = (rows @ np.linalg.qr(rng.standard_normal((8, 8)))[0] * scale + shift * scale).astype(np.float32)
    np.testing.assert_allclose(spectrum(walk(moved), mean_row(moved)), spectrum(walk(rows), mean_row(rows)), atol=1e-5)


@pytest.mark.parametrize(
    "new", [np.zeros((0, 4)), np.ones((1, 4)), np.zeros((7, 4)), np.full((40, 4), 0.3), np.full((3, 4), 1e3)]
)
def test_rows_that_do_not_differ_have_a_reason(new):
    group = measure_dimension(Rows(np.random.default_rng(0).standard_normal((50, 4)), new), 0)["groups"]["new"]
    assert group["d90"] is None and group["cumulative"] == [] and "no variance" in group["reason"]
