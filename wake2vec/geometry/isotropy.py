"""How evenly the rows spread over directions: two partition-function ratios, 1 when perfectly even, 0 when collapsed,
and IsoScore, 1 when the variance is the same in every direction, 0 when it lies along a line.

Sampled ratio (the measure published with the notebooks). Over at most `sample` rows,
    Z_i = sum over j != i of exp(cos(v_i, v_j)),   ratio = min Z / max Z.
Norms do not enter, so it is unchanged by rotation and by the length of any row. The published script first subtracts
the mean of all rows of the group: that is `sampled_ratio_centred`; `sampled_ratio` takes rows as they are, and so
sees a common direction (until it is nearly all that there is: rows that all point one way read 1). Some
thousands of rows without a common direction give a ratio near 1 even where they form clusters of like size: read it
beside its null only.

Eigenvector form (Mu & Viswanath 2018, "All-but-the-top", ICLR: their measure I). Over all rows,
    Z(c) = sum over v of exp(c . v),   ratio = min Z(c) / max Z(c),   c among the unit eigenvectors of V'V.
Rows are neither centred nor normalised, as in the paper; so the ratio falls when all rows grow longer, and two
matrices compare only through their nulls, which have the same norms. An eigenvector's sign is arbitrary and the paper
names none: both c and -c are taken.

IsoScore (Rudman, Gillman, Rayne & Eickhoff 2022, Findings of ACL, "IsoScore: Measuring the Uniformity of Embedding
Space Utilization"). With s the d variances along the principal axes, 1 a vector of ones,
    s^ = sqrt(d) s / ||s||,   delta = ||s^ - 1|| / sqrt(2 (d - sqrt d)),
    phi = (d - delta^2 (d - sqrt d))^2 / d^2,   IsoScore = (d phi - 1) / (d - 1).
delta^2 (d - sqrt d) = d - sqrt(d) sum s / ||s||, so phi = PR / d and IsoScore = (PR - 1) / (d - 1), PR the
participation ratio (sum s)^2 / sum s^2: k equal variances among d give (k - 1) / (d - 1). Over all rows, centred.

Null: Gaussian directions with the same count, dimension and norms, sampled in the same way. IsoScore's is known in
closed form (`spectra`). The eigenvector form's is drawn where n d^2 is at most 1e11, or a row longer than 2, and
approximated beyond ("method" in its null): with p_ik the component of row i along eigenvector k and L_k its eigenvalue,
    Z(+-c_k) = sum_i cosh p_ik +- sum_i sinh p_ik.
A structureless row may be turned to its opposite without changing V'V, so that given V'V the second sum has mean 0 and
variance sum_i sinh^2 p_ik, and those of different k are uncorrelated: it is drawn from the normal distribution. The
sums of cosh and sinh^2 are n + L_k / 2 and L_k plus what higher powers add for p_ik of variance a_i^2 L_k / sum a^2;
L_k is drawn by `spectra.null_spectrum`. A test holds the two forms of the null side by side.

Interval: jackknife over groups of rows, the eigenvectors computed anew each time (with those of all rows it would be
too narrow where clusters make them unstable), and the mean that is taken from the rows. A group's moments are
subtracted from those of all rows; of the new eigenvectors Z is summed for the 128 that are least or greatest by its
second-order expansion.

Permuted: the difference of the groups' figures on at most 500 rows of each, labels base and new shuffled.

Cost, n rows in all: products 6 n d^2 at the speed of the machine's float32 multiplication (Gram matrices twice, half
each, and projections), 11 eigendecompositions a group in float32, which take as long from about d = n / 40 on, and 30
evaluations of sample^2 d a group; memory eight d x d matrices (1.6 GiB at d = 5,120) or a few copies of the sample.
benchmarks/geometry.md has times.
"""

import numpy as np

from wake2vec.geometry.nulls import (
    GROUPS,
    SHUFFLES,
    band,
    gaussian_rows,
    jackknife,
    known_band,
    permuted,
    random_groups,
    walk_gaussian,
)
from wake2vec.geometry.spectra import (
    decompose,
    extreme_vectors,
    isoscore_of,
    null_participation,
    null_spectrum,
    participation_ratio,
)
from wake2vec.geometry.vectors import (
    Blocks,
    Moments,
    Rows,
    directed,
    for_products,
    mean_row,
    moments,
    norms,
    sampled,
    spans,
    unit,
    walk,
    walk_index,
)

