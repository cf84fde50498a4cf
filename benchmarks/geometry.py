"""Time and peak memory of the geometry's measures, against the straightforward NumPy, SciPy and scikit-learn way.

    python benchmarks/geometry.py --out benchmarks/geometry.md     # an hour on two cores
    python benchmarks/geometry.py --quick                          # small shapes, and whether both give the same figure

Rows are float32: base and new rows with decaying variances and a common direction. Every measurement runs in a process
of its own (a fork, so that the rows are there and count as none of its memory). Memory is what is added at the peak.
A rival that would add more than two thirds of the memory that is free is not run, and its need is shown instead; one
that its libraries crash under has no figure, and one that would take a quarter of an hour is left out.

First each figure alone, both ways; then each measure whole, with intervals, nulls and permutations, as the workflow
runs it, at 196,888 x 5,120 too. `share of peak` is the measure's products (n d^2 multiplications for a Gram matrix,
whose other half is its mirror image) over what the machine multiplies in the same time, eigenvalues and all else
counting for nothing.
"""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import (
    MIB,
    forget_peak,
    header,
    in_own_process,
    machine,
    others_share,
    peak,
    processor_use,
    progress,
    resident,
    row,
    settle,
    speaker,
)

SHAPES = ((32_000, 44_500, 2048), (128_256, 44_195, 2048))
LARGE = (152_388, 44_500, 5120)
QUICK = ((1000, 800, 64), (3000, 2000, 256))
SAMPLE, NEIGHBOURS = 5000, 10
CHUNK_MIB = 512  # scikit-learn's working memory, where it goes by chunks
FEW = 50_000  # rows of which all pairs are taken in minutes
QUIET = 0.1


def make_rows(base: int, new: int, dimension: int) -> dict[str, np.ndarray]:
    """Rows whose variances decay and which share a direction; new rows before and after a small move. No BLAS here."""
    rng = np.random.default_rng(0)
    scale = (np.exp(-np.arange(dimension) / dimension) / dimension**0.5).astype(np.float32)

    def drawn(count: int) -> np.ndarray:
        rows = np.empty((count, dimension), np.float32)
        for start in range(0, count, 4096):
            part = rows[start : start + 4096]
            rng.standard_normal(out=part, dtype=np.float32)
            part *= scale
            part[:, 0] += 0.3
        return rows

    return {"base": drawn(base), "new": drawn(new)}


# The figures, ours and the straightforward way -----------------------------------------------------------------------


def spectrum_ours(m: dict) -> float:
    from wake2vec.geometry.dimension import figures, shares_of
    from wake2vec.geometry.vectors import for_products, mean_row, moments

    about = mean_row(m["base"])
    found = moments(for_products(m["base"]), about).plus(moments(for_products(m["new"]), about))
    return figures(shares_of(found))["participation_ratio"]


def spectrum_sklearn(m: dict) -> float:
    from sklearn.decomposition import PCA

    shares = PCA().fit(np.concatenate([m["base"], m["new"]])).explained_variance_ratio_.astype(float)
    return float(1 / (shares**2).sum())


def spectrum_numpy(m: dict) -> float:
    values = np.linalg.eigvalsh(np.cov(np.concatenate([m["base"], m["new"]]).T))
    return float(values.sum() ** 2 / (values**2).sum())


def spectrum_scipy(m: dict) -> float:
    from scipy.linalg import svdvals

    rows = np.concatenate([m["base"], m["new"]])
    rows -= rows.mean(0, dtype=np.float64).astype(np.float32)
    values = svdvals(rows, overwrite_a=True).astype(float) ** 2
    return float(values.sum() ** 2 / (values**2).sum())


def isoscore_ours(m: dict) -> float:
    from wake2vec.geometry.isotropy import isoscore_of, participation_ratio
    from wake2vec.geometry.vectors import for_products, mean_row, moments

    about = mean_row(m["base"])
    found = moments(for_products(m["base"]), about).plus(moments(for_products(m["new"]), about))
    return isoscore_of(participation_ratio(found), len(about))


