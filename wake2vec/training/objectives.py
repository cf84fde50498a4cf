"""P3's terms: rows drawn towards their parts, kept apart from each other, and kept at the base's length.

    L = L_lm + λ_m L_morpheme + λ_r L_repulsion + λ_n L_norm

    L_morpheme   cosine: mean over pairs of 1 - cos(E(w), t(w)),  t(w) = mean of w's part vectors (base rows, constant)
                 mse:    mean over pairs and dimensions of (E(w) - t(w))², the published form, whose gradient at λ =
                 0.1 lies
                         below Adam's epsilon
    L_repulsion  mean of cos(E(v), E(w))² over pairs of different words, drawn anew at each step
    L_norm       mean of (‖E(w)‖ / mean base norm - 1)²

A tenth of the words is held out of L_morpheme and only measured; so are random pairs, a word with another word's
parts. The term acts only where held-out pairs gain what random pairs do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cosine_similarity

REPULSION_PAIRS = 2048


@dataclass(frozen=True)
class Pairs:
    """Word-parts pairs: new row of a form [pairs], the mean of its word's part vectors [pairs, d], and which are held
    out.
    """

    rows: np.ndarray
    targets: np.ndarray
    held_out: np.ndarray


def make_pairs(forms: list[dict], targets_by_word: Mapping[str, np.ndarray], held_out: float, seed: int) -> Pairs:
    """Pair every form with its word's target; whole words, with all their forms, are held out.

    targets_by_word: word -> [d]. held_out: share of the words. At least one word is held out where there are two.
    """
    words = sorted({form["word"] for form in forms if form["word"] in targets_by_word})
    order = np.random.default_rng(seed).permutation(len(words))
    count = min(len(words) - 1, max(1, round(held_out * len(words)))) if len(words) > 1 else 0
    out = {words[i] for i in order[:count]}
    mine = [form for form in forms if form["word"] in targets_by_word]
    dimension = len(next(iter(targets_by_word.values()))) if targets_by_word else 0
    return Pairs(
        rows=np.array([form["row"] for form in mine], dtype=np.int64),
        targets=np.array([targets_by_word[form["word"]] for form in mine], dtype=np.float32).reshape(
            len(mine), dimension
        ),
        held_out=np.array([form["word"] in out for form in mine], dtype=bool),
    )


class Objective(torch.nn.Module):
    """The three terms as functions of the new rows [n, d]; no parameters of its own."""

    def __init__(self, pairs: Pairs, words: list[str], base_norm: float, settings: Mapping[str, Any], seed: int):
        super().__init__()
        trained = ~pairs.held_out
        self.form = settings["morpheme"]
        self.weights = {name: settings[f"lambda_{name}"] for name in ("morpheme", "repulsion", "norm")}
        self.base_norm, self.seed = base_norm, seed
        for name, part in (("trained", trained), ("heldout", pairs.held_out)):
            self.register_buffer(f"{name}_rows", torch.from_numpy(pairs.rows[part]))
            self.register_buffer(f"{name}_targets", torch.from_numpy(pairs.targets[part]))
        numbers = {word: i for i, word in enumerate(dict.fromkeys(words))}
        self.register_buffer("word_of_row", torch.tensor([numbers[word] for word in words], dtype=torch.int64))

    def terms(self, new: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
        """Unweighted terms in float32 at an optimizer step; the step seeds repulsion's pairs, so that a resumed run
        draws what an uninterrupted one would.
        """
        zero = new.new_zeros(())
        terms = {"morpheme": zero, "repulsion": zero, "norm": zero}
        if len(self.trained_rows):
            rows = new[self.trained_rows]
            terms["morpheme"] = (
                (1 - cosine_similarity(rows, self.trained_targets)).mean()
                if self.form == "cosine"
                else (rows - self.trained_targets).square().mean()
            )
        if len(new):
            terms["norm"] = (new.norm(dim=1) / self.base_norm - 1).square().mean()
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        drawn = torch.randint(max(1, len(new)), (2, REPULSION_PAIRS), generator=generator).to(new.device)
        if len(new) > 1:
            left, right = drawn[:, self.word_of_row[drawn[0]] != self.word_of_row[drawn[1]]]
            if len(left):
                terms["repulsion"] = cosine_similarity(new[left], new[right]).square().mean()
        return terms

    def weighted(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """λ_m L_morpheme + λ_r L_repulsion + λ_n L_norm."""
        return sum(self.weights[name] * term for name, term in terms.items())

    @torch.no_grad()
    def measure(self, new: torch.Tensor) -> dict[str, float]:
        """Mean cosine of trained pairs, of held-out pairs, and of held-out rows with other words' parts."""
        measured = {}
        for name, rows, targets in (
            ("trained", self.trained_rows, self.trained_targets),
            ("heldout", self.heldout_rows, self.heldout_targets),
        ):
            measured[f"cosine_{name}_pairs"] = (
                _mean(cosine_similarity(new[rows], targets)) if len(rows) else float("nan")
            )
        # every held-out row with the trained words' targets, spread evenly: a control that no word of its own is in
        few = self.trained_targets[:: max(1, len(self.trained_targets) // 500)]
        if len(self.heldout_rows) and len(few):
            rows = torch.nn.functional.normalize(new[self.heldout_rows], dim=1)
            measured["cosine_random_pairs"] = _mean(rows @ torch.nn.functional.normalize(few, dim=1).T)
        else:
            measured["cosine_random_pairs"] = float("nan")
        return measured


def _mean(values: torch.Tensor) -> float:
    return float(values.double().mean())
