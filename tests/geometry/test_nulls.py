import numpy as np
import pytest
from scipy import stats

from wake2vec.geometry.nulls import (
    band,
    bootstrap,
    difference,
    gaussian_rows,
    jackknife,
    known_band,
    own_stream,
    permuted,
    random_groups,
    walk_gaussian,
)


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


def test_p_by_hand_and_below_a_twentieth_exactly_outside_the_band():
    # z = 2 over sqrt(1 + 1/3): Student's t of 2 degrees at 1.732051, whose two-sided p is 0.225403
    found = band(4.0, [1.0, 2.0, 3.0])
    assert found["p"] == pytest.approx(0.225403, abs=1e-6) and found["draws"] == 3
    edge = found["high"]
    assert band(edge + 1e-9, [1.0, 2.0, 3.0])["p"] < 0.05 < band(edge - 1e-9, [1.0, 2.0, 3.0])["p"]
    known = known_band(1.959964, 0.0, 1.0)
    assert known["p"] == pytest.approx(0.05, abs=1e-6) and known["high"] == pytest.approx(1.959964, abs=1e-6)
    assert band(2.0, [2.0, 2.0])["p"] == 1.0 and band(3.0, [2.0, 2.0])["p"] == 0.0
    assert band(None, [1.0, 2.0])["p"] is None


def test_p_of_shuffled_labels_by_hand():
    # the mean of the shuffles is 0; of 4 of them 2 lie as far from it as 0.5
    found = difference(0.5, [-0.6, -0.1, 0.1, 0.6])
    assert found["p"] == (1 + 2) / (1 + 4) and found["shuffles"] == 4
    assert difference(1.0, [-0.6, -0.1, 0.1, 0.6])["p"] == 0.2


@pytest.mark.parametrize("count", [2, 3, 5, 20])
def test_the_interval_of_few_holds_the_truth_as_often_as_it_says(count):
    rng = np.random.default_rng(count)
    bounds = [bootstrap([rng.normal(3, 1, count)], np.mean, rng, draws=300) for _ in range(400)]
    assert np.mean([low <= 3 <= high for low, high in bounds]) > 0.9
    cut = [bootstrap([rng.uniform(0, 1, count)], np.mean, rng, 0.0, 1.0, draws=50) for _ in range(20)]
    assert all(0 <= low <= high <= 1 for low, high in cut)


def test_initial_rows_and_a_null_of_the_same_seed_are_not_the_same_numbers():
    """NumPy takes [7, 0] for 7: without a stream of its own a null of directions would be the rows themselves."""
    rows, alone, ours = (np.random.default_rng(seed).standard_normal(8) for seed in ([7, 0], 7, own_stream(7)))
    assert (rows == alone).all() and not np.isin(ours, rows).any()
    assert not np.isin(np.random.default_rng([7, 1]).standard_normal(8), ours).any()


def test_permuted_labels_give_a_uniform_p_without_a_difference_and_find_one():
    figures = lambda rows: {"length": float(np.linalg.norm(rows, axis=1).mean()), "none": None}  # noqa: E731
    rng = np.random.default_rng(0)
    p = [permuted(*rng.standard_normal((2, 30, 4)), figures, rng, shuffles=19)["length"]["p"] for _ in range(100)]
    assert stats.kstest(p, stats.uniform.cdf).pvalue > 0.01 and np.mean(np.array(p) <= 0.05) < 0.12
    found = permuted(rng.standard_normal((90, 4)), 2 * rng.standard_normal((40, 4)), figures, rng, shuffles=99)
    assert found["rows"] == 40 and found["length"]["p"] == 0.01 and "none" not in found
    assert "at least 20" in permuted(np.ones((90, 4)), np.ones((19, 4)), figures, rng)["reason"]


def test_rows_longer_than_they_are_many_are_turned_not_changed():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((60, 300)).astype(np.float32)
    seen = []
    figures = lambda few: seen.append(few) or {"cosine": float(few[0] @ few[1])}  # noqa: E731
    found = permuted(rows[:30], rows[30:], figures, rng, shuffles=2)
    assert {few.shape for few in seen} == {(30, 30)}
    assert found["cosine"]["difference"] == pytest.approx(rows[30] @ rows[31] - rows[0] @ rows[1], abs=1e-3)


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