def isoscore_published(m: dict) -> float:
    """As the paper's own package: rotate by PCA, take the variances, normalise."""
    from sklearn.decomposition import PCA

    rotated = PCA().fit_transform(np.concatenate([m["base"], m["new"]]))
    d = rotated.shape[1]
    variances = np.diag(np.cov(rotated.T))
    defect = np.linalg.norm(d**0.5 * variances / np.linalg.norm(variances) - 1) / (2 * (d - d**0.5)) ** 0.5
    return float((d * (d - defect**2 * (d - d**0.5)) ** 2 / d**2 - 1) / (d - 1))


def eigenvector_ours(m: dict) -> float:
    from wake2vec.geometry.isotropy import eigenvector_ratio
    from wake2vec.geometry.vectors import for_products, moments, norms, walk

    zeros = np.zeros(m["base"].shape[1], np.float32)
    gram = moments(for_products(m["base"]), zeros).plus(moments(for_products(m["new"]), zeros)).gram
    longest = max(float(norms(part).max()) for part in m.values())
    return eigenvector_ratio(walk(m["base"], m["new"]), gram, longest)


def eigenvector_numpy(m: dict) -> float:
    rows = np.concatenate([m["base"], m["new"]])
    vectors = np.linalg.eigh(rows.T @ rows)[1]
    along = rows @ vectors
    z = np.concatenate([np.exp(along).sum(0, dtype=np.float64), np.exp(-along).sum(0, dtype=np.float64)])
    return float(z.min() / z.max())


def sampled_ours(m: dict) -> float:
    from wake2vec.geometry.isotropy import sampled_ratio

    return sampled_ratio(m["new"][:SAMPLE])[0]


def sampled_sklearn(m: dict) -> float:
    from sklearn.metrics.pairwise import cosine_similarity

    z = np.exp(cosine_similarity(m["new"][:SAMPLE]))
    np.fill_diagonal(z, 0)
    z = z.sum(1, dtype=np.float64)
    return float(z.min() / z.max())


def sampled_scipy(m: dict) -> float:
    from scipy.spatial.distance import pdist, squareform

    z = np.exp(1 - squareform(pdist(m["new"][:SAMPLE], "cosine")))
    np.fill_diagonal(z, 0)
    z = z.sum(1)
    return float(z.min() / z.max())


def similarity_ours(m: dict) -> float:
    from wake2vec.geometry.similarity import Side, mean_cosine

    side = Side.of(m["base"], np.random.default_rng(0))
    return mean_cosine(side, side)


def similarity_sklearn(m: dict) -> float:
    from sklearn.metrics.pairwise import cosine_similarity

    n = len(m["base"])
    return float((cosine_similarity(m["base"]).sum(dtype=np.float64) - n) / (n * (n - 1)))


def similarity_chunked(m: dict) -> float:
    from sklearn.metrics import pairwise_distances_chunked

    n, chunks = len(m["base"]), pairwise_distances_chunked(m["base"], metric="cosine", working_memory=CHUNK_MIB)
    distances = sum(chunk.sum(dtype=np.float64) for chunk in chunks)
    return float((n * n - distances - n) / (n * (n - 1)))


def nearest_ours(m: dict) -> float:
    from wake2vec.geometry.vectors import nearest

    return float(nearest(m["new"][:SAMPLE], m["base"], NEIGHBOURS)[1].mean())


def nearest_sklearn(m: dict) -> float:
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=NEIGHBOURS, metric="cosine", algorithm="brute").fit(m["base"])
    return float(1 - found.kneighbors(m["new"][:SAMPLE])[0].mean())


def pip_ours(m: dict) -> float:
    from wake2vec.geometry.overlap import pip_loss, products_of

    loss, scale = pip_loss(products_of(m["new"], _after(m)))
    return loss / scale


def pip_numpy(m: dict) -> float:
    before, after = m["new"], _after(m)
    own = before @ before.T
    return float(np.linalg.norm(own - after @ after.T) / np.linalg.norm(own))


def _after(m: dict) -> np.ndarray:
    """The new rows moved: each by a tenth of the next one. A copy, on both sides."""
    return m["new"] + np.float32(0.1) * np.roll(m["new"], 1, axis=0)


