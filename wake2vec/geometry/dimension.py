"""How many dimensions the rows fill: principal components of base and new rows, exact and compared at equal count.

With l_1 >= l_2 >= ... the eigenvalues of the covariance (all of them, from the d x d matrix, not the first hundred),
    d90 = the fewest components k with (l_1 + ... + l_k) / (l_1 + ... + l_d) >= 0.90,   d95 likewise,
    participation ratio = (sum l)^2 / sum l^2, from 1 (a line) to d (a ball),
(Jolliffe 2002, Principal Component Analysis, ch. 6; Gao et al. 2017, bioRxiv 214262). All three grow with the number
of rows, up to d and n - 1; so the larger group is cut to the smaller one's count, at random, before they are compared,
and the null has that count too. Unchanged by rotation, by a shift and by a common scale.

Null: Gaussian directions with the same count, dimension and norms. Interval: jackknife over groups of rows; a group's
moments are subtracted from those of all rows, so that it costs two walks over the rows, not ten. Permuted: the
difference of the groups on at most 500 rows of each, labels base and new shuffled. All three take d90 and d95
interpolated between components, on both sides: ten structureless matrices often need the very same number of whole
ones, and then any other number would be infinitely unlikely. The null's range is shown in whole components again.

Cost, m rows at equal count: for a group (draws + 2) m d^2 of products at the speed of the machine's float32
multiplication and (draws + 11) times the eigenvalues of a d x d matrix, which take longer from about d = m / 10 on;
memory six d x d matrices and a block.
"""

import numpy as np

from wake2vec.geometry.nulls import GROUPS, SHUFFLES, band, jackknife, permuted, random_groups, walk_gaussian
from wake2vec.geometry.spectra import eigenvalues
from wake2vec.geometry.vectors import Blocks, Moments, Rows, for_products, mean_row, moments, norms, sampled, walk

FIGURES = ("d90", "d95", "participation_ratio")


def measure_dimension(rows: Rows, seed: int, draws: int = 10, shuffles: int = SHUFFLES) -> dict:
    """d90, d95 and participation ratio of both groups at equal count: the values of dimension.json.

    "effect" is the share of what the null gives. A group whose rows do not differ has None and a "reason".
    """
    matched = min(len(rows.base), len(rows.new))
    groups = {"base": rows.base, "new": rows.new}
    rng = np.random.default_rng(seed)
    few = [matrix[sampled(len(matrix), 500, rng)] for matrix in groups.values()]
    return {
        "matched_count": matched,
        "groups": {name: _group(matrix, matched, seed, draws) for name, matrix in groups.items()},
        "permuted": permuted(*few, _smooth_of, rng, 500, shuffles),
    }


def _smooth_of(rows: np.ndarray) -> dict[str, float | None]:
    shares = spectrum(walk(rows), mean_row(rows))
    return dict.fromkeys(FIGURES) if shares is None else smooth_figures(shares)


def _group(matrix: np.ndarray, matched: int, seed: int, draws: int) -> dict:
    rng = np.random.default_rng(seed)
    dimension = matrix.shape[1]
    index = sampled(len(matrix), matched, rng)
    whole = moments(for_products(matrix, index), mean_row(matrix, index))
    shares = shares_of(whole)
    if shares is None:
        return {
            "count": matched,
            **dict.fromkeys(FIGURES),
            "interval": dict.fromkeys(FIGURES),
            "null": dict.fromkeys(FIGURES, band(None, [])),
            "effect": dict.fromkeys(FIGURES),
            "spectrum": [],
            "cumulative": [],
            "reason": f"{matched} rows at equal count, or rows that are all the same: there is no variance to divide",
        }
    value, most = figures(shares), min(dimension, matched - 1)
    left_out = _left_out(matrix, index, whole, rng)
    lengths, about = norms(matrix)[index], np.zeros(dimension, np.float32)
    seeds, smooth = rng.integers(2**63, size=draws), smooth_figures(shares)
    null = [smooth_figures(spectrum(walk_gaussian(lengths, dimension, s), about)) for s in seeds]
    beside = {k: band(smooth[k], [f[k] for f in null], 1, most) for k in FIGURES}
    return {
        "count": matched,
        **value,
        "interval": {k: _interval(k, smooth[k], left_out, most) if left_out else None for k in FIGURES},
        "null": {k: beside[k] if k == "participation_ratio" else _whole(beside[k]) for k in FIGURES},
        "effect": {k: smooth[k] / beside[k]["mean"] if beside[k]["mean"] else None for k in FIGURES},
        "spectrum": shares[:20].tolist(),
        "cumulative": np.minimum(np.cumsum(shares[:most]), 1.0).tolist(),
    }


def _interval(name: str, value: float, left_out: list[dict], most: int) -> tuple[float, float]:
    """The jackknife's, of the interpolated figure; of components its ends are whole as the figure is."""
    ends = jackknife(value, [figures[name] for figures in left_out], 1, most)
    return ends if name == "participation_ratio" else tuple(int(np.ceil(end - 1e-9)) for end in ends)


def _whole(null: dict) -> dict:
    """A null of interpolated components with its mean and range in whole ones."""
    return null | {
        end: None if null[end] is None else int(np.ceil(null[end] - 1e-9)) for end in ("mean", "low", "high")
    }


def spectrum(blocks: Blocks, about: np.ndarray) -> np.ndarray | None:
    """Share of each covariance eigenvalue in their sum, largest first [d]; None when the rows do not differ.

    about: the mean row, or zeros where it is small; it changes the rounding only.
    """
    return shares_of(moments(blocks, about))


def shares_of(rows: Moments) -> np.ndarray | None:
    """`spectrum` from the moments of the rows."""
    if rows.count < 2:
        return None
    values = eigenvalues(rows.scatter())
    values[rows.count - 1 :] = 0.0  # n rows span n - 1 dimensions about their mean: what else there is, is rounding
    # Rounding leaves about 1e-7 of the squared sum of rows where there should be nothing.
    length = np.trace(rows.gram) + rows.count * float(rows.about @ rows.about)
    return values / values.sum() if values.sum() > 1e-10 * length else None


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


def _left_out(matrix: np.ndarray, index: np.ndarray, whole: Moments, rng: np.random.Generator) -> list[dict]:
    """The smooth figures with each of ten groups of rows left out; empty when there are too few rows for that."""
    if len(index) < 2 * GROUPS:
        return []
    group, found = random_groups(len(index), rng), []
    for g in range(GROUPS):
        less = moments(for_products(matrix, index[group == g]), whole.about.astype(np.float32))
        shares = shares_of(whole.minus(less))
        if shares is not None:
            found.append(smooth_figures(shares))
    return found if len(found) == GROUPS else []
