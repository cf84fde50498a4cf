"""Rows of an embedding matrix and the arithmetic every analysis shares, a block of rows at a time.

Matrices are float32 (a whole vocabulary: up to 196,888 x 5,120). Products of a block are float32, at the speed of the
machine's matrix multiplication, and are added up in float64: a sum of b products is then wrong by about sqrt(b) 1e-7
of the product of the two norms, whatever the number of rows (`moments`, which subtracts the mean row first, so that a
common direction costs no digits). Sums along rows and over rows are float64. No function here copies a whole matrix
or makes a vocabulary x vocabulary one. A row of zeros has no direction: its unit vector is left at zero.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wake2vec.errors import UserError

WIDTH = 2048  # of the rows that blocks of cosines are cut for, at least: 4,096 x 4,096 cosines are 64 MiB
BLOCK = 2**23  # numbers in a block: 32 MiB as float32, 64 MiB as float64
LARGE = 2**25  # numbers in a block of which a d x d product is taken: adding that up costs d * d however long the block

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


class Moments(NamedTuple):
    """Count, sum [d] and Gram matrix [d, d] of rows less `about` [d]; two of the same `about` add and subtract."""

    count: int
    total: np.ndarray
    gram: np.ndarray
    about: np.ndarray

    def plus(self, other: "Moments") -> "Moments":
        return Moments(self.count + other.count, self.total + other.total, self.gram + other.gram, self.about)

    def minus(self, other: "Moments") -> "Moments":
        return Moments(self.count - other.count, self.total - other.total, self.gram - other.gram, self.about)

    def scatter(self) -> np.ndarray:
        """Sum of (v - mean)(v - mean)', [d, d]: the covariance times the count."""
        found = np.outer(self.total / -max(1, self.count), self.total)
        found += self.gram
        return found

    def uncentred(self) -> np.ndarray:
        """V'V, the sum of v v' of the rows themselves, [d, d]."""
        if not self.about.any():
            return self.gram
        cross = np.outer(self.about, self.total + self.about * self.count / 2)
        found = self.gram + cross
        found += cross.T
        return found


def spans(count: int, width: int, numbers: int = BLOCK) -> Iterator[slice]:
    """Slices that cover `count` rows, each of at most `numbers` numbers when a row holds `width`."""
    step = max(1, numbers // max(1, width))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def walk(*matrices: np.ndarray, numbers: int = BLOCK) -> Blocks:
    """The rows of one or several matrices, one below the other, in blocks: views, not copies."""
    return lambda: (matrix[span] for matrix in matrices for span in spans(len(matrix), matrix.shape[1], numbers))


def walk_index(matrix: np.ndarray, index: np.ndarray, numbers: int = BLOCK) -> Blocks:
    """The rows `index` of a matrix, in blocks; without a copy where they are all of its rows in order."""
    if len(index) == len(matrix) and (index == np.arange(len(matrix))).all():
        return walk(matrix, numbers=numbers)
    return lambda: (matrix[index[span]] for span in spans(len(index), matrix.shape[1], numbers))


def for_products(matrix: np.ndarray, index: np.ndarray | None = None) -> Blocks:
    """The rows (of `index`), in blocks long enough that adding up their d x d products costs little beside making
    them; of at most 16,384 rows, so that float32 products keep six digits.
    """
    numbers = min(LARGE, 16_384 * max(1, matrix.shape[1]))
    return walk(matrix, numbers=numbers) if index is None else walk_index(matrix, index, numbers)


def norms(matrix: np.ndarray) -> np.ndarray:
    """L2 norm of every row, float64 [rows]."""
    parts = [np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64)) for block in walk(matrix)()]
    return np.concatenate(parts) if parts else np.zeros(0)


def unit(matrix: np.ndarray) -> np.ndarray:
    """Every row divided by its norm, float32; rows of zeros stay zero."""
    length = norms(matrix)
    return matrix / np.where(length > 0, length, 1.0).astype(np.float32)[:, None]


def directed(matrix: np.ndarray) -> np.ndarray:
    """Positions of the rows that are not all zero."""
    return np.flatnonzero(norms(matrix) > 0)


