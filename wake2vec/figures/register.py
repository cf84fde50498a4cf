"""The register of the samples by temperature and phase, beside its landmarks; and the battery's trial on mixtures.

A landmark is a band: the range of 95 % of draws of as many pieces, and their mean. Two phases beside each other have
marks beside each other: temperatures are places on the axis, not distances.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from wake2vec.figures import marks
from wake2vec.figures.style import (
    BLUE,
    FONT_SIZE,
    GREY,
    ORANGE,
    PHASES,
    PURPLE,
    SKY,
    WIDTH,
    Look,
    context,
    finish,
    new_figure,
    number,
)
from wake2vec.language.register import of_every_prompt

PERCENT = 100.0
PANELS = {  # measure: title, unit, factor
    "coinages": ("Coinages", "of words (%)", PERCENT),
    "ratio": ("Letters: Wake or plain", "bits a character", 1.0),
    "parsed": ("New, of known parts", "of words (%)", PERCENT),
    "unparsed": ("New, unparsed", "of words (%)", PERCENT),
    "copied": ("Copied words", "of words (%)", PERCENT),
    "longest": ("Longest copy", "words", 1.0),
    "distinct_1": ("Distinct-1", "of words (%)", PERCENT),
    "distinct_2": ("Distinct-2", "of word pairs (%)", PERCENT),
    "burrows": ("Burrows’s Delta", "nearer to Wake", 1.0),
    "cosine": ("Cosine Delta", "nearer to Wake", 1.0),
}
LANDMARKS = {
    "held_out": Look("held-out Wake", GREY, "-"),
    "plain": Look("plain English", SKY, (0, (5, 1.5))),
    "shuffled": Look("shuffled Wake", ORANGE, (0, (1, 1.5))),
}
MIXTURES = {"language": ("coined pieces (%)", BLUE, "o"), "copied": ("copied words (%)", PURPLE, "s")}
MIXTURES |= {"looped": ("looped words (%)", ORANGE, "^"), "scrambled": ("scrambled words (%)", GREY, "D")}


def draw_register(
    registers: Mapping[str, Mapping[str, Any]], *, width: float = WIDTH, font_size: float = FONT_SIZE
) -> Figure:
    """Draw the values of register.json of each phase that has samples long enough. `width` is in inches."""
    lines = {phase: of_every_prompt(registers.get(phase) or {}) for phase in PHASES}
    lines = {phase: groups for phase, groups in lines.items() if groups}
    with context(font_size):
        if not lines:
            figure = new_figure(width, 0.4 * width)
            axes = figure.subplots()
            marks.heading(axes, "Register of the samples")
            marks.say(axes, "No sample is long enough to be measured.")
            return finish(figure)
        figure = new_figure(width, 1.95 * width)
        temperatures = sorted({group["temperature"] for groups in lines.values() for group in groups})
        panels = figure.subplots(len(PANELS) // 2, 2, sharex=True)
        for axes, (name, (title, unit, factor)) in zip(panels.ravel(), PANELS.items(), strict=True):
            marks.heading(axes, title)
            axes.set_ylabel(unit)
            _landmarks(axes, _landmark(registers, lines), name, factor)
            _lines(axes, lines, temperatures, name, factor)
        for axes in panels[-1]:
            axes.set_xticks(range(len(temperatures)), [f"{temperature:g}" for temperature in temperatures])
            axes.set(xlabel="temperature", xlim=(-0.5, len(temperatures) - 0.5))
        for axes in panels.ravel():
            axes.grid(False, axis="x")
        figure.align_ylabels()
        entries = [(marks.line_key(PHASES[phase], marker=True), PHASES[phase].label) for phase in lines]
        marks.key(figure, entries + [(_band_key(look), look.label) for look in LANDMARKS.values()])
        return finish(figure)


def _landmark(registers: Mapping[str, Any], lines: Mapping[str, Sequence[Mapping[str, Any]]]) -> Mapping[str, Any]:
    """The landmarks for groups of the size that most groups have."""
    sizes = [group["samples"] for groups in lines.values() for group in groups]
    usual = max(set(sizes), key=lambda size: (sizes.count(size), size))
    found = [mark for phase in lines for mark in registers[phase]["landmarks"] if mark["samples"] == usual]
    return found[0]


def _landmarks(axes: Axes, landmarks: Mapping[str, Any], name: str, factor: float) -> None:
    for mark, look in LANDMARKS.items():
        found = (landmarks.get(mark) or {}).get(name) or {}
        mean, low, high = (factor * number(found.get(part)) for part in ("mean", "low", "high"))
        if not np.isfinite(mean):
            continue
        axes.axhspan(low, high, facecolor=look.color, alpha=0.16, linewidth=0)
        axes.axhline(mean, color=look.color, linestyle=look.line, linewidth=1.4)


def _lines(
    axes: Axes,
    lines: Mapping[str, Sequence[Mapping[str, Any]]],
    temperatures: Sequence[float],
    name: str,
    factor: float,
) -> None:
    for place, (phase, groups) in enumerate(lines.items()):
        shift = 0.16 * (place - (len(lines) - 1) / 2)
        x = np.array([temperatures.index(group["temperature"]) + shift for group in groups])
        y = factor * np.array([number(group["values"][name]["value"]) for group in groups])
        intervals = [group["values"][name]["interval"] for group in groups]
        intervals = [bounds and [factor * number(bound) for bound in bounds] for bounds in intervals]
        marks.points(axes, x, y, PHASES[phase], intervals)


def _band_key(look: Look) -> tuple[Patch, Line2D]:
    return Patch(facecolor=(look.color, 0.25), linewidth=0), marks.line_key(look, linewidth=1.4)


# The trial -----------------------------------------------------------------------------------------------------------


def draw_validation(validation: Mapping[str, Any], *, width: float = WIDTH, font_size: float = FONT_SIZE) -> Figure:
    """Draw the values of register_validation.json: each measure on mixtures of known shares, and Spearman's rho.

    A measure is drawn on the kinds of mixture that it is expected to order.
    """
    mixtures = validation["mixtures"]
    judged = {
        name: {kind: found[name] for kind, found in mixtures.items() if found[name]["expected"] is not None}
        for name in PANELS
    }
    with context(font_size):
        figure = new_figure(width, 2.05 * width)
        panels = figure.subplots(len(PANELS) // 2, 2, sharex=True)
        for axes, (name, kinds) in zip(panels.ravel(), judged.items(), strict=True):
            title, unit, factor = PANELS[name]
            for kind, found in kinds.items():
                x = 100 * np.array([point["share"] for point in found["by_share"]])
                parts = (factor * np.array([number(p[part]) for p in found["by_share"]]) for part in ("mean", "sd"))
                mean, spread = parts
                marks.points(axes, x, mean, _mixture(kind), list(zip(mean - spread, mean + spread, strict=True)))
                axes.set_xticks(x)
            rhos = " and ".join(_two(found["rho"]) for found in kinds.values())
            verdict = "in order" if all(found["orders"] for found in kinds.values()) else "not in order"
            marks.heading(axes, title, f"rho {rhos}, {verdict}")
            axes.set_ylabel(unit)
        for axes in panels[-1]:
            axes.set_xlabel("share mixed in (%)")
        figure.align_ylabels()
        shown = [kind for kind in MIXTURES if any(kind in kinds for kinds in judged.values())]
        marks.key(figure, [(marks.line_key(_mixture(kind), marker=True), _mixture(kind).label) for kind in shown])
        return finish(figure)


def _mixture(kind: str) -> Look:
    label, color, marker = MIXTURES[kind]
    return Look(label, color, "-", marker)


def _two(value: Any) -> str:
    return f"{number(value):.2f}".replace("-", "−") if value is not None else "undefined"
