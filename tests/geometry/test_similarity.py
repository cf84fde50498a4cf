import numpy as np
import pytest
from scipy import stats
from sklearn.metrics.pairwise import cosine_similarity

from wake2vec.geometry.nulls import gaussian_rows
from wake2vec.geometry.similarity import (
    Side,
    ks_distance,
    mean_cosine,
    mean_difference,
    mean_interval,
    measure_similarity,
    permutation_p,
)
from wake2vec.geometry.vectors import Rows, unit


def test_by_hand():
    # Base: cosines of (1,0), (0,1), (-1,0) are 0, -1, 0; new: (1,0) twice, so 1. Between: 1, 0, -1, twice each.
    rows = Rows(np.array([[2, 0], [0, 1], [-3, 0]]), np.array([[1, 0], [7, 0]]))
    pairs = measure_similarity(rows, 0)["pairs"]
    assert pairs["base_base"]["pairs"] == 3 and pairs["base_base"]["mean"] == pytest.approx(-1 / 3)
    assert pairs["base_base"]["median"] == 0 and pairs["new_new"]["mean"] == 1
    assert pairs["base_new"]["pairs"] == 6 and pairs["base_new"]["mean"] == pytest.approx(0)
    assert pairs["base_new"]["std"] == pytest.approx((4 / 5) ** 0.5)


def test_means_are_over_all_pairs_as_sklearn_has_them():
    rng = np.random.default_rng(0)
    rows = Rows(rng.standard_normal((300, 10)) + 0.3, rng.standard_normal((250, 10)) - 0.1)
    pairs = measure_similarity(rows, 0, pairs=500)["pairs"]
    base, new = cosine_similarity(rows.base), cosine_similarity(rows.new)
    assert pairs["base_base"]["mean"] == pytest.approx(base[np.triu_indices(300, 1)].mean(), abs=1e-6)
    assert pairs["new_new"]["mean"] == pytest.approx(new[np.triu_indices(250, 1)].mean(), abs=1e-6)
    assert pairs["base_new"]["mean"] == pytest.approx(cosine_similarity(rows.base, rows.new).mean(), abs=1e-6)
    assert pairs["base_base"]["pairs"] == 500
    assert pairs["base_base"]["std"] == pytest.approx(base[np.triu_indices(300, 1)].std(), rel=0.1)


def test_null_is_what_gaussian_directions_give():
    rng = np.random.default_rng(0)
    means = {"base_base": [], "base_new": []}
    for _ in range(600):
        a, b = rng.standard_normal((30, 12)), rng.standard_normal((20, 12))
        one, other = Side.of(a, rng), Side.of(b, rng)
        means["base_base"].append(mean_cosine(one, one))
        means["base_new"].append(mean_cosine(one, other))
    null = {k: p["null"] for k, p in measure_similarity(Rows(a, b), 0)["pairs"].items()}
    for name, drawn in means.items():
        assert 0.92 < np.mean([null[name]["low"] <= m <= null[name]["high"] for m in drawn]) < 0.98
    lines = gaussian_rows(np.ones(400), 12, rng)
    assert cosine_similarity(lines)[np.triu_indices(400, 1)].std() == pytest.approx(null["base_base"]["std"], rel=0.02)


def test_interval_of_the_mean_covers_the_truth():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(100):
        a, b = Side.of(rng.standard_normal((80, 8)) + 0.4, rng), Side.of(rng.standard_normal((60, 8)) + 0.3, rng)
        found.append([(mean_cosine(x, y), *mean_interval(x, y)) for x, y in ((a, a), (a, b))])
    for kind in np.moveaxis(np.array(found), 1, 0):
        assert np.mean((kind[:, 1] <= kind[:, 0].mean()) & (kind[:, 0].mean() <= kind[:, 2])) >= 0.9


def test_a_planted_common_direction_is_found():
    rng = np.random.default_rng(0)
    values = measure_similarity(Rows(rng.standard_normal((400, 32)), rng.standard_normal((200, 32)) + 0.5), 0)
    new = values["pairs"]["new_new"]
    assert new["interval"][0] > 0.1 > new["null"]["high"]
    assert values["ks"]["statistic"] > 0.4 and values["ks"]["permutation_p"] == 0.002


def test_permutation_p_is_uniform_where_the_groups_do_not_differ_and_the_usual_p_is_not():
    ours, usual = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        # Clustered rows: pairs of a cluster go together, as pairs that share a row do.
        rows = rng.standard_normal((6, 8))[rng.integers(6, size=60)] + 0.3 * rng.standard_normal((60, 8))
        base, new = unit(rows[:40]), unit(rows[40:])
        ours.append(permutation_p(base, new, rng, shuffles=39))
        usual.append(measure_similarity(Rows(base, new), seed, shuffles=1)["ks"]["p"])
    assert stats.kstest(ours, stats.uniform.cdf).pvalue > 0.01
    assert np.mean(np.array(ours) <= 0.05) < 0.15 < np.mean(np.array(usual) <= 0.05)


def test_the_difference_of_the_groups_is_that_of_their_mean_cosines():
    rng = np.random.default_rng(0)
    base, new = unit(rng.standard_normal((30, 5))), unit(rng.standard_normal((30, 5)) + 1)
    pairs = np.triu_indices(30, 1)
    truth = cosine_similarity(new)[pairs].mean() - cosine_similarity(base)[pairs].mean()
    assert mean_difference(base, new, rng, 19)["mean"]["difference"] == pytest.approx(truth)


def test_ks_distance_agrees_with_scipy():
    rng = np.random.default_rng(0)
    a, b = np.sort(rng.normal(size=70)), np.sort(rng.normal(0.3, size=50).round(1))
    assert ks_distance(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)


def test_rotation_and_lengths_change_nothing(rotation):
    rng = np.random.default_rng(0)
    base, new = rng.standard_normal((60, 6)), rng.standard_normal((30, 6)) + 0.5
    one = measure_similarity(Rows(base, new), 3)["pairs"]
    turn = rotation(6)
    other = measure_similarity(Rows(3 * base @ turn, new @ turn * rng.uniform(0.1, 5, (30, 1))), 3)["pairs"]
    for name in one:
        for figure in ("mean", "std", "q05", "median", "q95"):
            assert other[name][figure] == pytest.approx(one[name][figure], abs=1e-5)


@pytest.mark.parametrize("n", [0, 1])
def test_pairings_without_pairs_have_a_reason(n):
    values = measure_similarity(Rows(np.eye(4), np.ones((n, 4))), 0)
    assert values["pairs"]["new_new"]["mean"] is None and "no pairs" in values["pairs"]["new_new"]["reason"]
    assert values["ks"]["statistic"] is None and "two of each" in values["ks"]["reason"]
    assert values["pairs"]["base_base"]["mean"] == 0
