"""Rows that share what they are made of, so that a word seen once learns from every word that shares its parts.

    E(w) = mean of the vectors of w's parts + r(w)        E = S P + R

S [n, m] is sparse and its rows sum to 1; P [m, d] are the parts' vectors, which start from the base's; R [n, d] are the
residuals, what a word is besides its parts. Both train. A step with the gradient G = dL/dE and the optimizer's moves ΔP
and ΔR is

    dL/dR = G,   dL/dP = Sᵀ G,   P ← P + ΔP,   R ← κ (R + ΔR),   κ = 1 - learning rate · residual decay

(the penalty on R is decoupled from the optimizer's scaling, as in AdamW: Loshchilov & Hutter 2019, Decoupled weight
decay regularization). R is not kept: the rest of the model knows E alone, the optimizer moves it as it would move R,
and then

    E ← κ E + S (P_after - κ P_before).

So a step costs two sparse products more than with free rows, and memory for P five times over.

The control has other words' parts S', and what it must not have is another start: were S' P all that the penalty leaves
of a row, a word would be drawn to words that it has nothing in common with, and training with parts might win for that
alone. So the rows begin at their own parts' vectors P_0, as the base has them, and share what is learned from there on:

    E = S P_0 + S' (P - P_0) + R,        E ← κ E + S' (P_after - κ P_before) + (1 - κ) (S - S') P_0.

A second control, S' = 0, shares nothing: each row learns by itself, under the same penalty, which draws it to S P_0.

Where an earlier phase made the rows of their own parts, P_0 is what these had become by then; where it was the control
itself, P goes on from there, under the same S'.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import nn
from transformers import TrainerCallback

PARTS = ("parts", "shuffled_parts")  # in a file of rows: of factored rows, and of their controls
HANDED_ROUND = 42  # the seed of S', one for all runs, so that a run's P3 can go on from another's P1


class SharedParts(TrainerCallback):
    """Hands the rows' gradient on to their parts before the optimizer's step, and moves the rows with their parts after
    it.

    modules: the embedding and, where it has rows of its own, the head, each with `new` [n, d] and `parts` [m, d].
    composition: S. decay: of the residuals, per unit of learning rate. control: S' of the control and P_0, one for
    each module; then `composition` is only where rows begin, and where the penalty draws them.
    """

    def __init__(
        self,
        modules: list[nn.Module],
        composition: csr_array,
        decay: float,
        control: tuple[csr_array, list[torch.Tensor]] | None = None,
    ):
        self.modules, self.decay = modules, decay
        device = modules[0].new.device
        shared, self.origins = control or (composition, [None] * len(modules))
        self.apart = _sparse(csr_array(composition - shared), device) if control else None
        self.compose, self.spread = _sparse(shared, device), _sparse(csr_array(shared.T), device)
        asked = shared.sum(axis=0)
        self.mean = csr_array(shared.multiply(np.divide(1, asked, where=asked > 0, out=np.zeros_like(asked))))
        # kept from step to step: fresh memory costs as much as the products
        self.before = [module.parts.detach().clone() for module in modules]
        self.gradients = [torch.zeros_like(before) for before in self.before]

    @torch.no_grad()
    def on_pre_optimizer_step(self, args, state, control, **_):
        for module, before, gradient in zip(self.modules, self.before, self.gradients, strict=True):
            before.copy_(module.parts)
            if module.new.grad is not None:
                torch.addmm(gradient, self.spread, module.new.grad, beta=0, out=gradient)
                module.parts.grad = gradient

    @torch.no_grad()
    def on_optimizer_step(self, args, state, control, optimizer=None, **_):
        kept = 1 - optimizer.param_groups[0]["lr"] * self.decay
        for module, before, origin in zip(self.modules, self.before, self.origins, strict=True):
            change = before.mul_(-kept).add_(module.parts)
            module.new.data.addmm_(self.compose, change, beta=kept)
            if self.apart is not None:
                module.new.data.addmm_(self.apart, origin, alpha=1 - kept)

    @torch.no_grad()
    def hand_on(self, module: nn.Module, rows: np.ndarray, move: torch.Tensor) -> None:
        """Move parts by the mean of what their rows are asked (numbers [k], vectors [k, d]), and all rows with them."""
        change = _sparse(csr_array(self.mean[rows].T), move.device) @ move
        module.parts.data.add_(change)
        module.new.data.addmm_(self.compose, change)


def _sparse(matrix: csr_array, device: torch.device) -> torch.Tensor:
    """A SciPy matrix as torch's compressed sparse rows, float32."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch calls its sparse rows "beta"
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data.astype(np.float32)),
            size=matrix.shape,
            check_invariants=True,
        ).to(device)


