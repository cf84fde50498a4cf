"""How alike the rows are: cosines of base-base, new-new and base-new pairs.

The mean is over all pairs, not a sample: with u the unit rows and S their sum,
    within a group  (|S|^2 - n) / (n (n - 1)),   between groups  S_base . S_new / (B n).
Standard deviation, quantiles and histogram are of at most `pairs` pairs drawn at random. Rows of zeros are left out.

Null: independent uniformly random directions. A pair's cosine then has mean 0 and standard deviation 1/sqrt(d); |S|^2
is about n chi2_d / d, so a group's mean cosine lies with 95 % between (chi2_d(0.025)/d - 1)/(n - 1) and
(chi2_d(0.975)/d - 1)/(n - 1), and that of the pairs between groups within 1.96/sqrt(B n d). "mean" and "std" are
those of a pair, "low" and "high" bound the mean over all pairs. Interval of the mean: jackknife over groups of rows;
pairs that share a row are not independent, so counting pairs would make it too narrow.

Kolmogorov-Smirnov compares base-base with new-new cosines; D, the greatest distance of the two distribution
functions, is the effect size. Its usual p takes pairs for independent. `permutation_p` does not: on at most 1,000
rows of each group the labels base and new are shuffled over the rows, pairs are drawn again, and p = (1 + number of D
at least as great) / (1 + shuffles).
"""

import numpy as np
from scipy import stats

from wake2vec.geometry.nulls import GROUPS, jackknife_variance, random_groups, widen
from wake2vec.geometry.vectors import Rows, density, edges, paired_cosines, sampled, unit, with_direction

PAIRS = ("base_base", "new_new", "base_new")
NOTHING = {"mean": None, "std": None, "q05": None, "median": None, "q95": None, "interval": None}


def measure_similarity(rows: Rows, seed: int, pairs: int = 20_000, shuffles: int = 99) -> dict:
    """Pairwise cosines of the three pairings and the test between them: the values of similarity.json.

    A pairing without pairs has None and a "reason".
    """
    rng = np.random.default_rng(seed)
    base, new = unit(with_direction(rows.base)), unit(with_direction(rows.new))
    groups = {"base_base": (base, base), "new_new": (new, new), "base_new": (base, new)}
    drawn = {name: pair_cosines(a, b, pairs, rng) for name, (a, b) in groups.items()}
    at = edges(list(drawn.values()))
    return {
        "pairs": {name: _pairing(drawn[name], a, b, rng) for name, (a, b) in groups.items()},
        "histogram": {"edges": at.tolist()} | {name: density(drawn[name], at) for name in PAIRS},
        "ks": _kolmogorov_smirnov(base, new, drawn["base_base"], drawn["new_new"], rng, shuffles),
    }