# figure: (ours, {rival: (function, numbers of 4 bytes that it adds)}, multiplications of ours), of n = b + k rows
FIGURES: dict[str, tuple[Callable, dict[str, tuple[Callable, Callable]], Callable]] = {
    "spectrum": (
        spectrum_ours,
        {
            "scikit-learn": (spectrum_sklearn, lambda b, k, d: 2 * (b + k) * d),
            "NumPy": (spectrum_numpy, lambda b, k, d: 5 * (b + k) * d),
            "SciPy": (spectrum_scipy, lambda b, k, d: 2 * (b + k) * d),
        },
        lambda b, k, d: (b + k) * d**2,
    ),
    "IsoScore": (
        isoscore_ours,
        {"as published": (isoscore_published, lambda b, k, d: 6 * (b + k) * d)},
        lambda b, k, d: (b + k) * d**2,
    ),
    "eigenvector form": (
        eigenvector_ours,
        {"NumPy": (eigenvector_numpy, lambda b, k, d: 4 * (b + k) * d)},
        lambda b, k, d: 3 * (b + k) * d**2,
    ),
    "sampled ratio": (
        sampled_ours,
        {
            "scikit-learn": (sampled_sklearn, lambda b, k, d: 3 * SAMPLE**2),
            "SciPy": (sampled_scipy, lambda b, k, d: 2 * (3 * SAMPLE**2 + SAMPLE * d)),
        },
        lambda b, k, d: SAMPLE**2 * d,
    ),
    "mean cosine of base pairs": (
        similarity_ours,
        {
            "scikit-learn": (similarity_sklearn, lambda b, k, d: b * b + b * d),
            "the same in chunks": (
                similarity_chunked,
                lambda b, k, d: 2 * 2**18 * CHUNK_MIB + 2 * b * d if b <= FEW else math.inf,
            ),
        },
        None,
    ),
    f"{NEIGHBOURS} nearest of {SAMPLE:,}": (
        nearest_ours,
        {"scikit-learn": (nearest_sklearn, lambda b, k, d: b * d + SAMPLE * b)},
        lambda b, k, d: 2 * SAMPLE * b * d,
    ),
    "PIP loss": (
        pip_ours,
        {"NumPy": (pip_numpy, lambda b, k, d: 3 * k * k)},
        lambda b, k, d: 4 * k * d**2,
    ),
}


# Measuring -----------------------------------------------------------------------------------------------------------


def speed(size: int = 4096) -> float:
    """Floating-point operations a second of a float32 multiplication: the best of three."""
    rng = np.random.default_rng(0)
    one, two = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    times = []
    for _ in range(4):
        started = time.perf_counter()
        one @ two
        times.append(time.perf_counter() - started)
    return 2 * size**3 / min(times[1:])


def timed(function: Callable, *arguments: Any) -> dict[str, Any]:
    """{"value", "time", "memory", "others"} of a call."""
    settle()
    before, clock, started = resident(), processor_use(), time.perf_counter()
    forget_peak()
    value = function(*arguments)
    seconds = time.perf_counter() - started
    return {"value": value, "time": seconds, "memory": peak() - before, "others": others_share(clock)}


def free() -> int:
    line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024


def cell(found: dict[str, Any]) -> list[str]:
    return [f"{found['time']:,.2f}" + ("*" if found["others"] > QUIET else ""), f"{found['memory'] / MIB:,.0f}"]


