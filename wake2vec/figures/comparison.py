"""Several models side by side: bits per byte on held-out text at each phase, with intervals.

One row a model and one mark a phase, joined in the order of the phases. Bits per byte compare on the same bytes only,
so models of different corpora stand in panels of their own.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wake2vec.figures import marks
from wake2vec.figures.likelihood import LEAK
from wake2vec.figures.style import FONT_SIZE, PHASES, WIDTH, context, finish, new_figure, number

LONGEST = 22  # letters of a model's name before it is cut


def held_out_texts(corpora: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Model -> name of its held-out text, from the values of its corpus.json.

    Corpora that hold out the same bytes go by the first one's name.
    """
    first: dict[str, str] = {}
    for corpus in corpora.values():
        first.setdefault(corpus["sha256"]["valid"], corpus["name"])
    return {model: first[corpus["sha256"]["valid"]] for model, corpus in corpora.items()}


def draw_comparison(
    models: Mapping[str, Mapping[str, Mapping[str, Any]]],
    corpora: Mapping[str, str] | None = None,
    *,
    width: float = WIDTH,
    font_size: float = FONT_SIZE,
) -> Figure:
    """Draw the values of likelihood.json of every model and phase: `models[model][phase]`.

    `corpora` names the corpus of each model; without it, all models are taken to be scored on the same text. `width` is
    in inches; the height grows with the number of models.
    """
    scored = {model: phases for model, phases in models.items() if _phases(phases)}
    groups: dict[str, list[str]] = {}
    for model in scored:
        groups.setdefault((corpora or {}).get(model, ""), []).append(model)
    with context(font_size):
        if not groups:
            figure = new_figure(width, 0.4 * width)
            axes = figure.subplots()
            marks.heading(axes, "Held-out text")
            marks.say(axes, "No model was scored on held-out text.")
            return finish(figure)
        row = 0.078 * font_size  # inches
        height = row * len(scored) + 0.085 * font_size * len(groups) + 0.6
        figure = new_figure(width, max(height, 0.35 * width))
        ratios = [len(group) for group in groups.values()]
        panels = figure.subplots(len(groups), 1, squeeze=False, height_ratios=ratios)[:, 0]
        for axes, (corpus, names) in zip(panels, groups.items(), strict=True):
            _corpus(axes, {name: scored[name] for name in names})
            if len(groups) > 1 or corpus:
                marks.heading(axes, f"Held-out text of {corpus}" if corpus else "Held-out text")
            axes.set_xlabel("bits per byte (lower is better)")
        if any(_leaked(phases) for phases in scored.values()):
            panels[-1].set_xlabel(f"{panels[-1].get_xlabel()}\n† {LEAK}")
        marks.key(figure, _entries(scored))
        return finish(figure)


def _phases(phases: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [phase for phase in PHASES if (phases.get(phase) or {}).get("bits_per_byte") is not None]


def _corpus(axes: Axes, models: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    for place, phases in enumerate(models.values()):
        there = _phases(phases)
        y = place + 0.16 * (np.arange(len(there)) - (len(there) - 1) / 2)
        bits = np.array([number(phases[phase]["bits_per_byte"]) for phase in there])
        axes.plot(bits, y, color="#BDBDBD", linewidth=1, zorder=1)
        bars = marks.interval_bars([phases[phase].get("interval") for phase in there], bits)
        for i, phase in enumerate(there):
            look = PHASES[phase]
            axes.errorbar(
                bits[i], y[i], xerr=bars[:, i : i + 1], color=look.color, marker=look.marker, markersize=7, capsize=3
            )
    axes.set_yticks(range(len(models)), [_label(model, phases) for model, phases in models.items()])
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.grid(False, axis="y")
    for edge in np.arange(len(models) - 1) + 0.5:
        axes.axhline(edge, color="#E6E6E6", linewidth=0.8)


def _label(model: str, phases: Mapping[str, Mapping[str, Any]]) -> str:
    name = model if len(model) <= LONGEST else f"{model[: LONGEST - 1]}…"
    return f"{name} †" if _leaked(phases) else name


def _leaked(phases: Mapping[str, Mapping[str, Any]]) -> bool:
    return any((score or {}).get("lexicon_saw_held_out") for score in phases.values())


def _entries(models: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[tuple[Any, str]]:
    there = {phase for phases in models.values() for phase in _phases(phases)}
    looks = [look for phase, look in PHASES.items() if phase in there]
    return [(marks.line_key(look, marker=True, linestyle="", markersize=7), look.label) for look in looks]
