"""The one style of every figure, and how a figure is written.

A figure of 7 inches must still be readable when a page shows it at half its width, so no text is smaller than 0.9 of
the font size. Colours are Okabe and Ito's ("Color Universal Design", 2008), which colour-blind readers can tell apart,
and every colour comes with a line style, a marker and a hatch of its own, so that a figure survives a grey printer.

Text is never read as mathematics (`$` in a token stays `$`), and stays text in the SVG. The same input gives the same
bytes: nothing of the user's matplotlib settings, the date or the process takes part.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from wake2vec.errors import UserError
from wake2vec.storage import atomic_path

WIDTH = 7.0  # inches
FONT_SIZE = 12.0  # points, at that width
LARGEST = 2.0  # points of font size for each inch of width: beyond it texts run into each other
DPI = 200

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, SHADE = "#595959", "#D9D9D9"


@dataclass(frozen=True)
class Look:
    """How one series is drawn wherever it appears: its name in legends, colour, line style, marker and hatch."""

    label: str
    color: str
    line: Any = "-"
    marker: str = "o"
    hatch: str = ""


DOTTED = (0, (1, 1.5))
GROUPS = {
    "base": Look("base rows", BLUE, "-", "o", ""),
    "new": Look("new rows", VERMILLION, (0, (4, 1.5)), "^", "////"),
    "base_new": Look("base to new", GREEN, (0, (5, 1.5, 1, 1.5)), "s", ""),
}
NULL = Look("structureless null", GREY, DOTTED, "D", "")
PHASES = {
    "base": Look("base", GREY, (0, (1, 1)), "D", ""),
    "init": Look("initial rows", ORANGE, (0, (4, 1.5)), "v", ""),
    "p1": Look("P1", BLUE, "-", "o", ""),
    "p2": Look("P2", VERMILLION, (0, (5, 1.5, 1, 1.5)), "^", ""),
    "p3": Look("P3", GREEN, (0, (7, 2)), "s", ""),
}


def settings(font_size: float) -> dict[str, Any]:
    """The matplotlib settings of this project, for one font size in points."""
    small = 0.9 * font_size
    return {
        "font.family": "sans-serif",
        "font.sans-serif": [
            "DejaVu Sans",
            "Verdana",
            "Geneva",
            "Arial",
        ],  # in a browser without DejaVu: as wide, or narrower
        "font.size": font_size,
        "axes.titlesize": font_size,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": font_size,
        "xtick.labelsize": small,
        "ytick.labelsize": small,
        "legend.fontsize": small,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "legend.columnspacing": 1.6,
        "figure.titlesize": 1.1 * font_size,
        "figure.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": GREY,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "axes.formatter.useoffset": False,
        "grid.color": "#E6E6E6",
        "grid.linewidth": 0.8,
        "lines.linewidth": 1.8,
        "lines.markersize": 6,
        "patch.linewidth": 1.6,
        "hatch.linewidth": 0.8,
        "text.hinting": "none",
        "text.parse_math": False,
        "figure.dpi": DPI,
        "svg.fonttype": "none",
        "svg.hashsalt": "wake2vec",
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.08,
    }


@contextmanager
def context(font_size: float = FONT_SIZE) -> Iterator[None]:
    """Draw inside this: matplotlib's own defaults plus `settings`, whatever the user's matplotlibrc says."""
    with matplotlib.style.context(["default", settings(font_size)]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, drawn by Agg, whose panels make room for their texts.

    Raises UserError where the font size of the surrounding `context` is too large for the width.
    """
    font_size = matplotlib.rcParams["font.size"]
    if font_size > LARGEST * width:
        raise UserError(
            f"figures: a font_size of {font_size:g} points is too large for a width of {width:g} inches: texts would "
            f"run into each other. Accepted: up to {LARGEST * width:g} points at that width. Lower figures.font_size "
            "or raise figures.width in the configuration."
        )
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def finish(figure: Figure) -> Figure:
    """Lay the figure out once and freeze it, so that the SVG and the PNG show the same thing."""
    figure.draw_without_rendering()
    for axes in figure.axes:  # a panel of another size would choose other ticks, whose labels need other margins
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(FixedLocator(axis.get_majorticklocs()))
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def save(figure: Figure, svg_path: str | Path, png_path: str | Path) -> None:
    """Write the figure as SVG (its text as text) and as PNG (200 dpi), each whole or not at all.

    The same figure gives the same bytes.
    """
    with context():
        with atomic_path(svg_path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
        with atomic_path(png_path) as temporary:
            figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})


def number(value: Any) -> float:
    """A JSON number as a float; null, which stands for "not measured", as NaN."""
    return float("nan") if value is None else float(value)


def numbers(values: Iterable[Any] | None) -> np.ndarray:
    """JSON numbers as a float array (n,), null as NaN; no list at all is an empty array."""
    return np.array([number(value) for value in (() if values is None else values)], float)


def with_interval(value: float, interval: Iterable[Any] | None) -> str:
    """A value and its 95 % interval as text: 1.24 [1.10, 1.38]."""
    bounds = numbers(interval)
    text = f"{value:.2f} [{bounds[0]:.2f}, {bounds[1]:.2f}]" if len(bounds) == 2 else f"{value:.2f}"
    return text.replace("-", "−")


def signed(value: float) -> str:
    """A change as text, with its sign: +0.012."""
    return f"{value:+.3f}".replace("-", "−")
