"""How evenly the rows spread over directions: two partition-function ratios, 1 when perfectly even, 0 when collapsed.

Sampled ratio (the measure published with the notebooks). Over at most `sample` rows,
    Z_i = sum over j != i of exp(cos(v_i, v_j)),   ratio = min Z / max Z.
Norms do not enter, so it is unchanged by rotation and by the length of any row. The published script first subtracts
the mean of all rows of the group: that is `sampled_ratio_centred`; `sampled_ratio` takes rows as they are, and so
sees a common direction. Either is close to 1 for a sample of some thousands of rows whatever their structure: read it
beside its null only.

Eigenvector form (Mu & Viswanath 2018, "All-but-the-top", ICLR: their measure I). Over all rows,
    Z(c) = sum over v of exp(c . v),   ratio = min Z(c) / max Z(c),   c among the unit eigenvectors of V'V.
Rows are neither centred nor normalised, as in the paper; so the ratio falls when all rows grow longer, and two
matrices compare only through their nulls, which have the same norms. An eigenvector's sign is arbitrary and the paper
names none: both c and -c are taken. Z is summed in float64.

Null: Gaussian directions with the same count, dimension and norms, sampled in the same way. Interval: jackknife over
groups of rows, the eigenvectors computed anew each time.
"""

import numpy as np

from wake2vec.geometry.nulls import GROUPS, band, gaussian_rows, jackknife, random_groups, walk_gaussian
from wake2vec.geometry.vectors import (
    Blocks,
    Rows,
    mean_row,
    moments,
    norms,
    sampled,
    spans,
    unit,
    walk,
    walk_index,
    with_direction,
)

FIGURES = ("sampled_ratio", "sampled_ratio_centred", "eigenvector")


def measure_isotropy(rows: Rows, seed: int, sample: int = 5000, draws: int = 10) -> dict:
    """The ratios of all, base and new rows, with interval and null: the values of isotropy.json.

    Rows of zeros have no direction and are left out. A group with fewer than two others has None and a "reason".
    """
    groups = {"all": [rows.base, rows.new], "base": [rows.base], "new": [rows.new]}
    return {"sample": sample, "groups": {name: _group(parts, seed, sample, draws) for name, parts in groups.items()}}


def _group(parts: list[np.ndarray], seed: int, sample: int, draws: int) -> dict:
    rng = np.random.default_rng(seed)
    dimension = parts[0].shape[1]
    parts = [with_direction(part) for part in parts]
    lengths = np.concatenate([norms(part) for part in parts])
    if len(lengths) < 2:
        missing = {"value": None, "interval": None, "null": band(None, [])}
        reason = f"{len(lengths)} rows with a direction: at least two are needed"
        return {"count": len(lengths), **dict.fromkeys(FIGURES, missing), "reason": reason}

    index = sampled(len(lengths), sample, rng)
    chosen, total = _pick(parts, index), sum(len(part) * mean_row(part).astype(np.float64) for part in parts)
    figures = {
        "sampled_ratio": sampled_ratio(chosen, rng),
        "sampled_ratio_centred": sampled_ratio(centre(chosen, total / len(lengths)), rng),
        "eigenvector": _eigenvector(parts, rng),
    }
    null = [_null(lengths, index, dimension, rng) for _ in range(draws)]
    return {"count": len(lengths)} | {
        name: {"value": value, "interval": interval, "null": band(value, [draw[name] for draw in null], 0.0, 1.0)}
        for name, (value, interval) in figures.items()
    }


def _null(lengths: np.ndarray, index: np.ndarray, dimension: int, rng: np.random.Generator) -> dict[str, float]:
    """The three ratios of Gaussian directions with these norms, of which the rows `index` are the sample."""
    drawn = gaussian_rows(lengths[index], dimension, rng)
    # The mean is over all rows, of which only the sample is drawn here: the sum of the others is Gaussian.
    others = max(0.0, (lengths**2).sum() - (lengths[index] ** 2).sum()) / dimension
    mean = (drawn.sum(0, dtype=np.float64) + rng.standard_normal(dimension) * others**0.5) / len(lengths)
    everything = walk_gaussian(lengths, dimension, int(rng.integers(2**63)))
    return {
        "sampled_ratio": sampled_ratio(drawn)[0],
        "sampled_ratio_centred": sampled_ratio(centre(drawn, mean))[0],
        "eigenvector": eigenvector_ratio(everything, moments(everything, dimension)[2]),
    }


