"""New rows and the centroids of their initial neighbours in one t-SNE embedding (van der Maaten and Hinton 2008).

A line links each row to the centroid of the base rows it started beside. Short lines mean that it stayed; a map of this
kind shows who is near whom and says nothing about distances between far points, so its axes have no scale.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from wake2vec.figures import marks
from wake2vec.figures.change import COUNTS
from wake2vec.figures.style import BLACK, FONT_SIZE, GREY, WIDTH, Look, context, finish, new_figure, numbers

CENTROID = Look("centroid of its initial neighbours", GREY, "", "+")
LABELS = 20  # at most so many rows are named


def draw_projection(
    projection: Mapping[str, Any], *, title: str = "", width: float = WIDTH, font_size: float = FONT_SIZE
) -> Figure:
    """Draw the values of one phase's projection.json (P1 or P3). `width` is in inches.

    The most frequent rows are named, as far as there is room for their names, without the mark of a word's start.
    """
    rows = projection.get("points") or []
    with context(font_size):
        if not rows:
            figure = new_figure(width, 0.4 * width)
            axes = figure.subplots()
            marks.heading(axes, title or "New rows and their initial neighbours")
            marks.say(axes, "There are too few new rows for a map.")
            return finish(figure)
        figure = new_figure(width, 0.95 * width)
        axes = figure.subplots()
        place = np.array([numbers(row[name] for name in ("x", "y", "centroid_x", "centroid_y")) for row in rows])
        entries = _rows(axes, place, np.array([int(row.get("count_train") or 0) for row in rows]))
        axes.set(xticks=[], yticks=[], xlabel="t-SNE 1 (no scale)", ylabel="t-SNE 2 (no scale)")
        axes.margins(0.06)
        marks.heading(axes, title, _nearness(projection.get("centroid_cosine") or {}))
        marks.key(figure, entries)
        finish(figure)
        order = sorted(range(len(rows)), key=lambda i: (-int(rows[i].get("count_train") or 0), i))
        _name(axes, [(rows[i]["token"].lstrip("▁Ġ "), place[i]) for i in order], 0.9 * font_size)
        return figure


def _nearness(cosine: Mapping[str, Any]) -> str:
    """How near the rows lie to their centroids in the full space, where distances mean something."""
    other = (cosine.get("shuffled") or {}).get("mean")
    if cosine.get("mean") is None or other is None:
        return ""
    return f"cosine in the full space: {cosine['mean']:.2f} to its own centroid, {other:.2f} to another's"


def _rows(axes: Axes, place: np.ndarray, count: np.ndarray) -> list[tuple[Any, str]]:
    axes.add_collection(LineCollection(place.reshape(-1, 2, 2), colors="#BDBDBD", linewidths=0.8, zorder=1))
    axes.plot(place[:, 2], place[:, 3], CENTROID.marker, color=CENTROID.color, markersize=5, zorder=2)
    entries = [(marks.line_key(CENTROID, marker=True), CENTROID.label)]
    for (low, high), look in COUNTS.items():
        there = (count >= low) & (count <= high)
        if there.any():
            style = {"color": look.color, "markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.4}
            style |= {"markeredgecolor": look.color, "markeredgewidth": 1} if look.marker == "x" else {}
            axes.plot(place[there, 0], place[there, 1], look.marker, zorder=3, **style)
            entries.append((marks.line_key(look, marker=True, markersize=7), look.label))
    return entries


def _name(axes: Axes, names: list[tuple[str, np.ndarray]], size: float) -> None:
    """Name rows, in this order, wherever a name covers no other name and no mark, and stays inside the frame."""
    points = axes.transData.transform(np.array([place for _, place in names]).reshape(-1, 2))
    frame, taken = axes.get_window_extent().padded(-4), []
    for name, place in names:
        for side, up, across in (("left", 0, 5), ("right", 0, -5), ("center", 6, 0), ("center", -6, 0)):
            vertical = {0: "center", 6: "bottom", -6: "top"}[up]
            text = axes.annotate(
                name,
                place[:2],
                (across, up),
                "data",
                "offset points",
                ha=side,
                va=vertical,
                fontsize=size,
                color=BLACK,
                zorder=5,
            )
            box = text.get_window_extent().padded(4)
            inside = frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1
            if inside and not box.count_overlaps(taken) and not box.count_contains(points):
                taken.append(box)
                break
            text.remove()
        if len(taken) == LABELS:
            return
