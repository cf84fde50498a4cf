"""Memory and time of one P1 step: wake2vec against the notebooks' recipe and PEFT's trainable tokens.

    python benchmarks/p1_step.py --out benchmarks/p1_step.md      # the grid, about an hour on two cores
    python benchmarks/p1_step.py --quick                          # three small cells, and whether all agree

The model is a Llama of two layers with random weights; a step is loss, backward, clipping to norm 1, optimizer. All
three see the same weights, new rows and ids, train the new rows alone, of embedding and head, and step with AdamW as
transformers' Trainer makes it (fused).

wake2vec    split embedding and head, chunked loss
notebooks   matrices resized, every row an optimizer's, the base rows' gradient set to zero (in place), transformers'
            own loss (float32 logits of all tokens at once)
PEFT        matrices resized, TrainableTokensConfig on the new ids of `embed_tokens` and, where it is not tied, of
            `lm_head` (the default would leave the head's rows untrained), transformers' own loss

In nf4 cells embedding, head and computation are bfloat16. wake2vec's new rows stay float32, and PEFT makes its own
float32; the notebooks' matrices, and so their moments, are bfloat16: half the bytes, and small updates are lost.

Added memory: peak resident during the first two steps, less what was resident with the base model loaded. Time: the
shortest of the steps after the first, of which every method has as many as fit in its time, and two at least: what
else the machine does only ever adds. The share of the peak is the arithmetic that a step needs at the speed of a 4096³
multiplication in the body's precision, over the time it took. Ratios are wake2vec's over the rival's: below 1, wake2vec
needs less. Each figure comes from a process of its own.
"""

import argparse
import itertools
import resource
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from common import (
    MIB,
    forget_peak,
    header,
    in_own_process,
    machine,
    multiplication_speed,
    others_share,
    peak,
    processor_use,
    progress,
    resident,
    row,
    settle,
    speaker,
)
from p1_models import LAYERS, LENGTH, MAKERS, base_model, dtype_of

BOUND = 24 * 2**30  # bytes that a cell may have
BUDGET = 36  # seconds of steps in a cell: one to warm up and five that count, two where they are long
AGREE = {"float32": 1e-3, "nf4": 2e-2}  # how far gradients may be apart; bfloat16 holds 8 bits
QUIET = 0.1  # others' share of the processors above which a time is marked
METHODS = tuple(MAKERS)
TITLES = ("memory", "time")
LARGE = (128_256, 44_195)
TARGETS = {"memory": 0.5, "time": 0.6}  # of the notebooks', with the larger vocabulary
GRID = {
    "vocabulary": (LARGE, (32_000, 44_500)),
    "hidden": (512, 2048),
    "sequences": (1, 4),
    "tied": (True, False),
    "precision": ("float32", "nf4"),
}
QUICK = [
    {"vocabulary": (8_000, 11_000), "hidden": 256, "sequences": 1, "tied": False, "precision": "float32"},
    {"vocabulary": (8_000, 11_000), "hidden": 256, "sequences": 1, "tied": True, "precision": "float32"},
    {"vocabulary": (8_000, 11_000), "hidden": 256, "sequences": 1, "tied": False, "precision": "nf4"},
]
TINY = {"vocabulary": (64, 32), "hidden": 64, "sequences": 1, "tied": False, "precision": "float32"}


# One cell, one method -----------------------------------------------------------------------------------------------


def measure(cell: dict[str, Any], method: str, check: Path | None = None) -> dict[str, Any]:
    """{"memory" (bytes), "time" (seconds), "loss", "trained" (parameters), "others" (their share of the processors
    meanwhile), "peak_flops"}; gradients of the new rows go to `check`.
    """
    import torch

    warnings.filterwarnings("ignore")
    resource.setrlimit(resource.RLIMIT_DATA, (BOUND, BOUND))
    steps(TINY | {"tied": cell["tied"], "precision": cell["precision"]}, method, None)  # loads what loads lazily
    found = steps(cell, method, check)
    if method == "wake2vec":
        found["peak_flops"] = multiplication_speed(dtype_of(cell))
    return found | {"threads": torch.get_num_threads()}


