"""P3's terms beside the optimizer: after each of its steps they move the rows by themselves (objectives.py says how
far, and why they are not part of the loss).

Rows that share their parts, E = S P + R, take half of what is asked of them into their residuals, and half goes into
the parts, of which each moves by the mean of what its words are asked:

    ΔR = U / 2,   ΔP = D⁻¹ Sᵀ U / 2,   E ← E + (U + S D⁻¹ Sᵀ U) / 2,        D = diag(Sᵀ 1), U [n, d] what is asked.

S D⁻¹ Sᵀ lengthens nothing, so that rows move no further than they are asked to, however many words have a part.
"""

import torch
from transformers import TrainerCallback

from wake2vec.training.factored import SharedParts
from wake2vec.training.trainer import Diverged, Learner

SAMPLE = 4096  # rows whose steps are measured


class Decoupled(TrainerCallback):
    """Moves the embedding's new rows by the terms of the learner's objective after each step of the optimizer, and
    records how far each of these moved a row in the steps that are logged.
    """

    def __init__(self, learner: Learner, shared: SharedParts | None = None):
        self.learner, self.shared, self.before = learner, shared, None
        rows = len(self._rows())
        self.sample = torch.arange(rows)[:: max(1, -(-rows // SAMPLE))].to(self._rows().device)

    def _rows(self) -> torch.Tensor:
        return self.learner.causal.get_input_embeddings().new

    @torch.no_grad()
    def on_pre_optimizer_step(self, args, state, control, **_):
        self.before = self._rows()[self.sample] if self.learner.record and len(self.sample) else None

    @torch.no_grad()
    def on_optimizer_step(self, args, state, control, optimizer=None, **_):
        rows, objective = self._rows(), self.learner.objective
        if self.before is not None:
            by_optimizer = (rows[self.sample] - self.before).norm(dim=1).mean()
        needed, move, terms, lengths = objective.moves(rows, state.global_step, optimizer.param_groups[0]["lr"])
        if self.before is not None:
            lengths = {"lm": by_optimizer} | lengths
            self.learner.recorded = {f"loss_{name}": float(value) for name, value in terms.items()} | {
                f"step_{name}": float(value) / objective.material.base_norm for name, value in lengths.items()
            }
        if not move.isfinite().all():
            step = state.global_step + 1
            raise Diverged(f"P3 step {step}: what the terms of the objective make of the rows is not a number.")
        if self.shared is not None:
            move /= 2
            self.shared.hand_on(self.learner.causal.get_input_embeddings(), needed, move)
        rows.data.index_add_(0, torch.from_numpy(needed).to(move.device), move)
