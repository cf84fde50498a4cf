"""Eigenvalues and eigenvectors of Gram matrices, and what structureless rows give for them without drawing any.

IsoScore and participation ratio need no eigenvalues: with S the scatter matrix and l its eigenvalues,
    PR = (sum l)^2 / sum l^2 = (tr S)^2 / ||S||_F^2.

Null of the participation ratio. Rows v_i = a_i u_i, the directions u_i independent and uniform on the sphere in d
dimensions. (u_i . u_j)^2 has mean 1/d and variance w = 2 (d - 1) / (d^2 (d + 2)), and different pairs are
uncorrelated. With A2 = sum a^2, A4 = sum a^4, A8 = sum a^8,
    E ||V'V||^2 = A4 + (A2^2 - A4) / d =: m,    var ||V'V||^2 = 2 w (A4^2 - A8)
exactly, and trace V'V = A2 is no random number. The scatter matrix lacks the mean row: its trace is A2 - |s|^2 / n and
its square norm on average m (1 - 2/n) + |s|^4 / n^2, s the sum of rows, E |s|^2 = A2. So PR is known to first order,
at the cost of reading the norms.

Null spectrum. The eigenvalues of V'V depend, up to fluctuations of the order 1/d, only on d/n and on the distribution
of the norms (Marchenko & Pastur 1967; Silverstein 1995, J. Multivariate Anal. 55). So they are drawn in at most 256
dimensions with the same d/n and norms, and read off as quantiles.
"""

import numpy as np
from scipy import linalg

from wake2vec.geometry.nulls import gaussian_rows
from wake2vec.geometry.vectors import Moments

SMALL = 256


def eigenvalues(scatter: np.ndarray) -> np.ndarray:
    """Eigenvalues of a symmetric [d, d] matrix, largest first, none below zero. 4/3 d^3; no vectors are made."""
    return np.maximum(linalg.eigvalsh(scatter, check_finite=False)[::-1], 0.0)


def decompose(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (rising) and unit eigenvectors (in columns) of a symmetric [d, d] matrix, float32.

    In float32, by divide and conquer: a third of the time that float64 takes, and the columns are orthonormal to 1e-6.
    """
    scale = np.trace(gram) / len(gram) or 1.0
    scaled = np.divide(gram, scale, dtype=np.float32, casting="same_kind")
    values, vectors = linalg.eigh(scaled, driver="evd", overwrite_a=True, check_finite=False)
    return values * np.float32(scale), vectors


def extreme_vectors(gram: np.ndarray, total: np.ndarray, kept: int = 64) -> np.ndarray:
    """The eigenvectors [d, at most 2 kept] among which Z(c) or Z(-c) = sum exp(+-c . v) is least or greatest.

    gram = V'V, total = sum v. By the second-order expansion Z(+-c) = n +- total . c + c' gram c / 2: the `kept` with
    the least and the `kept` with the greatest of it.
    """
    values, vectors = decompose(gram)
    if vectors.shape[1] <= 2 * kept:
        return vectors
    along, curved = np.abs(total.astype(np.float32) @ vectors), values / 2
    chosen = [np.argsort(curved - along)[:kept], np.argsort(curved + along)[-kept:]]
    return vectors[:, np.unique(np.concatenate(chosen))]


def participation_ratio(rows: Moments) -> float | None:
    """(tr S)^2 / ||S||_F^2 of the scatter matrix S, from 1 (a line) to d (a ball); None for rows that do not differ.

    With G the Gram matrix and t the sum of n rows: S = G - t t' / n, ||S||^2 = ||G||^2 - 2 t'Gt / n + |t|^4 / n^2.
    """
    gram, total, count = rows.gram, rows.total, max(1, rows.count)
    length = float(total @ total)
    trace = np.trace(gram) - length / count
    if not trace > 1e-6 * np.trace(gram):  # rounding
        return None
    squared = np.vdot(gram, gram) - 2 * (total @ (gram @ total)) / count + (length / count) ** 2
    return float(trace**2 / squared)


def isoscore_of(participation: float, dimension: int) -> float:
    """IsoScore of rows with this participation ratio (see isotropy.py); 1 in one dimension."""
    return (participation - 1) / (dimension - 1) if dimension > 1 else 1.0


def null_participation(lengths: np.ndarray, dimension: int) -> tuple[float, float]:
    """Mean and standard deviation of the participation ratio of structureless rows with these norms (all above 0)."""
    n, d = len(lengths), dimension
    a2 = np.asarray(lengths, np.float64) ** 2
    a2 = a2 / a2.mean()
    s2, s4, s8 = a2.sum(), (a2**2).sum(), (a2**4).sum()
    squared = s4 + (s2**2 - s4) / d
    variance = 4 * (d - 1) / (d**2 * (d + 2)) * max(0.0, s4**2 - s8)
    trace, centred = s2 * (1 - 1 / n), squared * (1 - 2 / n) + (s2 / n) ** 2
    mean = trace**2 / centred
    return float(min(d, n - 1, mean)), float(mean * variance**0.5 / centred)


def null_spectrum(lengths: np.ndarray, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """The d eigenvalues of V'V, rising, of one draw of structureless rows with these norms, from a smaller draw."""
    small = min(SMALL, dimension)
    count = max(1, round(len(lengths) * small / dimension))
    drawn = gaussian_rows(rng.choice(lengths, count), small, rng)
    values = np.linalg.eigvalsh(drawn.T.astype(np.float64) @ drawn)
    # n' / n = d' / d: a column of the smaller matrix has as much of the squared length as one of the larger
    values *= (lengths**2).sum() / max(values.sum(), 1e-300) * small / dimension
    if small == dimension:
        return values
    at = (np.arange(dimension) + 0.5) / dimension * small - 0.5
    return np.interp(at, np.arange(small), values)