def steps(cell: dict[str, Any], method: str, check: Path | None) -> dict[str, Any]:
    import numpy as np
    import torch

    causal = base_model(cell)
    settle()
    before = resident()
    loss_of, gradients, optimizer = MAKERS[method](causal, cell)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(sum(cell["vocabulary"]), (cell["sequences"], LENGTH), generator=generator)
    settle()
    forget_peak()
    times, first, clock = [], None, processor_use()
    while len(times) < 3 or (len(times) < 6 and sum(times) + times[-1] < BUDGET):
        started = time.perf_counter()
        loss = loss_of(ids)
        loss.backward()
        if check and not times:
            np.savez(check, *[g.float().numpy() for g in gradients()])
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        first = loss.item() if first is None else first
        del loss
        times.append(time.perf_counter() - started)
        if len(times) == 2:
            added = peak() - before
    trained = sum(p.numel() for p in parameters)
    return {
        "memory": added,
        "time": min(times[1:]),
        "loss": first,
        "trained": trained,
        "others": others_share(clock),
    }


# Arithmetic ---------------------------------------------------------------------------------------------------------


def needed_flops(cell: dict[str, Any]) -> float:
    """Floating-point operations that a P1 step cannot do without: the body's forward pass and the way back through it
    (no weight gradients), logits over all rows, the hidden states' gradient from them, and the new rows' gradient.
    """
    tokens, hidden, (base, new) = cell["sequences"] * LENGTH, cell["hidden"], cell["vocabulary"]
    weights = LAYERS * (4 + 3 * 4) * hidden**2
    attention = LAYERS * (2 + 4) * tokens * LENGTH * hidden  # scores and mix, causal: half of 2 x 2, and twice it back
    return 2 * 2 * tokens * weights + attention + 2 * tokens * hidden * (2 * (base + new) + new)


# The table ----------------------------------------------------------------------------------------------------------


def describe(cell: dict[str, Any]) -> str:
    base, new = cell["vocabulary"]
    return (
        f"{base:,} + {new:,} · {cell['hidden']} · {cell['sequences']} × {LENGTH} · "
        f"{'tied' if cell['tied'] else 'untied'} · {cell['precision']}"
    )


def figures(cell: dict[str, Any], check: bool) -> tuple[dict[str, dict], dict[str, float] | None]:
    """Each method's figures (or {"fault": why there are none}), and how far the three are apart, where asked for."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for method in METHODS:
            started = time.perf_counter()
            kept = Path(folder) / f"{method}.npz" if check else None
            try:
                found[method] = in_own_process(measure, cell, method, kept)
                if found[method]["others"] > QUIET:  # once more; the quieter of the two counts
                    again = in_own_process(measure, cell, method, kept)
                    found[method] = min(found[method], again, key=lambda one: one["others"])
            except RuntimeError as error:
                found[method] = {"fault": str(error)}
            said = found[method].get("fault") or (
                f"{found[method]['memory'] / MIB:,.0f} MiB, {found[method]['time']:.2f} s a step, "
                f"loss {found[method]['loss']:.5f}, {found[method]['trained']:,} parameters train, "
                f"others took {found[method]['others']:.0%} of the machine"
            )
            progress(f"{describe(cell)} · {method}: {said} ({time.perf_counter() - started:.0f} s)")
        return found, _disagreement(found, Path(folder)) if check else None


def _disagreement(found: dict[str, dict], folder: Path) -> dict[str, float]:
    """The largest relative difference of a rival's loss, and of its new rows' gradient (Frobenius), from wake2vec's."""
    import numpy as np

    ours, loss = list(np.load(folder / "wake2vec.npz").values()), found["wake2vec"]["loss"]
    losses, gradients = [], []
    for rival in METHODS[1:]:
        theirs = np.load(folder / f"{rival}.npz").values()
        losses.append(abs(found[rival]["loss"] - loss) / loss)
        gradients += [float(np.linalg.norm(b - a) / np.linalg.norm(a)) for a, b in zip(ours, theirs, strict=True)]
    return {"loss": max(losses), "gradient": max(gradients)}


def ratio(found: dict[str, dict], rival: str, quantity: str) -> float | None:
    """wake2vec's figure over a rival's; None where one is missing."""
    if "fault" in found["wake2vec"] or "fault" in found[rival]:
        return None
    return found["wake2vec"][quantity] / found[rival][quantity]


def _sound(found: dict[str, dict], rival: str, quantity: str) -> float | None:
    """The ratio, unless it is one of times that others disturbed."""
    busy = quantity == "time" and max(found[one].get("others", 0) for one in ("wake2vec", rival)) > QUIET
    return None if busy else ratio(found, rival, quantity)


