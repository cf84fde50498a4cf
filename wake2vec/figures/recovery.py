"""Truth recovery on the testbed: how near a coinage's row stands to the parts it was really made of.

Every gold part is ranked among the base rows by its cosine to the coinage. The same is done with the parts dealt out to
the wrong coinages (shuffled), which is what a common direction of all new rows would give, and with the rank of a row
drawn by chance.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wake2vec.figures import marks
from wake2vec.figures.style import FONT_SIZE, GREY, NULL, PHASES, WIDTH, Look, context, finish, new_figure, number

CHANCE = Look("a row by chance", NULL.color, NULL.line, "")
SHUFFLED = Look("shuffled parts", GREY, (0, (3, 2)), "o")


def draw_recovery(
    recoveries: Mapping[str, Mapping[str, Any]], *, width: float = WIDTH, font_size: float = FONT_SIZE
) -> Figure:
    """Draw the values of recovery.json of each phase that has one (init, p1, p3). `width` is in inches."""
    phases = [phase for phase in PHASES if _groups(recoveries.get(phase))]
    with context(font_size):
        if not phases:
            figure = new_figure(width, 0.4 * width)
            axes = figure.subplots()
            marks.heading(axes, "Recovery of the gold parts")
            marks.say(axes, "No coinage with known parts has a row.")
            return finish(figure)
        figure = new_figure(width, 0.72 * width)
        rank, top = figure.subplots(1, 2)
        entries = _panel(rank, recoveries, phases, "median_rank", 1.0)
        _panel(top, recoveries, phases, "top10", 100.0)
        _log_rank(rank)
        marks.heading(rank, "Median rank", "lower is better")
        marks.heading(top, "Among the 10 nearest", "higher is better")
        rank.set_ylabel("rank among base rows (log)")
        top.set_ylabel("gold parts (%)")
        top.set_ylim(bottom=min(0, top.get_ylim()[0]))
        marks.key(figure, entries)
        return finish(figure)


def _groups(recovery: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The classes of training count that hold at least one coinage with a ranked part."""
    return [group for group in (recovery or {}).get("groups") or [] if group.get("median_rank") is not None]


def _panel(
    axes: Axes, recoveries: Mapping[str, Mapping[str, Any]], phases: list[str], figure_name: str, unit: float
) -> list[tuple[Any, str]]:
    classes = _classes(recoveries, phases)
    entries, shuffles = [], False
    for place, phase in enumerate(phases):
        groups, look = _groups(recoveries[phase]), PHASES[phase]
        shift = 0.14 * (place - (len(phases) - 1) / 2)
        x = np.array([list(classes).index(group["count"]) + shift for group in groups])
        y = unit * np.array([number(group.get(figure_name)) for group in groups])
        intervals = [group.get(f"{figure_name}_interval") for group in groups]
        intervals = [None if bounds is None else [unit * number(bound) for bound in bounds] for bounds in intervals]
        marks.points(axes, x, y, look, intervals, markersize=7)
        wrong = unit * np.array([number((group.get("shuffled") or {}).get(figure_name)) for group in groups])
        if np.isfinite(wrong).any():
            shuffles = True
            style = {"linestyle": SHUFFLED.line, "linewidth": 1.1, "markersize": 5, "markerfacecolor": "white"}
            marks.points(axes, x, wrong, look, **style)
        entries.append((marks.line_key(look, marker=True), look.label))
    if shuffles:
        entries.append((marks.line_key(SHUFFLED, marker=True, markerfacecolor="white"), SHUFFLED.label))
    chance = [
        number((group.get("chance") or {}).get(figure_name)) for phase in phases for group in _groups(recoveries[phase])
    ]
    if np.isfinite(chance).any():
        axes.axhline(unit * np.nanmedian(chance), color=CHANCE.color, linestyle=CHANCE.line)
        entries.append((marks.line_key(CHANCE), CHANCE.label))
    axes.set_xticks(
        range(len(classes)), [f"{name.replace('-', '–')}\n({coinages:,})" for name, coinages in classes.items()]
    )
    axes.set(xlabel="times in training text\n(coinages)", xlim=(-0.5, len(classes) - 0.5))
    axes.grid(False, axis="x")
    return entries


def _classes(recoveries: Mapping[str, Mapping[str, Any]], phases: list[str]) -> dict[str, int]:
    """The classes of training count in their order, with how many coinages each holds."""
    return {group["count"]: int(group.get("coinages") or 0) for phase in phases for group in _groups(recoveries[phase])}


def _log_rank(axes: Axes) -> None:
    low, high = axes.dataLim.y0, axes.dataLim.y1
    low, high = max(0.5, low / 1.6), 1.6 * max(high, 1.0)
    axes.set(yscale="log", ylim=(low, high))
    marks.plain_log(axes.yaxis, low, high)
