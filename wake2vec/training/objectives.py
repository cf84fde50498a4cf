"""P3's objective: rows drawn towards what their words are made of, kept apart, and kept at the base's length.

    L = L_lm + λ_morpheme L_component + λ_direction L_direction + λ_repulsion L_repulsion + λ_norm L_norm
             + λ_device L_contrast

The terms are functions of objective_terms.py over the words of objective_pairs.py; each is computed over a batch of its
words, drawn anew at each step, so that a step costs the same for five hundred rows and for fifty thousand. A term whose
λ is 0 is not computed.

Added to the loss, as the notebooks did (`objective: loss`), a λ says next to nothing about rows: most of them are in no
text of a step and have a gradient from the terms alone, and Adam, which divides a gradient by its own size, moves them
as far at λ = 0.001 as at λ = 1. So the terms act beside the optimizer (`objective: decoupled`), as AdamW's weight decay
does and for the same reason (Loshchilov & Hutter 2019, Decoupled weight decay regularization): after its step

    E(w) ← E(w) - η λ s_w ∂L_w/∂E(w),        L_w the term of one word, its mean over words being L

η the learning rate. The scale s_w makes of the step a share of the row's way (objective_terms.py): of the angle φ
between a row and its parts' mean the morpheme term takes away η λ sin φ.

A tenth of the words is held out of all terms and only measured (objective_measures.py). A term acts where its trained
words move and generalises only where held-out words do, more than random pairs and more than without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from wake2vec.errors import UserError
from wake2vec.training import objective_measures, objective_terms
from wake2vec.training.objective_pairs import Material, gather

TERMS = ("morpheme", "direction", "repulsion", "norm", "device")
BATCH = 4096  # words of a term in a step
REPULSION_PAIRS = 2048
CONTRAST_ROWS = 512


def make_objective(paths: Mapping[str, Any], settings: Mapping[str, Any], model: Mapping[str, Any]) -> "Objective":
    """The objective of a run. paths: as `rows_phase` has them. settings: p3's block. model: seed of the run."""
    return Objective(gather(paths, settings, model["seed"]), settings, model["seed"])


@dataclass(frozen=True)
class _Batch:
    """What the terms draw at a step, by term: items [b], their rows [b] or [b, 2], and the places [b] or [2b] of these
    among the rows of all terms, each there once (`needed` [k]).
    """

    drawn: Mapping[str, np.ndarray]
    rows: Mapping[str, np.ndarray]
    needed: np.ndarray
    places: Mapping[str, np.ndarray]


