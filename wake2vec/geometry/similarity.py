"""How alike the rows are: cosines of base-base, new-new and base-new pairs.

The mean is over all pairs, not a sample: with u the unit rows and S their sum,
    within a group  (|S|^2 - n) / (n (n - 1)),   between groups  S_base . S_new / (B n).
Standard deviation, quantiles and histogram are of at most `pairs` pairs drawn at random. Rows of zeros are left out.

Null: independent uniformly random directions. A pair's cosine then has mean 0 and standard deviation 1/sqrt(d); |S|^2
is about n chi2_d / d, so a group's mean cosine lies with 95 % between (chi2_d(0.025)/d - 1)/(n - 1) and
(chi2_d(0.975)/d - 1)/(n - 1), and that of the pairs between groups within 1.96/sqrt(B n d). "mean" and "std" are
those of a pair, "low" and "high" bound the mean over all pairs. Interval of the mean: jackknife over groups of rows;
pairs that share a row are not independent, so counting pairs would make it too narrow.

"effect" is (mean - null's mean) / the standard deviation of a pair's cosine.

Kolmogorov-Smirnov compares base-base with new-new cosines; D, the greatest distance of the two distribution
functions, is the effect size. Its usual p takes pairs for independent. `permutation_p` does not: on at most 1,000
rows of each group the labels base and new are shuffled over the rows, pairs are drawn again, and p = (1 + number of D
at least as great) / (1 + shuffles). "permuted" does the same for the difference of the mean cosines of new-new and
base-base pairs.

Cost: three walks over the rows, n d each; the cosines of 2,000 rows for the permutations. No copy of a matrix.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from wake2vec.geometry.nulls import GROUPS, SHUFFLES, difference, jackknife_variance, random_groups, widen
from wake2vec.geometry.vectors import Rows, density, directed, edges, norms, paired_cosines, sampled, unit, walk_index

PAIRS = ("base_base", "new_new", "base_new")
NOTHING = {"mean": None, "std": None, "q05": None, "median": None, "q95": None, "interval": None, "effect": None}
PERMUTED = 1000  # rows of each group whose labels are shuffled


def measure_similarity(rows: Rows, seed: int, pairs: int = 20_000, shuffles: int = SHUFFLES) -> dict:
    """Pairwise cosines of the three pairings and the test between them: the values of similarity.json.

    A pairing without pairs has None and a "reason".
    """
    rng = np.random.default_rng(seed)
    base, new = Side.of(rows.base, rng), Side.of(rows.new, rng)
    groups = {"base_base": (base, base), "new_new": (new, new), "base_new": (base, new)}
    drawn = {name: pair_cosines(a, b, pairs, rng) for name, (a, b) in groups.items()}
    at = edges(list(drawn.values()))
    few = [unit(side.matrix[side.index[sampled(len(side.index), PERMUTED, rng)]]) for side in (base, new)]
    return {
        "pairs": {name: _pairing(drawn[name], a, b, rows.dimension) for name, (a, b) in groups.items()},
        "histogram": {"edges": at.tolist()} | {name: density(drawn[name], at) for name in PAIRS},
        "ks": _kolmogorov_smirnov(*few, drawn["base_base"], drawn["new_new"], rng, shuffles),
        "permuted": mean_difference(*few, rng, shuffles),
    }


@dataclass(frozen=True)
class Side:
    """A matrix, the positions of its rows with a direction, and the sums of their unit rows by jackknife group."""

    matrix: np.ndarray
    index: np.ndarray
    sums: np.ndarray  # [GROUPS, d]
    sizes: np.ndarray  # [GROUPS]

    @classmethod
    def of(cls, matrix: np.ndarray, rng: np.random.Generator) -> "Side":
        index = directed(matrix)
        group, sums, start = random_groups(len(index), rng), np.zeros((GROUPS, matrix.shape[1])), 0
        for block in walk_index(matrix, index)():
            member = np.eye(GROUPS)[:, group[start : start + len(block)]] / norms(block)
            # float64 products of 10 x b x d: little beside reading the rows
            sums += member @ block
            start += len(block)
        return cls(matrix, index, sums, np.bincount(group, minlength=GROUPS))


def pair_cosines(a: Side, b: Side, pairs: int, rng: np.random.Generator) -> np.ndarray:
    """Cosines of at most `pairs` pairs (i of a, j of b), with i < j when a is b; all pairs when there are no more."""
    first, second = _draw_pairs(len(a.index), None if a is b else len(b.index), pairs, rng)
    first, second = a.index[first], b.index[second]
    step = max(1, 2**21 // max(1, a.matrix.shape[1]))
    parts = [
        paired_cosines(a.matrix[first[i : i + step]], b.matrix[second[i : i + step]])
        for i in range(0, len(first), step)
    ]
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


def mean_cosine(a: Side, b: Side) -> float:
    """Mean cosine over all pairs of rows: i < j within a (a is b), or every row of a with every row of b."""
    return _mean(a.sums.sum(0), len(a.index), b.sums.sum(0), len(b.index), a is b)


def _mean(sum_a: np.ndarray, n: int, sum_b: np.ndarray, m: int, within: bool) -> float:
    return float((sum_a @ sum_a - n) / (n * (n - 1)) if within else sum_a @ sum_b / (n * m))


def _pairing(cosines: np.ndarray, a: Side, b: Side, dimension: int) -> dict:
    n, m = len(a.index), len(b.index)
    if not len(cosines):
        reason = f"no pairs: {n} and {m} rows with a direction"
        return {"pairs": 0, **NOTHING, "null": null(None, n, m, a is b, dimension), "reason": reason}
    q05, median, q95 = np.quantile(cosines, [0.05, 0.5, 0.95]).tolist()
    mean, deviation = mean_cosine(a, b), float(cosines.std(ddof=1)) if len(cosines) > 1 else None
    return {
        "pairs": len(cosines),
        "mean": mean,
        "std": deviation,
        **{"q05": q05, "median": median, "q95": q95},
        "interval": mean_interval(a, b),
        "effect": mean / deviation if deviation else None,
        "null": null(mean, n, m, a is b, dimension),
    }


def mean_interval(a: Side, b: Side) -> tuple[float, float] | None:
    """95 % interval of `mean_cosine`; between groups the variances from leaving out rows of either add up."""
    if min(len(a.index), len(b.index)) < 2 * GROUPS:
        return None
    sum_a, sum_b, n, m, within = a.sums.sum(0), b.sums.sum(0), len(a.index), len(b.index), a is b
    variance = 0.0
    for side in (a,) if within else (a, b):
        left_out = []
        for less, few in zip(side.sums, side.sizes, strict=True):
            cut_a, cut_b = (less, few) if side is a else (0.0, 0), (less, few) if side is b else (0.0, 0)
            left_out.append(_mean(sum_a - cut_a[0], n - cut_a[1], sum_b - cut_b[0], m - cut_b[1], within))
        variance += jackknife_variance(left_out)
    return widen(mean_cosine(a, b), variance, GROUPS - 1, -1.0, 1.0)


def null(mean: float | None, n: int, m: int, within: bool, dimension: int) -> dict:
    """The null of the mean cosine of n (and m) random directions, in closed form, with the two-sided p of `mean`."""
    low = high = p = None
    if within and n > 1:
        law = stats.chi2(dimension)
        low, high = ((law.ppf([0.025, 0.975]) / dimension - 1) / (n - 1)).tolist()
        if mean is not None:
            at = dimension * max(0.0, 1 + mean * (n - 1))
            p = float(min(1.0, 2 * min(law.cdf(at), law.sf(at))))
    elif not within and n and m:
        deviation = (n * m * dimension) ** -0.5
        low, high = -1.96 * deviation, 1.96 * deviation
        p = None if mean is None else float(2 * stats.norm.sf(abs(mean) / deviation))
    return {"mean": 0.0, "std": dimension**-0.5, "low": low, "high": high, "p": p}


def mean_difference(base: np.ndarray, new: np.ndarray, rng: np.random.Generator, shuffles: int) -> dict:
    """What shuffled labels give for mean new-new less mean base-base cosine of these unit rows: `nulls.difference`."""
    k = min(len(base), len(new))
    if k < 2:
        return {"rows": k, "reason": f"{len(base)} base and {len(new)} new rows with a direction: two are needed"}
    pooled = np.concatenate([base[sampled(len(base), k, rng)], new[sampled(len(new), k, rng)]]).astype(np.float64)
    total = pooled.sum(0)
    orders = [np.arange(2 * k), *(rng.permutation(2 * k) for _ in range(shuffles))]
    ours = np.stack([pooled[order[k:]].sum(0) for order in orders])
    # (|S_new|^2 - |S_base|^2) / (k (k - 1)), with S_base = S - S_new
    found = (2 * ours @ total - total @ total) / (k * (k - 1))
    return {"rows": k, "mean": difference(float(found[0]), found[1:])}


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
    base: np.ndarray, new: np.ndarray, rng: np.random.Generator, shuffles: int = 99, pairs: int = 5000
) -> float:
    """(1 + shuffles whose D is at least the observed) / (1 + shuffles), from these (some 1,000) unit rows of each."""
    pooled = np.concatenate([base, new])
    cosines, cut = pooled @ pooled.T, len(base)

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
