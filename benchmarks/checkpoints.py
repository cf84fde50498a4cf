"""What a checkpoint costs: bytes against those that it must hold, and seconds against the steps between two of them.

    python benchmarks/checkpoints.py --out benchmarks/checkpoints.md     # a few minutes, 12 GiB of memory
    python benchmarks/checkpoints.py --quick                             # a small matrix, no model

44,500 new rows of 2,048 numbers, once (shared with the head) and twice (the head has its own), with AdamW's two
moments: float32. wake2vec's checkpoint is saved by the functions that training uses: safetensors, flushed to the disk,
every file hashed, manifest last. The rival is torch.save of the same tensors into one file, flushed to the disk: not
hashed. Then both are brought back; wake2vec checks every hash first.

The step is P1's, at TinyLlama's shape (22 layers, 2,048 wide, 32,000 + 44,500 rows, untied, float32, random weights),
as the study trains it: 16 sequences of 256 tokens, one after the other, of which two are measured.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from common import MIB, header, in_own_process, machine, row, speaker

ROWS, HIDDEN, LENGTH, SEQUENCES, EVERY = 44_500, 2048, 256, 16, 50


def trained(matrices: int, rows: int) -> tuple[Any, Any, Any]:
    """Parameters with an optimizer that has taken a step, and a schedule."""
    import torch

    parameters = [torch.nn.Parameter(torch.randn(rows, HIDDEN)) for _ in range(matrices)]
    optimizer = torch.optim.AdamW(parameters, fused=True)
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    return parameters, optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)


def cost(matrices: int, rows: int, method: str) -> dict[str, float]:
    """{"bytes", "needed", "save", "load"}: of one checkpoint, in seconds (the better of two) and bytes."""
    import torch

    parameters, optimizer, schedule = trained(matrices, rows)
    save, load = {"wake2vec": _ours, "torch.save": _pickled}[method](parameters, optimizer, schedule)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        saves, loads = [], []
        for _ in range(2):
            started = time.perf_counter()
            save(folder)
            saves.append(time.perf_counter() - started)
        for _ in range(2):
            started = time.perf_counter()
            load(folder)
            loads.append(time.perf_counter() - started)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    needed = 3 * sum(parameter.numel() * 4 for parameter in parameters)
    assert all(torch.isfinite(parameter).all() for parameter in parameters)
    return {"bytes": size, "needed": needed, "save": min(saves), "load": min(loads)}


def _ours(parameters, optimizer, schedule):
    from wake2vec.storage import load_arrays, save_arrays
    from wake2vec.training import resume
    from wake2vec.training.checkpoints import newest_checkpoint, save_checkpoint

    def write(folder: Path) -> None:
        arrays = {str(i): parameter.detach().numpy() for i, parameter in enumerate(parameters)}
        save_arrays(folder / "trainable.safetensors", arrays, hashed=False)
        resume.save_state(folder, optimizer, schedule, {})

    def load(folder: Path) -> None:
        import torch

        checkpoint = newest_checkpoint(folder, "benchmark")
        for name, array in load_arrays(checkpoint / "trainable.safetensors").items():
            parameters[int(name)].data.copy_(torch.from_numpy(array))
        resume.load_optimizer(checkpoint, optimizer, schedule)

    return lambda folder: save_checkpoint(folder, 50, write, "benchmark", None), load


def _pickled(parameters, optimizer, schedule):
    import torch

    from wake2vec.storage import flush

    def save(folder: Path) -> None:
        state = {"rows": [p.detach() for p in parameters], "optimizer": optimizer.state_dict()}
        torch.save(state | {"schedule": schedule.state_dict()}, folder / "checkpoint.pt")
        flush(folder / "checkpoint.pt")

    def load(folder: Path) -> None:
        state = torch.load(folder / "checkpoint.pt", weights_only=True)
        for parameter, saved in zip(parameters, state["rows"], strict=True):
            parameter.data.copy_(saved)
        optimizer.load_state_dict(state["optimizer"])

    return save, load


def step() -> float:
    """Seconds of one P1 step at TinyLlama's shape: 16 times one sequence's forward and backward pass."""
    import numpy as np
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from wake2vec.model.rows import freeze, inject, train_rows
    from wake2vec.training.trainer import Learner

    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=HIDDEN,
        intermediate_size=5632,
        num_hidden_layers=22,
        num_attention_heads=32,
        num_key_value_heads=4,
        tie_word_embeddings=False,
        pad_token_id=None,
    )
    causal = LlamaForCausalLM(config).eval()
    freeze(causal)
    new = np.random.default_rng(0).standard_normal((ROWS, HIDDEN), np.float32) * 0.02
    inject(causal, new, new, "separate")
    train_rows(causal, "new")
    learner, times = Learner(causal), []
    for _ in range(3):
        ids = torch.randint(32_000 + ROWS, (1, LENGTH))
        started = time.perf_counter()
        learner(ids).backward()
        times.append(time.perf_counter() - started)
    return SEQUENCES * sum(times[1:]) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small matrix, and no model")
    parser.add_argument("--out", type=Path, help="write the table to this file as well")
    arguments = parser.parse_args()
    import transformers  # noqa: F401  imported once, before the processes fork

    import wake2vec.training.trainer  # noqa: F401

    rows = 2_000 if arguments.quick else ROWS
    say = speaker(arguments.out)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    say(f"# A checkpoint\n\n{machine()} · {free / 2**30:.0f} GiB free in {tempfile.gettempdir()}\n")
    say(header(f"{rows:,} x {HIDDEN} rows", "MiB", "÷ needed", "save s", "load s", "÷ torch.save, save", "load"))
    saves = {}
    for matrices, name in ((1, "once"), (2, "twice")):
        found = {method: in_own_process(cost, matrices, rows, method) for method in ("wake2vec", "torch.save")}
        rival = found["torch.save"]
        saves[name] = found["wake2vec"]["save"]
        for method, one in found.items():
            ratios = [f"{one[what] / rival[what]:.2f}" for what in ("save", "load")]
            share = f"{one['bytes'] / one['needed']:.5f}"
            figures = [f"{one['bytes'] / MIB:,.1f}", share, f"{one['save']:.2f}", f"{one['load']:.2f}"]
            say(row(f"{name}, {method}", *figures, *ratios))
    if not arguments.quick:
        seconds = in_own_process(step)
        say(f"\n- a P1 step at TinyLlama's shape, {SEQUENCES} x {LENGTH} tokens: {seconds:.1f} s")
        say(f"- a checkpoint every {EVERY} steps slows it by {saves['twice'] / EVERY / seconds:.3%}")
        limit = saves["twice"] / EVERY / 0.03
        say(f"- it would be 3 % where a step takes {limit:.2f} s, on a disk like this one")


if __name__ == "__main__":
    main()
