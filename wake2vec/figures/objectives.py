"""P3's objective, term by term: values, how far each moves a row, and what a term does to words that it never saw.

Where the terms are part of the loss, their gradients' norms stand for how far they move a row. A term counts as acting
only if the measure of held-out words changed, and changed more than that of random pairs and than that with a permuted
base.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wake2vec.figures import marks
from wake2vec.figures.losses import column
from wake2vec.figures.style import (
    BLACK,
    BLUE,
    DOTTED,
    FONT_SIZE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    WIDTH,
    Look,
    context,
    finish,
    new_figure,
    signed,
)

TERMS = {
    "lm": Look("language model", BLACK, "-", "o"),
    "morpheme": Look("morpheme", BLUE, (0, (4, 1.5)), "s"),
    "direction": Look("direction", SKY, (0, (3, 1)), "v"),
    "device": Look("device", ORANGE, (0, (6, 1, 1, 1)), "P"),
    "repulsion": Look("repulsion", VERMILLION, (0, (5, 1.5, 1, 1.5)), "^"),
    "norm": Look("norm", GREEN, (0, (1, 1)), "D"),
}
KINDS = {
    "trained": Look("trained words", BLUE, "-", "o"),
    "heldout": Look("held-out words", PURPLE, (0, (4, 1.5)), "s"),
    "random": Look("random control", GREY, DOTTED, "D"),
    "shuffled": Look("shuffled base", VERMILLION, (0, (1, 1)), "v"),
}
MEASURES = {  # a term's own measure: the panel's title, its axis, and its columns in history.csv
    "morpheme": ("Word and part pairs", "mean cosine", "cosine_{}_pairs"),
    "direction": ("Ways along affixes", "mean cosine", "direction_{}"),
    "device": ("Words by device", "margin of cosines", "device_{}"),
}


def draw_objectives(
    history: Any,
    weights: Mapping[str, float] | None = None,
    *,
    width: float = WIDTH,
    font_size: float = FONT_SIZE,
) -> Figure:
    """Draw P3's history (a pandas table with the columns of history.csv).

    `weights` are the lambdas of the terms, shown beside their names. A term that was not measured has no panel, and of
    direction and device only a term that was trained on has one for its words. `width` is in inches.
    """
    values = [term for term in TERMS if len(column(history, _loss(term, history))[0])]
    values = [] if values == ["lm"] and "loss_lm" not in history else values
    steps = [term for term in TERMS if len(column(history, f"step_{term}")[0])]
    gradients = [term for term in TERMS if len(column(history, _gradient(term))[0])]
    shown = [term for term in MEASURES if term in ("morpheme", *values) and _kinds(term, history)]
    count = max(1, len(values) + bool(steps) + bool(gradients) + len(shown))
    lines = (count + 1) // 2
    with context(font_size):
        figure = new_figure(width, width * (0.4 * lines + 0.12) if lines > 1 else 0.6 * width)
        grid = figure.add_gridspec(lines, 2)
        panels = [
            figure.add_subplot(grid[i // 2, slice(i % 2, 2 if i == count - 1 else i % 2 + 1)]) for i in range(count)
        ]
        remaining = iter(panels)
        for term in values:
            _value(next(remaining), term, history, weights or {})
        if steps:
            sizes = {term: column(history, f"step_{term}") for term in steps}
            _sizes(next(remaining), sizes, "Length of a row's step", "base row lengths (log)", "No row moved.")
        if gradients:
            sizes = {term: column(history, _gradient(term)) for term in gradients}
            _sizes(next(remaining), sizes, "Gradient norms, weighted", "L2 norm (log)", "No term had a gradient.")
        for term in shown:
            _words(next(remaining), term, history)
        if not values + steps + gradients + shown:
            marks.heading(panels[0], "Objective of P3")
            marks.say(panels[0], "No term was logged in this run.")
            return finish(figure)
        last = max([1.0, *history["step"]])
        for axes in panels:
            if axes.lines:
                axes.set_xlabel("step")
                axes.locator_params(axis="x", nbins=4, integer=True)
                axes.set_xlim(-0.04 * last, 1.04 * last)
        entries = [
            (marks.line_key(TERMS[term]), TERMS[term].label) for term in TERMS if term in {*values, *steps, *gradients}
        ]
        kinds = [kind for kind in KINDS if any(kind in _kinds(term, history) for term in shown)]
        entries += [(marks.line_key(KINDS[k], marker=True, markersize=5), KINDS[k].label) for k in kinds]
        marks.key(figure, entries)
        return finish(figure)


def _line(axes: Axes, steps: np.ndarray, values: np.ndarray, look: Look, marker: bool = False) -> None:
    """A line; with markers where it is thinly measured, and always where it is a single point."""
    shown = look.marker if len(steps) == 1 or (marker and len(steps) <= 15) else ""
    axes.plot(steps, values, color=look.color, linestyle=look.line, marker=shown, markersize=5)


def _value(axes: Axes, term: str, history: Any, weights: Mapping[str, float]) -> None:
    steps, values = column(history, _loss(term, history))
    marks.heading(axes, f"{TERMS[term].label.capitalize()} term", f"λ = {weights[term]:g}" if term in weights else "")
    _line(axes, steps, values, TERMS[term])
    axes.set_ylabel("nats per token" if term == "lm" else "unweighted value")
    axes.locator_params(axis="y", nbins=5)


def _sizes(axes: Axes, sizes: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str, unit: str, nothing: str) -> None:
    """Steps and sizes of each term, on a logarithmic axis."""
    zero, highest, lowest = [], 0.0, np.inf
    for term, (steps, values) in sizes.items():
        positive = values > 0
        if not positive.any():
            zero.append(TERMS[term].label)
            continue
        _line(axes, steps[positive], values[positive], TERMS[term])
        lowest, highest = min(lowest, values[positive].min()), max(highest, values.max())
    marks.heading(axes, title, f"zero throughout: {', '.join(zero)}" if zero else "")
    if not highest:
        marks.say(axes, nothing)
        return
    low, high = lowest / 1.5, highest * 1.5
    axes.set(yscale="log", ylim=(low, high), ylabel=unit)
    marks.plain_log(axes.yaxis, low, high)


def _loss(term: str, history: Any) -> str:
    """The column of a term's value. Where nothing is added to the loss, that is the language model's."""
    return "train_loss" if term == "lm" and "loss_lm" not in history else f"loss_{term}"


def _gradient(term: str) -> str:
    return "grad_norm_term" if term == "norm" else f"grad_{term}"


def _kinds(term: str, history: Any) -> list[str]:
    """Which of the words and controls a term was measured on."""
    return [kind for kind in KINDS if len(column(history, MEASURES[term][2].format(kind))[0])]


def _words(axes: Axes, term: str, history: Any) -> None:
    title, unit, name = MEASURES[term]
    measured = {kind: column(history, name.format(kind)) for kind in _kinds(term, history)}
    for kind, (steps, values) in measured.items():
        _line(axes, steps, values, KINDS[kind], marker=True)
    one = all(len(steps) == 1 for steps, _ in measured.values())
    changes = [
        f"{KINDS[kind].label.removesuffix(' words').removesuffix(' control')} {signed(values[-1] - values[0])}"
        for kind, (_, values) in measured.items()
    ]
    marks.heading(axes, title, "measured once" if one else f"change: {', '.join(changes)}")
    axes.set_ylabel(unit)
