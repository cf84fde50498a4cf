"""The neighbour map, against scikit-learn, by hand, and on planted structure and planted noise."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from wake2vec.errors import UserError
from wake2vec.geometry import vectors
from wake2vec.geometry.neighbour_map import (
    control,
    describe,
    like,
    map_files,
    map_neighbours,
    parts_of,
)
from wake2vec.geometry.neighbours import measure_neighbours, random_neighbour, spread
from wake2vec.geometry.vectors import Rows, nearest, spans
from wake2vec.storage import save_arrays, write_json, write_jsonl


def form(row, word, count=0, start=True, valid=0, surface=None):
    surface = surface or word
    return {
        "id": 100 + row, "row": row, "word": word, "form": ("▁" if start else "") + surface, "surface": surface,
        "start": start, "count_train": count, "count_valid": valid,
    }  # fmt: skip


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def of_sklearn(queries, keys, k, among=False):
    finder = NearestNeighbors(n_neighbors=k + among, metric="cosine", algorithm="brute").fit(keys)
    distances, where = finder.kneighbors(queries)
    return where[:, among:], 1 - distances[:, among:]


# Nearest rows ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[None, 7, 1])
def block(request, monkeypatch):
    """Blocks of the usual size, of seven rows, and of one."""
    if request.param:
        monkeypatch.setattr(vectors, "spans", lambda count, width, *_: spans(count, 1, request.param))
    return request.param


def test_nearest_rows_are_those_of_sklearn(block):
    queries, keys = drawn(40, 9), drawn(60, 9, seed=1)
    where, cosines = nearest(queries, keys, 6)
    expected, similar = of_sklearn(queries, keys, 6)
    assert (where == expected).all()
    np.testing.assert_allclose(cosines, similar, atol=1e-6)


def test_rows_among_each_other_are_those_of_sklearn_and_none_is_its_own(block):
    matrix, at = drawn(50, 9), np.random.default_rng(2).permutation(50)[:30]
    where, cosines = nearest(matrix, None, 4, at)
    expected, similar = of_sklearn(matrix[at], matrix[at], 4, among=True)
    assert (where == expected).all() and (where != np.arange(30)[:, None]).all()
    np.testing.assert_allclose(cosines, similar, atol=1e-6)


@given(st.integers(0, 6), st.integers(0, 9), st.integers(1, 12), st.integers(0, 2**31), st.integers(1, 5))
def test_ties_keep_the_order_of_the_keys_and_zeros_are_nobodys(queries, keys, k, seed, rows):
    """Rows along an axis: cosines are exactly -1, 0 or 1, and most of them are equal."""
    rng = np.random.default_rng(seed)
    axes = np.concatenate([np.eye(3), -np.eye(3), np.zeros((1, 3))]).astype(np.float32)
    a, b = axes[rng.integers(0, 7, queries)], axes[rng.integers(0, 7, keys)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "spans", lambda count, width, *_: spans(count, 1, rows))
        where, cosines = nearest(a, b, k)
    for query, found, near in zip(a, where, cosines, strict=True):
        known = [(-float(query @ key), i) for i, key in enumerate(b) if key.any() and query.any()]
        expected = [i for _, i in sorted(known)][:k]
        assert found.tolist() == expected + [-1] * (min(k, keys) - len(expected))
        assert near[: len(expected)].tolist() == [-c for c, _ in sorted(known)[:k]]
        assert np.isnan(near[len(expected) :]).all()


def test_one_row_for_all_words():
    where, cosines = nearest(np.ones((6, 4), np.float32), None, 2)
    assert where.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1], [0, 1]] and (cosines == 1).all()


# The map --------------------------------------------------------------------------------------------------------------

FORMS = [
    form(0, "andrée's", 2, surface="Andrée’s"),
    form(1, "andrée's", 5, start=False, valid=1),
    form(2, "river-run", 5, surface="river‐run"),
    form(3, "bababad", 9, valid=3),
    form(4, "wohl", 0),
]
SEGMENTATION = [
    {"word": "andrée's", "prefix": "", "root": "andrée", "suffix": "'s", "compound": [], "method": "affix"},
    {"word": "river-run", "prefix": "", "root": "river-run", "suffix": "", "compound": ["river", "run"], "method": ""},
    {"word": "bababad", "prefix": "", "root": "bababad", "suffix": "", "compound": [], "method": "none"},
]
GOLD = [{"word": "River‐run", "parts": [{"text": "river", "role": "word"}, {"text": "ruin", "role": "word"}]}]


def test_what_is_known_of_a_word():
    words = describe(FORMS, SEGMENTATION, GOLD)
    assert [w["word"] for w in words] == ["bababad", "andrée's", "river-run", "wohl"]  # by count of all forms
    assert [w["count_train"] for w in words] == [9, 7, 5, 0] and [w["count_valid"] for w in words] == [3, 1, 0, 0]
    assert [f["row"] for f in words[1]["forms"]] == [1, 0]  # it stands by its more frequent form
    assert [w["parts"] for w in words] == [[], ["andrée", "'s"], ["river", "run"], []]
    assert [w["gold"] for w in words] == [None, None, ["river", "ruin"], None]
    assert "gold" not in describe(FORMS, SEGMENTATION, None)[0]


def test_parts_of_a_word():
    entry = {"prefix": "un", "root": "wake", "suffix": "", "compound": []}
    assert parts_of(entry) == ["un", "wake"] and parts_of(entry | {"prefix": ""}) == []
    assert parts_of(entry | {"compound": ["a", "b"]}) == ["a", "b"]


def test_a_map_by_hand():
    base = np.eye(4)[:3]
    initial = np.array([[1, 0, 0, 0], [3, 4, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 2]])
    moved = initial.copy()
    moved[1] = [4, 3, 0, 0]
    phases = {"init": lambda: Rows(base, initial), "p1": lambda: Rows(base, moved)}
    values = map_neighbours(phases, ["▁a", "▁b", "▁c"], FORMS, SEGMENTATION, None, k=2, seed=0)
    assert (values["k"], values["phases"]) == (2, ["init", "p1"])
    by_word = {word["word"]: word["phases"] for word in values["words"]}
    # Andrée's stands by row 1, (3, 4, 0, 0) / 5; its other form, row 0, is nobody's neighbour
    assert by_word["andrée's"]["init"] == {
        "base": [("▁b", 0.8), ("▁a", 0.6)],
        "new": [("river-run", 0.8), ("wohl", 0.0)],
    }
    assert by_word["andrée's"]["p1"]["base"] == [("▁a", 0.8), ("▁b", 0.6)]
    assert by_word["andrée's"]["p1"]["drift"] == 0.96  # (3 · 4 + 4 · 3) / 25
    assert by_word["river-run"]["p1"]["drift"] == 1.0 and "drift" not in by_word["river-run"]["init"]
    assert by_word["bababad"]["p1"] == {"base": [], "new": [], "drift": None}  # a row of zeros
    assert by_word["wohl"]["init"]["base"] == [("▁a", 0.0), ("▁b", 0.0)]  # equal: in the order of the rows


def test_a_map_is_that_of_sklearn_whatever_was_trained(make_forms):
    base, rows = drawn(80, 8), [drawn(30, 8, seed=s) for s in (1, 2)]
    loads = {"init": lambda: Rows(base, rows[0]), "p3": lambda: Rows(base[::-1], rows[1])}
    values = map_neighbours(loads, [f"t{i}" for i in range(80)], make_forms(30), [], None, k=5, seed=0)
    at = np.arange(0, 30, 2)  # two forms a word, never seen: the start-of-word form stands for it
    for number, (phase, keys) in enumerate((("init", base), ("p3", base[::-1]))):
        among, among_cosines = of_sklearn(rows[number][at], rows[number][at], 5, among=True)
        where, cosines = of_sklearn(rows[number][at], keys, 5)
        for i, word in enumerate(values["words"]):
            found = word["phases"][phase]
            assert [name for name, _ in found["base"]] == [f"t{j}" for j in where[i]]
            assert [name for name, _ in found["new"]] == [f"word{j}" for j in among[i]]
            listed = [c for kind in ("base", "new") for _, c in found[kind]]
            np.testing.assert_allclose(listed, [*cosines[i], *among_cosines[i]], atol=6e-5)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_words_and_more_neighbours_than_there_are(make_forms, n):
    load = {"init": lambda: Rows(np.eye(3), drawn(2 * n, 3))}
    values = map_neighbours(load, ["a", "b", "c"], make_forms(2 * n), [], None, k=50, seed=0)
    assert [len(word["phases"]["init"]["base"]) for word in values["words"]] == [3] * n
    assert [len(word["phases"]["init"]["new"]) for word in values["words"]] == [n - 1] * n
    json.dumps(values, allow_nan=False)


def test_rows_of_another_run_are_refused(make_forms):
    with pytest.raises(UserError, match="come from different runs"):
        map_neighbours({"init": lambda: Rows(np.eye(3), drawn(5, 3))}, "abc", make_forms(4), [], None, k=1, seed=0)


def test_from_the_files_of_a_run(base, tmp_path):
    from wake2vec.bases.checkpoint import base_rows

    matrix = base_rows(base)["embedding"]
    new = (matrix[10:15] + 0.01 * drawn(5, matrix.shape[1])).astype(np.float32)
    for phase, rows in (("init", new), ("p1", new[::-1])):
        save_arrays(tmp_path / phase / "rows.safetensors", {"embedding.new": rows})
    write_json(tmp_path / "injection.json", "injection", {"base_rows": len(matrix), "forms": FORMS}, {})
    write_jsonl(tmp_path / "segmentation.jsonl", SEGMENTATION)
    files = {
        "manifest": base,
        "tokenizer": base.parent / "tokenizer.json",
        "injection": tmp_path / "injection.json",
        "rows": [tmp_path / phase / "rows.safetensors" for phase in ("init", "p1")],
        "segmentation": tmp_path / "segmentation.jsonl",
    }
    values = map_files(files, phases=["init", "p1"], k=3, seed=0)
    from tokenizers import Tokenizer

    tokens = Tokenizer.from_file(str(files["tokenizer"]))
    for word in values["words"]:
        row = word["forms"][0]["row"]
        assert word["phases"]["init"]["base"][0][0] == tokens.id_to_token(10 + row)
        assert word["phases"]["p1"]["base"][0][0] == tokens.id_to_token(14 - row)
    assert map_files(files, phases=["init", "p1"], k=3, seed=0) == values
    alone = map_files(files | {"rows": files["rows"][:1]}, phases=["init"], k=3, seed=0)
    assert alone["controls"]["init"] == values["controls"]["init"]


# Controls -------------------------------------------------------------------------------------------------------------


def test_drawn_vectors_have_the_mean_and_covariance_of_the_rows():
    matrix = drawn(500, 4) @ np.diag([3, 1, 0.5, 0]).astype(np.float32) + np.array([5, 0, 0, 0], np.float32)
    at = np.arange(100, 400)
    found = like(matrix, at, 20_000, np.random.default_rng(0))
    np.testing.assert_allclose(found.mean(0), matrix[at].mean(0), atol=0.08)
    np.testing.assert_allclose(np.cov(found.T), np.cov(matrix[at].T), atol=0.2)
    assert (found[:, 3] == 0).all() and like(matrix, at[:1], 5, np.random.default_rng(0)).shape == (0, 4)


def controls_of(rows, at, seed=0):
    return control(rows, at, nearest(rows.new, rows.base, 1, at)[1], seed, 200)


def test_rows_without_structure_lie_no_nearer_than_the_control():
    """Rows that share a direction and unequal variances, but no neighbours: random directions lie further away from
    everything, which says nothing; the control of the same covariance says so.
    """
    scales = np.geomspace(3, 0.1, 24).astype(np.float32)
    base, new = drawn(800, 24) * scales, drawn(600, 24, seed=1) * scales + 2 * scales
    found = controls_of(Rows(base, new), np.arange(600))
    for kind in ("base", "new"):
        assert found[kind]["above"] < 0.06
        assert found[kind]["mean"] > found[kind]["random_direction"]["high"]
        assert found[kind]["same_covariance"]["low"] < found[kind]["mean"] < found[kind]["same_covariance"]["high"]


def test_vectors_made_of_rows_are_not_compared_with_these_rows():
    """Noise in as many dimensions as there are words: what is drawn of the rows would lie far nearer to them (0.23 at
    the mean, where the words have 0.18) than to rows of the same kind, and no word could lie above it.
    """
    found = [controls_of(Rows(drawn(900, 256, seed=s), drawn(300, 256, seed=100 + s)), np.arange(300), s)
             for s in range(8)]  # fmt: skip
    for kind in ("base", "new"):
        beside = np.mean([one[kind]["same_covariance"]["mean"] for one in found])
        assert np.mean([one[kind]["mean"] for one in found]) == pytest.approx(beside, abs=0.004)
        assert 0.01 < np.mean([one[kind]["above"] for one in found]) < 0.045


def test_a_spread_leaves_a_fortieth_above_it():
    drawn = np.arange(199.0)
    # one more draw has 200 places to fall, 5 of them above 194
    assert spread(drawn) == pytest.approx({"mean": 99, "low": 4, "high": 194, "draws": 199})
    assert spread(drawn[:0])["high"] is None


def test_the_nearest_to_a_random_direction_by_its_law():
    """The cosine of a random direction to one row in three dimensions is uniform on [-1, 1] (Archimedes), and so its
    size, the higher of two opposite rows' cosines, on [0, 1]: 95 % lie between 0.025 and 0.975, and the normal law,
    0.5 ± 1.96 / sqrt(12), would put bounds outside [0, 1].
    """
    axis = np.array([[0, 0, 2], [0, 0, -3]], np.float32)
    found = random_neighbour(axis, 0)
    assert found["draws"] == 1000 and found["mean"] == pytest.approx(0.5, abs=0.03)
    assert [found["low"], found["high"]] == pytest.approx([0.025, 0.975], abs=0.015)
    alone = random_neighbour(axis, 0, np.array([1]))
    assert [alone["low"], alone["high"]] == pytest.approx([-0.95, 0.95], abs=0.04)
    assert random_neighbour(axis[:0], 0)["low"] is None and random_neighbour(np.zeros((3, 4)), 0)["draws"] is None


def test_both_tables_have_one_range_for_random_directions(make_forms):
    rows = Rows(drawn(90, 12), drawn(30, 12, seed=1))
    tokens, forms = [str(i) for i in range(90)], make_forms(30)
    controls = map_neighbours({"init": lambda: rows}, tokens, forms, [], None, k=2, seed=5)["controls"]
    assert controls["init"]["base"]["random_direction"] == measure_neighbours(rows, tokens, forms, 5)["null"]


def test_rows_made_of_base_rows_lie_nearer_to_them():
    base = drawn(800, 64)
    parts = np.random.default_rng(1).permutation(800)[:600].reshape(300, 2)
    new = base[parts].mean(1) + 0.1 * drawn(300, 64, seed=2)
    found = controls_of(Rows(base, new), np.arange(300))
    assert found["base"]["above"] > 0.95 and found["base"]["mean"] > found["base"]["same_covariance"]["high"]
    assert found["new"]["above"] < 0.06  # no two of them share a part
