"""P3's objective: rows drawn towards what their words are made of, kept apart, and kept at the base's length.

    L = L_lm + λ_morpheme L_component + λ_direction L_direction + λ_repulsion L_repulsion + λ_norm L_norm
             + λ_device L_contrast

The terms are functions of objective_terms.py over the words of objective_pairs.py; each is computed over a batch of its
words, drawn anew at each step, so that a step costs the same for five hundred rows and for fifty thousand, and all of
them from one gather of the rows, whose gradient is then the one dense matrix that the objective adds. A term whose λ is
0 is not computed.

A tenth of the words is held out of all terms and only measured (objective_measures.py). A term acts where its trained
words move and generalises only where held-out words do, more than random pairs and more than without it.
"""

from collections.abc import Mapping
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


class Objective(torch.nn.Module):
    """The terms as functions of the new rows [n, d]; no parameters of its own. Targets stay in the host's memory: a
    batch of them goes where the rows are.

    Raises UserError for a device term without devices.
    """

    def __init__(self, material: Material, settings: Mapping[str, Any], seed: int):
        super().__init__()
        self.material, self.seed, self.form = material, seed, settings["morpheme"]
        self.weights = {name: settings[f"lambda_{name}"] for name in TERMS}
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
        wanted = [name for name in TERMS if self.weights[name]]
        drawn = {name: self._draw(name, step) for name in wanted if len(self.items[name])}
        rows = {name: self._rows(name, items) for name, items in drawn.items()}
        rows = {name: found for name, found in rows.items() if len(found)}
        terms = dict.fromkeys(wanted, new.new_zeros(()))
        if not rows:
            return terms
        needed, places = np.unique(np.concatenate([found.reshape(-1) for found in rows.values()]), return_inverse=True)
        gathered = new.index_select(0, torch.from_numpy(needed).to(new.device))
        start = 0
        for name, found in rows.items():
            mine = torch.from_numpy(places[start : start + found.size]).to(new.device)
            start += found.size
            terms[name] = self._term(name, gathered.index_select(0, mine), drawn[name], found, new)
        return terms

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

    def _term(self, name, rows, items, numbers, new) -> torch.Tensor:
        """A term of its rows [b, d] (left and right in turn, for repulsion); numbers: which new rows they are."""
        material = self.material

        def there(array):
            return torch.from_numpy(array).to(rows.device)

        if name == "morpheme":
            return objective_terms.component(rows, there(material.component.vectors[items]).to(rows), self.form)
        if name == "direction":
            pairs = material.direction
            with torch.no_grad():
                common, affixes = objective_measures.directions(new, self.affixes)
                origins = there(pairs.vectors[items]).to(rows) + common
            return objective_terms.direction(rows, origins, affixes[there(pairs.group[items])])
        if name == "repulsion":
            return objective_terms.repulsion(rows[::2], rows[1::2])
        if name == "norm":
            return objective_terms.norm(rows, material.base_norm)
        return objective_terms.contrast(rows, there(material.devices[numbers]), there(material.words[numbers]))

    def weighted(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor | float:
        """Σ λ L over the terms."""
        return sum((self.weights[name] * term for name, term in terms.items()), 0.0)

    def measure(self, new: torch.Tensor) -> dict[str, float]:
        """Each term's own measure on trained and held-out words and on the controls: columns of history.csv."""
        return objective_measures.means(objective_measures.by_word(self.material, new))
