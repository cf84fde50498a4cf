"""The few marks that all figures are made of: headings, histograms, points with intervals, words in place of data."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from wake2vec.figures.style import GREY, Look, numbers

FEW = 500  # points that an SVG can hold as shapes; more are kept as a picture of 200 dpi, which is far smaller
GLYPH_WIDTH = 0.56  # of the font size: the mean width of a DejaVu Sans letter, a little generously


def heading(axes: Axes, title: str, note: str = "") -> None:
    """Head a panel: a bold title and, below it, a grey line with the number that the panel's reader needs."""
    if not note:
        axes.set_title(title)
        return
    size = 0.9 * axes.title.get_fontsize()
    note = "\n".join(textwrap.fill(line, _columns(axes, size), break_on_hyphens=False) for line in note.split("\n"))
    lines = note.count("\n") + 1
    axes.set_title(title, pad=7 + 1.3 * size * lines)
    axes.annotate(note, (0, 1), (0, 5), "axes fraction", "offset points", va="bottom", color=GREY, fontsize=size)


def _columns(axes: Axes, size: float) -> int:
    """How many letters of a size in points fit beside each other in a panel, which the layout will widen a little."""
    inches = 1.12 * axes.get_position().width * axes.get_figure().get_size_inches()[0]
    return max(12, int(inches * 72 / (GLYPH_WIDTH * size)))


def say(axes: Axes, text: str) -> None:
    """Put words where a panel has nothing to show, so that nobody takes an empty frame for a result."""
    columns = int(0.8 * _columns(axes, axes.title.get_fontsize()))
    words = textwrap.fill(text, columns, break_on_hyphens=False)
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color=GREY)
    axes.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=True, color="#BFBFBF", linestyle=":")


def histogram(
    axes: Axes, edges: np.ndarray, heights: np.ndarray, look: Look, across: bool = False, fill: bool = True
) -> None:
    """An outlined, lightly filled histogram: edges (n + 1,), heights (n,); `across` lays it on its side.

    Empty bins at both ends are left out, so that they take no room from the others.
    """
    filled = np.flatnonzero(heights)
    if len(filled):
        edges, heights = edges[filled[0] : filled[-1] + 2], heights[filled[0] : filled[-1] + 1]
    turn = "horizontal" if across else "vertical"
    if fill:
        axes.stairs(heights, edges, fill=True, orientation=turn, facecolor=look.color, alpha=0.18, linewidth=0)
    axes.stairs(heights, edges, orientation=turn, edgecolor=look.color, linestyle=look.line)


def counted(histogram: Mapping[str, Any], width: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Edges and counts of a histogram of equal bins, merged into at most 30 bins, none narrower than `width`."""
    edges, counts = numbers(histogram["edges"]), np.nan_to_num(numbers(histogram["counts"]))
    times = _times(edges, width)
    return _every(edges, times), np.add.reduceat(counts, np.arange(0, len(counts), times))


def dense(edges: Iterable[Any], density: Iterable[Any]) -> tuple[np.ndarray, np.ndarray]:
    """`counted` for a density, whose area stays what it is."""
    edges, density = numbers(edges), np.nan_to_num(numbers(density))
    fewer = _every(edges, _times(edges))
    cumulative = np.r_[0, np.cumsum(density * np.diff(edges))]
    return fewer, np.diff(np.interp(fewer, edges, cumulative)) / np.diff(fewer)


def _times(edges: np.ndarray, width: float = 0.0) -> int:
    """How many bins go into one."""
    bins, bin_width = len(edges) - 1, edges[1] - edges[0]
    return min(bins, max(1, -(-bins // 30), int(np.ceil(width / bin_width - 1e-9))))


def _every(edges: np.ndarray, times: int) -> np.ndarray:
    return np.r_[edges[:-1:times], edges[-1]]


def interval_bars(low_high: Sequence[Any], centres: np.ndarray) -> np.ndarray:
    """Error bar lengths (2, n) from intervals [low, high] or null; null and unmeasured ones have length 0."""
    pairs = [numbers(pair) if pair else np.full(2, np.nan) for pair in low_high]
    low, high = np.array(pairs, float).reshape(-1, 2).T
    return np.nan_to_num(np.clip(np.stack([centres - low, high - centres]), 0, None))


def points(axes: Axes, x: np.ndarray, y: np.ndarray, look: Look, intervals: Sequence[Any] = (), **more: Any) -> None:
    """A line with markers through the measured points, and their 95 % intervals [low, high] where there are any."""
    there = np.isfinite(y)
    bars = interval_bars(intervals, y)[:, there] if len(intervals) else None
    style = {"color": look.color, "linestyle": look.line, "marker": look.marker, "capsize": 3, "elinewidth": 1.4} | more
    axes.errorbar(x[there], y[there], bars, **style)


def line_key(look: Look, marker: bool = False, **more: Any) -> Line2D:
    """A legend entry for a line (and its marker)."""
    style = {"color": look.color, "linestyle": look.line, "marker": look.marker if marker else ""} | more
    return Line2D([], [], **style)


def patch_key(color: str) -> Patch:
    """A legend entry for a shaded area."""
    return Patch(facecolor=color, linewidth=0)


def key(figure: Figure, entries: Sequence[tuple[Any, str]]) -> None:
    """The figure's one legend, below its panels, where it covers nothing, in as few lines as its width allows."""
    if not entries:
        return
    room = figure.get_size_inches()[0] * figure.dpi
    for lines in range(1, len(entries) + 1):
        columns = -(-len(entries) // lines)
        by_column = [entry for column in range(columns) for entry in entries[column::columns]]  # to be read by lines
        handles, labels = zip(*by_column, strict=True)
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=columns)
        if legend.get_window_extent().width < 0.98 * room or columns == 1:
            return
        legend.remove()


def plain_log(axis: Any, low: float, high: float, most: int = 5) -> None:
    """Ticks of a logarithmic axis as plain numbers: 1, 2, 5 of each decade when few decades show, else about `most`."""
    steps = (1.0, 2.0, 5.0) if high / low < 30 else (1.0,)
    ticks = LogLocator(subs=steps, numticks=99).tick_values(low, high)
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    if len(steps) == 1:
        ticks = ticks[:: -(-len(ticks) // most)]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("e-0", "e-").replace("e+0", "e")))
    axis.set_minor_formatter(NullFormatter())


def row_axis(axes: Axes, name: str, histograms: Sequence[np.ndarray], ticks: int = 5) -> None:
    """Label the axis ("x" or "y") that counts rows; logarithmic where one bin would hide all the others.

    Rows that training never touched make such a bin: all of them stand at the same place.
    """
    axis = axes.xaxis if name == "x" else axes.yaxis
    tallest = max(counts.max() for counts in histograms)
    typical = min(np.median(counts[counts > 0]) for counts in histograms)
    if tallest <= 50 * typical:
        axes.set(**{f"{name}label": "rows"})
        axes.locator_params(axis=name, nbins=ticks, integer=True)
        return
    high = 1.6 * tallest
    axes.set(**{f"{name}scale": "log", f"{name}lim": (0.7, high), f"{name}label": "rows (log)"})
    plain_log(axis, 1, high, ticks)
