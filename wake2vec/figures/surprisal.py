"""What words cost: surprisal by Zipf rank in English, by phase, and of coinages by how often training showed them; and
what they settle, the reduction of the entropy of the base piece that comes next.

Every mark is a mean over the words of the held-out text that fall into its bin, with a 95 % interval over passages. The
words are the same at every phase; which of them have a row is the last phase's to say.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from wake2vec.figures import marks
from wake2vec.figures.style import (
    BLACK,
    FONT_SIZE,
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
from wake2vec.language.surprisal import group_masks, kinds_of, mean_of
from wake2vec.text.words import COUNTS

FEWEST = 5  # words in a bin that is drawn
RANKS = {
    "1–10": (1, 11),
    "11–100": (11, 101),
    "101–1k": (101, 1001),
    "1k–10k": (1001, 10_001),
    "10k–100k": (10_001, 100_001),
    "100k+": (100_001, np.inf),
    "not\nlisted": (np.inf, np.inf),
}
GROUPS = {
    "with_row": Look("coinages with a row", PURPLE, (0, (4, 1.5)), "P"),
    "without_row": Look("coinages without a row", BLACK, (0, (5, 1.5, 1, 1.5)), "X"),
    "plain": Look("plain words", SKY, "-", "*"),
}
TICKS = {"base": "base", "init": "init", "p1": "P1", "p2": "P2", "p3": "P3"}


def draw_surprisal(frames: Mapping[str, Any], *, width: float = WIDTH, font_size: float = FONT_SIZE) -> Figure:
    """Draw surprisal.csv (pandas, as `read_surprisal` gives it) of each phase: base, init, p1, p2, p3. `width` in
    inches.
    """
    frames = {phase: frames[phase] for phase in PHASES if phase in frames}
    with context(font_size):
        figure = new_figure(width, 1.5 * width)
        if not any(len(frame) for frame in frames.values()):
            axes = figure.subplots()
            marks.heading(axes, "Surprisal of words")
            marks.say(axes, "No phase was scored word by word.")
            return finish(figure)
        panels = figure.subplot_mosaic([["rank", "rank"], ["phase", "count"], ["entropy", "entropy"]])
        masks = group_masks(kinds_of(frames))
        shown = [phase for phase in ("base", "init", list(frames)[-1]) if phase in frames]
        looks = {phase: PHASES[phase] for phase in dict.fromkeys(shown)}
        below = _by_rank(panels["rank"], frames, masks, looks, "surprisal")
        panels["rank"].set(yscale="log", ylabel="bits a word (log)")
        marks.heading(panels["rank"], "Surprisal by Zipf rank", below)
        _by_rank(panels["entropy"], frames, masks, looks, "entropy_reduction")
        panels["entropy"].set(ylabel="bits a word")
        marks.heading(panels["entropy"], "Entropy reduction by Zipf rank", "of the next base piece")
        entries = _by_phase(panels["phase"], frames, masks)
        _by_count(panels["count"], panels["phase"], frames, masks, looks)
        for axes in panels.values():
            axes.grid(False, axis="x")
            if axes.get_yscale() == "log":
                _bits_axis(axes)
        phases = [(marks.line_key(look, marker=True), look.label) for look in looks.values()]
        marks.key(figure, [*phases, *entries])
        return finish(figure)


def bins(values: np.ndarray, mask: np.ndarray, edges: Mapping[str, tuple[float, float]]) -> dict[str, np.ndarray]:
    """Which of a mask's lines fall between two edges, by the bin's name; a bin of fewer than FEWEST words is left out.

    An edge belongs to the bin above it, but for a bin of one value.
    """
    found = {
        name: mask & (values >= low) & ((values < high) | (values == high) & (low == high))
        for name, (low, high) in edges.items()
    }
    return {name: lines for name, lines in found.items() if lines.sum() >= FEWEST}


def _bits_axis(axes: Axes) -> None:
    """Plain numbers at 1, 2 and 5 of each decade."""
    low, high = axes.get_ylim()
    marks.plain_log(axes.yaxis, low, high)
    ticks = [step * 10.0**decade for decade in range(-3, 4) for step in (1, 2, 5)]
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))


def _means(
    frames: Mapping[str, Any], masks: list[np.ndarray], phase: str, column: str = "surprisal"
) -> tuple[np.ndarray, list[Any]]:
    """Mean of a column in bits [masks] at a phase, and its intervals."""
    rng = np.random.default_rng(0)
    found = [mean_of(frames[phase], mask, column, rng) for mask in masks]
    return np.array([number(value) for value, _ in found]), [bounds for _, bounds in found]


def _by_rank(
    axes: Axes, frames: Mapping[str, Any], masks: Mapping[str, np.ndarray], looks: Mapping[str, Look], column: str
) -> str:
    """Plain words by Zipf rank, and right of them all coinages, side by side a phase; returns what to say of it."""
    first = next(iter(frames.values()))
    plain = bins(first["zipf_rank"].to_numpy(float, na_value=np.inf), masks["plain"], RANKS)
    coined = {name: masks[group] for group, name in (("without_row", "no row"), ("with_row", "a row"))}
    coined = {name: mask for name, mask in coined.items() if mask.sum() >= FEWEST}
    for place, (phase, look) in enumerate(looks.items()):
        aside = 0.14 * (place - (len(looks) - 1) / 2)
        for start, some in ((0, plain), (len(plain), coined)):
            bits, bounds = _means(frames, list(some.values()), phase, column)
            x = start + np.arange(len(some)) + aside
            line = "" if some is coined else look.line
            marks.points(axes, x, bits, Look("", look.color, line, look.marker), bounds, markersize=7)
    names = [f"{name}\n({mask.sum():,})" for name, mask in (plain | coined).items()]
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.5, len(names) - 0.5)
    divided = bool(coined and plain)
    if divided:
        axes.axvline(len(plain) - 0.5, color="#BFBFBF", linestyle=":")
    axes.set_xlabel("rank in English (number of words)")
    return "right of the line: coinages, with and without a row" if divided else ""


def _by_phase(axes: Axes, frames: Mapping[str, Any], masks: Mapping[str, np.ndarray]) -> list[tuple[Any, str]]:
    """Groups of words, phase by phase."""
    entries, phases = [], list(frames)
    for group, look in GROUPS.items():
        if masks[group].sum() < FEWEST:
            continue
        found = [_means(frames, [masks[group]], phase) for phase in phases]
        bits, bounds = np.array([value[0] for value, _ in found]), [interval[0] for _, interval in found]
        marks.points(axes, np.arange(len(phases)), bits, look, bounds, markersize=7)
        entries.append((marks.line_key(look, marker=True), f"{look.label} ({masks[group].sum():,})"))
    axes.set_xticks(range(len(phases)), [TICKS[phase] for phase in phases])
    axes.set(xlim=(-0.5, len(phases) - 0.5), yscale="log", ylabel="bits a word (log)", xlabel="phase")
    marks.heading(axes, "Surprisal by phase", "always the same words")
    return entries


def _by_count(
    axes: Axes, beside: Axes, frames: Mapping[str, Any], masks: Mapping[str, np.ndarray], looks: Mapping[str, Look]
) -> None:
    """Coinages by how often the word occurs in the training text, on the axis of the panel beside it."""
    first = next(iter(frames.values()))
    edges = {name: (low, high + 1 if high > low else high) for name, (low, high) in COUNTS.items()}
    found = bins(first["count_train"].to_numpy(float), masks["coinage"], edges)
    marks.heading(axes, "Surprisal of coinages", "by times seen in training")
    if not found:
        marks.say(axes, "The held-out text holds too few coinages.")
        return
    axes.sharey(beside)
    axes.tick_params(labelleft=False)
    for place, (phase, look) in enumerate(looks.items()):
        bits, bounds = _means(frames, list(found.values()), phase)
        x = np.arange(len(found)) + 0.14 * (place - (len(looks) - 1) / 2)
        marks.points(axes, x, bits, look, bounds, markersize=7)
    names = [f"{name.replace('-', '–')}\n({_short(mask.sum())})" for name, mask in found.items()]
    axes.set_xticks(range(len(names)), names)
    axes.set(xlim=(-0.5, len(names) - 0.5), yscale="log", xlabel="times seen (number of words)")


def _short(count: int) -> str:
    """A number of words that fits beside five others: 1,984 as 2.0k."""
    return str(count) if count < 1000 else f"{count / 1000:.1f}k" if count < 10_000 else f"{count / 1000:.0f}k"
