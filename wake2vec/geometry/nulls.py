"""What structureless vectors give, and how sure a figure is.

Null.     Rows of the same count, dimension and norms whose directions are uniform on the sphere (a Gaussian row
          divided by its norm). A figure is computed on K draws of them; with mean m and standard deviation s of those
          K figures, [m - t s sqrt(1 + 1/K), m + t s sqrt(1 + 1/K)], t the 97.5 % point of Student's t with K - 1
          degrees of freedom, is the 95 % prediction interval for one draw more (Hahn 1969, JASA 64).
          z = (value - m) / s; p, two-sided, is the chance of a draw as far from m: 2 P(T > |z| / sqrt(1 + 1/K)), so
          that p < 0.05 outside the interval (K equal draws have no spread: p is 1 at their value and 0 elsewhere, so
          whole numbers are interpolated first). Where m and s are known in closed form, the normal distribution takes
          t's place.
Permuted. What shuffling the labels base and new over the rows does to the difference of the groups (new - base, at
          equal count): p = (1 + shuffles whose difference is at least as far from the shuffles' mean) / (1 +
          shuffles) (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9). Exact where the groups do not differ.
          A report corrects for some twenty such tests at once (report/multiplicity.py): with 199 shuffles the least p
          would leave a difference that stands alone, however large, above 0.05. So there are SHUFFLES.
Interval. Rows are the sampling unit. For figures that add up over rows, percentiles of the bootstrap (Efron 1979), as
          much farther from the value as few rows ask (`intervals`).
          For figures that repeated rows would bias (spectra, partition functions, pairs), the delete-a-group
          jackknife with G random groups: v = (G - 1)/G sum_g (f(-g) - mean f(-.))^2, value +/- t sqrt(v) with G - 1
          degrees of freedom (Kott 2001, Journal of Official Statistics 17).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

from wake2vec.geometry.vectors import LARGE, Blocks, sampled, spans
from wake2vec.intervals import bootstrap_interval

GROUPS = 10
SHUFFLES = 499


def own_stream(seed: int) -> int:
    """The seed of the geometry's draws. A seed may be a run's as well, whose initial rows are drawn from [seed, 0] and
    [seed, 1]; NumPy takes the first for the seed alone, and a null would be the very rows that it stands beside.
    """
    return seed + (2 << 32)


def gaussian_rows(lengths: np.ndarray, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of the given norms in uniformly random directions, float32 [len(lengths), dimension]."""
    rows = rng.standard_normal((len(lengths), dimension), dtype=np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    return rows * (lengths / np.maximum(length, 1e-30)).astype(np.float32)[:, None]


def walk_gaussian(lengths: np.ndarray, dimension: int, seed: int) -> Blocks:
    """`gaussian_rows`, a block at a time: the same rows at every walk, never all of them in memory."""

    def blocks():
        rng = np.random.default_rng(seed)
        numbers = min(LARGE // 2, 8192 * dimension)
        return (gaussian_rows(lengths[span], dimension, rng) for span in spans(len(lengths), dimension, numbers))

    return blocks


def band(value: float | None, draws: Sequence[float], low: float = -np.inf, high: float = np.inf) -> dict:
    """{"mean", "std", "low", "high", "z", "p", "draws"} of a figure under the null; None below two draws; `low`, `high`
    bound it.
    """
    drawn = np.asarray(draws, np.float64)
    if len(drawn) < 2:
        return dict.fromkeys(("mean", "std", "low", "high", "z", "p", "draws"))
    widened = (1 + 1 / len(drawn)) ** 0.5
    law = stats.t(len(drawn) - 1, scale=widened)
    return _band(value, float(drawn.mean()), float(drawn.std(ddof=1)), law, low, high) | {"draws": len(drawn)}


def known_band(value: float | None, mean: float, std: float, low: float = -np.inf, high: float = np.inf) -> dict:
    """`band` of a null whose mean and standard deviation are known; "draws" is None."""
    return _band(value, mean, std, stats.norm(), low, high) | {"draws": None}


def _band(value: float | None, mean: float, std: float, law: Any, low: float, high: float) -> dict:
    reach = float(law.ppf(0.975)) * std
    z = (value - mean) / std if value is not None and std > 0 else None
    p = None if value is None else float(2 * law.sf(abs(z))) if z is not None else float(value == mean)
    ends = {"low": max(low, mean - reach), "high": min(high, mean + reach)}
    return {"mean": mean, "std": std, **ends, "z": z, "p": p}


def difference(value: float, shuffled: Sequence[float]) -> dict:
    """A difference of groups beside what shuffled labels give: {"difference", "mean", "low", "high", "p", "shuffles"}.

    low and high hold the middle 95 % of the shuffles.
    """
    drawn = np.asarray(shuffled, np.float64)
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return {
        "difference": float(value), "mean": float(drawn.mean()), "low": low, "high": high,
        "p": shuffled_p(value, drawn), "shuffles": len(drawn),
    }  # fmt: skip


def shuffled_p(value: float, shuffled: np.ndarray) -> float:
    """(1 + shuffles whose figure is at least as far from the shuffles' mean) / (1 + shuffles)."""
    far = np.abs(shuffled - shuffled.mean()) >= abs(value - shuffled.mean()) - 1e-12 * max(1.0, abs(value))
    return (1 + int(far.sum())) / (1 + len(shuffled))


def permuted(
    base: np.ndarray,
    new: np.ndarray,
    figures: Callable[[np.ndarray], dict[str, float | None]],
    rng: np.random.Generator,
    limit: int = 500,
    shuffles: int = SHUFFLES,
) -> dict:
    """What permuting the labels base and new does to new's figures less base's, on at most `limit` rows of each.

    base, new: a sample of rows [k, d] of each (cut to the shorter). figures(rows [k, d'], centred by nobody) gives
    numbers that no rotation changes: rows wider than there are rows are first turned into the space they span.
    Returns {"rows": k} and, by figure, `difference`. {"rows", "reason"} where a group has fewer than 20 rows.
    Time: 2 (1 + shuffles) times that of the figures of k rows, on one thread (for so few a second only waits).
    """
    k = min(len(base), len(new), limit)
    if k < 2 * GROUPS:
        return {"rows": k, "reason": f"{k} rows of a group: at least {2 * GROUPS} of each are needed"}
    pooled = np.concatenate([base[sampled(len(base), k, rng)], new[sampled(len(new), k, rng)]])
    pooled = _in_their_span(pooled)

    def differences(order: np.ndarray) -> dict[str, float]:
        ours, theirs = (figures(_in_their_span(pooled[at])) for at in (order[k:], order[:k]))
        return {name: ours[name] - theirs[name] for name in ours if None not in (ours[name], theirs[name])}

    with threadpool_limits(1):
        observed = differences(np.arange(2 * k))
        drawn = [differences(rng.permutation(2 * k)) for _ in range(shuffles)]
    kept = [name for name in observed if all(name in one for one in drawn)]
    return {"rows": k} | {name: difference(observed[name], [one[name] for one in drawn]) for name in kept}


def _in_their_span(rows: np.ndarray) -> np.ndarray:
    """The same rows, turned so that a row has no more numbers than there are rows; short rows as they are."""
    return np.linalg.qr(rows.T, mode="r").T if rows.shape[1] > len(rows) else rows


def random_groups(count: int, rng: np.random.Generator, groups: int = GROUPS) -> np.ndarray:
    """A random group number (0 to groups - 1) for each of `count` rows, the groups of equal size but for one row."""
    return rng.permutation(np.arange(count) % groups)


def jackknife(
    value: float, left_out: Sequence[float], low: float = -np.inf, high: float = np.inf
) -> tuple[float, float]:
    """The 95 % interval of `value` from the same figure with each group left out in turn, within the possible range."""
    return widen(value, jackknife_variance(left_out), len(left_out) - 1, low, high)


def jackknife_variance(left_out: Sequence[float]) -> float:
    """(G - 1)/G times the sum of squared deviations of the G figures, each with one group left out."""
    figures = np.asarray(left_out, np.float64)
    return float((len(figures) - 1) / len(figures) * ((figures - figures.mean()) ** 2).sum())


def widen(
    value: float, variance: float, freedom: int, low: float = -np.inf, high: float = np.inf
) -> tuple[float, float]:
    """value +/- t sqrt(variance), kept within [low, high], the figure's possible range."""
    reach = float(stats.t.ppf(0.975, freedom)) * variance**0.5
    return max(low, value - reach), min(high, value + reach)


def bootstrap(
    groups: Sequence[np.ndarray],
    figure: Callable[..., float],
    rng: np.random.Generator,
    low: float = -np.inf,
    high: float = np.inf,
    draws: int = 1000,
) -> tuple[float, float] | None:
    """95 % interval of figure(*groups), each group's values drawn again with replacement, within the possible range.

    None when a group holds fewer than two values, or so few that a redrawn copy has no figure (NaN).
    """
    if any(len(group) < 2 for group in groups):
        return None
    drawn = [figure(*(group[rng.integers(0, len(group), len(group))] for group in groups)) for _ in range(draws)]
    if not np.isfinite(drawn).all():
        return None
    return bootstrap_interval(figure(*groups), drawn, min(map(len, groups)), low, high)
