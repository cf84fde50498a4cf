"""The six-panel analysis of the rows at one phase: norms, angles, dimension, drift, position and spectrum.

Panels a to f are the published analysis; what is added is its calibration in grey: the mean cosine and the dimension of
structureless vectors of the same shape, and the mean cosine that moves of the same length in random directions leave.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wake2vec.figures import marks
from wake2vec.figures.style import (
    FONT_SIZE,
    GREY,
    GROUPS,
    NULL,
    WIDTH,
    context,
    finish,
    new_figure,
    number,
    numbers,
    with_interval,
)

PAIRS = {"base_base": GROUPS["base"], "new_new": GROUPS["new"], "base_new": GROUPS["base_new"]}


def draw_six_panel(
    norms: Mapping[str, Any],
    similarity: Mapping[str, Any],
    dimension: Mapping[str, Any],
    drift: Mapping[str, Any] | None = None,
    *,
    title: str = "",
    width: float = WIDTH,
    font_size: float = FONT_SIZE,
) -> Figure:
    """Draw the six panels from the values of norms.json, similarity.json, dimension.json and drift.json of one phase.

    `drift` is None for the initial rows, which have moved from nowhere; the panel then says so, as every panel does
    that has nothing to show. `width` is in inches, `font_size` in points.
    """
    with context(font_size):
        figure = new_figure(width, 1.32 * width)
        panels = figure.subplots(3, 2).ravel()
        _norms(panels[0], norms)
        _similarity(panels[1], similarity)
        _dimension(panels[2], dimension)
        _drift(panels[3], drift)
        _by_index(panels[4], norms)
        _spectrum(panels[5], dimension)
        if title:
            figure.suptitle(title)
        figure.align_ylabels()
        marks.key(figure, _entries(norms, similarity))
        return finish(figure)


def _entries(norms: Mapping[str, Any], similarity: Mapping[str, Any]) -> list[tuple[Any, str]]:
    looks = [GROUPS[group] for group in ("base", "new") if _count(norms, group)]
    if "base_new" in _pairs(similarity):
        looks.append(GROUPS["base_new"])
    return [*((marks.line_key(look), look.label) for look in looks), (marks.line_key(NULL, marker=True), NULL.label)]


def _count(values: Mapping[str, Any], group: str) -> int:
    return int(values.get("groups", {}).get(group, {}).get("count") or 0)


def _norms(axes: Axes, norms: Mapping[str, Any]) -> None:
    there = [group for group in ("base", "new") if _count(norms, group)]
    if not there:
        marks.heading(axes, "a  Norms")
        marks.say(axes, "There are no rows to measure.")
        return
    effect = norms.get("cohens_d") or {}
    note = "" if effect.get("value") is None else f"Cohen's d {with_interval(effect['value'], effect.get('interval'))}"
    marks.heading(axes, "a  Norms", note or "too few new rows to compare")
    for group in there:
        bins = marks.dense(norms["histogram"]["edges"], norms["histogram"][group])
        marks.histogram(axes, *bins, GROUPS[group])
    axes.set(xlabel="L2 norm", ylabel="density")
    axes.margins(x=0.02)


def _pairs(similarity: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The pairings that have any pairs."""
    return {name: pair for name, pair in similarity.get("pairs", {}).items() if pair.get("pairs")}


def _similarity(axes: Axes, similarity: Mapping[str, Any]) -> None:
    pairs = _pairs(similarity)
    if not pairs:
        marks.heading(axes, "b  Cosine of pairs")
        marks.say(axes, "There are too few rows to pair.")
        return
    ks = (similarity.get("ks") or {}).get("statistic")
    note = "" if ks is None else f"KS of base and new pairs {ks:.2f}"
    marks.heading(axes, "b  Cosine of pairs", note)
    for name, look in PAIRS.items():
        if name not in pairs:
            continue
        bins = marks.dense(similarity["histogram"]["edges"], similarity["histogram"][name])
        marks.histogram(axes, *bins, look, fill=False)
        null = (pairs[name].get("null") or {}).get("mean")
        if null is not None:  # one line for all three, mostly: structureless vectors are at right angles on average
            axes.axvline(null, color=NULL.color, linestyle=NULL.line)
    axes.set(xlabel="cosine", ylabel="density")
    axes.locator_params(axis="x", nbins=4)
    axes.margins(x=0.02)


