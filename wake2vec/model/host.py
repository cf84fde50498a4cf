"""Main memory that a job asks a cluster for. No torch: a dry run asks too.

A job with a model in it holds, besides the process itself,

    weights     the base, whole, in the precision that it is used in, before it goes to the GPU (as plan.md counts
                `base`). Of a base in NF4 the host never holds all at once, but what it reads of the checkpoint, 16 bits
                a parameter, counts as the job's as long as nothing else wants the memory
    matrices    embedding and head in float32, twice: to compare rows with, and permuted (the objective's control)
    trained     rows, or with `train: all` and `kind: full` base rows or the whole body: as they are, the best state,
                and the optimizer's two moments as a checkpoint is written; float32

A job that only measures rows holds matrices and rows. All numbers are bytes, but for what `megabytes` returns.
"""

import math
from collections.abc import Mapping
from typing import Any

ALLOWANCE = 4 * 2**30  # Python, torch and CUDA's libraries, the text, adapters, activations of a built-in base
BYTES = {"float32": 4, "bfloat16": 2}
COPIES = 4  # of what trains, and of files of rows: itself, the best state, two moments


def measuring(base: Mapping[str, Any], rows: int) -> int:
    """base: values of manifest.json. rows: size of the files of rows."""
    return ALLOWANCE + 2 * 4 * _matrices(base) + COPIES * rows


def holding(base: Mapping[str, Any], rows: int, precision: str, quantisation: str, trains: str = "nothing") -> int:
    """trains: what of the base has been trained: "nothing", its "rows" or its "body"."""
    weights = base["parameters"] * (2 if quantisation == "nf4" else BYTES[precision])
    trained = {"nothing": 0, "rows": _matrices(base), "body": base["parameters"]}[trains]
    return measuring(base, rows) + weights + COPIES * 4 * trained


def _matrices(base: Mapping[str, Any]) -> int:
    """Entries of embedding and, where it has rows of its own, head."""
    return (1 if base["tied"] else 2) * base["rows"] * base["hidden"]


def megabytes(size: int) -> int:
    """As Slurm and Snakemake count them, rounded up."""
    return math.ceil(size / 10**6)
