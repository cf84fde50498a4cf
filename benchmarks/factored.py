"""Time and memory of one P1 step with rows that share their parts, against free rows.

    python benchmarks/factored.py --out benchmarks/factored.md      # about ten minutes on two cores

The model, the step and the measurement are those of p1_step.py: a Llama of two layers with random weights; loss,
backward, clipping, optimizer; the new rows of embedding and head alone. Every row is made of three of 15,000 parts,
drawn by Zipf's law, so that a few (affixes) are in thousands of rows. Ratios are those of factored rows over free rows.
"""

import argparse
import itertools
from pathlib import Path
from typing import Any

from common import MIB, header, in_own_process, machine, progress, row, speaker
from p1_models import MAKERS
from p1_step import QUIET, describe, measure

PARTS, OF_ROW = 15_000, 3
GRID = {
    "vocabulary": ((32_000, 44_500), (128_256, 44_195)),
    "hidden": (512, 2048),
    "sequences": (1, 4),
    "tied": (True, False),
    "precision": ("float32",),
}


class _StepsOfBoth:
    """An optimizer whose step is followed by the rows' own, as the Trainer calls them."""

    def __init__(self, optimizer: Any, callback: Any):
        self.optimizer, self.callback, self.param_groups = optimizer, callback, optimizer.param_groups
        self.zero_grad = optimizer.zero_grad

    def step(self) -> None:
        self.callback.on_pre_optimizer_step(None, None, None)
        self.optimizer.step()
        self.callback.on_optimizer_step(None, None, None, optimizer=self.optimizer)


def _factored(causal: Any, cell: dict[str, Any]):
    import numpy as np
    from scipy.sparse import csr_array

    from wake2vec.training.factored import share_parts

    learner, gradients, optimizer = MAKERS["wake2vec"](causal, cell)
    rows, rng = cell["vocabulary"][1], np.random.default_rng(0)
    parts = min(PARTS, rows)
    chances = 1 / np.arange(1, parts + 1)
    drawn = rng.choice(parts, (rows, OF_ROW), p=chances / chances.sum())
    weights = np.full(rows * OF_ROW, 1 / OF_ROW, np.float32)
    shares = csr_array((weights, drawn.ravel(), np.arange(rows + 1) * OF_ROW), shape=(rows, parts))
    shares.sum_duplicates()
    vectors = {side: rng.standard_normal((parts, cell["hidden"]), np.float32) for side in ("embedding", "head")}
    callback = share_parts(causal, shares, vectors, decay=10.0)
    optimizer.add_param_group({"params": [module.parts for module in callback.modules]})
    return learner, gradients, _StepsOfBoth(optimizer, callback)


MAKERS["factored"] = _factored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the table to this file as well")
    arguments = parser.parse_args()
    import bitsandbytes  # noqa: F401  imported once, before the processes fork

    import wake2vec.training.factored
    import wake2vec.training.fit  # noqa: F401

    say = speaker(arguments.out)
    say(f"# One P1 step with rows that share their parts\n\n{machine()}\n")
    say("Ratios are those of factored rows over free rows. Memory is added memory in MiB.\n")
    names = ("free MiB", "free s", "factored MiB", "factored s", "memory ratio", "time ratio")
    say(header("vocabulary · hidden · tokens · head · precision", *names))
    worst = []
    for values in itertools.product(*GRID.values()):
        cell = dict(zip(GRID, values, strict=True))
        free, factored = (_quiet(cell, method) for method in ("wake2vec", "factored"))
        ratios = [factored[quantity] / free[quantity] for quantity in ("memory", "time")]
        marks = ["*" if one["others"] > QUIET else "" for one in (free, factored)]
        cells = [
            figure
            for one, mark in zip((free, factored), marks, strict=True)
            for figure in (f"{one['memory'] / MIB:,.0f}", f"{one['time']:.2f}{mark}")
        ]
        say(row(describe(cell), *cells, *(f"{ratio:.2f}" for ratio in ratios)))
        progress(describe(cell))
        if not any(marks):
            worst.append(ratios[1])
    say("")
    if worst:
        say(f"- time: worst {max(worst):.2f}, of {len(worst)} cells that others left alone")
    say(f"- times marked * are those when others used more than {QUIET:.0%} of the machine")


def _quiet(cell: dict[str, Any], method: str) -> dict[str, Any]:
    """A method's figures; measured once more where others disturbed it."""
    found = in_own_process(measure, cell, method)
    if found["others"] > QUIET:
        found = min(found, in_own_process(measure, cell, method), key=lambda one: one["others"])
    return found


if __name__ == "__main__":
    main()
