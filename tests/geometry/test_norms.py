import numpy as np
import pytest
from scipy import stats

from wake2vec.geometry.norms import by_index, cohens_d, measure_norms
from wake2vec.geometry.vectors import Rows


def rows_with_norms(base, new, d=4):
    """Rows that have these norms, all along the first axis."""
    make = lambda lengths: np.eye(1, d, dtype=np.float32) * np.array(lengths, np.float32)[:, None]  # noqa: E731
    return Rows(make(base), make(new))


def test_by_hand():
    # Base 1 2 3 and new 4 6: means 2 and 5, variances 1 and 2, so d = 3 / sqrt(1.5); every new row is longer.
    values = measure_norms(rows_with_norms([1, 2, 3], [4, 6]), 0)
    assert values["groups"]["base"]["mean"] == 2 and values["groups"]["base"]["std"] == 1
    assert values["groups"]["new"]["median"] == 5 and values["groups"]["new"]["count"] == 2
    assert values["cohens_d"]["value"] == pytest.approx(3 / 1.5**0.5)
    assert values["mann_whitney"]["u"] == 6 and values["mann_whitney"]["auc"] == 1.0
    # t = 3 / sqrt(1/3 + 2/2); df = (4/3)^2 / ((1/3)^2/2 + 1^2/1)
    assert values["welch"]["t"] == pytest.approx(3 / (4 / 3) ** 0.5)
    assert values["welch"]["df"] == pytest.approx((16 / 9) / (1 / 18 + 1))


def test_welch_and_mann_whitney_agree_with_scipy():
    rng = np.random.default_rng(0)
    rows = Rows(rng.standard_normal((300, 12)) * 0.1, rng.standard_normal((80, 12)) * 0.11)
    values = measure_norms(rows, 0)
    base, new = (np.linalg.norm(x.astype(np.float64), axis=1) for x in (rows.base, rows.new))
    welch = stats.ttest_ind(new, base, equal_var=False)
    assert values["welch"] == pytest.approx({"t": welch.statistic, "df": welch.df, "p": welch.pvalue})
    u = stats.mannwhitneyu(new, base)
    assert values["mann_whitney"]["u"] == u.statistic and values["mann_whitney"]["p"] == pytest.approx(u.pvalue)
    assert values["mann_whitney"]["auc"] == pytest.approx((new[:, None] > base[None]).mean())


def test_a_planted_difference_lies_outside_the_shuffled_labels_and_none_lies_inside():
    rng = np.random.default_rng(1)
    base = rng.standard_normal((400, 16))
    longer = measure_norms(Rows(base, 1.2 * rng.standard_normal((100, 16))), 0)["cohens_d"]
    assert longer["value"] > longer["null"]["high"] and longer["interval"][0] > 0
    inside = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        same = measure_norms(Rows(rng.standard_normal((100, 8)), rng.standard_normal((50, 8))), seed, shuffles=20)
        inside += same["cohens_d"]["null"]["low"] <= same["cohens_d"]["value"] <= same["cohens_d"]["null"]["high"]
    assert inside >= 17


def test_shuffled_labels_ask_for_the_mean_and_not_for_the_spread():
    """Few new rows that vary more, of the same mean: their d strays more than that of shuffled rows, which share the
    spread; with p of d itself 0.1 to 0.2 of such runs had p < 0.05.
    """
    rng, found = np.random.default_rng(0), []
    for seed in range(80):
        rows = rows_with_norms(rng.normal(10, 0.2, 400), rng.normal(10, 1.0, 40))
        found.append(measure_norms(rows, seed, shuffles=79)["cohens_d"]["permuted"]["p"])
    assert np.mean(np.array(found) < 0.05) < 0.09 and np.mean(np.array(found) < 0.5) > 0.4


def test_interval_of_d_covers_the_truth():
    # Norms are directly normal here: d of N(11, 1) against N(10, 1) is 1.
    hits = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows = rows_with_norms(rng.normal(10, 1, 200), rng.normal(11, 1, 100))
        low, high = measure_norms(rows, seed, shuffles=2)["cohens_d"]["interval"]
        hits += low <= 1 <= high
    assert hits >= 17


def test_equal_norms_of_one_group_as_spherical_initialisation_makes_them_give_no_warning(recwarn):
    values = measure_norms(rows_with_norms([1, 2, 3], [1.5] * 10), 0)
    assert values["cohens_d"]["value"] == pytest.approx(-0.5 / 0.5**0.5)
    assert values["groups"]["new"]["std"] == 0 and len(recwarn) == 0


def test_norms_that_never_vary_have_a_reason():
    values = measure_norms(rows_with_norms([1] * 5, [2] * 5), 0)
    assert values["cohens_d"]["value"] is None and "no spread" in values["reason"]
    assert values["mann_whitney"]["auc"] == 1.0


def test_scatter_points_carry_token_ids():
    found = by_index(np.arange(5000.0), np.arange(9000.0, 9010.0))
    assert len(found["index"]) == 2000 and found["group"].count("new") == 10
    assert found["index"][-10:] == list(range(5000, 5010)) and found["norm"][-1] == 9009
    assert found["index"][0] == 0 and found["norm"][:1990] == [float(i) for i in found["index"][:1990]]


def test_scale_changes_norms_and_nothing_else():
    rng = np.random.default_rng(3)
    base, new = rng.standard_normal((50, 5)).astype(np.float32), rng.standard_normal((20, 5)).astype(np.float32)
    one, four = measure_norms(Rows(base, new), 0), measure_norms(Rows(4 * base, 4 * new), 0)
    assert one["cohens_d"]["interval"] == pytest.approx(four["cohens_d"]["interval"])
    assert one["cohens_d"]["null"] == pytest.approx(four["cohens_d"]["null"])
    assert one["welch"] == pytest.approx(four["welch"])
    assert four["groups"]["new"]["q75"] == pytest.approx(4 * one["groups"]["new"]["q75"])


def test_d_changes_sign_with_the_groups():
    a, b = np.array([1.0, 2.0, 4.0]), np.array([2.0, 5.0])
    assert cohens_d(a, b) == -cohens_d(b, a) > 0
