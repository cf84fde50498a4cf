"""A λ sweep: what each term of P3 gives its trained words, its held-out words and their controls, and what it costs.

One row of panels a term. Left: the change of the term's own measure against the run with no term, signed so that up is
better. A term generalises where held-out words rise, and rise above their controls. Right, on one scale: held-out bits
per byte above those of that run, where up is worse.
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
    DOTTED,
    FONT_SIZE,
    GREY,
    ORANGE,
    PURPLE,
    WIDTH,
    Look,
    context,
    finish,
    new_figure,
)

GAINS = {
    "trained": Look("trained words", BLUE, "-", "o"),
    "heldout": Look("held-out words", PURPLE, (0, (4, 1.5)), "s"),
    "random": Look("random control", GREY, DOTTED, "D"),
    "shuffled": Look("shuffled base", ORANGE, (0, (5, 1.5, 1, 1.5)), "v"),
}
COST = Look("", BLACK, "-", "o")
NOTES = {
    "generalises": "generalises",
    "controls": "no more than controls",
    "trained": "trained words only",
    "still": "none measurable",
    "no_words": "no words",
}


def draw_sweep(sweep: Mapping[str, Any], *, width: float = WIDTH, font_size: float = FONT_SIZE) -> Figure:
    """Draw the values of sweep.json. `width` is in inches; the height grows with the number of terms."""
    terms: dict[str, list[Mapping[str, Any]]] = {}
    for entry in sweep["entries"]:
        terms.setdefault(entry["term"], []).append(entry)
    with context(font_size):
        figure = new_figure(width, 0.235 * font_size * max(1, len(terms)) * (width / WIDTH) ** 0.25 + 0.7)
        if not terms:
            axes = figure.subplots()
            marks.heading(axes, "Sweep")
            marks.say(axes, "No term was swept.")
            return finish(figure)
        panels = figure.subplots(len(terms), 2, squeeze=False, width_ratios=(3, 2))
        drawn: set[str] = set()
        for (left, right), (term, entries) in zip(panels, terms.items(), strict=True):
            entries = sorted(entries, key=lambda entry: entry["lambda"])
            drawn |= _gains(left, term, entries)
            _cost(right, entries)
            for axes in (left, right):
                if axes.lines:
                    axes.set_xticks(np.arange(len(entries) + 1), ["0", *(f"{e['lambda']:g}" for e in entries)])
                    axes.set_xlim(-0.3, len(entries) + 0.3)
                    axes.set_xlabel("λ")
                    axes.grid(False, axis="x")
        limits = np.array([axes.get_ylim() for axes in panels[:, 1]])
        low, high = limits[:, 0].min(), limits[:, 1].max()
        for axes in panels[:, 1]:  # costs compare across terms
            axes.set_ylim(low - 0.05 * (high - low), high)
        marks.key(figure, [(marks.line_key(GAINS[n], marker=True), GAINS[n].label) for n in GAINS if n in drawn])
        return finish(figure)


def _gains(axes: Axes, term: str, entries: list[Mapping[str, Any]]) -> set[str]:
    found = {
        name: [entry["gain"][name] for entry in entries]
        for name in GAINS
        if all("gain" in entry and entry["gain"][name] for entry in entries)
    }
    alike: dict[str, list[str]] = {}
    for entry in entries:
        alike.setdefault(NOTES[entry["verdict"]], []).append(f"{entry['lambda']:g}")
    notes = [f"{', '.join(at)}: {note}" for note, at in alike.items()] if len(alike) > 1 else list(alike)
    marks.heading(axes, term.capitalize(), "; ".join(notes))
    if not found:
        marks.say(axes, "There are no held-out words to measure this term on.")
        return set()
    axes.axhline(0, color=GREY, linewidth=0.8)
    for shift, (name, gains) in zip(np.linspace(-0.07, 0.07, len(found)), found.items(), strict=True):
        x = np.r_[0, np.arange(1, len(gains) + 1) + shift]
        y = np.r_[0, [gain["mean"] for gain in gains]]
        marks.points(axes, x, y, GAINS[name], [None, *([g["low"], g["high"]] for g in gains)], markersize=5)
    axes.set_ylabel("gain")
    axes.margins(y=0.12)
    axes.locator_params(axis="y", nbins=5)
    return set(found)


def _cost(axes: Axes, entries: list[Mapping[str, Any]]) -> None:
    marks.heading(axes, "Cost", "up is worse")
    axes.axhline(0, color=GREY, linewidth=0.8)
    x, y = np.arange(len(entries) + 1), np.r_[0, [entry["cost"]["mean"] for entry in entries]]
    marks.points(axes, x, y, COST, [None, *([e["cost"]["low"], e["cost"]["high"]] for e in entries)], markersize=5)
    axes.set_ylabel("bits per byte")
    axes.locator_params(axis="y", nbins=5)
