"""One training loop for every phase: transformers' Trainer, with our loss, our evaluation and lean checkpoints.

Held-out loss is measured by the same function that scores finished models (language/likelihood.py), so the last line
of a history and the score in the report are one number. Only what trains is saved.
"""

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from wake2vec.language.likelihood import bits_per_byte, token_nats
from wake2vec.model.assemble import load_named, trainable
from wake2vec.model.loss import cross_entropy
from wake2vec.model.rows import head_of, hidden_states
from wake2vec.storage import load_arrays, save_arrays
from wake2vec.text.encoding import Encoded
from wake2vec.training.checkpoints import complete, newest_checkpoint
from wake2vec.training.objectives import Objective

WEIGHTS = "trainable.safetensors"
OPTIMIZERS = {"adamw": "adamw_torch_fused", "adafactor": "adafactor"}
SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


@dataclass(frozen=True)
class Texts:
    """What a phase sees: training blocks [blocks, sequence], the held-out text, and a sample of the training text of
    like size, scored in the same way (their difference is the train/held-out gap).
    """

    blocks: np.ndarray
    held_out: Encoded
    train_sample: Encoded
    begin: int
    context: int
    stride: int


class Learner(nn.Module):
    """A causal model and, in P3, an objective on its new rows; its forward pass is the loss."""

    def __init__(self, causal: nn.Module, objective: Objective | None = None):
        super().__init__()
        self.causal, self.objective = causal, objective
        self.step = 0  # of the optimizer, for the objective's random pairs
        self.record, self.recorded = False, {}

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Mean next-token cross-entropy of ids [batch, sequence] in nats, plus the weighted objective."""
        hidden = hidden_states(self.causal, input_ids)[:, :-1].flatten(0, 1)
        recording = self.record and self.training and self.objective is not None
        loss = cross_entropy(hidden, input_ids[:, 1:].flatten(), *head_of(self.causal), repeatable=recording)
        if self.objective is None:
            return loss
        new = self.causal.get_input_embeddings().new
        terms = self.objective.terms(new, self.step)
        if recording:
            weights = {"lm": 1.0, **self.objective.weights}
            self.recorded = _term_logs({"lm": loss, **terms}, weights, new)
        return loss + self.objective.weighted(terms)


class PhaseTrainer(Trainer):
    """Trainer with wake2vec's loss, evaluation, best state and checkpoints."""

    def __init__(
        self, learner: Learner, args: TrainingArguments, texts: Texts, best: Path, patience: int | None, **options: Any
    ):
        super().__init__(
            learner, args, train_dataset=_Blocks(texts.blocks), eval_dataset=_Blocks(texts.blocks[:1]), **options
        )
        self.loss_is_scaled_for_ga = False  # the loss is a mean over the batch; accumulation divides it
        self.texts, self.best_path, self.patience = texts, best, patience

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        model.step = self.state.global_step
        model.record = (self.state.global_step + 1) % self.args.logging_steps == 0
        return model(**inputs)

    def evaluate(self, *_, **__) -> dict[str, float]:
        """Score held-out text and training sample; keep the trained state when it is the best so far."""
        causal, texts = self.model.causal, self.texts
        metrics = {}
        for name, encoded in (("heldout", texts.held_out), ("train_sample", texts.train_sample)):
            nats = token_nats(causal, encoded, texts.begin, texts.context, texts.stride)
            metrics[f"{name}_loss"] = float(np.concatenate(nats).mean(dtype=np.float64))
            if name == "heldout":
                metrics["heldout_bits_per_byte"] = bits_per_byte(nats, encoded)
        if self.model.objective is not None:
            metrics |= self.model.objective.measure(causal.get_input_embeddings().new)
        best = self.state.best_metric
        if best is None or metrics["heldout_loss"] < best:
            self.state.best_metric, self.state.best_global_step = metrics["heldout_loss"], self.state.global_step
            save_arrays(self.best_path, trainable(self.model))
        self.log(dict(metrics))
        since = [r for r in self.state.log_history if "heldout_loss" in r and r["step"] > self.state.best_global_step]
        if self.patience is not None and len(since) >= self.patience:
            self.control.should_training_stop = True
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        save_arrays(Path(output_dir) / WEIGHTS, trainable(self.model))

    def _save_checkpoint(self, model, trial) -> None:
        super()._save_checkpoint(model, trial)
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        complete(folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model=None) -> None:
        load_named(self.model, load_arrays(Path(resume_from_checkpoint) / WEIGHTS))


class _Blocks(torch.utils.data.Dataset):
    def __init__(self, blocks: np.ndarray):
        self.blocks = blocks

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"input_ids": torch.from_numpy(self.blocks[index])}


