"""Held-out text, phase by phase: bits per byte with its interval, and the loss by class of token.

Bits per byte compare across tokenizers; the loss per token does not, so the right panel is read along its lines only.
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
        marks.points(axes, np.arange(len(phases)), loss, look, markersize=7)
        tokens = [int(group["tokens"]) for group in groups if group.get("tokens")][-1]
        entries.append((marks.line_key(look, marker=True), f"{look.label} ({tokens:,})"))
    if not entries:
        marks.say(axes, "The loss was not split by class of token.")
    else:
        axes.set_ylabel("loss (nats per token)")
        marks.heading(
            axes, "By class of token", f"no such tokens: {'; '.join(missing)}" if missing else "tokens in brackets"
        )
    return entries
