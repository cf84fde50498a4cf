import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wake2vec.geometry.overlap import _shared, measure_overlap, mismatched, pip_loss, products_of
from wake2vec.geometry.vectors import Rows, nearest


def pip_directly(e, f):
    e, f = e.astype(np.float64), f.astype(np.float64)
    return np.linalg.norm(e @ e.T - f @ f.T), np.linalg.norm(e @ e.T)


def test_overlap_by_hand():
    # Nearest two of (1,0) are base rows 0 and 1, of (0,1) rows 2 and 1: one of two is shared.
    base = np.array([[1, 0], [1, 1], [0, 1]], np.float32)
    before, after = np.array([[1, 0], [1, 0]], np.float32), np.array([[0, 1], [2, 0]], np.float32)
    assert _shared(*(nearest(rows, base, 2)[0] for rows in (before, after))).tolist() == [0.5, 1.0]


def test_what_mismatched_rows_share_is_the_mean_of_all_pairs():
    rng = np.random.default_rng(0)
    old, fresh = (np.stack([rng.permutation(12)[:3] for _ in range(9)]) for _ in range(2))
    pairs = [len({*old[i]} & {*fresh[j]}) / 3 for i in range(9) for j in range(9) if i != j]
    assert mismatched(old, fresh, rng, 19)["mean"] == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_p_of_few_rows_is_no_smaller_than_it_should_be(count):
    """Neighbours before and after that know nothing of each other, and seldom meet: where they do once, that is no sign
    of stability, though no draw of a few shuffles may have had it.
    """
    rng, found = np.random.default_rng(count), []
    for _ in range(300):
        old, fresh = (np.stack([rng.permutation(60)[:5] for _ in range(count)]) for _ in range(2))
        found.append(mismatched(old, fresh, rng, 99)["p"])
    assert min(found) > 0 and np.mean(np.array(found) < 0.05) < 0.08


def test_pip_loss_by_hand():
    # E E' = [[1, 0], [0, 1]], F F' = [[4, 0], [0, 1]]: the difference has norm 3, E E' norm sqrt 2.
    e, f = np.eye(2, dtype=np.float32), np.diag([2, 1]).astype(np.float32)
    assert pip_loss(products_of(e, f)) == pytest.approx((3.0, 2**0.5))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 12), st.floats(1e-4, 10))
def test_pip_loss_is_the_norm_of_the_difference_of_the_inner_products(seed, n, d, step):
    rng = np.random.default_rng(seed)
    e = rng.standard_normal((n, d)).astype(np.float32)
    f = (e + step * rng.standard_normal((n, d))).astype(np.float32)
    assert pip_loss(products_of(e, f)) == pytest.approx(pip_directly(e, f), rel=1e-4)


def test_pip_loss_of_a_rotation_and_of_nothing_is_zero(rotation):
    rows = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)
    assert pip_loss(products_of(rows, rows))[0] == 0.0
    loss, scale = pip_loss(products_of(rows, rows @ rotation(6)))
    assert loss < 1e-3 * scale


def test_rows_that_stay_overlap_wholly_and_rows_drawn_anew_as_the_null_says(make_forms):
    rng = np.random.default_rng(0)
    base, new, other = rng.standard_normal((200, 16)), rng.standard_normal((150, 16)), rng.standard_normal((150, 16))
    stay = measure_overlap(Rows(base, new), Rows(base, new * 2), make_forms(150), 0)
    assert stay["mean"] == 1.0 and stay["null"]["high"] < 0.2
    assert stay["histogram"]["counts"] == [0] * 10 + [150]
    fresh = measure_overlap(Rows(base, new), Rows(base, other), make_forms(150), 0)
    assert fresh["null"]["low"] <= fresh["mean"] <= fresh["null"]["high"]
    assert fresh["chance"] == 10 / 200 and abs(fresh["mean"] - 0.05) < 0.02


def test_hubs_are_not_taken_for_stability(make_forms):
    # Ten base rows lie near everything. Rows drawn anew share them: far above chance, but the null knows.
    rng = np.random.default_rng(0)
    common = rng.standard_normal(16)
    base = rng.standard_normal((300, 16))
    base[:10] = common + 0.1 * rng.standard_normal((10, 16))
    before, after = (Rows(base, common + rng.standard_normal((100, 16))) for _ in range(2))
    values = measure_overlap(before, after, make_forms(100), 0)
    assert values["mean"] > 5 * values["chance"]
    assert values["null"]["low"] <= values["mean"] <= values["null"]["high"]


def test_norm_change_and_points(make_forms):
    rng = np.random.default_rng(0)
    base, new = rng.standard_normal((40, 5)).astype(np.float32), rng.standard_normal((30, 5)).astype(np.float32)
    values = measure_overlap(Rows(base, new), Rows(base, 3 * new), make_forms(30, range(30)), 0)
    lengths = np.linalg.norm(new, axis=1)
    assert values["norm_change"]["mean"] == pytest.approx(2 * lengths.mean(), rel=1e-5)
    assert values["points"]["norm_change"] == pytest.approx(2 * lengths, rel=1e-5)
    assert values["points"]["count_train"] == list(range(30)) and sum(values["histogram"]["counts"]) == 30


def test_a_random_move_lies_inside_the_null_of_the_pip_loss_a_common_one_above(make_forms):
    rng = np.random.default_rng(0)
    base, new = rng.standard_normal((40, 12)), rng.standard_normal((100, 12))
    step = 0.3 * rng.standard_normal((100, 12))
    random = measure_overlap(Rows(base, new), Rows(base, new + step), make_forms(100), 0)["pip_loss"]
    assert random["null"]["low"] <= random["value"] <= random["null"]["high"]
    together = np.full(12, 0.3) * np.ones((100, 1))
    common = measure_overlap(Rows(base, new), Rows(base, new + together), make_forms(100), 0)["pip_loss"]
    assert common["value"] > common["null"]["high"]
    assert common["interval"][0] < common["relative"] < common["interval"][1]


def test_at_most_so_many_rows_are_measured_and_shown(make_forms):
    rng = np.random.default_rng(0)
    rows = Rows(rng.standard_normal((30, 4)), rng.standard_normal((4000, 4)))
    values = measure_overlap(rows, rows, make_forms(4000), 0, sample=3500, draws=2)
    assert values["rows"] == 3500 and len(values["points"]["overlap"]) == 3000


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_rows_and_fewer_base_rows_than_k(make_forms, n):
    rows = Rows(np.eye(3), np.ones((n, 3)))
    values = measure_overlap(rows, rows, make_forms(n), 0)
    assert values["k"] == 3 and values["rows"] == n and (values["mean"] is None) == (n == 0)
    assert (values["pip_loss"]["value"] is None) == (n == 0)


def test_rows_of_zeros_are_left_out(make_forms):
    new = np.array([[0, 0, 0], [1, 0, 0]])
    values = measure_overlap(Rows(np.eye(3), new), Rows(np.eye(3), new), make_forms(2), 0, k=1)
    assert values["rows"] == 1 and values["mean"] == 1.0