FIGURES = ("sampled_ratio", "sampled_ratio_centred", "eigenvector", "isoscore")
SIDES = {"all": ("base", "new"), "base": ("base",), "new": ("new",)}
DRAWN = 1e11  # n d^2 up to which the eigenvector form's null is drawn
SHORT = 2.0  # norm up to which it is approximated beyond: a longer row draws an eigenvector to itself
STEEP = 60.0  # norms up to which exp(norm) and its reciprocal are float32 numbers


def measure_isotropy(rows: Rows, seed: int, sample: int = 5000, draws: int = 10, shuffles: int = SHUFFLES) -> dict:
    """The figures of all, base and new rows, with interval, null, effect and permuted labels: isotropy.json.

    Rows of zeros have no direction and are left out. A group with fewer than two others has None and a "reason".
    """
    rng = np.random.default_rng(seed)
    matrices = {"base": rows.base, "new": rows.new}
    index = {side: directed(matrix) for side, matrix in matrices.items()}
    member = {side: random_groups(len(at), rng) for side, at in index.items()}
    whole, left_out = _spread(matrices, index, member)
    groups, samples = {}, {}
    for name, sides in SIDES.items():
        parts = [(matrices[side], index[side]) for side in sides]
        spread = _together(whole, sides)
        members = np.concatenate([member[side] for side in sides])
        groups[name], samples[name] = _group(parts, members, spread, left_out[name], seed, sample, draws)
    few = [samples[side] for side in ("base", "new")]
    rng, zeros = np.random.default_rng(seed), np.zeros(0)
    compared = permuted(*(zeros if one is None else one for one in few), _compared(rows.dimension), rng, 500, shuffles)
    return {"sample": sample, "groups": groups, "permuted": compared}


def _spread(matrices: dict, index: dict, member: dict) -> tuple[dict[str, Moments], dict[str, dict[str, list]]]:
    """The moments of base and of new rows; by group IsoScores, eigenvector ratios, means, each tenth left out."""
    count = sum(len(at) for at in index.values())
    about = sum(len(at) * mean_row(matrices[side], at).astype(np.float64) for side, at in index.items())
    about = (about / max(1, count)).astype(np.float32)
    whole = {side: moments(for_products(matrices[side], at), about) for side, at in index.items()}
    longest = {side: float(norms(matrices[side]).max(initial=0.0)) for side in index}
    left_out: dict[str, dict[str, list]] = {name: {"isoscore": [], "eigenvector": [], "mean": []} for name in SIDES}
    for g in range(GROUPS):
        out = {side: at[member[side] == g] for side, at in index.items()}
        kept = {side: whole[side].minus(moments(for_products(matrices[side], at), about)) for side, at in out.items()}
        for name, sides in SIDES.items():
            rest = _together(kept, sides)
            if rest.count < 2 * GROUPS - GROUPS // 5:  # fewer than 20 rows with the group: no interval
                continue
            left_out[name]["mean"].append(rest.about + rest.total / rest.count)
            ratio = participation_ratio(rest)
            left_out[name]["isoscore"] += [] if ratio is None else [isoscore_of(ratio, len(about))]
            vectors = extreme_vectors(rest.uncentred(), rest.total + rest.count * rest.about)
            stay = [walk_index(matrices[side], index[side][member[side] != g]) for side in sides]
            z, _ = partition_sums(_one_walk(stay), vectors, max(longest[side] for side in sides))
            left_out[name]["eigenvector"].append(float(z.min() / z.max()))
    return whole, left_out


def _together(found: dict[str, Moments], sides: tuple[str, ...]) -> Moments:
    return found[sides[0]] if len(sides) == 1 else found[sides[0]].plus(found[sides[1]])


def _one_walk(walks: list[Blocks]) -> Blocks:
    return lambda: (block for one in walks for block in one())