def _pick(parts: list[np.ndarray], index: np.ndarray) -> np.ndarray:
    """Rows `index` of the parts stacked one below the other, without stacking them."""
    starts = np.cumsum([0, *(len(part) for part in parts)])
    inside = [(index >= start) & (index < start + len(part)) for start, part in zip(starts, parts, strict=False)]
    return np.concatenate([part[index[at] - start] for start, part, at in zip(starts, parts, inside, strict=False)])


def centre(rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Rows less the group's mean row; those that equal it to rounding have no direction left and are dropped."""
    rest = (rows - mean).astype(np.float32)
    return rest[norms(rest) > 1e-6 * norms(rows).max(initial=0.0)]


def sampled_ratio(
    rows: np.ndarray, rng: np.random.Generator | None = None
) -> tuple[float | None, tuple[float, float] | None]:
    """min Z / max Z, Z_i = sum over j != i of exp(cos(v_i, v_j)), of rows [m, d]; and its interval when `rng` is given.

    Time m^2 d; memory: one block of the m x m cosines at a time. None for fewer than two rows; no interval below 20.
    """
    m = len(rows)
    if m < 2:
        return None, None
    directions = unit(rows)
    group = random_groups(m, rng) if rng is not None and m >= 2 * GROUPS else None
    member = np.eye(GROUPS, dtype=np.float32)[group] if group is not None else np.zeros((m, 0), np.float32)
    z, by_group = np.zeros(m), np.zeros((m, member.shape[1]))
    for span in spans(m, m, numbers=2**20):  # small enough to stay in the processor's cache
        weights = directions[span] @ directions[span.start :].T  # the rest follows from symmetry
        np.exp(weights, out=weights)
        np.fill_diagonal(weights, 0.0)
        beyond = weights[:, len(weights) :]
        z[span] += weights.sum(1, dtype=np.float64)
        z[span.stop :] += beyond.sum(0, dtype=np.float64)
        by_group[span] += weights @ member[span.start :]
        by_group[span.stop :] += beyond.T @ member[span]
    value = float(z.min() / z.max())
    if group is None:
        return value, None
    kept = [(z - by_group[:, g])[group != g] for g in range(GROUPS)]
    return value, jackknife(value, [k.min() / k.max() for k in kept], 0.0, 1.0)


def eigenvector_ratio(blocks: Blocks, gram: np.ndarray) -> float:
    """min Z(c) / max Z(c), Z(c) = sum exp(c . v), c over plus and minus the unit eigenvectors of `gram` = V'V [d, d].

    `blocks` walks the rows v. log Z is kept, not Z, so that no norm is too long. Time n d^2; memory: a block and d x d.
    """
    vectors = np.linalg.eigh(gram)[1].astype(np.float32)
    log_z = np.full((2, len(gram)), -np.inf)
    for block in blocks():
        along = block @ vectors
        for side in (0, 1):
            top = along.max(0)
            total = np.exp(along - top).sum(0, dtype=np.float64)
            log_z[side] = np.logaddexp(log_z[side], top + np.log(total))
            along = -along
    return float(np.exp(log_z.min() - log_z.max()))


def _eigenvector(parts: list[np.ndarray], rng: np.random.Generator) -> tuple[float, tuple[float, float] | None]:
    """`eigenvector_ratio` of the parts one below the other, with its interval."""
    dimension, count = parts[0].shape[1], sum(len(part) for part in parts)
    gram = moments(walk(*parts), dimension)[2]
    value = eigenvector_ratio(walk(*parts), gram)
    if count < 2 * GROUPS:
        return value, None
    group = np.split(random_groups(count, rng), np.cumsum([len(part) for part in parts])[:-1])
    left_out = []
    for g in range(GROUPS):
        less = moments(_walk_parts(parts, [one == g for one in group]), dimension)[2]
        left_out.append(eigenvector_ratio(_walk_parts(parts, [one != g for one in group]), gram - less))
    return value, jackknife(value, left_out, 0.0, 1.0)


def _walk_parts(parts: list[np.ndarray], kept: list[np.ndarray]) -> Blocks:
    walks = [walk_index(part, np.flatnonzero(at)) for part, at in zip(parts, kept, strict=True)]
    return lambda: (block for one in walks for block in one())
