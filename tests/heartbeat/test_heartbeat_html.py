"""The page's text and its curves: escaped, self-contained, whole, and drawn where the numbers are."""

import math
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.heartbeat.heartbeat_states import write_log, write_state
from wake2vec.heartbeat import curves
from wake2vec.heartbeat.page import page, write_page
from wake2vec.heartbeat.vitals import look

SCRIPT = "<script>alert(1)</script>"
ATTRIBUTE = "\" onload=alert(1) x='"


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data)


def test_hostile_text_is_text(tmp_path):
    hostile = tmp_path / "x<b onclick=y>&amp;" / "state/p1"
    tiers = {SCRIPT: {"url": f"/nowhere/{ATTRIBUTE}", "error": SCRIPT}}
    write_state(hostile, 50, message=SCRIPT + ATTRIBUTE, host=SCRIPT, pid=5, age=1000, tiers=tiers)
    text = page(look([str(tmp_path), str(tmp_path / SCRIPT)]))
    read = Tags(text)
    assert {tag for tag, _ in read.tags}.isdisjoint({"script", "b onclick=y", "img", "iframe", "link", "a"})
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on")]
    shown = "".join(read.text)
    assert "x<b onclick=y>&amp; p1" in shown and SCRIPT + ATTRIBUTE in shown and f"process 5 on {SCRIPT}" in shown
    assert "://" not in text and "url(" not in text and "@import" not in text  # nothing is fetched


def test_odd_bytes_in_names_can_be_written(tmp_path):
    write_state(tmp_path / "a\udcff\x1b" / "state/p1", 50)
    write_page(look([str(tmp_path)]), tmp_path / "page.html")
    assert "a\ufffd\ufffd p1" in (tmp_path / "page.html").read_text("utf-8")
    assert not list(tmp_path.glob(".*"))


def test_the_page_says_what_the_terminal_says(tmp_path):
    write_state(tmp_path / "tiny/state/p1", 100, 150)
    shown = " ".join("".join(Tags(page(look([str(tmp_path)]))).text).split())
    for said in (
        "wake2vec: 1 training",
        "step160 of 400",
        "time left1 h 20 min",
        "loss2.000, falling",
        "held-out loss3.000, falling",
        "bits per byte1.500",
        "tokens/s1,234",
        "resume: checkpoint-150 on this disk: the newest that is complete",
        "training loss",
        "held-out loss",
    ):
        assert said in shown, said


def test_an_empty_folder_has_a_page_too(tmp_path):
    assert "No training to be seen in" in page(look([str(tmp_path)])) and "<section" not in page(look([str(tmp_path)]))


# Curves ---------------------------------------------------------------------------------------------------------------


def drawn(svg):
    return ElementTree.fromstring(svg)


def test_points_lie_where_they_should():
    """Ticks from 2 to 4 and steps to 100: (50, 3) is the middle of the axes."""
    line = [(0, 4.0), (50, 3.0), (100, 2.0)]
    svg = drawn(curves.chart({"loss": line, "heldout_loss": []}, 100))
    (path,) = [p for p in svg.iter("path") if p.get("class") == "loss"]
    left, right = curves.LEFT, curves.WIDTH - curves.RIGHT
    top, bottom = curves.TOP, curves.HEIGHT - curves.BOTTOM
    places = [tuple(map(float, point.split())) for point in path.get("d")[1:].split("L")]
    assert places == [(left, top), ((left + right) / 2, (top + bottom) / 2), (right, bottom)]
    words = [text.text for text in svg.iter("text")]
    assert words == ["2.0", "2.5", "3.0", "3.5", "4.0", "0", "25", "50", "75", "100", "step", "loss (nats per token)"]


LOSSES = st.lists(st.tuples(st.integers(0, 10**7), st.floats(-1e6, 1e6)), max_size=50, unique_by=lambda p: p[0]).map(
    sorted
)


@given(LOSSES, LOSSES, st.one_of(st.none(), st.integers(0, 10**7)))
def test_any_curve_can_be_drawn(loss, heldout, steps):
    text = curves.chart({"loss": loss, "heldout_loss": heldout}, steps)
    assert (text == "") is (not loss and not heldout)
    if not text:
        return
    svg = drawn(text)
    for path in svg.iter("path"):
        if path.get("class") != "grid":
            for u, v in (map(float, point.split()) for point in path.get("d")[1:].split("L")):
                assert curves.LEFT - 0.1 <= u <= curves.WIDTH - curves.RIGHT + 0.1
                assert curves.TOP - 0.1 <= v <= curves.HEIGHT - curves.BOTTOM + 0.1
    assert len([t for t in svg.iter("text")]) <= 24 and "nan" not in text and "inf" not in text


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_round_few_and_span_the_values(low, span):
    found = curves.ticks(low, low + span)
    gap = found[1] - found[0]
    assert 2 <= len(found) <= 7
    assert found[0] <= low + gap * 1e-6 and found[-1] >= low + span - gap * 1e-6
    mantissa = gap / 10 ** math.floor(math.log10(gap) + 1e-9)
    assert min(abs(mantissa - m) for m in (1, 2, 2.5, 5, 10)) < 1e-3


@given(st.integers(1, 5000), st.integers(2, 400))
def test_thinning_keeps_the_mean_and_the_last(number, most):
    points = [(float(i), float(i % 7)) for i in range(number)]
    found = curves.thinned(points, most)
    assert len(found) <= most and found[-1] == points[-1]
    assert [x for x, _ in found] == sorted({x for x, _ in found})
    if number <= most:
        assert found == points


@pytest.mark.parametrize("many", [0, 1, 2, 1000])
def test_every_length_of_log_has_its_page(tmp_path, many):
    write_state(tmp_path / "tiny/state/p1")
    write_log(tmp_path / "tiny/state/p1", [{"step": i, "loss": 3.0} for i in range(many)])
    assert (page(look([str(tmp_path)])).count('role="img"') == 1) is (many > 0)
