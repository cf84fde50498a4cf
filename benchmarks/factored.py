"""Time and memory of one step of P1 and of P3 with rows that share their parts, against free rows.

    python benchmarks/factored.py --out benchmarks/factored.md      # about half an hour on two cores
    python benchmarks/factored.py --sequences 1                     # the shorter texts alone

The model, the step and the measurement are those of p1_step.py: a Llama of two layers with random weights; loss,
backward, clipping, optimizer; the new rows of embedding and head alone. Every row is made of three of 15,000 parts,
drawn by Zipf's law, so that a few (affixes) are in thousands of rows. P3 has its objective as well, every term at its
default weight, on random parts (two forms a word, 40 affixes): beside the optimizer, or in the loss. Ratios are those
of factored rows over free rows. Memory is that of two processes; time is the median of steps of either kind, turn about
in one.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from common import MIB, header, in_own_process, machine, others_share, processor_use, progress, row, speaker
from p1_models import LENGTH, MAKERS, base_model
from p1_step import BUDGET, QUIET, describe, measure

PARTS, OF_ROW, AFFIXES = 15_000, 3, 40
GRID = {
    "phase": ("P1", "P3", "P3, terms in the loss"),
    "vocabulary": ((128_256, 44_195),),
    "hidden": (2048,),
    "sequences": (1, 4),
    "tied": (True, False),
    "precision": ("float32",),
}


class _Optimizer:
    """An optimizer whose step has the callbacks around it that the Trainer calls."""

    def __init__(self, optimizer: Any, callbacks: list[Any]):
        self.optimizer, self.callbacks, self.param_groups = optimizer, callbacks, optimizer.param_groups
        self.zero_grad, self.state = optimizer.zero_grad, SimpleNamespace(global_step=1)

    def step(self) -> None:
        for callback in self.callbacks:
            callback.on_pre_optimizer_step(None, self.state, None)
        self.optimizer.step()
        for callback in self.callbacks:
            callback.on_optimizer_step(None, self.state, None, optimizer=self.optimizer)


def _made(causal: Any, cell: dict[str, Any], share: Callable[[Any], Any] | None = None):
    from wake2vec.training.decoupled import Decoupled

    learner, gradients, optimizer = MAKERS["wake2vec"](causal, cell)
    shared, callbacks = None, []
    if share:
        shared = share(causal)
        callbacks.append(shared)
        optimizer.add_param_group({"params": [module.parts for module in shared.modules]})
    if cell.get("phase", "P1") != "P1":
        learner.objective = _objective(cell)
        if learner.objective.decoupled:
            callbacks.append(Decoupled(learner, shared))
    return learner, gradients, _Optimizer(optimizer, callbacks)


def _objective(cell: dict[str, Any]) -> Any:
    """P3's, of random vectors: every word has parts, a root and an affix."""
    import numpy as np

    from wake2vec.settings.training import Alignment
    from wake2vec.training.objective_pairs import assemble
    from wake2vec.training.objectives import Objective

    how = "loss" if cell["phase"].endswith("loss") else "decoupled"
    rng, settings = np.random.default_rng(1), Alignment(objective=how).model_dump()
    words = [f"word{row // 2}" for row in range(cell["vocabulary"][1])]
    targets, roots = (
        {word: rng.standard_normal(cell["hidden"], np.float32) for word in dict.fromkeys(words)} for _ in range(2)
    )
    affixes = {word: [f"-affix{rng.integers(AFFIXES)}"] for word in targets}
    share = settings["held_out_pairs"]
    return Objective(assemble(words, (targets, None), (roots, None), affixes, share=share, seed=0), settings, 0)


def _shares(cell: dict[str, Any]) -> Any:
    import numpy as np
    from scipy.sparse import csr_array

    rows, rng = cell["vocabulary"][1], np.random.default_rng(0)
    parts = min(PARTS, rows)
    chances = 1 / np.arange(1, parts + 1)
    drawn = rng.choice(parts, (rows, OF_ROW), p=chances / chances.sum())
    weights = np.full(rows * OF_ROW, 1 / OF_ROW, np.float32)
    shares = csr_array((weights, drawn.ravel(), np.arange(rows + 1) * OF_ROW), shape=(rows, parts))
    shares.sum_duplicates()
    return shares


