"""Held-out text, phase by phase: bits per byte, and the loss by class of token, with their intervals.

Bits per byte compare across tokenizers; the loss per token does not. So the right panel is read along its lines only,
and none joins the base model with the rest: its tokens hold the pieces of what are new tokens there, and losing these
lowers the mean of the others without any training.
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
    PHASES,
    PURPLE,
    VERMILLION,
    WIDTH,
    Look,
    context,
    finish,
    new_figure,
    number,
)

CLASSES = {
    "base": Look("base tokens", BLUE, "-", "o"),
    "new_seen": Look("new, seen in training", VERMILLION, (0, (4, 1.5)), "^"),
    "new_unseen": Look("new, never seen", PURPLE, (0, (5, 1.5, 1, 1.5)), "s"),
}
TICKS = {"base": "base", "init": "init", "p1": "P1", "p2": "P2", "p3": "P3"}
LEAK = "word list saw held-out text"


def draw_likelihood(
    likelihoods: Mapping[str, Mapping[str, Any]], *, width: float = WIDTH, font_size: float = FONT_SIZE
) -> Figure:
    """Draw the values of likelihood.json of each phase that has one (base, init, p1, p2, p3). `width` is in inches."""
    phases = [phase for phase in PHASES if (likelihoods.get(phase) or {}).get("bits_per_byte") is not None]
    with context(font_size):
        figure = new_figure(width, 0.66 * width)
        if not phases:
            axes = figure.subplots()
            marks.heading(axes, "Held-out text")
            marks.say(axes, "No phase was scored on held-out text.")
            return finish(figure)
        whole, classes = figure.subplots(1, 2)
        x = np.arange(len(phases))
        bits = np.array([number(likelihoods[phase]["bits_per_byte"]) for phase in phases])
        intervals = [likelihoods[phase].get("interval") for phase in phases]
        marks.points(whole, x, bits, Look("", BLACK, "-", "o"), intervals, markersize=7)
        leaked = any(likelihoods[phase].get("lexicon_saw_held_out") for phase in phases)
        marks.heading(whole, "All held-out text", LEAK if leaked else "lower is better")
        whole.set_ylabel("bits per byte")
        entries = _classes(classes, likelihoods, phases)
        for axes in (whole, classes):
            axes.set_xticks(x, [TICKS[phase] for phase in phases])
            axes.set_xlim(-0.5, len(phases) - 0.5)
            axes.set_xlabel("phase")
            axes.grid(False, axis="x")
        marks.key(figure, entries)
        return finish(figure)


def _classes(axes: Axes, likelihoods: Mapping[str, Mapping[str, Any]], phases: list[str]) -> list[tuple[Any, str]]:
    entries, missing = [], []
    marks.heading(axes, "By class of token")
    for name, look in CLASSES.items():
        groups = [(likelihoods[phase].get("classes") or {}).get(name) or {} for phase in phases]
        loss = np.array([number(group.get("loss")) for group in groups])
        if not np.isfinite(loss).any():
            missing.append(look.label)
            continue
        x, before = np.arange(len(phases)), np.array([phase == "base" for phase in phases])
        for own in (part for part in (before, ~before) if np.isfinite(loss[part]).any()):
            intervals = [groups[at].get("interval") for at in np.flatnonzero(own)]
            marks.points(axes, x[own], loss[own], look, intervals, markersize=7)
        entries.append((marks.line_key(look, marker=True), f"{look.label} ({_tokens(groups, phases)})"))
    if not entries:
        marks.say(axes, "The loss was not split by class of token.")
    else:
        axes.set_ylabel("loss (nats per token)")
        marks.heading(
            axes, "By class of token", f"no such tokens: {'; '.join(missing)}" if missing else "tokens in brackets"
        )
    return entries


def _tokens(groups: list[Mapping[str, Any]], phases: list[str]) -> str:
    """How many tokens of a class there are after the injection, and to the base model where that has another number."""
    counts = {phase: int(group["tokens"]) for phase, group in zip(phases, groups, strict=True) if group.get("tokens")}
    last = counts[list(counts)[-1]]
    old = counts.get("base", last)
    return f"{last:,}" if old == last else f"{last:,}; base model {old:,}"
