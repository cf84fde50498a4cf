"""What training did to the neighbourhood of the new rows: neighbour overlap, change of norm, and PIP loss, against
initialisation.

Overlap.  The share of a new row's k nearest base rows (cosine) before training that are among its k nearest after.
          Null: the neighbours before of one row with the neighbours after of another, so that base rows which are near
          everything (hubs) do not count as stability: its mean is that of all such pairs, exactly; range and p are
          those of shuffled rows (p as `nulls` has it: exact however few the rows are, where draws of a mean that is
          mostly 0 have no law that a t test knows). `chance` = k / B is what neighbours drawn at random would share.
Norm.     |after| - |before|.
PIP loss. ||E E' - F F'||_F, E and F the new rows before and after (Yin & Shen 2018, NeurIPS, "On the dimensionality
          of word embedding"); `relative` divides by ||E E'||_F. It sees only the inner products among new rows:
          turning all of them together costs nothing. With D = E - F, E E' - F F' = E D' + D F', so that with d x d
          matrices and without cancellation
              ||.||^2 = 2 <E'E, D'D> - 4 <E'D, D'D> + <D'D, D'D> + 2 sum_ab (E'D)_ab (E'D)_ba.
          Null: the same rows moved by the same distances in random directions.
Intervals: bootstrap over rows (overlap), jackknife over groups of rows (relative PIP loss), whose products are
subtracted from those of all rows.

Cost of the PIP loss of n rows: products of 4 n d^2 in float32, and 2 n d^2 for the jackknife, 1.5 n d^2 for each draw
of the null; memory seven d x d matrices and a few blocks. The products are float32; the terms above cancel only where
rows turned together: such a turn reads up to a thousandth of what a random move of its size would.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from wake2vec.geometry.nulls import (
    GROUPS,
    SHUFFLES,
    band,
    bootstrap,
    gaussian_rows,
    jackknife,
    random_groups,
    shuffled_p,
)
from wake2vec.geometry.vectors import LARGE, Rows, counts, distance, edges, for_products, nearest, norms, sampled, spans

POINTS = 3000


def measure_overlap(
    before: Rows,
    after: Rows,
    forms: list[dict],
    seed: int,
    k: int = 10,
    sample: int = 5000,
    draws: int = 10,
    shuffles: int = SHUFFLES,
) -> dict:
    """Neighbour overlap of at most `sample` new rows, change of norm and PIP loss of all: the values of overlap.json.

    Rows of zeros, before or after, have no neighbours and are left out. None and a "reason" where no row is left.
    """
    rng = np.random.default_rng(seed)
    k = min(k, len(before.base))
    change = norms(after.new) - norms(before.new)
    moving = np.flatnonzero((norms(before.new) > 0) & (norms(after.new) > 0)) if k else np.arange(0)
    at = moving[sampled(len(moving), sample, rng)]
    seen = np.zeros(len(change), np.int64)
    for form in forms:
        seen[form["row"]] = form["count_train"]
    old, fresh = nearest(before.new[at], before.base, k)[0], nearest(after.new[at], after.base, k)[0]
    shared = _shared(old, fresh)
    mean = float(shared.mean()) if len(at) else None
    beside = mismatched(old, fresh, rng, shuffles)
    shown = sampled(len(at), POINTS, rng)
    steps = (np.arange(k + 2) - 0.5) / max(1, k)
    values = {
        "k": k,
        "rows": len(at),
        "mean": mean,
        "interval": bootstrap([shared], np.mean, rng, 0.0, 1.0),
        "null": beside,
        "effect": None if mean is None or beside["mean"] is None else mean - beside["mean"],
        "chance": k / len(before.base) if k else None,
        "histogram": {"edges": steps.tolist(), "counts": counts(shared, steps)},
        "norm_change": _change(change),
        "pip_loss": measure_pip_loss(before.new, after.new, rng, draws),
        "points": {
            "overlap": shared[shown].tolist(),
            "norm_change": change[at[shown]].tolist(),
            "count_train": seen[at[shown]].tolist(),
        },
    }
    return values if len(at) else values | {"reason": "no new row with a direction before and after"}


def mismatched(old: np.ndarray, fresh: np.ndarray, rng: np.random.Generator, shuffles: int) -> dict:
    """The null of the mean overlap of neighbours before and after, [rows, k] each: {"mean" (of all pairs of two
    different rows), "std", "low", "high", "z", "p" (of shuffled rows), "draws"}; None below two rows.
    """
    n, k = old.shape
    if n < 2 or not k:
        return band(None, [])
    shared = _shared(old, fresh)
    value = float(shared.mean())
    size = int(max(old.max(), fresh.max())) + 1
    often = [np.bincount(side[side >= 0], minlength=size).astype(np.float64) for side in (old, fresh)]
    drawn = np.array([_shared(old, fresh[rng.permutation(n)]).mean() for _ in range(shuffles)])
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    deviation = float(drawn.std(ddof=1))
    return {
        "mean": float((often[0] @ often[1] / k - shared.sum()) / (n * (n - 1))),
        "std": deviation,
        "low": low,
        "high": high,
        "z": (value - float(drawn.mean())) / deviation if deviation else None,
        "p": shuffled_p(value, drawn),
        "draws": shuffles,
    }


def _shared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Share of the k entries of each row of a [rows, k] that the same row of b holds too; -1 is no entry."""
    a = np.where(a < 0, -2, a)
    parts = [(a[s, :, None] == b[s, None, :]).sum((1, 2)) for s in spans(len(a), a.shape[1] ** 2)]
    return np.concatenate(parts) / max(1, a.shape[1]) if parts else np.zeros(0)