class _Progress(TrainerCallback):
    """Evaluates before the first step and after the last; logs P3's terms; prints one line of progress."""

    def __init__(self, name: str, tokens_per_step: int):
        self.name, self.tokens_per_step, self.trainer = name, tokens_per_step, None

    def on_train_begin(self, args, state, control, **_):
        self.started, self.first = time.monotonic(), state.global_step
        if state.global_step == 0:
            self.trainer.evaluate()

    def on_step_end(self, args, state, control, **_):
        if state.global_step >= state.max_steps:
            control.should_evaluate = control.should_log = True
        if control.should_save:
            control.should_log = (
                True  # the Trainer's running mean is in no checkpoint: a resumed run must begin a new one too
            )

    def on_log(self, args, state, control, logs=None, **_):
        if "loss" in logs:
            state.log_history[-1].update(self.trainer.model.recorded)
        said = [f"{label} {logs[key]:.3f}" for key, label in _SHOWN.items() if key in logs]
        if not said:
            return
        if done := state.global_step - self.first:
            seconds = time.monotonic() - self.started
            left = int(seconds / done * (state.max_steps - state.global_step))
            said += [f"{done * self.tokens_per_step / seconds:,.0f} tokens/s", f"{left // 60}:{left % 60:02d} left"]
        share = state.global_step / state.max_steps
        where = f"{self.name} step {state.global_step}/{state.max_steps} ({share:.0%})"
        print(" · ".join([where, *said]), file=sys.stderr, flush=True)


_SHOWN = {"loss": "loss", "heldout_loss": "held-out loss", "heldout_bits_per_byte": "bits/byte"}


def _term_logs(terms: Mapping[str, torch.Tensor], weights: Mapping[str, float], new: torch.Tensor) -> dict[str, float]:
    """Each term's value, and the norm of its weighted gradient on the new rows, before clipping: float32, this
    batch's.
    """
    logs = {}
    for name, term in terms.items():
        logs[f"loss_{name}"] = float(term.detach())
        gradient = (
            torch.autograd.grad(weights[name] * term, new, retain_graph=True)[0]
            if term.requires_grad
            else new.new_zeros(1)
        )
        logs["grad_norm_term" if name == "norm" else f"grad_{name}"] = float(gradient.norm())
    return logs


def fit(
    learner: Learner,
    texts: Texts,
    settings: Mapping[str, Any],
    seed: int,
    state: Path,
    name: str,
    callbacks: list | None = None,
) -> dict[str, Any]:
    """Train what requires a gradient in `learner`, resuming from `state` where it holds a complete checkpoint.

    settings: a phase's block of the configuration. Afterwards the learner is as it was after the last step;
    `state`/best.safetensors holds the best state by held-out loss.

    Returns what run.json reports: steps, best, losses, seconds, memory; and `history`, a DataFrame.
    """
    args = TrainingArguments(
        output_dir=str(state),
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
        save_total_limit=2,
        seed=seed,
        data_seed=seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        logging_nan_inf_filter=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    tokens_per_step = settings["batch"] * settings["accumulate"] * settings["sequence"]
    progress = _Progress(name, tokens_per_step)
    trainer = PhaseTrainer(
        learner, args, texts, state / "best.safetensors", settings["patience"], callbacks=[progress, *(callbacks or [])]
    )
    for unwanted in ("PrinterCallback", "ProgressCallback"):
        trainer.callback_handler.callbacks = [
            c for c in trainer.callback_handler.callbacks if type(c).__name__ != unwanted
        ]
    progress.trainer = trainer
    checkpoint = newest_checkpoint(state)
    if checkpoint is not None:
        print(f"{name}: resuming from {checkpoint}", file=sys.stderr, flush=True)
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    history = history_frame(trainer.state.log_history)
    evaluated = history.dropna(subset=["heldout_loss"])
    best = evaluated.loc[evaluated["step"] == trainer.state.best_global_step].iloc[0]
    steps = trainer.state.global_step
    return {
        "history": history,
        "steps": steps,
        "stopped_early": steps < settings["steps"],
        "best_step": int(trainer.state.best_global_step),
        "final_step": steps,
        "best_heldout_bits_per_byte": float(best["heldout_bits_per_byte"]),
        "final_heldout_bits_per_byte": float(evaluated.iloc[-1]["heldout_bits_per_byte"]),
        "first_train_loss": float(evaluated.iloc[0]["train_sample_loss"]),
        "final_train_loss": float(evaluated.iloc[-1]["train_sample_loss"]),
        "trainable_parameters": sum(p.numel() for p in learner.parameters() if p.requires_grad),
        "tokens_seen": steps * tokens_per_step,
        "seconds": time.monotonic() - started,
        "peak_memory_bytes": peak_memory(),
        "resumed_from": int(checkpoint.name.split("-")[1]) if checkpoint else None,
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
