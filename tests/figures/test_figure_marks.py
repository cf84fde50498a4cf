"""The marks that figures are made of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wake2vec.figures import marks, style


@pytest.fixture
def axes():
    with style.context():
        yield style.new_figure(7, 4).subplots()


@given(st.lists(st.integers(0, 50), min_size=1, max_size=200), st.floats(0, 3))
@settings(max_examples=60, deadline=None)
def test_merged_bins_hold_the_same_rows(counts, width):
    edges = np.linspace(-1, 1, len(counts) + 1)
    fewer, merged = marks.counted({"edges": edges.tolist(), "counts": counts}, width)
    assert merged.sum() == sum(counts) and len(merged) <= 30 and len(fewer) == len(merged) + 1
    assert (fewer[0], fewer[-1]) == (edges[0], edges[-1])
    assert (np.diff(fewer)[:-1] >= width - 1e-6).all()  # the last bin takes what is left


@given(st.lists(st.floats(0, 9), min_size=1, max_size=200))
@settings(max_examples=60, deadline=None)
def test_merged_densities_keep_their_area(density):
    edges = np.linspace(0, 3, len(density) + 1)
    fewer, merged = marks.dense(edges, density)
    assert (merged * np.diff(fewer)).sum() == pytest.approx((np.array(density) * np.diff(edges)).sum())


def test_four_bins_in_two_by_hand():
    edges, counts = marks.counted({"edges": [0, 1, 2, 3, 4], "counts": [1, 2, None, 4]}, width=2)
    assert edges.tolist() == [0, 2, 4] and counts.tolist() == [3, 4]


def test_a_histogram_drops_empty_ends_only(axes):
    marks.histogram(axes, np.arange(7.0), np.array([0, 0, 3, 0, 1, 0.0]), style.GROUPS["new"])
    values, edges, _ = axes.patches[-1].get_data()
    assert values.tolist() == [3, 0, 1] and edges.tolist() == [2, 3, 4, 5]


def test_interval_bars_by_hand():
    bars = marks.interval_bars([[1, 4], None, [5, None]], np.array([2.0, 3.0, 6.0]))
    np.testing.assert_array_equal(bars, [[1, 0, 1], [2, 0, 0]])


def test_the_key_is_read_line_by_line_and_fits(axes, read):
    figure = axes.get_figure()
    names = [f"a rather long name {i}" for i in range(5)]
    marks.key(figure, [(marks.patch_key(style.BLUE), name) for name in names])
    style.finish(figure)
    (legend,) = figure.legends
    assert read.legend(figure) == names and len({text.get_window_extent().y0 for text in legend.get_texts()}) > 1
    assert legend.get_window_extent().width <= figure.bbox.width


def test_words_stay_within_their_panel(axes):
    marks.say(axes, "Nothing was measured in this phase, and so there is nothing here to be seen at all. " * 3)
    style.finish(axes.get_figure())
    words, panel = axes.texts[0].get_window_extent(), axes.get_window_extent()
    assert panel.x0 < words.x0 and words.x1 < panel.x1 and panel.y0 < words.y0 and words.y1 < panel.y1


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1, 12, ["1", "2", "5", "10"]),
        (0.5, 2000, ["1", "10", "100", "1000"]),
        (2e-5, 0.3, ["0.0001", "0.001", "0.01", "0.1"]),
    ],
)
def test_logarithmic_ticks_are_plain_numbers(axes, low, high, expected):
    axes.set(yscale="log", ylim=(low, high))
    marks.plain_log(axes.yaxis, low, high)
    axes.get_figure().draw_without_rendering()
    ticks = [t.label1.get_text() for t in axes.yaxis.get_major_ticks() if low <= t.get_loc() <= high]
    assert ticks == expected