def pair_cosines(a: np.ndarray, b: np.ndarray, pairs: int, rng: np.random.Generator) -> np.ndarray:
    """Cosines of at most `pairs` pairs (i of a, j of b), with i < j when a is b; all pairs when there are no more."""
    first, second = _draw_pairs(len(a), None if a is b else len(b), pairs, rng)
    step = max(1, 2**21 // max(1, a.shape[1]))
    parts = [paired_cosines(a[first[i : i + step]], b[second[i : i + step]]) for i in range(0, len(first), step)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _draw_pairs(n: int, m: int | None, pairs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions of pairs within n rows (m is None) or between n and m rows.

    Where pairs are plentiful they are drawn with replacement: a repeated pair is rare and harmless.
    """
    available = n * (n - 1) // 2 if m is None else n * m
    if available <= 2 * pairs:  # few enough to list them all
        first, second = np.triu_indices(n, 1) if m is None else (x.ravel() for x in np.indices((n, m)))
        kept = np.sort(rng.choice(available, min(pairs, available), replace=False)) if available else np.arange(0)
        return first[kept], second[kept]
    first = rng.integers(0, n, pairs)
    return first, (first + rng.integers(1, n, pairs)) % n if m is None else rng.integers(0, m, pairs)


def mean_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Mean cosine over all pairs of unit rows: i < j within a (a is b), or every row of a with every row of b."""
    return _mean(a.sum(0, dtype=np.float64), len(a), b.sum(0, dtype=np.float64), len(b), a is b)


def _mean(sum_a: np.ndarray, n: int, sum_b: np.ndarray, m: int, within: bool) -> float:
    return float((sum_a @ sum_a - n) / (n * (n - 1)) if within else sum_a @ sum_b / (n * m))


def _pairing(cosines: np.ndarray, a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> dict:
    if not len(cosines):
        reason = f"no pairs: {len(a)} and {len(b)} rows with a direction"
        return {"pairs": 0, **NOTHING, "null": _null(a, b), "reason": reason}
    q05, median, q95 = np.quantile(cosines, [0.05, 0.5, 0.95]).tolist()
    return {
        "pairs": len(cosines),
        "mean": mean_cosine(a, b),
        "std": float(cosines.std(ddof=1)) if len(cosines) > 1 else None,
        **{"q05": q05, "median": median, "q95": q95},
        "interval": mean_interval(a, b, rng),
        "null": _null(a, b),
    }


def mean_interval(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> tuple[float, float] | None:
    """95 % interval of `mean_cosine`; between groups the variances from leaving out rows of either add up."""
    if min(len(a), len(b)) < 2 * GROUPS:
        return None
    sum_a, sum_b, within = a.sum(0, dtype=np.float64), b.sum(0, dtype=np.float64), a is b
    variance = 0.0
    for side in (a,) if within else (a, b):
        group, left_out = random_groups(len(side), rng), []
        for g in range(GROUPS):
            part = side[group == g]
            less, few = part.sum(0, dtype=np.float64), len(part)
            cut_a, cut_b = (less, few) if side is a else (0.0, 0), (less, few) if side is b else (0.0, 0)
            left_out.append(_mean(sum_a - cut_a[0], len(a) - cut_a[1], sum_b - cut_b[0], len(b) - cut_b[1], within))
        variance += jackknife_variance(left_out)
    return widen(mean_cosine(a, b), variance, GROUPS - 1, -1.0, 1.0)


def _null(a: np.ndarray, b: np.ndarray) -> dict:
    dimension = a.shape[1]
    low = high = None
    if a is b and len(a) > 1:
        low, high = ((stats.chi2.ppf([0.025, 0.975], dimension) / dimension - 1) / (len(a) - 1)).tolist()
    elif a is not b and len(a) and len(b):
        high = 1.96 / (len(a) * len(b) * dimension) ** 0.5
        low = -high
    return {"mean": 0.0, "std": dimension**-0.5, "low": low, "high": high}


def _kolmogorov_smirnov(
    base: np.ndarray,
    new: np.ndarray,
    base_cosines: np.ndarray,
    new_cosines: np.ndarray,
    rng: np.random.Generator,
    shuffles: int,
) -> dict:
    if not len(base_cosines) or not len(new_cosines):
        reason = f"{len(base)} base and {len(new)} new rows with a direction: two of each are needed"
        return {"statistic": None, "p": None, "permutation_p": None, "reason": reason}
    test = stats.ks_2samp(base_cosines, new_cosines)
    p = permutation_p(base, new, rng, shuffles)
    return {"statistic": float(test.statistic), "p": float(test.pvalue), "permutation_p": p}


def permutation_p(
    base: np.ndarray, new: np.ndarray, rng: np.random.Generator, shuffles: int = 99, rows: int = 1000, pairs: int = 5000
) -> float:
    """(1 + shuffles whose D is at least the observed) / (1 + shuffles), from at most `rows` unit rows of each group."""
    few_base, few_new = sampled(len(base), rows, rng), sampled(len(new), rows, rng)
    pooled = np.concatenate([base[few_base], new[few_new]])
    cosines, cut = pooled @ pooled.T, len(few_base)

    def distance(order: np.ndarray) -> float:
        sides = []
        for labelled in (order[:cut], order[cut:]):
            first, second = _draw_pairs(len(labelled), None, pairs, rng)
            sides.append(np.sort(cosines[labelled[first], labelled[second]]))
        return ks_distance(*sides)

    observed = distance(np.arange(len(pooled)))
    drawn = [distance(rng.permutation(len(pooled))) for _ in range(shuffles)]
    return (1 + sum(d >= observed - 1e-12 for d in drawn)) / (1 + shuffles)


def ks_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Greatest distance between the empirical distribution functions of two sorted samples."""
    at = np.concatenate([a, b])
    return float(np.abs(np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b)).max())
