"""Loss curves of all phases, in sequence: training, the fixed training sample, held-out text, and the gap between them.

The gap is the one honest distance between what was learned and what was memorised: both of its edges are measured in
the same way (no dropout, whole blocks), one on a fixed sample of the training text and one on the held-out text.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wake2vec.figures import marks
from wake2vec.figures.style import (
    BLUE,
    FONT_SIZE,
    GREY,
    PHASES,
    SHADE,
    SKY,
    VERMILLION,
    WIDTH,
    Look,
    context,
    finish,
    new_figure,
)

TRAIN = Look("training batches", SKY, "-", "")
SAMPLE = Look("training sample", BLUE, (0, (4, 1.5)), "o")
HELD_OUT = Look("held-out text", VERMILLION, "-", "s")


def draw_losses(
    histories: Mapping[str, Any],
    runs: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    width: float = WIDTH,
    font_size: float = FONT_SIZE,
) -> Figure:
    """Draw one panel a phase, side by side on one loss axis (nats per token).

    `histories` has a table (pandas, the columns of history.csv) for each phase that was run, `runs` the values of their
    run.json, for the best step; without it, the best step is that of the lowest held-out loss. `width` is in inches.
    """
    phases = [phase for phase in PHASES if phase in histories] or ["p1"]
    with context(font_size):
        figure = new_figure(width, 0.64 * width)
        panels = figure.subplots(1, len(phases), sharey=True, squeeze=False)[0]
        drawn: set[str] = set()
        for axes, phase in zip(panels, phases, strict=True):
            drawn |= _phase(axes, phase, histories.get(phase), (runs or {}).get(phase) or {})
        if drawn:
            panels[0].set_ylabel("loss (nats per token)")
        marks.key(figure, [entry for name, entry in _entries().items() if name in drawn])
        return finish(figure)


def _entries() -> dict[str, tuple[Any, str]]:
    looks = {"train": TRAIN, "sample": SAMPLE, "heldout": HELD_OUT}
    entries = {name: (marks.line_key(look, marker=True), look.label) for name, look in looks.items()}
    entries["gap"] = (marks.patch_key(SHADE), "gap")
    entries["best"] = (marks.line_key(Look("", GREY, ":", "*"), marker=True, markersize=11), "best step")
    return entries


def column(history: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The steps at which a column of history.csv was measured, and its values there: two arrays (n,)."""
    if name not in history:
        return np.empty(0), np.empty(0)
    values, steps = np.asarray(history[name], float), np.asarray(history["step"], float)
    there = np.isfinite(values)
    return steps[there], values[there]


def _phase(axes: Axes, phase: str, history: Any, run: Mapping[str, Any]) -> set[str]:
    title = PHASES[phase].label
    if history is None or not len(history):
        marks.heading(axes, title)
        axes.text(0.5, 0.5, "nothing\nlogged", transform=axes.transAxes, ha="center", va="center", color=GREY)
        axes.set_xticks([])
        return set()
    # a P3 with its terms in the loss: the language model's alone compares with the other two curves
    train = column(history, "loss_lm") if len(column(history, "loss_lm")[0]) else column(history, "train_loss")
    curves = {
        "train": train,
        "sample": column(history, "train_sample_loss"),
        "heldout": column(history, "heldout_loss"),
    }
    for look, (name, (steps, loss)) in zip((TRAIN, SAMPLE, HELD_OUT), curves.items(), strict=True):
        width = 1.2 if name == "train" else 1.8
        marker = "." if len(steps) == 1 and name == "train" else look.marker
        if len(steps) > 15:  # markers would hide the line
            marker = ""
        axes.plot(steps, loss, color=look.color, linestyle=look.line, marker=marker, linewidth=width, markersize=5)
    drawn = {name for name, (steps, _) in curves.items() if len(steps)}
    drawn |= _gap(axes, curves["sample"], curves["heldout"])
    steps, loss = curves["heldout"]
    if not len(steps):
        marks.heading(axes, title, "held-out text not evaluated")
    else:
        best = run.get("best_step")
        at = int(np.argmin(loss)) if best is None or best not in steps else int(np.flatnonzero(steps == best)[0])
        once = len(steps) == 1
        marks.heading(axes, title, f"{'evaluated once, at' if once else 'best'} step {steps[at]:.0f}")
        axes.axvline(steps[at], color=GREY, linestyle=":", linewidth=1.4)
        axes.plot(steps[at], loss[at], "*", color=GREY, markersize=13, markeredgecolor="white", zorder=4)
        drawn.add("best")
    axes.set_xlabel("step")
    axes.locator_params(axis="x", nbins=4, integer=True)
    return drawn


def _gap(axes: Axes, sample: tuple[np.ndarray, np.ndarray], heldout: tuple[np.ndarray, np.ndarray]) -> set[str]:
    """Shade between the two evaluated curves, over the steps at which both were measured."""
    steps, low, high = np.intersect1d(sample[0], heldout[0], return_indices=True)
    if not len(steps):
        return set()
    low, high = sample[1][low], heldout[1][high]
    if len(steps) == 1:  # no area to shade: a bar from one to the other
        axes.vlines(steps, low, high, color=SHADE, linewidth=5)
    else:
        axes.fill_between(steps, low, high, color=SHADE, linewidth=0)
    return {"gap"}
