import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wake2vec.geometry.isotropy import (
    _centred_ratio,
    _compared,
    centre,
    eigenvector_ratio,
    measure_isotropy,
    sampled_ratio,
)
from wake2vec.geometry.nulls import jackknife
from wake2vec.geometry.vectors import Rows, moments, walk


def eigen(rows):
    rows = rows.astype(np.float32)
    gram = moments(walk(rows), np.zeros(rows.shape[1], np.float32)).gram
    return eigenvector_ratio(walk(rows), gram, np.linalg.norm(rows, axis=1).max())


def test_sampled_ratio_by_hand():
    # Cosines 1, 0, 0: two rows have Z = e + 1, the third 1 + 1. Length does not matter.
    rows = np.array([[1, 0], [5, 0], [0, 2]], np.float32)
    assert sampled_ratio(rows)[0] == pytest.approx(2 / (np.e + 1))


def test_what_is_left_of_centred_rows_has_a_mean_of_its_own():
    """The jackknife by hand: each rest about its own mean. About that of all rows, copies have a common direction."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((300, 24)).astype(np.float32) * np.linspace(0.3, 2, 24, dtype=np.float32)
    member = np.arange(300) % 10
    means = [rows[member != g].mean(0) for g in range(10)]
    value, interval = _centred_ratio(rows, rows.mean(0), member, means)
    assert value == sampled_ratio(centre(rows, rows.mean(0)))[0]
    rests = [rows[member != g] for g in range(10)]
    assert interval == pytest.approx(jackknife(value, [sampled_ratio(r - r.mean(0))[0] for r in rests], 0, 1))
    whole = measure_isotropy(Rows(rows, rows), 0, draws=2, shuffles=2)["groups"]["new"]["sampled_ratio_centred"]
    assert whole["value"] == pytest.approx(value)
    wide = jackknife(value, [sampled_ratio(r - rows.mean(0))[0] for r in rests], 0, 1)
    for low, high in (interval, whole["interval"]):
        assert high - low < 0.7 * (wide[1] - wide[0])


def test_sampled_ratio_is_the_published_formula():
    # min and max of the row sums of exp(cosine), the diagonal apart.
    rows = np.random.default_rng(0).standard_normal((700, 9)).astype(np.float32) + 0.3
    unit = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    z = np.exp(unit @ unit.T)
    np.fill_diagonal(z, 0)
    assert sampled_ratio(rows)[0] == pytest.approx(z.sum(1).min() / z.sum(1).max(), rel=1e-6)


def test_eigenvector_ratio_by_hand():
    # V'V = diag(4, 2): Z(+-e1) = e^2 + 2 or e^-2 + 2, Z(+-e2) = e + 1/e + 1. The least is e^-2 + 2.
    rows = np.array([[2, 0], [0, 1], [0, -1]])
    assert eigen(rows) == pytest.approx((np.exp(-2) + 2) / (np.exp(2) + 2))


def test_eigenvector_ratio_agrees_with_the_formula_in_float64():
    rows = np.random.default_rng(1).standard_normal((400, 20)) * 0.4 + 0.05
    vectors = np.linalg.eigh(rows.T @ rows)[1]
    z = np.exp(rows @ np.concatenate([vectors, -vectors], axis=1)).sum(0)
    assert eigen(rows) == pytest.approx(z.min() / z.max(), rel=1e-4)


def test_figures_of_fewer_rows_than_dimensions_count_the_directions_that_no_row_has():
    rows = (np.random.default_rng(0).standard_normal((20, 600)) * 0.3).astype(np.float32)
    turned = np.linalg.qr(rows.T, mode="r").T
    assert turned.shape == (20, 20)
    # of directions that these rows have Z is above their number, of the others it is their number
    assert _compared(600)(turned)["eigenvector"] == pytest.approx(eigen(rows), rel=1e-4)
    assert _compared(20)(turned)["eigenvector"] > 1.2 * eigen(rows)


def test_eigenvector_ratio_survives_long_rows():
    rows = np.random.default_rng(1).standard_normal((50, 4)) * 300
    assert 0.0 <= eigen(rows) <= 1.0


def test_gaussian_rows_of_the_published_shape_give_the_published_value():
    rows = np.random.default_rng(0).standard_normal((5000, 2048), dtype=np.float32)
    assert 0.9976 <= round(sampled_ratio(rows)[0], 4) <= 0.9979


def test_gaussian_rows_lie_inside_the_null_band():
    inside = {name: 0 for name in ("sampled_ratio", "sampled_ratio_centred", "eigenvector")}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        rows = Rows(rng.standard_normal((120, 10)), np.ones((2, 10)))
        # Their norms are those of Gaussian rows, and so are the null's: only the directions are drawn anew.
        group = measure_isotropy(rows, seed, sample=60)["groups"]["base"]
        for name in inside:
            figure = group[name]
            inside[name] += figure["null"]["low"] <= figure["value"] <= figure["null"]["high"]
    assert all(hits >= 25 for hits in inside.values()), inside


def test_a_common_direction_is_found_by_all_but_the_centred_ratio():
    rng = np.random.default_rng(0)
    rows = Rows(rng.standard_normal((300, 32)) + 0.5, rng.standard_normal((300, 32)))
    groups = measure_isotropy(rows, 0)["groups"]
    for name in ("sampled_ratio", "eigenvector"):
        assert groups["base"][name]["interval"][1] < groups["base"][name]["null"]["low"]
    for group, name in [("base", "sampled_ratio_centred"), ("new", "sampled_ratio"), ("new", "eigenvector")]:
        figure = groups[group][name]
        assert figure["null"]["low"] <= figure["value"] <= figure["null"]["high"]


def test_clusters_are_found_where_the_raw_ratio_looks_near_one():
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((40, 128))
    clustered = np.repeat(centres, 15, axis=0) + 0.1 * rng.standard_normal((600, 128))
    rows = Rows(np.ones((1, 128)), clustered)
    figure = measure_isotropy(rows, 0, draws=4)["groups"]["new"]["sampled_ratio"]
    assert 0.9 < figure["value"] < figure["null"]["low"] and figure["null"]["z"] < -5


def test_the_centred_null_knows_how_many_rows_the_mean_is_of():
    # A sample centred on its own mean reads far higher than one centred on the mean of many more rows.
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((2000, 48)).astype(np.float32)
    few = rows[:200]
    own, group = (sampled_ratio(centre(few, mean))[0] for mean in (few.mean(0), rows.mean(0)))
    assert 1 - own < (1 - group) / 3
    figure = measure_isotropy(Rows(rows, few), 0, sample=200, draws=6)["groups"]["base"]["sampled_ratio_centred"]
    assert figure["null"]["low"] <= figure["value"] <= figure["null"]["high"]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_rotation_and_lengths_leave_the_sampled_ratio_alone(rotation_seed, scale):
    rng = np.random.default_rng(rotation_seed)
    rows = rng.standard_normal((40, 6)).astype(np.float32) + 0.2
    turned = rows @ np.linalg.qr(rng.standard_normal((6, 6)))[0].astype(np.float32)
    stretched = rows * rng.uniform(0.5, 2, (40, 1)).astype(np.float32) * np.float32(scale)
    assert sampled_ratio(turned)[0] == pytest.approx(sampled_ratio(rows)[0], rel=1e-5)
    assert sampled_ratio(stretched)[0] == pytest.approx(sampled_ratio(rows)[0], rel=1e-5)
    assert eigen(turned) == pytest.approx(eigen(rows), rel=1e-3)


def test_the_interval_covers_what_other_samples_give():
    rng = np.random.default_rng(0)
    stretch = np.linspace(0.2, 2, 12)
    found = []
    for _ in range(60):
        rows = (rng.standard_normal((150, 12)) * stretch * 0.5 + 0.3).astype(np.float32)
        found.append(sampled_ratio(rows, rng))
    truth = np.mean([value for value, _ in found])
    assert np.mean([low <= truth <= high for _, (low, high) in found]) > 0.85


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_rows_have_a_reason(n):
    group = measure_isotropy(Rows(np.eye(5), np.ones((n, 5))), 0)["groups"]["new"]
    assert group["sampled_ratio"]["value"] is None and "at least two" in group["reason"]


def test_rows_of_zeros_are_left_out():
    rows = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    with_zeros = np.concatenate([rows, np.zeros((3, 4), np.float32)])
    one, other = (measure_isotropy(Rows(m, rows), 0)["groups"]["base"] for m in (rows, with_zeros))
    assert one == other