def _cells(found: dict[str, dict]) -> list[str]:
    shown = []
    for method in METHODS:
        one = found[method]
        shown += ["no figure", "–"] if "fault" in one else [f"{one['memory'] / MIB:,.0f}", _time(one)]
    for rival in METHODS[1:]:
        for quantity in TITLES:
            value = ratio(found, rival, quantity)
            shown.append("–" if value is None else f"{value:.2f}")
    return shown


def _time(one: dict[str, Any]) -> str:
    return f"{one['time']:.2f}" + ("*" if one["others"] > QUIET else "")


def summary(results: list[tuple[dict, dict]]) -> list[str]:
    """Worst and median ratios, and where wake2vec is worse than PEFT."""
    lines = []
    large = [found for cell, found in results if cell["vocabulary"] == LARGE]
    for rival, where, chosen, targets in (
        ("notebooks", f"vocabulary {' + '.join(f'{n:,}' for n in LARGE)}", large, TARGETS),
        ("PEFT", "all cells", [found for _, found in results], dict.fromkeys(TITLES, 1)),
    ):
        for quantity in TITLES:
            values = [value for found in chosen if (value := _sound(found, rival, quantity)) is not None]
            if values:
                target = targets[quantity]
                within = sum(value <= target for value in values)
                lines.append(
                    f"- {quantity} against {rival}, {where}: worst {max(values):.2f}, median "
                    f"{statistics.median(values):.2f}, at most {target} in {within} of {len(values)} cells"
                )
    worse = [
        f"  - {describe(cell)}: {quantity} {value:.2f}"
        for cell, found in results
        for quantity in TITLES
        if (value := _sound(found, "PEFT", quantity)) is not None and value > 1
    ]
    disturbed = sum(one.get("others", 0) > QUIET for _, found in results for one in found.values())
    faults = [
        f"  - {describe(cell)}, {method}: {found[method]['fault']}"
        for cell, found in results
        for method in METHODS
        if "fault" in found[method]
    ]
    return [
        *lines,
        "- cells where wake2vec is worse than PEFT: " + ("" if worse else "none"),
        *worse,
        f"- times marked *, when others used more than {QUIET:.0%} of the machine, are left out above: {disturbed}",
        *(["- without a figure:", *faults] if faults else []),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few small cells, and whether the three agree")
    parser.add_argument("--out", type=Path, help="write the table to this file as well")
    arguments = parser.parse_args()
    import bitsandbytes  # noqa: F401  imported once, before the processes fork
    import peft  # noqa: F401
    import transformers

    import wake2vec.training.fit  # noqa: F401

    transformers.logging.set_verbosity_error()
    say = speaker(arguments.out)
    say(f"# One P1 step\n\n{machine()}\n")
    say("Ratios are wake2vec's figure over the rival's: below 1, wake2vec needs less. Memory is added memory in MiB.\n")
    titles = [f"{method} {unit}" for method in METHODS for unit in ("MiB", "s")]
    titles += [f"{quantity} ÷ {rival}" for rival in METHODS[1:] for quantity in TITLES]
    say(header("vocabulary · hidden · tokens · head · precision", *titles, "share of peak"))
    grid = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
    results, apart, started = [], [], time.perf_counter()
    for cell in QUICK if arguments.quick else grid:
        found, difference = figures(cell, check=arguments.quick)
        ours = found["wake2vec"]
        share = "–" if "fault" in ours else f"{needed_flops(cell) / ours['peak_flops'] / ours['time']:.0%}"
        say(row(describe(cell), *_cells(found), share))
        results.append((cell, found))
        if difference is not None:
            apart.append(difference)
    say("")
    for line in summary(results):
        say(line)
    wrong = []
    for cell, difference in zip(QUICK, apart, strict=False):
        say(
            f"- the three, {describe(cell)}: loss apart by {difference['loss']:.0e}, gradient of the new rows by "
            f"{difference['gradient']:.0e} (relative)"
        )
        if difference["loss"] > 1e-3 or difference["gradient"] > AGREE[cell["precision"]]:
            wrong.append(describe(cell))
    say(f"- {time.perf_counter() - started:.0f} s in all")
    if wrong:
        raise SystemExit(f"the three do not compute the same: {'; '.join(wrong)}")


if __name__ == "__main__":
    main()