def hand_round(composition: csr_array, words: Sequence[str], rng: np.random.Generator) -> csr_array:
    """S' of the control: every word has the parts of another, and its forms share them as they did.

    words: of each row. The words stand in a random circle, and each passes its parts to the next.
    """
    rows: dict[str, list[int]] = {}
    for row, word in enumerate(words):
        rows.setdefault(word, []).append(row)
    circle = [list(rows)[i] for i in rng.permutation(len(rows))]
    giver = np.empty(len(words), np.int64)
    for word, other in zip(circle, circle[1:] + circle[:1], strict=True):
        giver[rows[word]] = np.resize(rows[other], len(rows[word]))
    return composition[giver]


def share_parts(
    causal: nn.Module,
    composition: csr_array,
    vectors: Mapping[str, np.ndarray],
    decay: float,
    control: tuple[csr_array, Mapping[str, np.ndarray]] | None = None,
) -> SharedParts:
    """Give embedding and head the vectors of their parts, which train, and return what a training loop has to call.

    vectors: "embedding" and, where the head has rows of its own, "head" -> P [m, d]. control: S' and P_0 of both sides.
    The rows stay where they are: what they are besides their parts is their residual.
    """
    embedding, head = causal.get_input_embeddings(), causal.get_output_embeddings()
    modules = {"embedding": embedding} if head.new is embedding.new else {"embedding": embedding, "head": head}
    device = embedding.new.device

    def placed(matrices: Mapping[str, np.ndarray]) -> list[torch.Tensor]:
        return [torch.from_numpy(np.array(matrices[side], np.float32)).to(device) for side in modules]

    for module, parts in zip(modules.values(), placed(vectors), strict=True):
        module.parts, module.parts_name = nn.Parameter(parts, requires_grad=True), PARTS[control is not None]
    others = None if control is None else (control[0], placed(control[1]))
    return SharedParts(list(modules.values()), composition, decay, others)


def base_matrices(causal: nn.Module) -> dict[str, np.ndarray]:
    """Base rows of embedding and, where it has new rows of its own, head, float32."""
    embedding, head = causal.get_input_embeddings(), causal.get_output_embeddings()
    sides = {"embedding": embedding} if head.new is embedding.new else {"embedding": embedding, "head": head}
    return {side: module.base.detach().float().cpu().numpy() for side, module in sides.items()}


def parts_of(arrays: Mapping[str, np.ndarray], composition: csr_array, control: bool = False) -> dict[str, np.ndarray]:
    """The vectors of the parts that an earlier phase, or one that was the control, saved with its rows; empty where it
    saved none of this number.
    """
    end = f".{PARTS[control]}"
    saved = {name.removesuffix(end): array for name, array in arrays.items() if name.endswith(end)}
    return saved if all(len(array) == composition.shape[1] for array in saved.values()) else {}


def summary(composition: csr_array, names: list[tuple[str, str]]) -> dict[str, Any]:
    """What run.json says of the parts: how many there are of each role, and how many rows share one."""
    users = np.bincount(composition.indices, minlength=composition.shape[1])
    roles = [role for role, _ in names]
    return {
        "vectors": len(names),
        "roles": {role: roles.count(role) for role in dict.fromkeys(roles)},
        "shared_by_two_rows_or_more": int((users > 1).sum()),
    }
