"""Made-up results in the shapes that the pipeline writes, and what every figure is checked for."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axis import Axis
from matplotlib.text import Text

EDGES = [round(float(edge), 6) for edge in np.linspace(0, 1, 11)]


def shares(rows):
    values = np.linalg.svd(rows - rows.mean(0), compute_uv=False) ** 2
    return values / values.sum()


def dense(values, edges):
    return np.histogram(values, edges, density=True)[0].tolist()


def rows(seed=0, base=1500, new=420, width=64):
    """Base rows with a common direction and unequal axes, and new rows that are longer and rounder."""
    rng = np.random.default_rng(seed)
    scale = np.linspace(1.6, 0.4, width)
    common = rng.normal(size=width) * 0.35
    old = rng.normal(size=(base, width)) * scale + common
    fresh = 1.25 * rng.normal(size=(new, width)) * scale**0.5 + 0.5 * common
    return old * 0.1, fresh * 0.1


def norms(base, new):
    groups = {"base": np.linalg.norm(base, axis=1), "new": np.linalg.norm(new, axis=1)}
    everything = np.concatenate(list(groups.values()))
    edges = np.linspace(everything.min(), everything.max(), 41)
    return {
        "groups": {name: {"count": len(norm)} for name, norm in groups.items()},
        "cohens_d": {"value": 1.242 if len(new) else None, "interval": [1.1, 1.38] if len(new) else None},
        "histogram": {
            "edges": edges.tolist(),
            **{name: dense(norm, edges) if len(norm) else [0] * 40 for name, norm in groups.items()},
        },
        "by_index": {
            "index": list(range(len(everything))),
            "norm": everything.tolist(),
            "group": ["base"] * len(base) + ["new"] * len(new),
        },
    }


def similarity(base, new, seed=1):
    rng = np.random.default_rng(seed)
    unit = {name: x / np.linalg.norm(x, axis=1, keepdims=True) for name, x in (("base", base), ("new", new)) if len(x)}
    edges = np.linspace(-0.6, 0.9, 61)
    pairs, histogram = {}, {"edges": edges.tolist()}
    for one, other in (("base", "base"), ("new", "new"), ("base", "new")):
        if one not in unit or other not in unit:
            continue
        drawn = [unit[name][rng.integers(len(unit[name]), size=20000)] for name in (one, other)]
        cosine = (drawn[0] * drawn[1]).sum(1)
        pairs[f"{one}_{other}"] = {
            "pairs": 20000,
            "mean": float(cosine.mean()),
            "null": {"mean": float(rng.normal() * 1e-3), "std": 0.125, "low": -0.002, "high": 0.002},
        }
        histogram[f"{one}_{other}"] = dense(cosine, edges)
    return {"pairs": pairs, "histogram": histogram, "ks": {"statistic": 0.314 if len(new) else None}}


def dimension(base, new):
    groups = {}
    for name, x in (("base", base[: len(new) or None]), ("new", new)):
        if len(x) < 3:
            groups[name] = {"count": len(x), "d90": None, "d95": None, "null": None, "spectrum": [], "cumulative": []}
            continue
        share = shares(x)
        d90, d95 = (int(np.searchsorted(np.cumsum(share), at)) + 1 for at in (0.9, 0.95))
        groups[name] = {
            "count": len(x),
            "d90": d90,
            "d95": d95,
            "null": {
                "d90": {"mean": 52.4, "low": 51.0, "high": 53.0},
                "d95": {"mean": 57.6, "low": 57.0, "high": 58.0},
            },
            "spectrum": share[:20].tolist(),
            "cumulative": np.cumsum(share).tolist(),
        }
    return {"matched_count": len(new), "groups": groups}


def drift(new=420, moved=0, spike=False, seed=2):
    rng = np.random.default_rng(seed)
    edges = np.linspace(0.4, 1, 31)
    cosine = 1 - rng.beta(2, 8, new) * 0.5
    if spike:
        cosine[: int(0.9 * new)] = 1.0
    base = 1 - rng.beta(2, 30, max(moved, 1)) * 0.2

    def group(values):
        if not len(values):
            return {"count": 0, "cosine": {"null": {"mean": None}}, "histogram": {"edges": [0, 1], "counts": [0]}}
        counts = np.histogram(values, edges)[0].tolist()
        null = {"mean": float(values.mean()) - 0.03}
        return {
            "count": len(values),
            "cosine": {"null": null},
            "histogram": {"edges": edges.tolist(), "counts": counts},
        }

    return {"new": group(cosine), "base": {**group(base if moved else np.ones(1500)), "changed_rows": moved}}


def history(phase, steps=240, evaluated=24, seed=3, start=7.2, fall=2.1, gap=0.5, in_loss=False):
    rng = np.random.default_rng(seed)
    at = np.arange(0, steps + 1, 4)
    learned = fall * (1 - np.exp(-3 * at / steps))
    table = pd.DataFrame({"step": at, "train_loss": start - learned + rng.normal(0, 0.08, len(at))})
    table["learning_rate"] = 1e-3
    evaluations = at % evaluated == 0
    late = at / steps
    table["heldout_loss"] = np.where(evaluations, start - 0.8 * learned + gap * late**2, np.nan)
    table["train_sample_loss"] = np.where(evaluations, start - learned - 0.05 * late, np.nan)
    if phase == "p3":
        if in_loss:
            table["loss_lm"] = table["train_loss"]
            table["train_loss"] += 0.5
        table["loss_morpheme"] = 0.66 - 0.12 * late + rng.normal(0, 0.004, len(at))
        table["loss_repulsion"] = 0.031 + 0.004 * late
        table["loss_norm"] = 0.0021 * np.exp(-2 * late)
        for term, size in (("lm", 1.2), ("morpheme", 0.08), ("repulsion", 0.002), ("norm", 3e-4)):
            name = f"step_{term}" if not in_loss else "grad_norm_term" if term == "norm" else f"grad_{term}"
            table[name] = size * np.exp(rng.normal(0, 0.15, len(at)) - late)
        for kind, low, rise in (("trained", 0.34, 0.13), ("heldout", 0.12, 0.014), ("random", 0.1, 0.012)):
            table[f"cosine_{kind}_pairs"] = np.where(evaluations, low + rise * late, np.nan)
    return table


def overlap(count=420, k=10, seed=4):
    rng = np.random.default_rng(seed)
    seen = rng.choice([1, 2, 3, 4, 5, 6, 9, 20], count, p=[0.2, 0.3, 0.15, 0.1, 0.08, 0.07, 0.06, 0.04])
    kept = rng.binomial(k, np.clip(0.95 - 0.06 * seen, 0.2, 1)) / k
    change = rng.normal(0.02, 0.02, count) + 0.012 * seen
    edges = np.linspace(change.min(), change.max(), 26)
    bins = (np.arange(k + 2) - 0.5) / k
    return {
        "k": k,
        "rows": count,
        "mean": float(kept.mean()),
        "interval": [float(kept.mean()) - 0.02, float(kept.mean()) + 0.02],
        "null": {"mean": 0.006, "low": 0.004, "high": 0.008},
        "histogram": {"edges": bins.tolist(), "counts": np.histogram(kept, bins)[0].tolist()},
        "norm_change": {
            "mean": float(change.mean()),
            "std": float(change.std()),
            "histogram": {"edges": edges.tolist(), "counts": np.histogram(change, edges)[0].tolist()},
        },
        "points": {"overlap": kept.tolist(), "norm_change": change.tolist(), "count_train": seen.tolist()},
    }


def projection(count=400, seed=5):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 14, (25, 2))
    parts = ["over", "mun", "gle", "brin", "tash", "wick", "sel", "dor", "ish", "ful"]
    points = []
    for i in range(count):
        x, y = centres[rng.integers(25)] + rng.normal(0, 2, 2)
        dx, dy = rng.normal(0, 2.5, 2)
        word = "▁" + "".join(rng.choice(parts, rng.integers(2, 4)))
        point = {"token": word, "count_train": int(300 / (i + 1)) + 1, "x": x, "y": y}
        points.append(point | {"centroid_x": x + dx, "centroid_y": y + dy})
    cosine = {"mean": 0.612, "shuffled": {"mean": 0.214}}
    return {"perplexity": 30, "points": points, "centroid_cosine": cosine}


def recovery(gain=0.0, classes=("1", "2", "3-5", "6-10", "11+"), seed=6):
    rng = np.random.default_rng(seed)
    groups = []
    for i, name in enumerate(classes):
        rank = 600 / (1 + (1.5 + gain) * i) ** 1.5 + 2
        chance = {"median_rank": 1000.5, "top10": 0.005, "mean_reciprocal_rank": 0.004}
        groups.append(
            {
                "count": name,
                "coinages": [420, 150, 80, 31, 12][i],
                "parts": [900, 310, 170, 70, 25][i],
                "median_rank": rank,
                "median_rank_interval": [rank / (1.1 + 0.15 * i), rank * (1.1 + 0.15 * i)],
                "top10": min(0.9, 0.04 + (0.1 + 0.05 * gain) * i),
                "chance": chance,
                "shuffled": {"median_rank": 700 + rng.normal() * 60, "top10": 0.012 + 0.004 * i},
            }
        )
    return {"base_rows": 2000, "groups": groups}


def likelihood(phase, shift=0.0, leaked=False):
    bits = {"base": 2.31, "init": 2.42, "p1": 2.25, "p2": 2.12, "p3": 2.10}[phase] + shift
    seen = {"base": None, "init": 9.1, "p1": 6.2, "p2": 5.9, "p3": 5.7}[phase]
    return {
        "bits_per_byte": bits,
        "interval": [bits - 0.05, bits + 0.06],
        "classes": {
            "base": {"tokens": 21034, "loss": 4.2 + shift + (bits - 2.3)},
            "new_seen": {"tokens": 812 if seen else 0, "loss": seen, "interval": seen and [seen - 0.3, seen + 0.4]},
            "new_unseen": {"tokens": 96 if seen else 0, "loss": seen and seen + 2.5},
        },
        "lexicon_saw_held_out": leaked,
    }


def notes(axes):
    """All words that stand in a panel beside its title, on one line."""
    return " ".join(text.get_text() for text in axes.texts).replace("\n", " ")


def legend(figure):
    """The names in the figure's legend, as one reads them: line by line."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in figure.legends[0].get_texts()]
    return [name for name, _ in sorted(boxes, key=lambda found: (-round(found[1].y0 / 4), found[1].x0))]


