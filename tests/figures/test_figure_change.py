"""Change of the new rows, and the map of where they went."""

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from wake2vec.figures import style
from wake2vec.figures.change import draw_change
from wake2vec.figures.projection import LABELS, draw_projection


def test_scatter_and_both_histograms_show_every_row(made, check):
    overlap = made.overlap(300)
    scatter, above, beside = check(draw_change(overlap, title="Change in P1")).axes
    marks = [line for line in scatter.lines if line.get_linestyle() == "None"]
    assert sum(len(line.get_xdata()) for line in marks) == 300
    for panel in (above, beside):  # filled, and outlined
        assert [patch.get_data()[0].sum() for patch in panel.patches if isinstance(patch, StepPatch)] == [300, 300]
    assert scatter.get_xlim() == above.get_xlim() and scatter.get_ylim() == beside.get_ylim()
    level = {line.get_ydata()[0] for line in beside.lines}
    assert level == {overlap["mean"], overlap["null"]["mean"]}


def test_marks_stay_within_their_step_of_overlap(made):
    overlap = made.overlap(300)
    scatter = draw_change(overlap).axes[0]
    marks = [line for line in scatter.lines if line.get_linestyle() == "None"]
    drawn = np.sort(np.concatenate([np.round(line.get_ydata() * 10) / 10 for line in marks]))
    np.testing.assert_allclose(drawn, np.sort(overlap["points"]["overlap"]))


@pytest.mark.parametrize("overlap", [{"k": 10, "rows": 0, "points": {"overlap": []}}, {"k": 0, "rows": 0}])
def test_no_new_rows(overlap, check, read):
    assert "no new rows" in read.notes(check(draw_change(overlap)).axes[0])


def test_one_row_and_rows_that_did_not_change(made, check, read):
    one = made.overlap(2)
    one["norm_change"]["std"] = None
    assert "s.d." not in read.notes(check(draw_change(one)).axes[1])
    still = made.overlap(50)
    still["points"]["norm_change"] = [0.0] * 50
    still["norm_change"]["histogram"] = {"edges": [-1e-10, 0, 1e-10], "counts": [0, 50]}
    check(draw_change(still))


def test_rows_that_training_never_touched_do_not_hide_the_others(made, check):
    overlap = made.overlap(60)
    overlap["norm_change"]["histogram"] = {"edges": [-0.1, 0, 0.1, 0.2, 0.3], "counts": [2, 2000, 7, 9]}
    above = check(draw_change(overlap)).axes[1]
    assert above.get_yscale() == "log" and above.get_ylabel() == "rows (log)"


def test_each_row_is_linked_to_its_centroid(made, check, read):
    projection = made.projection(200)
    (axes,) = check(draw_projection(projection, title="After P1")).axes
    (links,) = axes.collections
    expected = [[[p["x"], p["y"]], [p["centroid_x"], p["centroid_y"]]] for p in projection["points"]]
    np.testing.assert_allclose(links.get_segments(), expected)
    assert "0.61 to its own centroid, 0.21 to another's" in read.notes(axes)


def test_names_are_of_frequent_rows_and_cover_no_mark(made):
    projection = made.projection(200)
    (axes,) = draw_projection(projection).axes
    names = [text for text in axes.texts if "centroid" not in text.get_text()]
    assert 5 <= len(names) <= LABELS
    known = {p["token"].lstrip("▁") for p in projection["points"]}
    assert {name.get_text() for name in names} <= known
    marks = axes.transData.transform([[p["x"], p["y"]] for p in projection["points"]])
    assert not any(name.get_window_extent().count_contains(marks) for name in names)


def test_a_hostile_token_is_drawn_as_it_is(made, tmp_path):
    projection = made.projection(3)
    projection["points"][0]["token"] = "▁$<script>$"
    style.save(draw_projection(projection), tmp_path / "a.svg", tmp_path / "a.png")
    svg = (tmp_path / "a.svg").read_text("utf-8")
    assert "$&lt;script&gt;$" in svg and "<script" not in svg


def test_no_map(check, read):
    assert "too few" in read.notes(check(draw_projection({"perplexity": None, "points": []})).axes[0])
