"""The style file: what is written is whole, the same every time, and says what it was given."""

import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from PIL import Image

from wake2vec.errors import UserError
from wake2vec.figures import style


def one_line(text="a label", font_size=8):
    with style.context(font_size):
        figure = style.new_figure(4, 3)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1])
        axes.set_xlabel(text)
        return style.finish(figure)


def saved(figure, folder):
    style.save(figure, folder / "a.svg", folder / "a.png")
    return (folder / "a.svg").read_bytes(), (folder / "a.png").read_bytes()


def test_the_same_figure_gives_the_same_bytes_and_nothing_is_left_behind(tmp_path):
    (tmp_path / "1").mkdir()
    first, second = saved(one_line(), tmp_path / "1"), saved(one_line(), tmp_path / "2")
    assert first == second
    assert sorted(path.name for path in (tmp_path / "2").iterdir()) == ["a.png", "a.svg"]
    assert b"<dc:date>" not in first[0]


def test_the_users_matplotlib_settings_take_no_part(tmp_path):
    usual = saved(one_line(), tmp_path)
    theirs = {"font.size": 30, "lines.linewidth": 9, "axes.grid": False, "svg.fonttype": "path", "savefig.dpi": 50}
    with matplotlib.rc_context(theirs):
        assert saved(one_line(), tmp_path) == usual


def test_drawing_leaves_the_users_settings_as_they_were():
    before = dict(matplotlib.rcParams)
    one_line(font_size=7)
    assert dict(matplotlib.rcParams) == before


def test_hostile_text_stays_text(tmp_path):
    text = "$x_2$ <script>alert(1)</script> & \\frac"
    svg, _ = saved(one_line(text), tmp_path)
    assert b"<script" not in svg
    found = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    assert text in ["".join(element.itertext()) for element in found]


def test_the_size_is_the_one_asked_for(tmp_path):
    svg, _ = saved(one_line(), tmp_path)
    assert re.search(rb'width="288pt" height="216pt"', svg)  # 4 by 3 inches of 72 points
    assert Image.open(tmp_path / "a.png").size == (800, 600)  # of 200 dots


def test_a_font_too_large_for_the_width_is_refused_by_name():
    with pytest.raises(UserError, match=r"font_size of 9 points.*width of 4 inches.*up to 8 points"):
        one_line(font_size=9)


def test_every_look_differs_from_its_neighbours_without_its_colour():
    for looks in (style.GROUPS, style.PHASES):
        marks = {(str(look.line), look.marker) for look in looks.values()}
        assert len(marks) == len({look.color for look in looks.values()}) == len(looks)


def test_null_is_not_a_number():
    assert np.isnan(style.number(None)) and style.number(2) == 2.0
    assert style.numbers(None).shape == (0,)
    np.testing.assert_array_equal(style.numbers([1, None, 0.5]), [1, np.nan, 0.5])


def test_a_value_is_written_with_its_interval():
    assert style.with_interval(1.2345, [1.1, 1.378]) == "1.23 [1.10, 1.38]"
    assert style.with_interval(1.2345, None) == "1.23"


def test_the_tests_eyes_see_what_is_planted(faults):
    with style.context():
        figure = style.new_figure(7, 4)
        good, bad, empty = figure.subplots(1, 3)
        good.plot([0, 1], [0, 1])
        good.set(xlabel="x", ylabel="y")
        assert faults(figure)[0] == "the panel '' is empty" and len(faults(figure)) == 2
        bad.plot([0, 1], [0, 1])
        bad.set(xlabel="step", xlim=(0, 0.5))
        bad.text(0.2, 0.5, "one word")
        bad.text(0.22, 0.5, "over another")
        figure.text(0.98, 0.5, "out of sight")
        empty.set_title("nothing", loc="left")
        found = " | ".join(faults(figure))
    for fault in (
        "'one word' lies over 'over another'",
        "'out of sight' is cut off",
        "y has no label",
        "leaves the panel",
    ):
        assert fault in found
    assert "the panel 'nothing' is empty" in found
