"""One training loop for every phase: transformers' Trainer, with our loss, our evaluation and our checkpoints.

Held-out loss is measured by the same function that scores finished models (language/likelihood.py), so the last line
of a history and the score in the report are one number. Only what trains is saved, and everything that a resumed run
needs to end bit for bit as an uninterrupted one (on a CPU).
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainerState, TrainingArguments

from wake2vec.errors import UserError
from wake2vec.language.likelihood import bits_per_byte, token_nats
from wake2vec.model.assemble import load_named, trainable
from wake2vec.model.loss import cross_entropy
from wake2vec.model.rows import head_of, hidden_states
from wake2vec.storage import load_arrays, save_arrays
from wake2vec.text.encoding import Encoded
from wake2vec.training import resume
from wake2vec.training.checkpoints import described, manifest_of, newest_checkpoint, save_checkpoint, thin_out
from wake2vec.training.objectives import Objective
from wake2vec.training.progress import Progress

WEIGHTS, STATE = "trainable.safetensors", "trainer_state.json"


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
    """A causal model and, in P3, an objective on its new rows; its forward pass is the loss, with the objective in it
    where that is not decoupled.
    """

    def __init__(self, causal: nn.Module, objective: Objective | None = None):
        super().__init__()
        self.causal, self.objective = causal, objective
        self.step = 0  # of the optimizer, for the objective's random pairs
        self.times = 1.0  # what the objective counts in this pass; 0 where another pass of the step has it
        self.record, self.recorded = False, {}

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Mean next-token cross-entropy of ids [batch, sequence] in nats, plus `times` the weighted objective."""
        coupled = self.objective is not None and not self.objective.decoupled
        aligning = coupled and self.times > 0
        recording = aligning and self.record and self.training
        if coupled:
            self.causal.get_input_embeddings().in_place = not recording
        hidden = hidden_states(self.causal, input_ids)[:, :-1].flatten(0, 1)
        loss = cross_entropy(hidden, input_ids[:, 1:].flatten(), *head_of(self.causal), repeatable=recording)
        if not aligning:
            return loss
        new = self.causal.get_input_embeddings().new
        terms = self.objective.terms(new, self.step)
        if recording:
            weights = {"lm": 1.0, **self.objective.weights}
            self.recorded = _term_logs({"lm": loss, **terms}, weights, new)
        return loss + self.times * self.objective.weighted(terms)


