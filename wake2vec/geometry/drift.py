"""How far the rows moved in training: the cosine between each row before (at initialisation) and after, 1 where it
did not turn.

Null: the same rows moved by the same distances in random directions. For a row of norm a moved by D at an angle whose
cosine is t,
    cos = (a + D t) / sqrt(a^2 + D^2 + 2 a D t),   t = one coordinate of a random unit vector in d dimensions.
A mean above that band says that rows mostly grew or shrank, one below it that they turned further than such moves
turn them: moves at right angles to the row do, of small ones (t is 0 of theirs, and 1/d in the mean of t^2 at random).
Interval of the mean: bootstrap over rows; effect: its difference from the null's mean. Rows of zeros before or after
have no cosine and are left out of the statistics.
"""

import numpy as np

from wake2vec.geometry.neighbours import name
from wake2vec.geometry.nulls import band, bootstrap
from wake2vec.geometry.vectors import Rows, counts, distance, edges, norms, paired_cosines, spans

COUNTS = {"0": (0, 0), "1": (1, 1), "2": (2, 2), "3-5": (3, 5), "6+": (6, None)}
LISTED = 20


def measure_drift(
    before: Rows, after: Rows, base_tokens: list[str], forms: list[dict], seed: int, draws: int = 10
) -> dict:
    """Cosines of new and base rows before and after, by training count, and the tokens that moved most and least.

    The values of drift.json. The base rows' `by_count` is empty: training counts are known for new forms only.
    """
    rng = np.random.default_rng(seed)
    by_row = sorted(forms, key=lambda form: form["row"])
    seen = np.array([form["count_train"] for form in by_row], np.int64)
    new, base = paired_cosines(before.new, after.new), paired_cosines(before.base, after.base)
    changed = changed_rows(before.base, after.base)

    def listed_new(at: np.ndarray) -> list[dict]:
        return [
            _moved(by_row[i]["form"], new[i], before.new[i], after.new[i], by_row[i]["count_train"])
            for i in at.tolist()
        ]

    def listed_base(at: np.ndarray) -> list[dict]:
        return [_moved(name(base_tokens, i), base[i], before.base[i], after.base[i], None) for i in at.tolist()]

    return {
        "new": _group(new, before.new, after.new, rng, draws) | {"by_count": by_count(new, seen)},
        "base": _group(base, before.base, after.base, rng, draws)
        | {"by_count": [], "changed_rows": int(changed.sum())},
        "most_drifted": listed_new(_rising(new, np.ones(len(new), bool))[:LISTED]),
        "most_drifted_base": listed_base(_rising(base, changed)[:LISTED]),
        "least_drifted": listed_new(_rising(-new, seen > 0)[:LISTED]),
    }


def changed_rows(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Whether each row differs in any number, bool [rows]."""
    parts = [(before[span] != after[span]).any(1) for span in spans(len(before), before.shape[1])]
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def by_count(cosines: np.ndarray, seen: np.ndarray) -> list[dict]:
    """Rows and mean cosine by how often the form occurs in the training text."""
    found = []
    for label, (low, high) in COUNTS.items():
        inside = (seen >= low) & (seen <= (high if high is not None else seen.max(initial=0)))
        known = cosines[inside & np.isfinite(cosines)]
        mean = float(known.mean()) if len(known) else None
        found.append({"count": label, "rows": int(inside.sum()), "mean_cosine": mean})
    return found


def random_turn(lengths: np.ndarray, distances: np.ndarray, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Cosine of each row with itself after a move by `distances` in a random direction; `lengths` are norms before."""
    t = rng.standard_normal(len(lengths))
    t /= np.sqrt(t**2 + rng.chisquare(dimension - 1, len(lengths))) if dimension > 1 else np.abs(t)
    along = lengths + distances * t
    return along / np.maximum(np.sqrt(along**2 + distances**2 * (1 - t**2)), 1e-300)


def _group(cosines: np.ndarray, before: np.ndarray, after: np.ndarray, rng: np.random.Generator, draws: int) -> dict:
    known = cosines[np.isfinite(cosines)]
    at = edges([known])
    histogram = {"edges": at.tolist(), "counts": counts(known, at)}
    if not len(known):
        figures = dict.fromkeys(("mean", "std", "min", "max", "interval", "effect")) | {"null": band(None, [])}
        reason = f"{len(cosines)} rows, none with a direction before and after"
        return {"count": len(cosines), "cosine": figures, "histogram": histogram, "reason": reason}
    finite = np.isfinite(cosines)
    lengths, distances = norms(before)[finite], distance(before, after)[finite]
    drawn = [random_turn(lengths, distances, before.shape[1], rng).mean() for _ in range(draws)]
    null = band(float(known.mean()), drawn, -1.0, 1.0)
    cosine = {
        "mean": float(known.mean()),
        "std": float(known.std(ddof=1)) if len(known) > 1 else None,
        "min": float(known.min()),
        "max": float(known.max()),
        "interval": bootstrap([known], np.mean, rng, -1.0, 1.0),
        "null": null,
        "effect": None if null["mean"] is None else float(known.mean()) - null["mean"],
    }
    return {"count": len(cosines), "cosine": cosine, "histogram": histogram}


def _rising(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Positions of the kept, finite values, lowest first, equal ones in order."""
    at = np.flatnonzero(kept & np.isfinite(values))
    return at[np.argsort(values[at], kind="stable")]


def _moved(token: str, cosine: float, before: np.ndarray, after: np.ndarray, count: int | None) -> dict:
    return {
        "token": token,
        "cosine": float(cosine),
        "norm_before": float(np.linalg.norm(before.astype(np.float64))),
        "norm_after": float(np.linalg.norm(after.astype(np.float64))),
        "count_train": count,
    }
