"""Fit a phase: resume, train, cope with what goes wrong, and say what came of it."""

import gc
import json
import resource
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import TrainerState, TrainingArguments

from wake2vec.errors import Interrupted, UserError, out_of_memory
from wake2vec.model.assemble import load_named
from wake2vec.storage import load_arrays, write_text
from wake2vec.training import resume
from wake2vec.training.checkpoints import checkpoints_of, manifest_of, newest_checkpoint
from wake2vec.training.mirrors import Mirrors, pull
from wake2vec.training.progress import Progress
from wake2vec.training.tiers import check_places
from wake2vec.training.trainer import STATE, Diverged, Learner, Loop, PhaseTrainer, Texts, reason_to_stop

STOPPED = "stopped.json"  # a run that cannot go on, and why
OPTIMIZERS = {"adamw": "adamw_torch_fused", "adafactor": "adafactor"}
SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
GRACE = {"finished": 600.0}  # seconds that the last copies may take; less where the machine is about to go


def fit(
    learner: Learner,
    texts: Texts,
    settings: Mapping[str, Any],
    seed: int,
    state: Path,
    name: str,
    fingerprint: str,
    callbacks: list | None = None,
    tiers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Train what requires a gradient in `learner`, resuming from the newest complete checkpoint of this fingerprint.

    settings: a phase's block of the configuration. state: its folder, taken with `begin_state`. tiers: names and places
    of its copies. Afterwards the learner is as it was after the last step.

    Returns what run.json reports: steps, best, losses, seconds, memory; `history`, a DataFrame; and `best`, the file
    with the best state by held-out loss. Raises Interrupted when a scheduler asked the process to stop (its work is
    saved then), UserError where training cannot go on.
    """
    refuse_what_stopped(state, fingerprint)
    tokens = settings["batch"] * settings["accumulate"] * settings["sequence"]
    check_places(tiers or {})
    if fetched := pull(state, tiers, fingerprint) if tiers else None:
        print(f"{name}: {fetched}", file=sys.stderr, flush=True)
    mirrors = Mirrors(state, tiers, settings["keep_checkpoints"]) if tiers else None
    if mirrors is not None:
        mirrors.push()  # what is here and not there, and so that every tier is known to be good
    progress = Progress(name, state, tokens, fingerprint, mirrors)
    checkpoint = newest_checkpoint(state, fingerprint)
    resumed_from = manifest_of(checkpoint)["step"] if checkpoint else None
    end, why = "finished", None
    try:
        trainer = _train_in_memory(learner, texts, settings, seed, checkpoint, progress, callbacks)
    except BaseException as error:
        end, why = "interrupted" if isinstance(error, Interrupted) else "stopped", str(error) or type(error).__name__
        raise
    finally:
        progress.close(end, why)
        if mirrors is not None:
            mirrors.finish(GRACE.get(end, 30.0))
    return _values(trainer, settings, tokens, resumed_from)


def _train_in_memory(learner, texts, settings, seed, checkpoint, progress, callbacks) -> PhaseTrainer:
    """Train; where the device's memory does not hold a batch, go on from the last checkpoint in smaller pieces."""
    name, state, fingerprint = progress.name, progress.folder, progress.values["fingerprint"]
    parts = resume.read_scalars(checkpoint)["running"]["parts"] if checkpoint else 1
    while True:
        trainer = _trainer(learner, texts, settings, seed, progress, parts, callbacks, checkpoint)
        try:
            _train(trainer, checkpoint)
            return trainer
        except Diverged as error:
            raise UserError(_stop(state, fingerprint, str(error))) from None
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            said = str(error).split("\n")[0]
        del trainer  # and with it all that it holds in memory
        learner.zero_grad(set_to_none=True)
        gc.collect()
        torch.cuda.empty_cache()
        if parts >= settings["batch"]:
            raise UserError(_too_little_memory(name, settings, said))
        parts *= 2
        print(_smaller(name, settings, parts, said), file=sys.stderr, flush=True)
        checkpoint = newest_checkpoint(state, fingerprint)
        if checkpoint is None and (initial := state / "best-0.safetensors").exists():
            load_named(learner, load_arrays(initial))


def _trainer(learner, texts, settings, seed, progress, parts, callbacks, checkpoint) -> PhaseTrainer:
    args = TrainingArguments(
        output_dir=str(progress.folder),
        max_steps=settings["steps"],
        learning_rate=settings["learning_rate"],
        lr_scheduler_type=SCHEDULES[settings["schedule"]],
        warmup_steps=settings["warmup"],
        optim=OPTIMIZERS[settings["optimizer"]],
        weight_decay=settings["weight_decay"],
        per_device_train_batch_size=settings["batch"],
        gradient_accumulation_steps=settings["accumulate"],
        max_grad_norm=settings["max_grad_norm"],
        logging_steps=settings["log_every"],
        eval_strategy="steps",
        eval_steps=settings["evaluate_every"],
        save_strategy="steps",
        save_steps=settings["checkpoint_every"],
        seed=seed,
        data_seed=seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        logging_nan_inf_filter=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),  # as the base is loaded; not a Mac's own
    )
    # transformers would give each GPU that it sees a copy of the learner, and the copies' gradients are lost
    if args.device.type == "cuda":  # asked for first, since that counts them
        args._n_gpu = 1
    loop = Loop(checkpoint)
    callbacks = [progress, loop, *(callbacks or [])]
    trainer = PhaseTrainer(learner, args, texts, settings, progress, parts, callbacks=callbacks)
    for unwanted in ("PrinterCallback", "ProgressCallback"):
        trainer.callback_handler.callbacks = [
            c for c in trainer.callback_handler.callbacks if type(c).__name__ != unwanted
        ]
    loop.trainer = trainer
    return trainer


