import numpy as np
import pytest
from scipy import stats

from wake2vec.geometry.nulls import band, bootstrap, gaussian_rows, jackknife, random_groups, walk_gaussian


def test_gaussian_rows_have_the_norms_asked_for_and_no_preferred_direction():
    lengths = np.linspace(0.5, 3, 4000)
    rows = gaussian_rows(lengths, 16, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), lengths, rtol=1e-5)
    directions = rows / lengths[:, None]
    np.testing.assert_allclose(directions.T @ directions / 4000, np.eye(16) / 16, atol=0.006)
    assert stats.kstest(directions[:, 0] * 16**0.5, stats.norm.cdf).statistic < 0.03


def test_walked_gaussian_rows_are_the_same_at_every_walk():
    walk = walk_gaussian(np.ones(50), 4, 7)
    assert (np.concatenate(list(walk())) == np.concatenate(list(walk()))).all()


def test_band_by_hand():
    # mean 2, standard deviation 1, t(2 degrees) = 4.302653, sqrt(1 + 1/3) = 1.154701: 4.968275 on either side
    found = band(4.0, [1.0, 2.0, 3.0])
    assert (found["mean"], found["std"], found["z"]) == (2.0, 1.0, 2.0)
    assert found["low"] == pytest.approx(-2.968275) and found["high"] == pytest.approx(6.968275)
    assert band(4.0, [1.0, 2.0, 3.0], low=0.0)["low"] == 0.0


def test_one_draw_is_no_band():
    assert set(band(1.0, [2.0]).values()) == {None}


def test_the_band_holds_one_draw_more_95_times_in_100():
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((2000, 11))
    inside = [found["low"] <= d[10] <= found["high"] for d in drawn for found in [band(None, d[:10])]]
    assert 0.935 < np.mean(inside) < 0.965


def test_jackknife_by_hand():
    # (G-1)/G sum (f - mean)^2 = 1/2 x 2 = 1; t(1 degree) = 12.7062
    assert jackknife(5.0, [4.0, 6.0]) == pytest.approx((5 - 12.7062, 5 + 12.7062), abs=1e-4)
    assert jackknife(5.0, [4.0, 6.0], 0.0, 9.0) == (0.0, 9.0)


def test_jackknife_of_a_mean_covers_the_truth():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        values = rng.exponential(2.0, 100)
        group = random_groups(100, rng)
        low, high = jackknife(values.mean(), [values[group != g].mean() for g in range(10)])
        hits += low <= 2.0 <= high
    assert 0.91 < hits / 300 < 0.98


def test_groups_are_of_equal_size():
    assert np.bincount(random_groups(103, np.random.default_rng(0))).tolist().count(10) == 7


def test_bootstrap_agrees_with_scipy():
    values = np.random.default_rng(2).gamma(2.0, size=200)
    ours = bootstrap([values], np.mean, np.random.default_rng(0), draws=4000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=0).confidence_interval
    assert ours == pytest.approx(tuple(theirs), abs=0.02)
    assert bootstrap([values[:1]], np.mean, np.random.default_rng(0)) is None
