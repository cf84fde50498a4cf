"""What structureless vectors give, and how sure a figure is.

Null.     Rows of the same count, dimension and norms whose directions are uniform on the sphere (a Gaussian row
          divided by its norm). A figure is computed on K draws of them; with mean m and standard deviation s of those
          K figures, [m - t s sqrt(1 + 1/K), m + t s sqrt(1 + 1/K)], t the 97.5 % point of Student's t with K - 1
          degrees of freedom, is the 95 % prediction interval for one draw more (Hahn 1969, JASA 64).
          z = (value - m) / s.
Interval. Rows are the sampling unit. For figures that add up over rows, percentiles of the bootstrap (Efron 1979).
          For figures that repeated rows would bias (spectra, partition functions, pairs), the delete-a-group
          jackknife with G random groups: v = (G - 1)/G sum_g (f(-g) - mean f(-.))^2, value +/- t sqrt(v) with G - 1
          degrees of freedom (Kott 2001, Journal of Official Statistics 17).
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from wake2vec.geometry.vectors import Blocks, spans

GROUPS = 10


def gaussian_rows(lengths: np.ndarray, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of the given norms in uniformly random directions, float32 [len(lengths), dimension]."""
    rows = rng.standard_normal((len(lengths), dimension), dtype=np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    return rows * (lengths / np.maximum(length, 1e-30)).astype(np.float32)[:, None]


def walk_gaussian(lengths: np.ndarray, dimension: int, seed: int) -> Blocks:
    """`gaussian_rows`, a block at a time: the same rows at every walk, never all of them in memory."""

    def blocks():
        rng = np.random.default_rng(seed)
        return (gaussian_rows(lengths[span], dimension, rng) for span in spans(len(lengths), dimension))

    return blocks


def band(value: float | None, draws: Sequence[float], low: float = -np.inf, high: float = np.inf) -> dict:
    """{"mean", "std", "low", "high", "z"} of a figure under the null; None below two draws; `low`, `high` bound it."""
    drawn = np.asarray(draws, np.float64)
    if len(drawn) < 2:
        return {"mean": None, "std": None, "low": None, "high": None, "z": None}
    mean, std = float(drawn.mean()), float(drawn.std(ddof=1))
    reach = float(stats.t.ppf(0.975, len(drawn) - 1)) * std * (1 + 1 / len(drawn)) ** 0.5
    z = (value - mean) / std if value is not None and std > 0 else None
    return {"mean": mean, "std": std, "low": max(low, mean - reach), "high": min(high, mean + reach), "z": z}


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
    groups: Sequence[np.ndarray], figure: Callable[..., float], rng: np.random.Generator, draws: int = 1000
) -> tuple[float, float] | None:
    """95 % percentile interval of figure(*groups), each group's values drawn again with replacement.

    None when a group holds fewer than two values, or so few that a redrawn copy has no figure (NaN).
    """
    if any(len(group) < 2 for group in groups):
        return None
    drawn = [figure(*(group[rng.integers(0, len(group), len(group))] for group in groups)) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return (float(low), float(high)) if np.isfinite(drawn).all() else None
