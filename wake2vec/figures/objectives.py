"""P3's objective, term by term: values, gradient norms, and what the morpheme term does to pairs it never saw.

L = L_lm + lambda_m L_morpheme + lambda_r L_repulsion + lambda_n L_norm. A term counts as acting only if the cosine of
the held-out word and part pairs changed, and changed more than that of random pairs.
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
    PURPLE,
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
    "repulsion": Look("repulsion", VERMILLION, (0, (5, 1.5, 1, 1.5)), "^"),
    "norm": Look("norm", GREEN, (0, (1, 1)), "D"),
}
GRADIENTS = {"lm": "grad_lm", "morpheme": "grad_morpheme", "repulsion": "grad_repulsion", "norm": "grad_norm_term"}
PAIRS = {
    "cosine_trained_pairs": Look("trained pairs", BLUE, "-", "o"),
    "cosine_heldout_pairs": Look("held-out pairs", PURPLE, (0, (4, 1.5)), "s"),
    "cosine_random_pairs": Look("random pairs", GREY, DOTTED, "D"),
}


def draw_objectives(
    history: Any,
    weights: Mapping[str, float] | None = None,
    *,
    width: float = WIDTH,
    font_size: float = FONT_SIZE,
) -> Figure:
    """Draw P3's history (a pandas table with the columns of history.csv).

    `weights` are the lambdas of the terms (morpheme, repulsion, norm), shown beside their names. A term that was not
    measured has no panel. `width` is in inches.
    """
    values = [term for term in TERMS if len(column(history, f"loss_{term}")[0])]
    gradients = [term for term in TERMS if len(column(history, GRADIENTS[term])[0])]
    pairs = [name for name in PAIRS if len(column(history, name)[0])]
    count = max(1, len(values) + bool(gradients) + bool(pairs))
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
        if gradients:
            _gradients(next(remaining), gradients, history)
        if pairs:
            _pairs(next(remaining), pairs, history)
        if not values + gradients + pairs:
            marks.heading(panels[0], "Objective of P3")
            marks.say(panels[0], "No term was logged in this run.")
            return finish(figure)
        last = max([1.0, *history["step"]])
        for axes in panels:
            if axes.lines:
                axes.set_xlabel("step")
                axes.locator_params(axis="x", nbins=4, integer=True)
                axes.set_xlim(-0.04 * last, 1.04 * last)
        entries = [(marks.line_key(TERMS[term]), TERMS[term].label) for term in TERMS if term in {*values, *gradients}]
        entries += [(marks.line_key(PAIRS[name], marker=True, markersize=5), PAIRS[name].label) for name in pairs]
        marks.key(figure, entries)
        return finish(figure)


def _line(axes: Axes, steps: np.ndarray, values: np.ndarray, look: Look, marker: bool = False) -> None:
    """A line; with markers where it is thinly measured, and always where it is a single point."""
    shown = look.marker if len(steps) == 1 or (marker and len(steps) <= 15) else ""
    axes.plot(steps, values, color=look.color, linestyle=look.line, marker=shown, markersize=5)


def _value(axes: Axes, term: str, history: Any, weights: Mapping[str, float]) -> None:
    steps, values = column(history, f"loss_{term}")
    marks.heading(axes, f"{TERMS[term].label.capitalize()} term", f"λ = {weights[term]:g}" if term in weights else "")
    _line(axes, steps, values, TERMS[term])
    axes.set_ylabel("nats per token" if term == "lm" else "unweighted value")
    axes.locator_params(axis="y", nbins=5)


def _gradients(axes: Axes, terms: list[str], history: Any) -> None:
    zero, highest, lowest = [], 0.0, np.inf
    for term in terms:
        steps, norms = column(history, GRADIENTS[term])
        positive = norms > 0
        if not positive.any():
            zero.append(TERMS[term].label)
            continue
        _line(axes, steps[positive], norms[positive], TERMS[term])
        lowest, highest = min(lowest, norms[positive].min()), max(highest, norms.max())
    marks.heading(axes, "Gradient norms, weighted", f"zero throughout: {', '.join(zero)}" if zero else "")
    if not highest:
        marks.say(axes, "No term had a gradient.")
        return
    low, high = lowest / 1.5, highest * 1.5
    axes.set(yscale="log", ylim=(low, high), ylabel="L2 norm (log)")
    marks.plain_log(axes.yaxis, low, high)


def _pairs(axes: Axes, names: list[str], history: Any) -> None:
    changed = {}
    for name in names:
        steps, cosine = column(history, name)
        _line(axes, steps, cosine, PAIRS[name], marker=True)
        changed[name] = cosine[-1] - cosine[0]
    one = all(len(column(history, name)[0]) == 1 for name in names)
    changes = [f"{PAIRS[name].label.removesuffix(' pairs')} {signed(changed[name])}" for name in names]
    marks.heading(axes, "Word and part pairs", "measured once" if one else f"change: {', '.join(changes)}")
    axes.set_ylabel("mean cosine")
