"""How long the rows are: L2 norms of base and new rows, and how far the two groups lie apart.

Welch's t test for unequal variances (Welch 1947, Biometrika 34); Mann-Whitney's U (1947), whose U / (n B) is the AUC,
the chance that a new row is longer than a base row; Cohen's d (1988, p. 44, the form for unequal variances)
    d = (mean new - mean base) / sqrt((var new + var base) / 2).
All of them are positive when the new rows are the longer ones. With tens of thousands of rows p underflows to 0 for any
difference at all: d and the AUC, with the interval and the shuffled-label null of d, are what to read. "permuted" has
d under shuffled labels, with the p of Welch's t: shuffled, d itself would ask for equal distributions, and p be too
small where the smaller group varies more (Janssen 1997, Statistics & Probability Letters 36; Chung & Romano 2013,
Annals of Statistics 41). Cost: one walk over the rows, and `shuffles` sums of n numbers.
"""

import numpy as np
from scipy import stats

from wake2vec.geometry.nulls import SHUFFLES, band, bootstrap, difference, shuffled_p
from wake2vec.geometry.vectors import Rows, density, edges, evenly, norms

QUANTILES = {"min": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "max": 1.0}
POINTS = 2000


def measure_norms(rows: Rows, seed: int, shuffles: int = SHUFFLES) -> dict:
    """Norms of both groups and the tests between them: the values of norms.json.

    A figure that needs more rows than there are is None, with a "reason" beside it.
    """
    rng = np.random.default_rng(seed)
    base, new = norms(rows.base), norms(rows.new)
    at = edges([base, new])
    return {
        "groups": {"base": summary(base), "new": summary(new)},
        **compare(base, new, rng, shuffles),
        "histogram": {"edges": at.tolist(), "base": density(base, at), "new": density(new, at)},
        "by_index": by_index(base, new),
    }


def summary(values: np.ndarray) -> dict:
    """count, mean, standard deviation (n - 1) and quantiles; None where there are too few values."""
    points = np.quantile(values, list(QUANTILES.values())).tolist() if len(values) else [None] * len(QUANTILES)
    return {
        "count": len(values),
        "mean": float(values.mean()) if len(values) else None,
        "std": float(values.std(ddof=1)) if len(values) > 1 else None,
        **dict(zip(QUANTILES, points, strict=True)),
    }


def cohens_d(base: np.ndarray, new: np.ndarray) -> float:
    """(mean new - mean base) / sqrt((var new + var base) / 2); NaN when neither group varies."""
    spread, difference = ((base.var(ddof=1) + new.var(ddof=1)) / 2) ** 0.5, new.mean() - base.mean()
    return float(difference / spread) if spread > 1e-12 * base.mean() else float("nan")


def welch_t(base: np.ndarray, new: np.ndarray) -> float:
    """(mean new - mean base) / sqrt(var new / n + var base / B)."""
    return (new.mean() - base.mean()) / (new.var(ddof=1) / len(new) + base.var(ddof=1) / len(base)) ** 0.5


def welch(base: np.ndarray, new: np.ndarray) -> dict:
    """t, degrees of freedom (Welch-Satterthwaite) and two-sided p: scipy's, less its warning on equal norms."""
    a, b = new.var(ddof=1) / len(new), base.var(ddof=1) / len(base)
    t = welch_t(base, new)
    df = (a + b) ** 2 / (a**2 / (len(new) - 1) + b**2 / (len(base) - 1))
    return {"t": float(t), "df": float(df), "p": float(2 * stats.t.sf(abs(t), df))}


def compare(base: np.ndarray, new: np.ndarray, rng: np.random.Generator, shuffles: int) -> dict:
    """Welch, Mann-Whitney and Cohen's d of new against base values.

    d: {"value", "interval" (bootstrap), "null" (labels base and new shuffled)}.
    """
    result = {
        "welch": {"t": None, "df": None, "p": None},
        "mann_whitney": {"u": None, "p": None, "auc": None},
        "cohens_d": {"value": None, "interval": None, "null": band(None, []), "permuted": None},
    }
    if len(base) and len(new):
        u = stats.mannwhitneyu(new, base)
        auc = float(u.statistic) / (len(base) * len(new))
        result["mann_whitney"] = {"u": float(u.statistic), "p": float(u.pvalue), "auc": auc}
    if min(len(base), len(new)) < 2:
        return result | {"reason": f"{len(base)} base and {len(new)} new rows: at least two of each are needed"}
    value = cohens_d(base, new)
    if not np.isfinite(value):
        return result | {"reason": "the norms vary in neither group: there is no spread to measure a difference by"}
    result["welch"] = welch(base, new)
    pooled = np.concatenate([base, new])
    d, t = [], []
    for _ in range(shuffles):
        ours, theirs = np.split(rng.permutation(pooled), [len(base)])
        if np.isfinite(one := cohens_d(ours, theirs)):
            d.append(one)
            t.append(welch_t(ours, theirs))
    interval = bootstrap([base, new], cohens_d, rng)
    result["cohens_d"] = {
        "value": value,
        "interval": interval,
        "null": band(value, d),
        "permuted": {"rows": len(pooled)} | difference(value, d) | {"p": shuffled_p(result["welch"]["t"], np.array(t))},
    }
    return result


def by_index(base: np.ndarray, new: np.ndarray) -> dict:
    """Norm by token id for a scatter: at most 2,000 points, half of them new rows where there are enough."""
    few = min(len(new), max(POINTS // 2, POINTS - len(base)))
    at_base, at_new = evenly(len(base), POINTS - few), evenly(len(new), few)
    return {
        "index": [*at_base.tolist(), *(at_new + len(base)).tolist()],
        "norm": [*base[at_base].tolist(), *new[at_new].tolist()],
        "group": ["base"] * len(at_base) + ["new"] * len(at_new),
    }