def mean_row(matrix: np.ndarray, index: np.ndarray | None = None) -> np.ndarray:
    """The mean row (of the rows `index`), accumulated in float64, as float32 [d]; zeros when there is no row."""
    blocks = walk(matrix) if index is None else walk_index(matrix, index)
    total = sum((block.sum(0, dtype=np.float64) for block in blocks()), np.zeros(matrix.shape[1]))
    return (total / max(1, len(matrix) if index is None else len(index))).astype(np.float32)


def moments(blocks: Blocks, about: np.ndarray) -> Moments:
    """Count, sum [d] and Gram matrix [d, d] (float64) of the rows less `about` (float32 [d]), from one walk.

    Time n d^2 (half of a full product: it is symmetric); memory two d x d matrices and a block. `about` the mean row
    keeps the digits of a covariance; about zeros gives V'V itself.
    """
    dimension = len(about)
    count, total, gram = 0, np.zeros(dimension), np.zeros((dimension, dimension))
    shifted = bool(about.any())
    for block in blocks():
        part = block - about if shifted else block
        count, total = count + len(part), total + part.sum(0, dtype=np.float64)
        gram += part.T @ part
    return Moments(count, total, gram, np.asarray(about, np.float64))


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


def nearest(
    queries: np.ndarray,
    keys: np.ndarray | None,
    k: int,
    query_at: np.ndarray | None = None,
    key_at: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The k keys of highest cosine for every query, nearest first: (positions int64 [q, k], cosines float32 [q, k]).

    Queries are the rows `query_at` of `queries`, keys the rows `key_at` of `keys` (all of them when None), and
    positions count in `key_at`. Where keys is None the queries are compared with each other, none with itself. k
    shrinks to the number of keys; position -1 and cosine NaN where there is no further key, and for queries of zeros;
    keys of zeros are left out. Equal cosines keep the order of the keys. A block of queries meets a block of keys, of
    which each query takes only what beats its k-th best so far: nearly all of the time is the product.
    """
    among = keys is None
    query_at = np.arange(len(queries)) if query_at is None else query_at
    keys, key_at = (queries, query_at) if among else (keys, np.arange(len(keys)) if key_at is None else key_at)
    k = max(0, min(k, len(key_at) - among))
    where, cosines = np.full((len(query_at), k), -1), np.full((len(query_at), k), -np.inf, np.float32)
    length = norms(keys)[key_at]
    scale = np.divide(1.0, length, out=np.zeros(len(length)), where=length > 0).astype(np.float32)
    width = max(queries.shape[1], WIDTH)
    for rows in spans(len(query_at) if k else 0, width):
        scaled = unit(queries[query_at[rows]])
        for columns in spans(len(key_at), width):
            found = scaled @ keys[key_at[columns]].T
            found *= scale[columns]
            found[:, scale[columns] == 0] = -np.inf
            if among:
                own = np.arange(max(rows.start, columns.start), min(rows.stop, columns.stop))
                found[own - rows.start, own - columns.start] = -np.inf
            _take(found, columns.start, where[rows], cosines[rows])
        where[rows][~scaled.any(1)] = -1
    np.copyto(cosines, np.nan, where=where < 0)
    return where, cosines


def _take(found: np.ndarray, start: int, where: np.ndarray, best: np.ndarray) -> None:
    """Move what beats the k-th best from `found` (which it uses up) into `where` and `best`, both kept in order."""
    live = np.arange(len(found))
    while len(live):
        pick = (found if len(live) == len(found) else found[live]).argmax(1)  # the first of equal ones
        value = found[live, pick]
        better = value > best[live, -1]
        live, pick, value = live[better], pick[better], value[better]
        found[live, pick] = -np.inf
        values = np.concatenate([best[live], value[:, None]], axis=1)
        order = np.argsort(-values, axis=1, kind="stable")[:, :-1]
        best[live] = np.take_along_axis(values, order, 1)
        where[live] = np.take_along_axis(np.concatenate([where[live], start + pick[:, None]], axis=1), order, 1)


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
