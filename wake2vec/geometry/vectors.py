"""Rows of an embedding matrix and the arithmetic every analysis shares, a block of rows at a time.

Matrices are float32 (a whole vocabulary: up to 172,451 x 2,048); sums over rows and Gram matrices are float64. No
function here makes a vocabulary x vocabulary matrix. A row of zeros has no direction: its unit vector is left at
zero.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wake2vec.errors import UserError

BLOCK = 2**23  # numbers in a block: 32 MiB as float32, 64 MiB as float64

Blocks = Callable[[], Iterator[np.ndarray]]
"""A matrix that may be walked again and again, a block of rows at a time."""


@dataclass(frozen=True)
class Rows:
    """The rows of one embedding (or head) matrix at one phase: base [B, d] and new [n, d], float32, new row i = token
    B + i.

    Raises UserError when a row holds NaN or infinity, ValueError when the shapes do not fit.
    """

    base: np.ndarray
    new: np.ndarray

    def __post_init__(self) -> None:
        for name in ("base", "new"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float32))
        if self.base.ndim != 2 or self.new.ndim != 2 or self.base.shape[1] != self.new.shape[1]:
            raise ValueError(f"base rows {self.base.shape} and new rows {self.new.shape}: expected [B, d] and [n, d]")
        for name, rows in (("base", self.base), ("new", self.new)):
            bad = sum(int((~np.isfinite(block)).any(1).sum()) for block in walk(rows)())
            if bad:
                raise UserError(
                    f"{bad} of {len(rows)} {name} rows hold NaN or infinity: the training that made them diverged. "
                    "Lower the phase's learning rate, or start it again from the last good checkpoint."
                )

    @property
    def dimension(self) -> int:
        """d, the numbers in a row."""
        return self.base.shape[1]


def spans(count: int, width: int, numbers: int = BLOCK) -> Iterator[slice]:
    """Slices that cover `count` rows, each of at most `numbers` numbers when a row holds `width`."""
    step = max(1, numbers // max(1, width))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def walk(*matrices: np.ndarray) -> Blocks:
    """The rows of one or several matrices, one below the other, in blocks."""
    return lambda: (matrix[span] for matrix in matrices for span in spans(len(matrix), matrix.shape[1]))


def walk_index(matrix: np.ndarray, index: np.ndarray) -> Blocks:
    """The rows `index` of a matrix, in blocks."""
    return lambda: (matrix[index[span]] for span in spans(len(index), matrix.shape[1]))


def norms(matrix: np.ndarray) -> np.ndarray:
    """L2 norm of every row, float64 [rows]."""
    parts = [np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64)) for block in walk(matrix)()]
    return np.concatenate(parts) if parts else np.zeros(0)


def unit(matrix: np.ndarray) -> np.ndarray:
    """Every row divided by its norm, float32; rows of zeros stay zero."""
    length = norms(matrix)
    return matrix / np.where(length > 0, length, 1.0).astype(np.float32)[:, None]


def with_direction(matrix: np.ndarray) -> np.ndarray:
    """The rows that are not all zero; the same array when none is."""
    kept = norms(matrix) > 0
    return matrix if kept.all() else matrix[kept]


def mean_row(matrix: np.ndarray) -> np.ndarray:
    """The mean row, accumulated in float64, as float32 [d]; zeros when there is no row."""
    total = sum((block.sum(0, dtype=np.float64) for block in walk(matrix)()), np.zeros(matrix.shape[1]))
    return (total / max(1, len(matrix))).astype(np.float32)


def moments(blocks: Blocks, dimension: int) -> tuple[int, np.ndarray, np.ndarray]:
    """(count, sum of rows [d], Gram matrix sum of v v' [d, d]) in float64, from one walk."""
    count, total, gram = 0, np.zeros(dimension), np.zeros((dimension, dimension))
    for block in blocks():
        wide = block.astype(np.float64)
        count, total = count + len(wide), total + wide.sum(0)
        gram += wide.T @ wide
    return count, total, gram


def paired_cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """cos(a_i, b_i) for every i in float64; exactly 1 where the rows are equal, NaN where either is all zeros."""
    parts = [_paired(a[span], b[span]) for span in spans(len(a), a.shape[1])]
    return np.concatenate(parts) if parts else np.zeros(0)


def _paired(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    dot = np.einsum("ij,ij->i", a, b, dtype=np.float64)
    scale = norms(a) * norms(b)
    cosine = np.clip(np.divide(dot, scale, out=np.full(len(a), np.nan), where=scale > 0), -1.0, 1.0)
    return np.where((a == b).all(1) & (scale > 0), 1.0, cosine)


def distance(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """|after - before| of every row, float64."""
    parts = [norms(after[span] - before[span]) for span in spans(len(before), before.shape[1])]
    return np.concatenate(parts) if parts else np.zeros(0)


def nearest(queries: np.ndarray, keys: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k keys of highest cosine for every query, nearest first: (positions [q, k], cosines [q, k]).

    k shrinks to the number of keys. Equal cosines keep the order of the keys.
    """
    k = min(k, len(keys))
    where, cosines = np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.float32)
    scaled = unit(queries)
    for rows in spans(len(queries), 1, numbers=512):
        best, at = np.zeros((rows.stop - rows.start, 0), np.float32), np.zeros((rows.stop - rows.start, 0), np.int64)
        for columns in spans(len(keys), max(keys.shape[1], 512)):
            found = scaled[rows] @ unit(keys[columns]).T
            best = np.concatenate([best, found], axis=1)
            at = np.concatenate([at, np.broadcast_to(np.arange(columns.start, columns.stop), found.shape)], axis=1)
            best, at = _top(best, at, k)
        where[rows], cosines[rows] = at, best
    return where, cosines


def _top(values: np.ndarray, at: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    if values.shape[1] > k:
        kept = np.sort(np.argpartition(-values, k - 1, axis=1)[:, :k], axis=1)
        values, at = np.take_along_axis(values, kept, 1), np.take_along_axis(at, kept, 1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(values, order, 1), np.take_along_axis(at, order, 1)


def sampled(count: int, limit: int, rng: np.random.Generator) -> np.ndarray:
    """At most `limit` of `count` positions, drawn without replacement, in rising order."""
    return np.arange(count) if count <= limit else np.sort(rng.choice(count, limit, replace=False))


def evenly(count: int, limit: int) -> np.ndarray:
    """At most `limit` of `count` positions, evenly spaced, first and last included."""
    return np.unique(np.linspace(0, count - 1, min(count, limit)).round().astype(np.int64)) if count else np.arange(0)


def edges(groups: Sequence[np.ndarray], bins: int = 60) -> np.ndarray:
    """Bin edges shared by several groups: from the lowest 0.1 % to the highest 99.9 % quantile of any of them.

    A stray outlier would otherwise squeeze everything else into one bin; `density` and `counts` put it in the end bin.
    """
    ends = [np.quantile(group, [0.001, 0.999]) for group in groups if len(group)]
    low, high = (min(e[0] for e in ends), max(e[1] for e in ends)) if ends else (0.0, 1.0)
    if high - low < 1e-9 * max(1.0, abs(high)):
        margin = 0.01 * max(1e-6, abs(high))
        low, high = low - margin, high + margin
    return np.linspace(low, high, bins + 1)


def counts(values: np.ndarray, at: np.ndarray) -> list[int]:
    """How many values fall in each bin; those outside the edges in the end bins."""
    return np.histogram(np.clip(values, at[0], at[-1]), at)[0].tolist()


def density(values: np.ndarray, at: np.ndarray) -> list[float]:
    """The histogram as a density (area 1); zeros for an empty group."""
    return (np.array(counts(values, at)) / np.diff(at) / max(1, len(values))).tolist()
