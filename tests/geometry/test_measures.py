"""The functions that the rules call: the shapes they promise, on any matrix however odd, the same for the same seed."""

import json
import time
import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from wake2vec.errors import UserError
from wake2vec.geometry.measures import measure_change, measure_rows, project, recover
from wake2vec.geometry.norms import measure_norms
from wake2vec.geometry.nulls import own_stream
from wake2vec.geometry.overlap import measure_overlap
from wake2vec.geometry.vectors import Rows
from wake2vec.storage import plain

GOLD = [
    {
        "word": f"word{i}",
        "kind": ("derivation", "compound")[i % 2],
        "parts": [{"text": f"p{i % 3}", "role": "root"}, {"text": "ness", "role": "suffix"}],
        "count": 2,
        "count_train": i % 5,
        "count_valid": 1,
    }
    for i in range(40)
]
SEGMENTATION = [
    {"word": f"word{i}", "prefix": "un" * (i % 2), "root": f"p{i % 3}", "suffix": "ness", "compound": []}
    for i in range(40)
]
IDS = {"p0": [0], "p1": [1], "p2": [1], "ness": [0, 1]}


ROOTS = {"p0": [0], "p1": [0, 1], "p2": [1]}


def everything(before: Rows, after: Rows, forms: list[dict], seed: int = 0) -> dict:
    tokens = [f"t{i}" for i in range(len(before.base))]
    return {
        **measure_rows(after, tokens, forms, seed, segmentation=SEGMENTATION, root_ids=ROOTS),
        **measure_change(before, after, tokens, forms, seed),
        **project(before, after, forms, seed),
        **recover(after, GOLD, forms, IDS, seed),
    }


def not_finite(values, path: str = "") -> list[str]:
    """Where NaN or infinity hides in nested values."""
    if isinstance(values, dict):
        return [found for name, value in values.items() for found in not_finite(value, f"{path}/{name}")]
    if isinstance(values, list | tuple):
        return [found for i, value in enumerate(values) for found in not_finite(value, f"{path}/{i}")]
    return [path] if isinstance(values, float) and not np.isfinite(values) else []


def test_every_result_has_the_promised_names(make_forms):
    rng = np.random.default_rng(0)
    rows = Rows(rng.standard_normal((60, 8)), rng.standard_normal((40, 8)))
    values = everything(rows, Rows(rows.base * 2, rows.new + 0.1), make_forms(40, np.resize(range(4), 40)))
    band = {"mean", "low", "high", "p"}
    for measure in ("isotropy", "dimension", "similarity"):
        permuted = values[measure]["permuted"]
        assert permuted.pop("rows") == 40 and len(permuted) == {"isotropy": 4, "dimension": 3, "similarity": 1}[measure]
        assert all({"difference", "mean", "low", "high", "p", "shuffles"} == set(one) for one in permuted.values())
    assert {"value", "interval", "effect", "shuffled", "random", "centred", "by_affix"} <= set(values["directions"])
    assert set(values) == {
        *("norms", "isotropy", "dimension", "similarity", "directions", "neighbours"),
        *("drift", "overlap", "projection", "recovery"),
    }
    assert {"groups", "welch", "mann_whitney", "cohens_d", "histogram", "by_index"} <= set(values["norms"])
    for group in ("all", "base", "new"):
        for figure in ("sampled_ratio", "eigenvector", "isoscore"):
            assert {"value", "interval", "null", "effect"} == set(values["isotropy"]["groups"][group][figure])
            assert band <= set(values["isotropy"]["groups"][group][figure]["null"])
    for group in ("base", "new"):
        found = values["dimension"]["groups"][group]
        figures = {"d90", "d95", "participation_ratio"}
        assert figures | {"count", "interval", "null", "spectrum", "cumulative"} <= set(found)
        assert set(found["interval"]) == figures == set(found["null"])
    for pairing in ("base_base", "new_new", "base_new"):
        wanted = {"pairs", "mean", "std", "q05", "median", "q95", "interval", "null"}
        assert wanted <= set(values["similarity"]["pairs"][pairing])
        assert {"mean", "std", "low", "high"} <= set(values["similarity"]["pairs"][pairing]["null"])
    assert {"edges", "base_base", "new_new", "base_new"} == set(values["similarity"]["histogram"])
    assert {"statistic", "p", "permutation_p"} == set(values["similarity"]["ks"])
    assert {"token", "row", "position", "count_train", "neighbours"} == set(values["neighbours"]["tokens"][0])
    drift = values["drift"]
    assert {"new", "base", "most_drifted", "most_drifted_base", "least_drifted"} == set(drift)
    assert {"token", "cosine", "norm_before", "norm_after", "count_train"} == set(drift["most_drifted_base"][0])
    assert drift["base"]["changed_rows"] == 60 and len(drift["most_drifted"]) == 20
    overlap = {"k", "rows", "mean", "interval", "null", "histogram", "norm_change", "pip_loss", "points"}
    assert overlap <= set(values["overlap"]) and {"value", "relative", "null"} <= set(values["overlap"]["pip_loss"])
    point = {"token", "count_train", "x", "y", "centroid_x", "centroid_y"}
    assert point == set(values["projection"]["points"][0])
    figures = {"median_rank", "median_rank_interval", "mean_reciprocal_rank", "top1", "top10", "chance", "shuffled"}
    for group in values["recovery"]["groups"]:
        assert figures | {"count", "coinages", "parts", "centred"} <= set(group) and figures <= set(group["centred"])
    assert set(values["recovery"]["by_role"]) == {"root", "suffix"}


