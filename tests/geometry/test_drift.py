import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from wake2vec.geometry.drift import by_count, measure_drift, random_turn
from wake2vec.geometry.vectors import Rows

TOKENS = [f"t{i}" for i in range(100)]


def test_by_hand(make_forms):
    # A right angle, a stretch, and 45 degrees: cosines 0, 1 and 0.70710678.
    base = np.eye(2)
    before = Rows(base, np.array([[1, 0], [1, 0], [2, 0]]))
    after = Rows(base, np.array([[0, 3], [5, 0], [1, 1]]))
    values = measure_drift(before, after, TOKENS, make_forms(3, [7, 0, 1]), 0)
    cosine = values["new"]["cosine"]
    assert cosine["mean"] == pytest.approx((0 + 1 + 0.5**0.5) / 3) and (cosine["min"], cosine["max"]) == (0, 1)
    assert [m["cosine"] for m in values["most_drifted"]] == pytest.approx([0, 0.5**0.5, 1])
    assert values["most_drifted"][0]["token"] == "▁word0" and values["most_drifted"][0]["count_train"] == 7
    assert (values["most_drifted"][0]["norm_before"], values["most_drifted"][0]["norm_after"]) == (1, 3)
    assert [m["token"] for m in values["least_drifted"]] == ["▁word1", "▁word0"], "only tokens seen in training"
    assert [c["rows"] for c in values["new"]["by_count"]] == [1, 1, 0, 0, 1]
    assert [c["mean_cosine"] for c in values["new"]["by_count"]] == [1.0, pytest.approx(0.5**0.5), None, None, 0.0]
    assert values["base"]["changed_rows"] == 0 and values["most_drifted_base"] == []
    assert values["base"]["cosine"]["min"] == 1.0


def test_cosines_agree_with_sklearn(make_forms):
    a, b = np.random.default_rng(0).standard_normal((2, 80, 9))
    values = measure_drift(Rows(np.eye(9), a), Rows(np.eye(9), b), TOKENS, make_forms(80), 0)
    expected = np.diag(cosine_similarity(a, b))
    assert values["new"]["cosine"]["mean"] == pytest.approx(expected.mean(), abs=1e-6)
    assert values["new"]["cosine"]["std"] == pytest.approx(expected.std(ddof=1), rel=1e-5)
    assert [m["cosine"] for m in values["most_drifted"]] == pytest.approx(np.sort(expected)[:20], abs=1e-6)
    assert sum(values["new"]["histogram"]["counts"]) == 80


def test_one_changed_base_row_is_named(make_forms):
    base = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)
    moved = base.copy()
    moved[17, 0] = np.nextafter(moved[17, 0], np.float32(9))  # by the least a float32 can move
    values = measure_drift(Rows(base, base[:2]), Rows(moved, base[:2]), TOKENS, make_forms(2), 0)
    assert values["base"]["changed_rows"] == 1
    assert [m["token"] for m in values["most_drifted_base"]] == ["t17"]


def test_null_is_a_move_of_that_length_in_a_random_direction():
    rng = np.random.default_rng(0)
    rows, step = rng.standard_normal((20000, 5)), rng.standard_normal((20000, 5))
    step *= rng.uniform(0.1, 2, (20000, 1))
    moved = np.einsum("ij,ij->i", rows, rows + step)
    moved /= np.linalg.norm(rows, axis=1) * np.linalg.norm(rows + step, axis=1)
    drawn = random_turn(np.linalg.norm(rows, axis=1), np.linalg.norm(step, axis=1), 5, rng)
    np.testing.assert_allclose(np.quantile(drawn, [0.1, 0.5, 0.9]), np.quantile(moved, [0.1, 0.5, 0.9]), atol=0.02)


def test_growth_lies_above_the_null_a_random_move_inside_it(make_forms):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((200, 16))
    noise = 0.5 * rng.standard_normal((200, 16))
    grown = measure_drift(Rows(np.eye(16), rows), Rows(np.eye(16), 1.5 * rows), TOKENS, make_forms(200), 0)
    random = measure_drift(Rows(np.eye(16), rows), Rows(np.eye(16), rows + noise), TOKENS, make_forms(200), 0)
    assert grown["new"]["cosine"]["mean"] > grown["new"]["cosine"]["null"]["high"]
    null = random["new"]["cosine"]["null"]
    assert null["low"] <= random["new"]["cosine"]["mean"] <= null["high"]


def test_every_count_has_one_group():
    found = by_count(np.ones(9), np.array([0, 1, 2, 3, 4, 5, 6, 7, 10000]))
    assert [(f["count"], f["rows"]) for f in found] == [("0", 1), ("1", 1), ("2", 1), ("3-5", 3), ("6+", 3)]


def test_forms_may_come_in_any_order(make_forms):
    rng = np.random.default_rng(0)
    before, after = (Rows(np.eye(4), rng.standard_normal((10, 4))) for _ in range(2))
    forms = make_forms(10, range(10))
    assert measure_drift(before, after, TOKENS, forms, 0) == measure_drift(before, after, TOKENS, forms[::-1], 0)


@pytest.mark.parametrize("new", [np.zeros((0, 3)), np.zeros((2, 3))])
def test_rows_without_direction_have_a_reason(make_forms, new):
    values = measure_drift(Rows(np.eye(3), new), Rows(np.eye(3), new), TOKENS, make_forms(len(new)), 0)
    assert values["new"]["cosine"]["mean"] is None and "none with a direction" in values["new"]["reason"]
    assert values["most_drifted"] == [] and values["new"]["count"] == len(new)
