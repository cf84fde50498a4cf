"""How training changed the new rows: the neighbours they kept, the norm they gained, and one against the other.

The scatter stands in the middle with the two histograms along its sides, on the same axes. Overlap is the share of a
row's k nearest base neighbours at the start that are still among its k nearest afterwards.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wake2vec.figures import marks
from wake2vec.figures.style import (
    BLACK,
    BLUE,
    FONT_SIZE,
    GREEN,
    GREY,
    GROUPS,
    NULL,
    ORANGE,
    VERMILLION,
    WIDTH,
    Look,
    context,
    finish,
    new_figure,
    number,
    numbers,
    signed,
)

COUNTS = {  # how often the row's word occurs in the training text: lowest and highest count of each class
    (0, 0): Look("never seen", GREY, "", "x"),
    (1, 1): Look("seen once", ORANGE, "", "v"),
    (2, 2): Look("seen twice", GREEN, "", "s"),
    (3, 5): Look("seen 3–5 times", BLUE, "", "o"),
    (6, np.inf): Look("seen 6+ times", VERMILLION, "", "^"),
}
MEAN = Look("mean overlap", BLACK, "-", "")


def draw_change(
    overlap: Mapping[str, Any], *, title: str = "", width: float = WIDTH, font_size: float = FONT_SIZE
) -> Figure:
    """Draw the values of one phase's overlap.json (P1 or P3, against the initial rows). `width` is in inches."""
    change = overlap.get("norm_change") or {}
    points = overlap.get("points") or {}
    with context(font_size):
        if not overlap.get("rows") or not numbers(points.get("overlap")).size:
            figure = new_figure(width, 0.4 * width)
            axes = figure.subplots()
            marks.heading(axes, title or "Change of the new rows")
            marks.say(axes, "There are no new rows that could have changed.")
            return finish(figure)
        figure = new_figure(width, 0.86 * width)
        grid = figure.add_gridspec(2, 2, width_ratios=(3.2, 1), height_ratios=(1, 2.6))
        scatter = figure.add_subplot(grid[1, 0])
        above = figure.add_subplot(grid[0, 0], sharex=scatter)
        beside = figure.add_subplot(grid[1, 1], sharey=scatter)
        entries = _scatter(scatter, points, int(overlap["k"]))
        bins = {above: marks.counted(change["histogram"]), beside: marks.counted(overlap["histogram"])}
        for axes, (edges, counts) in bins.items():
            marks.histogram(axes, edges, counts, GROUPS["new"], across=axes is beside)
        entries += _means((scatter, beside), overlap)
        above.axvline(0, color=GREY, linewidth=1)
        above.tick_params(labelbottom=False)
        beside.tick_params(labelleft=False)
        marks.row_axis(above, "y", [bins[above][1]], ticks=3)
        marks.row_axis(beside, "x", [bins[beside][1]], ticks=2)
        scatter.locator_params(axis="x", nbins=6)
        spread = "" if change.get("std") is None else f", s.d. {change['std']:.3f}"
        marks.heading(above, "Change of norm", f"mean {signed(number(change.get('mean')))}{spread}")
        beside.set_title("Overlap")
        if title:
            figure.suptitle(title)
        marks.key(figure, entries)
        return finish(figure)


def _scatter(axes: Axes, points: Mapping[str, Any], k: int) -> list[tuple[Any, str]]:
    """One mark a row. Overlap comes in steps of 1/k: the marks are spread within their step, always the same way."""
    overlap, change = numbers(points["overlap"]), numbers(points["norm_change"])
    count = np.nan_to_num(numbers(points.get("count_train")) if points.get("count_train") else np.zeros(len(overlap)))
    spread = np.random.default_rng(0).uniform(-0.36, 0.36, len(overlap)) / k
    entries = []
    for (low, high), look in COUNTS.items():
        there = (count >= low) & (count <= high)
        if there.any():
            style = {"markersize": 4.2 if len(change) <= 1000 else 3.0, "rasterized": len(change) > marks.FEW}
            style["markeredgewidth"] = 0.9 if look.marker == "x" else 0
            axes.plot(change[there], (overlap + spread)[there], look.marker, color=look.color, alpha=0.75, **style)
            entries.append((marks.line_key(look, marker=True, markersize=7), look.label))
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set(xlabel="change of L2 norm", ylabel=f"overlap of {k} nearest\nbase neighbours")
    axes.set_ylim(-0.6 / k, 1 + 0.6 / k)
    if np.abs(change).max() < 1e-6:  # nothing but rounding: not to be blown up to the size of the panel
        axes.set_xlim(-0.01, 0.01)
    return entries


def _means(panels: tuple[Axes, ...], overlap: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """The mean overlap and what structureless rows would keep, as lines across the scatter and its histogram."""
    entries, null = [], overlap.get("null") or {}
    for axes in panels:
        if overlap.get("mean") is not None:
            axes.axhline(overlap["mean"], color=MEAN.color, linestyle=MEAN.line, linewidth=1.4, zorder=1.5)
        if null.get("mean") is not None:
            axes.axhspan(number(null.get("low")), number(null.get("high")), color=GREY, alpha=0.2, linewidth=0)
            axes.axhline(null["mean"], color=NULL.color, linestyle=NULL.line)
    if overlap.get("mean") is not None:
        entries.append((marks.line_key(MEAN), MEAN.label))
    if null.get("mean") is not None:
        entries.append((marks.line_key(NULL), "null: shuffled rows"))
    return entries