def _group(
    parts: list[tuple[np.ndarray, np.ndarray]],
    member: np.ndarray,
    spread: Moments,
    left_out: dict[str, list],
    seed: int,
    sample: int,
    draws: int,
) -> tuple[dict, np.ndarray | None]:
    """A group's figures, and its sampled rows. parts: (matrix, positions) of its matrices. member: jackknife group
    of each row.
    """
    rng = np.random.default_rng(seed)
    dimension = parts[0][0].shape[1]
    lengths = np.concatenate([norms(matrix)[at] for matrix, at in parts])
    if len(lengths) < 2:
        missing = {"value": None, "interval": None, "null": band(None, []), "effect": None}
        reason = f"{len(lengths)} rows with a direction: at least two are needed"
        return {"count": len(lengths), **dict.fromkeys(FIGURES, missing), "reason": reason}, None
    index = sampled(len(lengths), sample, rng)
    chosen = _pick(parts, index)
    mean = spread.about + spread.total / len(lengths)
    null = [null_sampled(lengths, index, dimension, rng) for _ in range(draws)]
    method, eigen_null = null_eigenvector(lengths, dimension, rng, draws)
    everything = _one_walk([walk_index(matrix, at) for matrix, at in parts])
    ratio = participation_ratio(spread)
    figures = {
        "sampled_ratio": sampled_ratio(chosen, rng),
        "sampled_ratio_centred": _centred_ratio(chosen, mean, member[index], left_out["mean"]),
        "eigenvector": (eigenvector_ratio(everything, spread.uncentred(), float(lengths.max())), None),
        "isoscore": (None if ratio is None else isoscore_of(ratio, dimension), None),
    }
    found: dict = {"count": len(lengths)}
    for name, (value, interval) in figures.items():
        if value is not None and len(left_out.get(name, ())) == GROUPS:
            interval = jackknife(value, left_out[name], 0.0, 1.0)
        if name == "isoscore":
            scale = 1 / max(1, dimension - 1)
            centre_, deviation = null_participation(lengths, dimension)
            beside = known_band(value, isoscore_of(centre_, dimension), deviation * scale, 0.0, 1.0)
        elif name == "eigenvector":
            beside = band(value, eigen_null, 0.0, 1.0) | {"method": method}
        else:
            beside = band(value, [draw[name] for draw in null], 0.0, 1.0)
        effect = None if value is None or beside["mean"] is None else value - beside["mean"]
        found[name] = {"value": value, "interval": interval, "null": beside, "effect": effect}
    return found, chosen


def _centred_ratio(
    rows: np.ndarray, mean: np.ndarray, member: np.ndarray, means: list[np.ndarray]
) -> tuple[float | None, tuple[float, float] | None]:
    """The sampled ratio of rows less their group's mean, with its interval: a tenth left out has another mean as well.

    means: of the rest, with each tenth left out; without them there is no interval.
    """
    value = sampled_ratio(centre(rows, mean))[0]
    left_out = [sampled_ratio(centre(rows[member != g], rest))[0] for g, rest in enumerate(means)]
    if value is None or len(left_out) < GROUPS or None in left_out:
        return value, None
    return value, jackknife(value, left_out, 0.0, 1.0)


def null_sampled(lengths: np.ndarray, index: np.ndarray, dimension: int, rng: np.random.Generator) -> dict[str, float]:
    """The three ratios of Gaussian directions with these norms, of which the rows `index` are the sample."""
    drawn = gaussian_rows(lengths[index], dimension, rng)
    # The mean is over all rows, of which only the sample is drawn here: the sum of the others is Gaussian.
    others = max(0.0, (lengths**2).sum() - (lengths[index] ** 2).sum()) / dimension
    mean = (drawn.sum(0, dtype=np.float64) + rng.standard_normal(dimension) * others**0.5) / len(lengths)
    return {
        "sampled_ratio": sampled_ratio(drawn)[0],
        "sampled_ratio_centred": sampled_ratio(centre(drawn, mean))[0],
    }


def null_eigenvector(
    lengths: np.ndarray, dimension: int, rng: np.random.Generator, draws: int, limit: float = DRAWN
) -> tuple[str, list[float]]:
    """How ("drawn" or "approximated", see the module's text) and what: the ratio of `draws` structureless matrices."""
    if len(lengths) * dimension**2 > limit and lengths.max() <= SHORT:
        return "approximated", [_approximate(lengths, dimension, rng) for _ in range(draws)]
    found = []
    for _ in range(draws):
        blocks = walk_gaussian(lengths, dimension, int(rng.integers(2**63)))
        gram = moments(blocks, np.zeros(dimension, np.float32)).gram
        found.append(eigenvector_ratio(blocks, gram, float(lengths.max())))
    return "drawn", found


