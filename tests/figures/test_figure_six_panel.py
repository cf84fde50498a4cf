"""The six panels."""

import numpy as np
import pytest

from wake2vec.figures import style
from wake2vec.figures.six_panel import draw_six_panel

TITLES = [
    "a  Norms",
    "b  Cosine of pairs",
    "c  PCA dimension",
    "d  Drift",
    "e  Norm by token index",
    "f  Largest eigenvalues",
]


@pytest.fixture(scope="module")
def measured(made):
    base, new = made.rows(base=500, new=200, width=32)
    return made.norms(base, new), made.similarity(base, new), made.dimension(base, new)


@pytest.fixture(scope="module")
def figure(measured, made):
    return draw_six_panel(*measured, made.drift(200), title="After P1")


def test_six_panels_that_look_right(figure, check):
    assert [axes.get_title("left") for axes in check(figure).axes] == TITLES
    assert figure.get_size_inches()[0] == style.WIDTH


def test_each_panel_shows_its_data(figure, measured):
    norms, similarity, dimension = measured
    a, b, c, d, e, f = figure.axes
    for group, patch in zip(("base", "new"), a.patches[1::2], strict=True):
        heights, edges, _ = patch.get_data()
        assert (heights * np.diff(edges)).sum() == pytest.approx(1)
        assert patch.get_edgecolor()[:3] == pytest.approx(matplotlib_rgb(style.GROUPS[group].color))
    assert len(b.patches) == 3 and len(b.lines) == 3  # densities, and the mean of each one's null
    for line, group in zip((c.lines[0], c.lines[2]), ("base", "new"), strict=True):
        np.testing.assert_allclose(line.get_ydata()[1:], 100 * np.array(dimension["groups"][group]["cumulative"]))
    assert c.lines[1].get_xdata().tolist() == [52.4, 57.6] and c.lines[1].get_ydata().tolist() == [90, 95]
    assert d.patches[-1].get_data()[0].sum() == 200
    assert sum(len(line.get_xdata()) for line in e.lines) == 700
    assert len(f.patches) == 40
    assert f.patches[0].get_height() == pytest.approx(100 * dimension["groups"]["base"]["spectrum"][0])


def matplotlib_rgb(color):
    return [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def test_the_numbers_that_matter_stand_in_words(figure, read):
    assert read.notes(figure.axes[0]) == "Cohen's d 1.24 [1.10, 1.38]"
    assert read.notes(figure.axes[1]) == "KS of base and new pairs 0.31"
    assert "null 52" in read.notes(figure.axes[2])
    assert read.notes(figure.axes[3]) == "no base row moved"


def test_base_rows_appear_in_the_drift_only_when_they_moved(measured, made, check, read):
    still, moved = made.drift(200), made.drift(200, moved=150)
    assert len(draw_six_panel(*measured, still).axes[3].patches) == 2  # filled and outlined
    drift = check(draw_six_panel(*measured, moved)).axes[3]
    assert len(drift.patches) == 4 and read.notes(drift) == "base rows that moved: 150"


def test_rows_that_never_moved_do_not_hide_the_others(measured, made, check):
    drift = check(draw_six_panel(*measured, made.drift(400, spike=True))).axes[3]
    assert drift.get_yscale() == "log" and "log" in drift.get_ylabel()


def test_initial_rows_have_no_drift_and_say_so(measured, check, read):
    assert "nothing has moved" in read.notes(check(draw_six_panel(*measured)).axes[3])


def test_without_new_rows_nothing_is_empty_and_nothing_is_invented(made, check, read):
    base, none = made.rows(base=300, new=0, width=16)
    empty = {
        "groups": {g: {"count": 0, "d90": None, "null": {}, "spectrum": [], "cumulative": []} for g in ("base", "new")}
    }
    figure = check(draw_six_panel(made.norms(base, none), made.similarity(base, none), empty, made.drift(0)))
    assert "too few" in read.notes(figure.axes[0]) and "too few" in read.notes(figure.axes[2])
    assert "no new rows" in read.notes(figure.axes[3])
    assert read.legend(figure) == ["base rows", "structureless null"]


@pytest.mark.parametrize(("width", "font_size"), [(5, 9), (10, 14), (7, 14)])
def test_other_sizes(measured, made, check, width, font_size):
    figure = check(draw_six_panel(*measured, made.drift(200), width=width, font_size=font_size))
    assert figure.get_size_inches()[0] == width


def test_the_measures_of_geometry_fit(made, check):
    geometry = pytest.importorskip("wake2vec.geometry.vectors")
    from wake2vec.geometry.dimension import measure_dimension
    from wake2vec.geometry.drift import measure_drift
    from wake2vec.geometry.norms import measure_norms
    from wake2vec.geometry.similarity import measure_similarity
    from wake2vec.storage import plain

    base, new = made.rows(base=120, new=60, width=12)
    before = geometry.Rows(base, new)
    after = geometry.Rows(base, new + np.random.default_rng(0).normal(0, 0.02, new.shape))
    forms = [{"row": i, "form": f"w{i}", "word": f"w{i}", "count_train": i % 7} for i in range(60)]
    drift = measure_drift(before, after, [str(i) for i in range(120)], forms, seed=0)
    values = (measure_norms(after, 0), measure_similarity(after, 0, shuffles=2), measure_dimension(after, 0), drift)
    check(draw_six_panel(*map(plain, values)))


def test_many_points_are_kept_as_a_picture_and_all_words_as_text(figure, tmp_path):
    style.save(figure, tmp_path / "a.svg", tmp_path / "a.png")
    svg = (tmp_path / "a.svg").read_text("utf-8")
    assert svg.count("<image") == 1 and len(svg) < 150_000
    assert all(f">{title}<" in svg for title in TITLES)