def test_the_same_seed_gives_the_same_bytes_on_one_thread_or_two(make_forms):
    rng = np.random.default_rng(0)
    before = Rows(rng.standard_normal((200, 16)), rng.standard_normal((60, 16)))
    after = Rows(before.base, before.new + 0.2 * rng.standard_normal((60, 16)))
    forms = make_forms(60, np.resize(range(7), 60))
    written = json.dumps(plain(everything(before, after, forms, 5)))
    np.random.seed(1)  # the global state is nobody's business here
    with threadpool_limits(2):
        assert json.dumps(plain(everything(before, after, forms, 5))) == written
    assert json.dumps(plain(everything(before, after, forms, 6))) != written


ODD = {
    "no new rows": lambda r: (r.standard_normal((20, 5)), np.zeros((0, 5))),
    "one new row": lambda r: (r.standard_normal((20, 5)), r.standard_normal((1, 5))),
    "two new rows": lambda r: (r.standard_normal((20, 5)), r.standard_normal((2, 5))),
    "three new rows": lambda r: (r.standard_normal((20, 5)), r.standard_normal((3, 5))),
    "all zeros": lambda r: (r.standard_normal((20, 5)), np.zeros((30, 5))),
    "zeros in the base": lambda r: (np.zeros((20, 5)), r.standard_normal((30, 5))),
    "all the same": lambda r: (np.ones((20, 5)), np.full((30, 5), 0.3)),
    "two of each kind": lambda r: (
        np.repeat(r.standard_normal((2, 5)), 10, 0),
        np.repeat(r.standard_normal((2, 5)), 9, 0),
    ),
    "more new than base": lambda r: (r.standard_normal((3, 5)), r.standard_normal((90, 5))),
    "one base row of two": lambda r: (r.standard_normal((2, 5)), r.standard_normal((9, 5))),
    "more dimensions than rows": lambda r: (r.standard_normal((20, 70)), r.standard_normal((12, 70))),
    "one dimension": lambda r: (r.standard_normal((20, 1)), r.standard_normal((30, 1))),
    "opposite rows": lambda r: (
        np.eye(4)[[0, 0, 1]] * [[1], [-1], [2]],
        np.eye(4)[[0, 0, 2, 3]] * [[1], [-1], [2], [1]],
    ),
    "very long": lambda r: (1e6 * r.standard_normal((20, 5)), 1e6 * r.standard_normal((30, 5))),
    "very short": lambda r: (1e-8 * r.standard_normal((20, 5)), 1e-8 * r.standard_normal((30, 5))),
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("moved", [False, True])
def test_odd_matrices_give_values_or_none_never_an_error_or_a_warning(make_forms, case, moved):
    rng = np.random.default_rng(0)
    before = Rows(*ODD[case](rng))
    step = 0.1 * rng.standard_normal(before.new.shape) * (np.abs(before.new).max(initial=0) or 1.0)
    after = Rows(before.base, before.new + step) if moved else before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = everything(before, after, make_forms(len(before.new)))
    assert not_finite(values) == [], "a figure that cannot be had is None"
    json.dumps(values)  # nothing but plain values
    assert values["norms"]["groups"]["new"]["count"] == len(before.new)
    assert len(before.new) > 1 or "reason" in values["norms"]


def test_rows_of_another_run_are_refused(make_forms):
    rows = Rows(np.eye(4), np.ones((3, 4)))
    with pytest.raises(UserError, match="names 2 forms and rows.safetensors holds 3 new rows"):
        measure_rows(rows, ["a"] * 4, make_forms(2), 0)
    with pytest.raises(UserError, match="differ in shape"):
        measure_change(Rows(np.eye(5)[:, :4], rows.new), rows, ["a"] * 4, make_forms(3), 0)


def test_a_testbed_sized_matrix_takes_seconds_and_no_minutes(make_forms):
    rng = np.random.default_rng(0)
    before = Rows(rng.standard_normal((2000, 128)), rng.standard_normal((500, 128)))
    after = Rows(before.base, before.new + 0.3 * rng.standard_normal((500, 128)))
    started = time.process_time()
    everything(before, after, make_forms(500, rng.integers(0, 12, 500)))
    assert time.process_time() - started < 45  # 15 s when nothing else runs


def test_the_geometry_draws_from_a_stream_of_its_own(make_forms):
    rng = np.random.default_rng(0)
    before, after = (Rows(rng.standard_normal((60, 8)), rng.standard_normal((30, 8))) for _ in range(2))
    forms, tokens = make_forms(30), [str(i) for i in range(60)]
    interval = measure_rows(after, tokens, forms, 5)["norms"]["cohens_d"]["interval"]
    assert interval == measure_norms(after, own_stream(5))["cohens_d"]["interval"]
    assert interval != measure_norms(after, 5)["cohens_d"]["interval"]
    null = measure_change(before, after, tokens, forms, 5)["overlap"]["null"]
    assert null == measure_overlap(before, after, forms, own_stream(5))["null"]
    assert null != measure_overlap(before, after, forms, 5)["null"]