def _change(change: np.ndarray) -> dict:
    at = edges([change])
    return {
        "mean": float(change.mean()) if len(change) else None,
        "std": float(change.std(ddof=1)) if len(change) > 1 else None,
        "histogram": {"edges": at.tolist(), "counts": counts(change, at)},
    }


def measure_pip_loss(before: np.ndarray, after: np.ndarray, rng: np.random.Generator, draws: int = 10) -> dict:
    """{"value", "relative", "interval" and "effect" (of relative), "null" (of value), "null_relative"}.

    None if all rows are zero.
    """
    every = products_of(before, after)
    value, scale = pip_loss(every)
    if scale == 0:
        nothing = band(None, [])
        return {
            "value": None,
            "relative": None,
            "interval": None,
            "null": nothing,
            "null_relative": nothing,
            "effect": None,
        }
    lengths = distance(before, after)
    drawn = [pip_loss(_random_products(before, lengths, every[0], rng))[0] for _ in range(draws)]
    interval = None
    if len(before) >= 2 * GROUPS:
        group, left_out = random_groups(len(before), rng), []
        for g in range(GROUPS):
            at = np.flatnonzero(group == g)
            less = products_of(before, after, at)
            rest = [np.subtract(one, other, out=other) for one, other in zip(every, less, strict=True)]
            left_out.append(pip_loss(rest))
        if all(rest for _, rest in left_out):
            interval = jackknife(value / scale, [loss / rest for loss, rest in left_out], 0.0)
    beside = band(value / scale, [loss / scale for loss in drawn], 0.0)
    return {
        "value": value,
        "relative": value / scale,
        "interval": interval,
        "null": band(value, drawn, 0.0),
        "null_relative": beside,
        "effect": None if beside["mean"] is None else value / scale - beside["mean"],
    }


def pip_loss(products: Sequence[np.ndarray]) -> tuple[float, float]:
    """(||E E' - F F'||_F, ||E E'||_F) from E'E, E'D and D'D, each [d, d], D = E - F."""
    ee, ed, dd = products
    squared = 2 * np.vdot(ee, dd) - 4 * np.vdot(ed, dd) + np.vdot(dd, dd) + 2 * np.einsum("ij,ji->", ed, ed)
    return float(max(squared, 0.0) ** 0.5), float(np.linalg.norm(ee))


def products_of(before: np.ndarray, after: np.ndarray, index: np.ndarray | None = None) -> list[np.ndarray]:
    """E'E, E'D and D'D (float64) of the rows (of `index`), from float32 products of blocks of rows."""
    blocks = zip(for_products(before, index)(), for_products(after, index)(), strict=True)
    return _sums(((e, e - f) for e, f in blocks), before.shape[1])


def _random_products(
    before: np.ndarray, lengths: np.ndarray, ee: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    """The same, E'E given, of rows moved by `lengths` in random directions."""
    dimension = before.shape[1]
    step = spans(len(before), dimension, min(LARGE // 2, 8192 * dimension))
    moves = ((before[span], gaussian_rows(lengths[span], dimension, rng)) for span in step)
    return [ee, *_sums(moves, dimension, first=1)]


def _sums(pairs: Iterable[tuple[np.ndarray, np.ndarray]], dimension: int, first: int = 0) -> list[np.ndarray]:
    """Sums of E'E, E'D and D'D over blocks (E, D), from the `first` of the three on."""
    found = [np.zeros((dimension, dimension)) for _ in range(3 - first)]
    for e, d in pairs:
        for total, (a, b) in zip(found, ((e, e), (e, d), (d, d))[first:], strict=True):
            total += a.T @ b
    return found