def _approximate(lengths: np.ndarray, dimension: int, rng: np.random.Generator) -> float:
    """One draw of the ratio of structureless rows, from its distribution given the eigenvalues of V'V."""
    values, squares = null_spectrum(lengths, dimension, rng), lengths.astype(np.float64) ** 2
    stretch = values / max(values.mean(), 1e-300)
    # sum_i cosh p - 1 - p^2/2 and sum_i sinh^2 p - p^2 for p ~ N(0, a_i^2 stretch / d), on a grid of `stretch`
    grid = np.linspace(stretch[0], stretch[-1], 32)
    # norms in 2,000 classes: the sums are over these
    few = np.quantile(squares, (np.arange(2000) + 0.5) / 2000) / dimension
    share = np.multiply.outer(grid, few)
    even = len(lengths) * (np.exp(share / 2) - 1 - share / 2).mean(1)
    odd = len(lengths) * (np.exp(share) * np.sinh(share) - share).mean(1)
    cosh = len(lengths) + values / 2 + np.interp(stretch, grid, even)
    sinh = np.sqrt(np.maximum(values + np.interp(stretch, grid, odd), 0.0)) * rng.standard_normal(dimension)
    z = np.concatenate([cosh + sinh, cosh - sinh])
    return float(max(z.min(), 0.0) / z.max())


def _pick(parts: list[tuple[np.ndarray, np.ndarray]], index: np.ndarray) -> np.ndarray:
    """Rows `index` of the parts (matrix, positions) one below the other, without stacking them."""
    starts = np.cumsum([0, *(len(at) for _, at in parts)])
    inside = [(index >= start) & (index < start + len(at)) for start, (_, at) in zip(starts, parts, strict=False)]
    picked = zip(starts, parts, inside, strict=False)
    return np.concatenate([matrix[at[index[here] - start]] for start, (matrix, at), here in picked])


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
    for span in spans(m, m, numbers=2**22):  # smaller products repeat too much of their packing
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


def eigenvector_ratio(blocks: Blocks, gram: np.ndarray, longest: float) -> float:
    """min Z(c) / max Z(c), Z(c) = sum exp(c . v), c over plus and minus the unit eigenvectors of `gram` = V'V [d, d].

    `blocks` walks the rows v, of which none is longer than `longest`. Time 2 n d^2; memory: a block and d x d.
    """
    z, _ = partition_sums(blocks, decompose(gram)[1], longest)
    return float(z.min() / z.max())


def partition_sums(blocks: Blocks, vectors: np.ndarray, longest: float) -> tuple[np.ndarray, float]:
    """Z of plus and minus every column of `vectors`, float64 [2, columns].

    exp(c . v) - 1 is added up in float32 within a block (its rounding is as often up as down) and in float64 over
    blocks, so that Z keeps nine digits. Where a row is longer than 60 the rows are walked once more, to find the
    greatest exponent, and the sums are float64 and of exp(c . v - that). It is the second number returned, else 0.
    """
    z, top = np.zeros((2, vectors.shape[1])), 0.0
    if longest > STEEP:
        top = max(float(np.abs(block @ vectors).max()) for block in blocks())
    for block in blocks():
        along = block @ vectors
        if longest > STEEP:
            wide = along.astype(np.float64)
            z += np.stack([np.exp(wide - top).sum(0), np.exp(-wide - top).sum(0)])
            continue
        ones = np.ones(len(along), np.float32)
        np.exp(along, out=along)
        opposite = 1 / along
        along -= 1
        opposite -= 1
        z += len(along) + np.stack([ones @ along, ones @ opposite])
    return z, top


def isoscore(rows: np.ndarray) -> float | None:
    """IsoScore of rows [n, d]; None where they do not differ."""
    dimension = rows.shape[1]
    ratio = participation_ratio(moments(walk(rows), mean_row(rows)))
    return None if ratio is None else isoscore_of(ratio, dimension)


def _compared(dimension: int):
    """The figures of a few rows, turned or not, for `permuted`; of `dimension` numbers before they were turned."""

    def figures(rows: np.ndarray) -> dict[str, float | None]:
        spread = moments(walk(rows), mean_row(rows))
        ratio = participation_ratio(spread)
        longest = float(norms(rows).max())
        z, top = partition_sums(walk(rows), decompose(spread.uncentred())[1], longest)
        if dimension > rows.shape[1]:  # the directions that no row has: exp(0) for every row
            z = np.append(z, len(rows) * np.exp(-top))
        return {
            "sampled_ratio": sampled_ratio(rows)[0],
            "sampled_ratio_centred": sampled_ratio(centre(rows, spread.about.astype(np.float32)))[0],
            "eigenvector": float(z.min() / z.max()),
            "isoscore": None if ratio is None else isoscore_of(ratio, dimension),
        }

    return figures