class Objective(torch.nn.Module):
    """The terms as functions of the new rows [n, d]; no parameters of its own. Targets stay in the host's memory: a
    batch of them goes where the rows are.

    Raises UserError for a device term without devices.
    """

    def __init__(self, material: Material, settings: Mapping[str, Any], seed: int):
        super().__init__()
        self.material, self.seed, self.form = material, seed, settings["morpheme"]
        self.weights = {name: settings[f"lambda_{name}"] for name in TERMS}
        self.decoupled = settings["objective"] == "decoupled"
        trained = ~material.held_out
        # what a term draws from: pairs for `morpheme` and `direction`, rows for the others
        self.items = {
            "morpheme": np.flatnonzero(trained[material.component.rows]),
            "direction": np.flatnonzero(trained[material.direction.rows]),
            "repulsion": np.flatnonzero(trained),
            "norm": np.flatnonzero(trained),
            "device": np.flatnonzero(trained & (material.devices >= 0)),
        }
        pairs = material.direction
        self.affixes = objective_measures.bags(pairs, trained[pairs.rows]) if len(pairs.rows) else None
        if self.weights["device"] and len(set(material.devices[self.items["device"]])) < 2:
            raise UserError(
                f"p3.lambda_device: found {self.weights['device']:g}, but there are not two devices with three "
                "words each that train. Name a CSV file `word,device` under p3.devices (the testbed knows its own), or "
                "set lambda_device to 0."
            )

    def terms(self, new: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
        """Unweighted terms at an optimizer step; the step seeds what is drawn, so that a resumed run draws what an
        uninterrupted one would. A term of weight 0 is left out; one without words is 0.
        """
        batch = self._batch(step)
        gathered = new.index_select(0, torch.from_numpy(batch.needed).to(new.device))
        terms = {name: new.new_zeros(()) for name in TERMS if self.weights[name]}
        for name, places in batch.places.items():
            rows = gathered.index_select(0, torch.from_numpy(places).to(new.device))
            terms[name], _ = self._term(name, rows, batch, new)
        return terms

    def moves(
        self, new: torch.Tensor, step: int, rate: float
    ) -> tuple[np.ndarray, torch.Tensor, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """What the terms do to the rows at an optimizer step when they act beside the optimizer, at a learning rate.

        Returns the numbers of the rows that they are about [k], what is added to these [k, d], the unweighted terms,
        and the length of what each adds to a row, on average over all rows. A word that is drawn moves for those that
        are not, so that a λ means the same for any number of words; but by no more than its whole way.
        """
        batch = self._batch(step)
        move = new.new_zeros(len(batch.needed), new.shape[1])
        terms = {name: new.new_zeros(()) for name in TERMS if self.weights[name]}
        lengths = dict(terms)
        for name, places in batch.places.items():  # one after the other: what a term makes is gone before the next
            rows = new.detach().index_select(0, torch.from_numpy(batch.rows[name].reshape(-1)).to(new.device))
            with torch.enable_grad():
                term, scale = self._term(name, rows.requires_grad_(), batch, new)
            terms[name] = term.detach()
            if term.requires_grad:
                drawn, items = len(batch.drawn[name]), len(self.items[name])
                share = min(rate * self.weights[name], 1.0, drawn / items)
                # the term is a mean over what is drawn, and stands for the mean over all
                own = torch.autograd.grad(term, rows)[0].mul_(scale).mul_(-share * items)
                lengths[name] = own.norm(dim=1).sum() / len(new)
                move.index_add_(0, torch.from_numpy(places).to(new.device), own)
                del own
            del term, rows, scale
        return batch.needed, move, terms, lengths

    def _batch(self, step: int) -> _Batch:
        drawn = {name: self._draw(name, step) for name in TERMS if self.weights[name] and len(self.items[name])}
        rows = {name: self._rows(name, items) for name, items in drawn.items()}
        rows = {name: found for name, found in rows.items() if len(found)}
        if not rows:
            return _Batch(drawn, rows, np.empty(0, np.int64), {})
        needed, places = np.unique(np.concatenate([found.reshape(-1) for found in rows.values()]), return_inverse=True)
        ends = np.cumsum([found.size for found in rows.values()])
        return _Batch(drawn, rows, needed, dict(zip(rows, np.split(places, ends[:-1]), strict=True)))

    def _draw(self, name: str, step: int) -> np.ndarray:
        """Items of a term at a step: all of them where a batch holds them. Pairs [k, 2] for repulsion."""
        items, rng = self.items[name], np.random.default_rng([self.seed, step, TERMS.index(name)])
        if name == "repulsion":
            pairs = items[rng.integers(len(items), size=(REPULSION_PAIRS, 2))]
            return pairs[np.not_equal(*self.material.words[pairs].T)]
        size = CONTRAST_ROWS if name == "device" else BATCH
        return items if len(items) <= size else np.sort(rng.choice(items, size, replace=False))

    def _rows(self, name: str, items: np.ndarray) -> np.ndarray:
        pairs = {"morpheme": self.material.component, "direction": self.material.direction}
        return pairs[name].rows[items] if name in pairs else items

    def _term(
        self, name: str, rows: torch.Tensor, batch: _Batch, new: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | float]:
        """A term of a batch, of its rows [b, d] (left and right in turn, for repulsion), and the scale of its step, one
        for all or for each row [b, 1].
        """
        material, items, numbers = self.material, batch.drawn[name], batch.rows[name]

        def there(array):
            return torch.from_numpy(array).to(rows.device)

        with torch.no_grad():
            squared = rows.square().sum(1, keepdim=True)
        if name == "morpheme":
            term = objective_terms.component(rows, there(material.component.vectors[items]).to(rows), self.form)
            return term, squared if self.form == "cosine" else rows.shape[1] / 2
        if name == "direction":
            pairs = material.direction
            with torch.no_grad():
                common, affixes = objective_measures.directions(new, self.affixes)
                origins = there(pairs.vectors[items]).to(rows) + common
                ways = (rows - origins).square().sum(1, keepdim=True)
            return objective_terms.direction(rows, origins, affixes[there(pairs.group[items])]), ways
        if name == "repulsion":
            return objective_terms.repulsion(rows[::2], rows[1::2]), squared / 2
        if name == "norm":
            return objective_terms.norm(rows, material.base_norm), material.base_norm**2 / 2
        labels, words = there(material.devices[numbers]), there(material.words[numbers])
        return objective_terms.contrast(rows, labels, words), objective_terms.TEMPERATURE * squared

    def weighted(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor | float:
        """Σ λ L over the terms."""
        return sum((self.weights[name] * term for name, term in terms.items()), 0.0)

    def measure(self, new: torch.Tensor) -> dict[str, float]:
        """Each term's own measure on trained and held-out words and on the controls: columns of history.csv."""
        return objective_measures.means(objective_measures.by_word(self.material, new))
