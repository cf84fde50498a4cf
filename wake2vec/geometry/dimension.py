"""How many dimensions the rows fill: principal components of base and new rows, exact and compared at equal count.

With l_1 >= l_2 >= ... the eigenvalues of the covariance (all of them, from the d x d matrix, not the first hundred),
    d90 = the fewest components k with (l_1 + ... + l_k) / (l_1 + ... + l_d) >= 0.90,   d95 likewise,
    participation ratio = (sum l)^2 / sum l^2, from 1 (a line) to d (a ball),
(Jolliffe 2002, Principal Component Analysis, ch. 6; Gao et al. 2017, bioRxiv 214262). All three grow with the number
of rows, up to d and n - 1; so the larger group is cut to the smaller one's count, at random, before they are compared,
and the null has that count too. Unchanged by rotation, by a shift and by a common scale.

Null: Gaussian directions with the same count, dimension and norms. Interval: jackknife over groups of rows.
"""

import numpy as np

from wake2vec.geometry.nulls import GROUPS, band, jackknife, random_groups, walk_gaussian
from wake2vec.geometry.vectors import Blocks, Rows, moments, norms, sampled, walk_index

FIGURES = ("d90", "d95", "participation_ratio")


def measure_dimension(rows: Rows, seed: int, draws: int = 10) -> dict:
    """d90, d95 and participation ratio of both groups at equal count: the values of dimension.json.

    A group whose rows do not differ has None and a "reason".
    """
    matched = min(len(rows.base), len(rows.new))
    groups = {"base": rows.base, "new": rows.new}
    return {
        "matched_count": matched,
        "groups": {name: _group(matrix, matched, seed, draws) for name, matrix in groups.items()},
    }


def _group(matrix: np.ndarray, matched: int, seed: int, draws: int) -> dict:
    rng = np.random.default_rng(seed)
    dimension = matrix.shape[1]
    index = sampled(len(matrix), matched, rng)
    shares = spectrum(walk_index(matrix, index), dimension)
    if shares is None:
        return {
            "count": matched,
            **dict.fromkeys(FIGURES),
            "interval": dict.fromkeys(FIGURES),
            "null": dict.fromkeys(FIGURES, band(None, [])),
            "spectrum": [],
            "cumulative": [],
            "reason": f"{matched} rows at equal count, or rows that are all the same: there is no variance to divide",
        }
    value, most = figures(shares), min(dimension, matched - 1)
    left_out = _left_out(matrix, index, rng)
    lengths = norms(matrix)[index]
    null = [figures(spectrum(walk_gaussian(lengths, dimension, s), dimension)) for s in rng.integers(2**63, size=draws)]
    return {
        "count": matched,
        **value,
        "interval": {k: jackknife(value[k], [f[k] for f in left_out], 1, most) if left_out else None for k in FIGURES},
        "null": {k: band(value[k], [f[k] for f in null], 1, most) for k in FIGURES},
        "spectrum": shares[:20].tolist(),
        "cumulative": np.minimum(np.cumsum(shares[:most]), 1.0).tolist(),
    }


def spectrum(blocks: Blocks, dimension: int) -> np.ndarray | None:
    """Share of each covariance eigenvalue in their sum, largest first [d]; None when the rows do not differ."""
    return shares_of(*moments(blocks, dimension))


def shares_of(count: int, total: np.ndarray, gram: np.ndarray) -> np.ndarray | None:
    """`spectrum` from the count, the sum and the Gram matrix of the rows."""
    if count < 2:
        return None
    scatter = gram - np.outer(total, total) / count
    values = np.maximum(np.linalg.eigvalsh(scatter)[::-1], 0.0)
    # Rounding leaves about 1e-12 of the uncentred sum of squares where there should be nothing.
    return values / values.sum() if values.sum() > 1e-10 * np.trace(gram) else None


def figures(shares: np.ndarray) -> dict[str, float]:
    """d90, d95 and participation ratio of the eigenvalue shares, largest first."""
    smooth = smooth_figures(shares)
    # A share of exactly 0.9 counts, however it is rounded.
    return smooth | {name: int(np.ceil(smooth[name] - 1e-9)) for name in ("d90", "d95")}


def smooth_figures(shares: np.ndarray) -> dict[str, float]:
    """`figures` with d90 and d95 interpolated between components, so that an error of less than a component shows."""
    cumulative = np.concatenate([[0.0], np.cumsum(shares)])
    rank = int((shares > 0).sum()) + 1
    d90, d95 = np.interp([0.90, 0.95], cumulative[:rank], np.arange(rank)).tolist()
    return {"d90": d90, "d95": d95, "participation_ratio": float(1.0 / (shares**2).sum())}


def _left_out(matrix: np.ndarray, index: np.ndarray, rng: np.random.Generator) -> list[dict[str, float]]:
    """The smooth figures with each of ten groups of rows left out; empty when there are too few rows for that.

    A group's moments are subtracted from those of all rows, so this costs two walks, not ten.
    """
    if len(index) < 2 * GROUPS:
        return []
    dimension, group = matrix.shape[1], random_groups(len(index), rng)
    count, total, gram = moments(walk_index(matrix, index), dimension)
    found = []
    for g in range(GROUPS):
        less, less_total, less_gram = moments(walk_index(matrix, index[group == g]), dimension)
        shares = shares_of(count - less, total - less_total, gram - less_gram)
        if shares is not None:
            found.append(smooth_figures(shares))
    return found if len(found) == GROUPS else []