class PhaseTrainer(Trainer):
    """Trainer with wake2vec's loss, evaluation, best state, checkpoints and stops."""

    def __init__(
        self,
        learner: Learner,
        args: TrainingArguments,
        texts: Texts,
        settings: Mapping[str, Any],
        progress: Progress,
        parts: int,
        **options: Any,
    ):
        super().__init__(
            learner, args, train_dataset=_Blocks(texts.blocks), eval_dataset=_Blocks(texts.blocks[:1]), **options
        )
        self.loss_is_scaled_for_ga = False  # the loss is a mean over the batch; accumulation divides it
        self.texts, self.settings, self.progress = texts, settings, progress
        self.fingerprint = progress.values["fingerprint"]
        self.folder = Path(args.output_dir)
        self.parts = parts  # pieces that a batch is cut into, where the device's memory is too small for it
        self.best: dict[str, Any] | None = None  # the best state's file, as manifests name it
        self.seconds = 0.0  # spent by the processes before this one
        self.began = time.monotonic()
        self.blocks_of_step: list[torch.Tensor] = []  # on the device: to read them there costs a wait
        self.asked_to_stop = threading.Event()

    # One step ---------------------------------------------------------------------------------------------------------

    def training_step(self, model, inputs, num_items_in_batch=None):
        """The gradient of one batch, in as many pieces as memory needs; the sum is the whole batch's.

        An objective in the loss is the same for all batches of an optimizer step. It is made once, in the last pass,
        and counts there what it is divided by.
        """
        self.blocks_of_step.append(inputs["index"])
        ids = inputs["input_ids"]
        pieces, loss = ids.chunk(self.parts), 0.0
        for number, piece in enumerate(pieces, 1):
            self.share = len(piece) / len(ids)
            last = self.accelerator.sync_gradients and number == len(pieces)
            model.times = self.current_gradient_accumulation_steps / self.share if last else 0.0
            loss = loss + super().training_step(model, {"input_ids": piece}, num_items_in_batch)
        return loss

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        model.step = self.state.global_step
        step = self.state.global_step + 1
        model.record = step % self.args.logging_steps == 0 or step == self.state.max_steps  # as they are logged
        loss = model(**inputs)
        return loss if self.share == 1 else loss * self.share

    def _get_grad_norm(self, model, grad_norm=None):
        """Called before the optimizer's step: nothing that is not a number may reach the weights."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        if not np.isfinite(float(norm)):
            step, blocks = self.state.global_step + 1, sorted(torch.cat(self.blocks_of_step).tolist())
            raise Diverged(
                f"{self.progress.name} step {step}: the gradient is {float(norm)}, so the loss is no longer a number, "
                f"in blocks {', '.join(map(str, blocks))} of {len(self.texts.blocks)} "
                f"(of {self.texts.blocks.shape[1]} tokens each) of the training text."
            )
        self.blocks_of_step = []
        return norm

    def log(self, logs, start_time=None) -> None:
        """A line of the history; P3's has its terms."""
        if "loss" in logs:
            logs, self.model.recorded = logs | self.model.recorded, {}
        super().log(logs, start_time)

    # Evaluation -------------------------------------------------------------------------------------------------------

    def evaluate(self, *_, **__) -> dict[str, float]:
        """Score held-out text and training sample; keep the trained state when it is the best so far."""
        started = time.monotonic()
        causal, texts = self.model.causal, self.texts
        metrics = {}
        for name, encoded in (("heldout", texts.held_out), ("train_sample", texts.train_sample)):
            self.progress.say("evaluating")
            nats = token_nats(causal, encoded, texts.begin, texts.context, texts.stride)
            metrics[f"{name}_loss"] = float(np.concatenate(nats).mean(dtype=np.float64))
            if name == "heldout":
                metrics["heldout_bits_per_byte"] = bits_per_byte(nats, encoded)
        if self.model.objective is not None:
            metrics |= self.model.objective.measure(causal.get_input_embeddings().new)
        self.progress.silence = time.monotonic() - started  # so long a silence is no stall
        if self.state.best_metric is None or metrics["heldout_loss"] < self.state.best_metric:
            step = self.state.global_step
            path = self.folder / f"best-{step}.safetensors"
            self._saving(lambda: save_arrays(path, trainable(self.model), hashed=False))
            self.best = {"step": step, "file": path.name} | described(path)
            self.state.best_metric, self.state.best_global_step = metrics["heldout_loss"], step
        self.log(dict(metrics))
        if reason_to_stop(self.state.log_history, self.state.best_global_step, self.settings):
            # saved at once: what was decided must not be decided anew after a kill
            self.control.should_training_stop = self.control.should_save = True
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    # Checkpoints ------------------------------------------------------------------------------------------------------

    def _save_checkpoint(self, model, trial) -> None:
        self.progress.say("saving")
        self._saving(
            lambda: save_checkpoint(self.folder, self.state.global_step, self._write, self.fingerprint, self.best)
        )
        thin_out(self.folder, self.settings["keep_checkpoints"], self.best)
        if self.progress.mirrors is not None:
            self.progress.mirrors.push()

    def _write(self, folder: Path) -> None:
        save_arrays(folder / WEIGHTS, trainable(self.model), hashed=False)
        running = {
            "loss": float(self._tr_loss),
            "logged_at": self._globalstep_last_logged,
            "seconds": self.seconds_in_all(),
            "parts": self.parts,
        }
        resume.save_state(folder, self.optimizer, self.lr_scheduler, running)
        self.state.save_to_json(str(folder / STATE))

    def _saving(self, save) -> None:
        """Save; where the disk is full, free what older checkpoints take and try once more."""
        try:
            return save()
        except OSError:
            thin_out(self.folder, 1, self.best)
        try:
            return save()
        except OSError as error:
            kept = newest_checkpoint(self.folder, self.fingerprint)
            raise UserError(
                f"{self.folder}: step {self.state.global_step} could not be saved: {error.strerror or error}. "
                + (f"{kept.name} is there and whole. " if kept else "")
                + "Free some space and run the same command again: it goes on from there."
            ) from None

    def seconds_in_all(self) -> float:
        return self.seconds + time.monotonic() - self.began

    def restore(self, folder: Path, state: TrainerState) -> None:
        """The learner as it was when a checkpoint was saved, with the Trainer's state from there."""
        self._load_from_checkpoint(str(folder))
        self.state = state

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model=None) -> None:
        folder = Path(resume_from_checkpoint)
        load_named(self.model, load_arrays(folder / WEIGHTS))
        self.best = manifest_of(folder)["best"]
        self.seconds = resume.read_scalars(folder)["running"]["seconds"]

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            resume.load_optimizer(Path(checkpoint), self.optimizer, self.lr_scheduler)

    def _load_scaler(self, checkpoint: str | None) -> None:
        """Gradients are float32 and never scaled."""

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            resume.restore_random(Path(checkpoint))


