import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from wake2vec.geometry.projection import embed, measure_projection, neighbour_centroids
from wake2vec.geometry.vectors import Rows, unit


def test_centroids_by_hand():
    base = np.array([[2, 0], [0, 3], [-1, 0]], np.float32)
    assert neighbour_centroids(np.array([[1, 1]], np.float32), base, 2).tolist() == [[0.5, 0.5]]


def test_planted_groups_stay_together_with_their_centroids(make_forms):
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((4, 24))
    base = np.repeat(centres, 15, axis=0) + 0.1 * rng.standard_normal((60, 24))
    group = np.arange(80) // 2 % 4
    new = centres[group] + 0.1 * rng.standard_normal((80, 24))
    values = measure_projection(Rows(base, new), Rows(base, new), make_forms(80, range(80, 0, -1)), 0, k=5)
    assert len(values["points"]) == 40 and values["points"][0]["token"] == "▁word0"
    at = np.array([(p["x"], p["y"]) for p in values["points"]])
    to = np.array([(p["centroid_x"], p["centroid_y"]) for p in values["points"]])
    shown = np.arange(40) % 4
    nearest = shown[np.linalg.norm(at[:, None] - to[None], axis=2).argmin(1)]
    assert (nearest == shown).mean() > 0.95
    assert values["centroid_cosine"]["mean"] > values["centroid_cosine"]["shuffled"]["high"]


def test_rows_unrelated_to_where_they_began_are_no_nearer_their_own_centroid(make_forms):
    rng = np.random.default_rng(0)
    before, after = (Rows(np.eye(16), rng.standard_normal((60, 16))) for _ in range(2))
    found = measure_projection(before, after, make_forms(60), 0)["centroid_cosine"]
    assert found["shuffled"]["low"] <= found["mean"] <= found["shuffled"]["high"]


def test_the_map_keeps_neighbourhoods_and_is_the_same_for_the_same_seed():
    rng = np.random.default_rng(1)
    vectors = unit(rng.standard_normal((10, 20))[np.arange(120) % 10] + 0.2 * rng.standard_normal((120, 20)))
    flat = embed(vectors, 10.0, 3)
    assert trustworthiness(vectors, flat, n_neighbors=5) > 0.9
    assert (flat == embed(vectors, 10.0, 3)).all()


def test_at_most_so_many_points_most_frequent_first(make_forms):
    rng = np.random.default_rng(0)
    rows = Rows(rng.standard_normal((30, 5)), rng.standard_normal((40, 5)))
    seen = rng.integers(0, 9, 40)
    shown = [p["count_train"] for p in measure_projection(rows, rows, make_forms(40, seen), 0, points=7)["points"]]
    assert len(shown) == 7 and shown == sorted(shown, reverse=True) and shown[0] == seen.max()


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_too_few_rows_have_a_reason(make_forms, n):
    rows = Rows(np.eye(5), np.ones((n, 5)))
    values = measure_projection(rows, rows, make_forms(n), 0)
    assert values["points"] == [] and values["perplexity"] is None and "three new rows" in values["reason"]


def test_three_rows_and_equal_rows_have_a_map(make_forms):
    for new in (np.eye(6, 5), np.ones((8, 5))):
        rows = Rows(np.eye(5), new)
        values = measure_projection(rows, rows, make_forms(len(new)), 0)
        assert all(np.isfinite([p["x"], p["y"], p["centroid_x"], p["centroid_y"]]).all() for p in values["points"])