@pytest.fixture(scope="session")
def read():
    """What a figure says in words."""
    return SimpleNamespace(notes=notes, legend=legend)


PHASES = ("base", "init", "p1", "p2", "p3")


@pytest.fixture(scope="session")
def made():
    """The makers of made-up results, by name."""
    return SimpleNamespace(
        rows=rows, norms=norms, similarity=similarity, dimension=dimension, drift=drift, history=history,
        overlap=overlap, projection=projection, recovery=recovery, likelihood=likelihood,
        likelihoods=lambda phases=PHASES, **more: {phase: likelihood(phase, **more) for phase in phases},
        histories=lambda phases=("p1", "p2", "p3"): {phase: history(phase) for phase in phases},
    )  # fmt: skip


def visible_texts(figure):
    """Every text that can be seen, with its box in pixels: titles, labels, ticks inside the limits, legends, notes."""
    figure.draw_without_rendering()
    ticks = set()
    for axis in figure.findobj(Axis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                ticks |= {tick.label1, tick.label2}
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent()) for text in texts if text not in ticks and shown(text, figure)]


def shown(text, figure):
    """Not the hidden tick labels of a shared axis, which findobj finds all the same."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if text in (tick.label1, tick.label2):
                    return text.get_visible() and axis.get_visible()
    return True


def problems(figure):
    """What is wrong with how a figure looks: texts over each other or cut off, empty panels, data out of sight."""
    found = []
    texts = visible_texts(figure)
    for (one, box), (other, box2) in itertools.combinations(texts, 2):
        if box.padded(-2).overlaps(box2.padded(-2)):
            found.append(f"{one!r} lies over {other!r}")
    whole = figure.bbox.padded(1)
    found += [
        f"{text!r} is cut off" for text, box in texts if not whole.contains(*box.min) or not whole.contains(*box.max)
    ]
    for axes in figure.axes:
        if not (axes.lines or axes.patches or axes.collections or axes.texts):
            found.append(f"the panel {axes.get_title('left')!r} is empty")
        if axes.lines or axes.patches or axes.collections:
            found += [f"{side} has no label" for side, label in labels(axes).items() if not label]
            found += out_of_sight(axes)
        for legend in figure.legends:
            if legend.get_window_extent().overlaps(axes.get_window_extent()):
                found.append("the legend covers a panel")
    return found


def labels(axes):
    """The labels of both axes, an axis whose ticks stand at a shared one or are words taking that one's."""
    named = {"x": axes.get_xlabel(), "y": axes.get_ylabel()}
    for name, group in (("x", axes.get_shared_x_axes()), ("y", axes.get_shared_y_axes())):
        for other in group.get_siblings(axes):
            named[name] = named[name] or (other.get_xlabel() if name == "x" else other.get_ylabel())
    if any(label.get_text().lower() != label.get_text().upper() for label in axes.get_yticklabels()):
        named["y"] = named["y"] or "words"
    return named


def out_of_sight(axes):
    """Points of lines and bars that lie outside the limits."""
    found = []
    x, y = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    for line in axes.lines:
        if line.get_transform() != axes.transData:
            continue
        data = np.asarray(line.get_xydata(), float)
        data = data[np.isfinite(data).all(1)]
        if len(data) and not (
            (data[:, 0] >= x[0] - 1e-9).all() and (data[:, 0] <= x[1] + 1e-9).all()
            and (data[:, 1] >= y[0] - 1e-9).all() and (data[:, 1] <= y[1] + 1e-9).all()
        ):  # fmt: skip
            found.append(f"a line of {axes.get_title('left')!r} leaves the panel")
    return found


@pytest.fixture(scope="session")
def check():
    """Fail, naming everything that is wrong with how a figure looks; else give the figure back."""

    def look(figure):
        found = problems(figure)
        assert not found, "\n".join(found)
        return figure

    return look


@pytest.fixture(scope="session")
def faults():
    """Everything that is wrong with how a figure looks, as a list of words."""
    return problems