def _factored(causal: Any, cell: dict[str, Any]):
    import numpy as np

    from wake2vec.training.factored import share_parts

    shares, rng = _shares(cell), np.random.default_rng(3)
    size = (shares.shape[1], cell["hidden"])
    vectors = {side: rng.standard_normal(size, np.float32) for side in ("embedding", "head")}
    return _made(causal, cell, lambda causal: share_parts(causal, shares, vectors, decay=10.0))


MAKERS |= {"free": _made, "factored": _factored}


def paired(cell: dict[str, Any]) -> dict[str, Any]:
    """Seconds of a step with and without what shared parts add, turn about in one process, so that what disturbs one
    disturbs the other; and others' share of the processors meanwhile.
    """
    import torch

    from wake2vec.training.decoupled import Decoupled

    learner, _, optimizer = _factored(base_model(cell), cell)
    beside = [Decoupled(learner)] if any(isinstance(c, Decoupled) for c in optimizer.callbacks) else []
    free = _Optimizer(optimizer.optimizer, beside)
    rows = [p for p in learner.parameters() if p.requires_grad]
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(sum(cell["vocabulary"]), (cell["sequences"], LENGTH), generator=generator)
    times: dict[str, list[float]] = {"factored": [], "free": []}
    clock, began = processor_use(), time.perf_counter()
    while len(times["free"]) < 3 or (len(times["free"]) < 8 and time.perf_counter() - began < BUDGET):
        for kind, one in (("factored", optimizer), ("free", free)):
            started = time.perf_counter()
            learner(ids).backward()
            torch.nn.utils.clip_grad_norm_(rows, 1.0)
            one.step()
            one.zero_grad()
            times[kind].append(time.perf_counter() - started)
    seconds = {kind: statistics.median(each[1:]) for kind, each in times.items()}
    return seconds | {"others": others_share(clock), "pairs": len(times["free"]) - 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the table to this file as well")
    parser.add_argument("--sequences", type=int, nargs="+", default=GRID["sequences"], help="of 256 tokens, a step")
    arguments = parser.parse_args()
    import bitsandbytes  # noqa: F401  imported once, before the processes fork

    import wake2vec.training.decoupled
    import wake2vec.training.fit  # noqa: F401

    say = speaker(arguments.out)
    say(f"# One step with rows that share their parts\n\n{machine()}\n")
    say("Ratios are those of factored rows over free rows. Memory is added memory in MiB.\n")
    names = ("free MiB", "factored MiB", "memory ratio", "free s", "factored s", "time ratio")
    say(header("phase", "vocabulary · hidden · tokens · head · precision", *names))
    ratios = []
    for values in itertools.product(*(GRID | {"sequences": arguments.sequences}).values()):
        cell = dict(zip(GRID, values, strict=True))
        memory = [in_own_process(measure, cell, method)["memory"] for method in ("free", "factored")]
        time_ = in_own_process(paired, cell)
        mark = "*" if time_["others"] > QUIET else ""
        ratios.append(time_["factored"] / time_["free"])
        cells = (*(f"{size / MIB:,.0f}" for size in memory), f"{memory[1] / memory[0]:.2f}")
        times = (f"{time_['free']:.2f}{mark}", f"{time_['factored']:.2f}", f"{ratios[-1]:.2f}")
        say(row(cell["phase"], describe(cell), *cells, *times))
        progress(f"{describe(cell)}: {time_['pairs']} pairs of steps")
    say(f"\n- time: worst {max(ratios):.2f}, median {statistics.median(ratios):.2f}")
    say(f"- times marked * are those when others used more than {QUIET:.0%} of the machine")


if __name__ == "__main__":
    main()