def figures(shape: tuple[int, int, int], say: Callable[[str], None]) -> list[float]:
    """Print a line a figure and rival; returns how far the figures lie apart (relative)."""
    matrices, fast, apart = make_rows(*shape), in_own_process(speed), []
    say(f"\n## {shape[0]:,} + {shape[1]:,} x {shape[2]:,}, each figure alone\n")
    say(f"The machine multiplies float32 matrices at {fast / 1e9:,.0f} GFLOP/s.\n")
    say(header("figure", "wake2vec s", "MiB", "share of peak", "rival", "rival s", "rival MiB", "time ÷", "memory ÷"))
    for name, (ours, rivals, needed) in FIGURES.items():
        found = in_own_process(timed, ours, matrices)
        share = "–" if needed is None else f"{needed(*shape) / fast / found['time']:.0%}"
        for rival, (function, numbers) in rivals.items():
            need = 4 * numbers(*shape)
            if need == math.inf:
                other = [rival, "not run", "takes too long", "–", "–"]
            elif need > free() * 2 / 3:
                other = [rival, "not run", f"needs {need / MIB:,.0f}", "–", f"{found['memory'] / need:.3f}"]
            else:
                other = [rival, "no figure", "–", "–", "–"]
                try:
                    theirs = in_own_process(timed, function, matrices)
                except RuntimeError as error:  # killed, or no room after all
                    progress(f"{name}, {rival}: {error}")
                else:
                    quotients = (f"{found[key] / max(theirs[key], 1e-9):.2f}" for key in ("time", "memory"))
                    other = [rival, *cell(theirs), *quotients]
                    apart.append(abs(found["value"] / theirs["value"] - 1))
            say(row(name, *cell(found), share, *other))
    return apart


def whole(shape: tuple[int, int, int], say: Callable[[str], None]) -> None:
    """Print a line a measure, with its intervals, nulls and permutations."""
    from wake2vec.geometry.dimension import measure_dimension
    from wake2vec.geometry.isotropy import measure_isotropy
    from wake2vec.geometry.norms import measure_norms
    from wake2vec.geometry.overlap import measure_pip_loss
    from wake2vec.geometry.similarity import measure_similarity
    from wake2vec.geometry.vectors import Rows

    matrices, fast = make_rows(*shape), in_own_process(speed)
    rows, after = Rows(matrices["base"], matrices["new"]), _after(matrices)
    n, k, d = shape[0] + shape[1], shape[1], shape[2]
    measures = {
        "norms": (lambda: measure_norms(rows, 0), None),
        "similarity": (lambda: measure_similarity(rows, 0), None),
        "isotropy": (lambda: measure_isotropy(rows, 0), 6 * n * d**2 + 66 * SAMPLE**2 * d),
        "dimension": (lambda: measure_dimension(rows, 0), 24 * min(shape[:2]) * d**2),
        "PIP loss": (lambda: measure_pip_loss(rows.new, after, np.random.default_rng(0)), 38 * k * d**2),
    }
    say(f"\n## {shape[0]:,} + {shape[1]:,} x {shape[2]:,}, whole measures with intervals and nulls\n")
    say(f"The rows take {n * d * 4 / MIB:,.0f} MiB; the machine multiplies at {fast / 1e9:,.0f} GFLOP/s.\n")
    say(header("measure", "s", "MiB above the rows", "share of peak"))
    for name, (call, needed) in measures.items():
        found = in_own_process(_quietly, call)
        say(row(name, *cell(found), "–" if needed is None else f"{needed / fast / found['time']:.0%}"))


def _quietly(call: Callable[[], Any]) -> dict[str, Any]:
    return timed(call) | {"value": None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small shapes, and whether the figures agree")
    parser.add_argument("--large", action="store_true", help="196,888 x 5,120 alone")
    parser.add_argument("--figures", action="store_true", help="each figure alone, not the whole measures")
    parser.add_argument("--out", type=Path, help="write the tables to this file as well")
    arguments = parser.parse_args()
    import sklearn  # noqa: F401  imported once, before the processes fork

    say = speaker(arguments.out)
    say(f"# Geometry\n\n{machine()}\n\nRatios are wake2vec's figure over the rival's: below 1, wake2vec needs less.")
    started, apart = time.perf_counter(), []
    shapes = QUICK if arguments.quick else () if arguments.large else SHAPES
    for shape in shapes:
        apart += figures(shape, say)
    if not arguments.figures:
        for shape in shapes if arguments.quick else (LARGE,) if arguments.large else (*SHAPES, LARGE):
            whole(shape, say)
    say(f"\n- times marked * when others used more than {QUIET:.0%} of the machine meanwhile")
    say(f"- {time.perf_counter() - started:.0f} s in all")
    if apart:
        say(f"- both ways of a figure lie apart by at most {max(apart):.0e} (relative)")
        if max(apart) > 1e-3:
            raise SystemExit("the two ways do not give the same figure")


if __name__ == "__main__":
    main()
