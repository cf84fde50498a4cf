import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics.pairwise import cosine_similarity

from wake2vec.errors import UserError
from wake2vec.geometry import vectors
from wake2vec.geometry.vectors import Rows, counts, density, edges, evenly, nearest, paired_cosines, unit


def test_rows_with_nan_are_refused_in_words_a_person_understands():
    new = np.ones((3, 2), np.float32)
    new[1, 0] = np.nan
    with pytest.raises(UserError, match="1 of 3 new rows hold NaN or infinity.*learning rate"):
        Rows(np.ones((2, 2)), new)


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 4\)"):
        Rows(np.ones((2, 3)), np.ones((2, 4)))


def test_unit_rows_by_hand():
    assert unit(np.array([[3, 4], [0, 0], [0, -2]], np.float32)).tolist() == [
        [np.float32(0.6), np.float32(0.8)],
        [0, 0],
        [0, -1],
    ]


def test_paired_cosines_agree_with_sklearn_and_are_exactly_one_for_equal_rows():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 50, 7)).astype(np.float32)
    b[:5], b[5], a[6] = a[:5], 0, 0
    found = paired_cosines(a, b)
    np.testing.assert_allclose(found[7:], np.diag(cosine_similarity(a, b))[7:], atol=1e-6)
    assert found[:5].tolist() == [1.0] * 5
    assert np.isnan(found[5:7]).all()


def test_nearest_agrees_with_sorting_all_cosines_whatever_the_blocks(monkeypatch):
    rng = np.random.default_rng(1)
    queries, keys = rng.standard_normal((30, 6)).astype(np.float32), rng.standard_normal((200, 6)).astype(np.float32)
    expected = np.argsort(-cosine_similarity(queries, keys), axis=1)[:, :4]
    assert (nearest(queries, keys, 4)[0] == expected).all()
    monkeypatch.setattr(vectors.spans, "__defaults__", (512 * 7,))  # seven keys a block
    where, cosines = nearest(queries, keys, 4)
    assert (where == expected).all()
    np.testing.assert_allclose(cosines, np.take_along_axis(cosine_similarity(queries, keys), where, 1), atol=1e-6)


def test_nearest_of_more_than_there_are_gives_all():
    where, _ = nearest(np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0], [1.0, 0.1]], np.float32), 5)
    assert where.tolist() == [[1, 0]]


def test_moments_do_not_depend_on_the_blocks():
    matrix = np.random.default_rng(2).standard_normal((101, 5)).astype(np.float32)
    found = vectors.moments(vectors.walk(matrix, numbers=35), np.zeros(5, np.float32))
    assert found.count == 101
    np.testing.assert_allclose(found.total, matrix.astype(np.float64).sum(0))
    np.testing.assert_allclose(found.gram, matrix.T.astype(np.float64) @ matrix.astype(np.float64), atol=1e-4)


def test_float32_products_keep_six_digits_even_under_a_large_common_direction():
    rng = np.random.default_rng(3)
    matrix = rng.standard_normal((30_000, 24)).astype(np.float32) * np.linspace(0.5, 2, 24, dtype=np.float32) + 20
    wide = matrix.astype(np.float64)
    truth = (wide - wide.mean(0)).T @ (wide - wide.mean(0))
    found = vectors.moments(vectors.for_products(matrix), vectors.mean_row(matrix))
    scale = np.sqrt(np.outer(np.diag(truth), np.diag(truth)))
    assert (np.abs(found.scatter() - truth) / scale).max() < 1e-6
    np.testing.assert_allclose(found.uncentred(), wide.T @ wide, rtol=1e-6)


def test_moments_of_parts_add_up_to_those_of_the_whole():
    rows = np.random.default_rng(4).standard_normal((90, 6)).astype(np.float32) + 3
    about = vectors.mean_row(rows)
    whole, one, other = (vectors.moments(vectors.walk(part), about) for part in (rows, rows[:40], rows[40:]))
    np.testing.assert_allclose(one.plus(other).scatter(), whole.scatter(), atol=1e-4)
    np.testing.assert_allclose(whole.minus(one).scatter(), np.cov(rows[40:].T) * 49, atol=1e-4)


def test_walks_copy_no_matrix_but_for_the_rows_that_were_asked_for():
    matrix = np.ones((50, 4), np.float32)
    assert all(block.base is matrix for block in vectors.walk_index(matrix, np.arange(50))())
    assert sum(len(block) for block in vectors.walk_index(matrix, np.arange(0, 50, 7))()) == 8


@given(st.integers(0, 300), st.integers(1, 100))
def test_evenly_spaced_positions_are_distinct_rise_and_hold_both_ends(count, limit):
    at = evenly(count, limit)
    assert len(at) <= min(count, limit) and (np.diff(at) > 0).all()
    if count and limit > 1:
        assert at[0] == 0 and at[-1] == count - 1


@given(arrays(np.float64, st.integers(0, 50), elements=st.floats(-100, 100)))
def test_every_value_is_counted_once_and_the_density_has_area_one(values):
    at = edges([values])
    assert sum(counts(values, at)) == len(values)
    area = float((np.array(density(values, at)) * np.diff(at)).sum())
    assert area == pytest.approx(1.0 if len(values) else 0.0)