def _dimension(axes: Axes, dimension: Mapping[str, Any]) -> None:
    groups = _spectra(dimension, "cumulative")
    if not groups:
        marks.heading(axes, "c  PCA dimension")
        marks.say(axes, "The new rows are too few for a principal component analysis at equal count.")
        return
    nineties = [f"{name} {dimension['groups'][name]['d90']:.0f}" for name in groups]
    null = [(dimension["groups"][name].get("null") or {}).get("d90") or {} for name in groups]
    means = sorted({round(bounds["mean"]) for bounds in null if bounds.get("mean") is not None})
    nineties += [f"null {'–'.join(str(mean) for mean in means)}"] if means else []
    marks.heading(axes, "c  PCA dimension", f"90%: {', '.join(nineties)}")
    for name, shares in groups.items():
        steps, look = np.arange(len(shares) + 1), GROUPS[name]
        axes.plot(steps, 100 * np.r_[0, shares], color=look.color, linestyle=look.line)
        _null_dimension(axes, dimension["groups"][name].get("null") or {})
    axes.set(xlabel="principal components", ylabel="variance (%)", ylim=(0, 105))
    axes.set_xlim(left=0)


def _null_dimension(axes: Axes, null: Mapping[str, Any]) -> None:
    """How many components structureless vectors need for 90 and 95 % of their variance, with the range of these."""
    bounds = {share: null.get(name) or {} for name, share in (("d90", 90), ("d95", 95))}
    there = [share for share in bounds if bounds[share].get("mean") is not None]
    for share in there:
        axes.hlines(share, number(bounds[share].get("low")), number(bounds[share].get("high")), color=GREY)
    means = [bounds[share]["mean"] for share in there]
    axes.plot(means, there, color=GREY, linestyle=NULL.line, marker=NULL.marker, markersize=5, zorder=3)


def _drift(axes: Axes, drift: Mapping[str, Any] | None) -> None:
    title = "d  Drift"
    if drift is None:
        marks.heading(axes, title)
        marks.say(axes, "These are the initial rows: nothing has moved yet.")
        return
    moved = int((drift.get("base") or {}).get("changed_rows") or 0)
    shown = {name: drift.get(name) or {} for name in (("base", "new") if moved else ("new",))}
    shown = {
        name: group for name, group in shown.items() if numbers((group.get("histogram") or {}).get("counts")).sum()
    }
    note = f"base rows that moved: {moved:,}" if moved else "no base row moved"
    if not shown:
        marks.heading(axes, title)
        marks.say(axes, "There are no new rows, and no base row moved.")
        return
    marks.heading(axes, title, note)
    ends = [edge for group in shown.values() for edge in group["histogram"]["edges"]]
    bins = {name: marks.counted(group["histogram"], (max(ends) - min(ends)) / 30) for name, group in shown.items()}
    for name, (edges, counts) in bins.items():  # of like width: base rows move so little that theirs are far narrower
        marks.histogram(axes, edges, counts, GROUPS[name])
    null = ((shown.get("new", {}).get("cosine") or {}).get("null") or {}).get("mean")
    if null is not None:
        axes.axvline(null, color=NULL.color, linestyle=NULL.line)
    axes.set_xlabel("cosine to the initial row")
    axes.locator_params(axis="x", nbins=5)
    marks.row_axis(axes, "y", [counts for _, counts in bins.values()])


def _by_index(axes: Axes, norms: Mapping[str, Any]) -> None:
    marks.heading(axes, "e  Norm by token index")
    by_index = norms.get("by_index") or {}
    index, norm = numbers(by_index.get("index")), numbers(by_index.get("norm"))
    if not len(index):
        marks.say(axes, "There are no rows to measure.")
        return
    group = np.array(by_index["group"])
    for name in ("base", "new"):
        look, there = GROUPS[name], group == name
        if there.any():
            style = {"markersize": 2.2, "markeredgewidth": 0, "rasterized": len(index) > marks.FEW}
            axes.plot(index[there], norm[there], look.marker, color=look.color, **style)
    axes.set(xlabel="token index", ylabel="L2 norm")
    axes.locator_params(axis="x", nbins=4)
    axes.margins(x=0.02)


def _spectrum(axes: Axes, dimension: Mapping[str, Any]) -> None:
    spectra = _spectra(dimension, "spectrum")
    marks.heading(axes, "f  Largest eigenvalues")
    if not spectra:
        marks.say(axes, "The new rows are too few for a spectrum at equal count.")
        return
    bar = 0.8 / len(spectra)
    for place, (name, shares) in enumerate(spectra.items()):
        look, shares = GROUPS[name], shares[:20]
        x = np.arange(1, len(shares) + 1) + (place - (len(spectra) - 1) / 2) * bar
        axes.bar(x, 100 * shares, bar, facecolor=look.color, edgecolor="white", hatch=look.hatch, linewidth=0)
    longest = max(len(shares[:20]) for shares in spectra.values())
    axes.set(xlabel="principal component", ylabel="variance (%)", xticks=[1, *range(5, longest + 1, 5)])
    axes.grid(False, axis="x")


def _spectra(dimension: Mapping[str, Any], name: str) -> dict[str, np.ndarray]:
    """The groups' shares of variance, those groups only that have any."""
    spectra = {group: numbers((dimension.get("groups", {}).get(group) or {}).get(name)) for group in ("base", "new")}
    return {group: shares for group, shares in spectra.items() if np.isfinite(shares).any()}