class Loop(TrainerCallback):
    """Evaluates before the first step and after the last, stops where it is asked to, and goes on with the mean of the
    training loss that a checkpoint left unfinished.
    """

    def __init__(self, checkpoint: Path | None):
        self.checkpoint, self.trainer = checkpoint, None

    def on_train_begin(self, args, state, control, **_):
        if self.checkpoint is None:
            self.trainer.evaluate()
            return
        state.save_steps = args.save_steps  # the checkpoint's state has that of its own time
        running = resume.read_scalars(self.checkpoint)["running"]
        self.trainer._tr_loss.fill_(running["loss"])
        self.trainer._globalstep_last_logged = running["logged_at"]

    def on_step_end(self, args, state, control, **_):
        if state.global_step >= state.max_steps:
            control.should_evaluate = control.should_log = True
        elif self.trainer.asked_to_stop.is_set():
            control.should_save = control.should_training_stop = True


class Diverged(Exception):
    """The loss or its gradient is not a number."""


def reason_to_stop(log: list[dict[str, float]], best_step: int, settings: Mapping[str, Any]) -> str | None:
    """Why training ends before its last step, by the evaluations so far; None to go on.

    `patience`: that many evaluations since the best one. `max_gap`: held-out loss above the training sample's, in nats
    per token.
    """
    evaluated = [entry for entry in log if "heldout_loss" in entry]
    since = [entry for entry in evaluated if entry["step"] > best_step]
    patience, most = settings["patience"], settings["max_gap"]
    if patience is not None and len(since) >= patience:
        return f"{len(since)} evaluations without a better one"
    if most is not None and evaluated:
        gap = evaluated[-1]["heldout_loss"] - evaluated[-1]["train_sample_loss"]
        if gap > most:
            return f"held-out loss is {gap:.2f} nats above the training sample's, more than max_gap {most:g}"
    return None


class _Blocks(torch.utils.data.Dataset):
    def __init__(self, blocks: np.ndarray):
        self.blocks = blocks

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": torch.from_numpy(self.blocks[index]), "index": index}


def _term_logs(terms: Mapping[str, torch.Tensor], weights: Mapping[str, float], new: torch.Tensor) -> dict[str, float]:
    """Each term's value, and the norm of its weighted gradient on the new rows, before clipping: float32. The language
    model's are those of a step's last batch.
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