def _train(trainer: PhaseTrainer, checkpoint: Path | None) -> None:
    """Train to the end, or find that a checkpoint has come to the end already."""
    name = trainer.progress.name
    if checkpoint is not None:
        state = TrainerState.load_from_json(str(checkpoint / STATE))
        over = reason_to_stop(state.log_history, state.best_global_step, trainer.settings)
        if state.global_step >= trainer.settings["steps"] or over:
            print(
                f"{name}: trained already with these settings and inputs; what it came to is taken from {checkpoint}. "
                f"To train anew, delete {checkpoint.parent}.",
                file=sys.stderr,
                flush=True,
            )
            trainer.restore(checkpoint, state)
            return
        print(f"{name}: resuming from {checkpoint}", file=sys.stderr, flush=True)
    with _heeding(trainer.asked_to_stop):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    state = trainer.state
    over = reason_to_stop(state.log_history, state.best_global_step, trainer.settings)
    if over:
        print(f"{name}: stopped after step {state.global_step}: {over}", file=sys.stderr, flush=True)
    elif state.global_step < trainer.settings["steps"]:
        raise Interrupted(
            f"{name}: asked to stop. checkpoint-{state.global_step} is saved; the same command goes on from there."
        )


@contextmanager
def _heeding(event: threading.Event) -> Iterator[None]:
    """Set `event` when a scheduler says that the end is near (SIGTERM, or Slurm's SIGUSR1), or a user (Ctrl-C, SIGINT),
    instead of dying. A second Ctrl-C stops at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may listen to signals
        return
    before = {}

    def heed(number: int, _) -> None:
        event.set()
        if number == signal.SIGINT:
            signal.signal(number, before[number])

    heeded = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
    before |= {s: signal.signal(s, heed) for s in heeded if signal.getsignal(s) != signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _smaller(name: str, settings: Mapping[str, Any], parts: int, said: str) -> str:
    size = -(-settings["batch"] // parts)
    return (
        f"{name}: out of memory ({said}). Going on with {size} of {settings['batch']} sequences at a time; a step "
        f"still learns from all of them. `batch: {size}, accumulate: {settings['accumulate'] * parts}` says the same."
    )


def _too_little_memory(name: str, settings: Mapping[str, Any], said: str) -> str:
    return (
        f"{name}: out of memory even with one sequence of {settings['sequence']} tokens at a time ({said}). Lower "
        f"{name.lower()}.sequence, use `quantisation: nf4`, or a larger device; results/{{model}}/plan.md says how "
        "much each phase needs."
    )


def _stop(state: Path, fingerprint: str, reason: str) -> str:
    """Remember that this run cannot go on, so that a retry does not find it out again at length."""
    checkpoints = [path.name for path in checkpoints_of(state)]
    kept = (
        f"The state before is kept ({', '.join(checkpoints)})." if checkpoints else "No checkpoint had been saved yet."
    )
    message = (
        f"{reason} {kept} Nothing was written from this step. A lower learning_rate, or a max_grad_norm above 0, may "
        f"help; to try the same settings again, delete {state / STOPPED}."
    )
    write_text(state / STOPPED, json.dumps({"fingerprint": fingerprint, "message": message}))
    return message


def refuse_what_stopped(state: Path, fingerprint: str) -> None:
    """Raise UserError where these settings have already led to a stop."""
    path = state / STOPPED
    if path.exists():
        said = json.loads(path.read_text("utf-8"))
        if said["fingerprint"] == fingerprint:
            raise UserError(said["message"])


def _values(
    trainer: PhaseTrainer, settings: Mapping[str, Any], tokens: int, resumed_from: int | None
) -> dict[str, Any]:
    """What run.json reports of a finished phase."""
    history = history_frame(trainer.state.log_history)
    evaluated = history.dropna(subset=["heldout_loss"])
    best = evaluated.loc[evaluated["step"] == trainer.state.best_global_step].iloc[0]
    steps = trainer.state.global_step
    return {
        "history": history,
        "best": trainer.folder / trainer.best["file"],
        "steps": steps,
        "stopped_early": steps < settings["steps"],
        "stopped_because": reason_to_stop(trainer.state.log_history, trainer.state.best_global_step, settings),
        "best_step": int(trainer.state.best_global_step),
        "final_step": steps,
        "best_heldout_bits_per_byte": float(best["heldout_bits_per_byte"]),
        "final_heldout_bits_per_byte": float(evaluated.iloc[-1]["heldout_bits_per_byte"]),
        "first_train_loss": float(evaluated.iloc[0]["train_sample_loss"]),
        "final_train_loss": float(evaluated.iloc[-1]["train_sample_loss"]),
        "trainable_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "tokens_seen": steps * tokens,
        "batch_in_parts": trainer.parts,
        "seconds": trainer.seconds_in_all(),
        "peak_memory_bytes": peak_memory(),
        "resumed_from": resumed_from,
    }


HISTORY_COLUMNS = {
    "step": "step",
    "loss": "train_loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "heldout_loss": "heldout_loss",
    "heldout_bits_per_byte": "heldout_bits_per_byte",
    "train_sample_loss": "train_sample_loss",
}


def history_frame(log: list[dict[str, float]]) -> pd.DataFrame:
    """One row a step from the Trainer's log: what was logged and what was evaluated there, side by side."""
    rows: dict[int, dict[str, float]] = {}
    for entry in log:
        if "loss" in entry or "heldout_loss" in entry:
            rows.setdefault(entry["step"], {}).update(entry)
    frame = pd.DataFrame([rows[step] for step in sorted(rows)]).drop(columns="epoch", errors="ignore")
    frame = frame.rename(columns=HISTORY_COLUMNS)
    first = [column for column in HISTORY_COLUMNS.values() if column in frame]
    return frame[first + sorted(set(frame) - set(first))]


def peak_memory() -> int:
    """Bytes: the GPU's peak where one is used, this process's otherwise."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
