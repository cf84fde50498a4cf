"""Each term's own measure on rows, word by word: words that it trains on, words held out, and their controls.

    morpheme    cos(E(w), t(w))                   random: the parts of other words; shuffled: t of permuted base rows
    direction   cos(E(w) - r(w) - c, u(a))        random: other affixes; shuffled: r of permuted base rows
    device      mean cosine with trained rows of w's device, less that with those of other devices
                                                  random: the same, the devices handed round among trained words
    repulsion   mean cos² with rows of other words of w's kind (trained or held out); less is better
                                                  random: with base rows, which no term moves
    norm        (‖E(w)‖ / mean base norm - 1)²    less is better; a length has no pair, and so no control

r(w) is the root's vector. An affix's direction u(a) is that of the mean of E - r over its trained rows, less c, the
mean over all affixed trained rows: all new rows share a way off the base rows, which raises every cosine of such ways
and is no morphology. So the means of all affixes cancel, and `random` falls where the value rises (with two affixes
it is the value's opposite): it shows a common rise, and `shuffled` is the harder control. Directions are taken from the
rows themselves, not from base pairs such as happiness - happy: few derived words are whole pieces of a base, and the
mean of an unrelated spelling's pieces is not what a base knows of them. Held-out words are no part of any mean.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cosine_similarity, embedding_bag, normalize

from wake2vec.training.objective_pairs import BETTER, Material, Pairs

REFERENCES = 500  # trained targets, or rows, that a control or repulsion is measured with
REPULSION_ROWS = 2000  # trained rows that repulsion is measured on
CHUNK = 4096
COLUMNS = {name: f"{name}_{{}}" for name in BETTER} | {"morpheme": "cosine_{}_pairs"}  # of history.csv


@torch.no_grad()
def by_word(material: Material, new: torch.Tensor) -> pd.DataFrame:
    """One line for each term and row: term, word (its number), held_out, value, random, shuffled (NaN where the term
    has no such control, and for trained words). new: [n, d].
    """
    tables = [
        _component(material, new),
        _direction(material, new),
        _device(material, new),
        _repulsion(material, new),
        _norm(material, new),
    ]
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def means(measured: pd.DataFrame) -> dict[str, float]:
    """Columns of history.csv from `by_word`: the mean over rows, of the trained, the held out and their controls."""
    found: dict[str, float] = {}
    for term in ["morpheme", *(name for name in BETTER if name != "morpheme" and (measured["term"] == name).any())]:
        table, name = measured[measured["term"] == term], COLUMNS[term]
        held_out = table[table["held_out"]]
        values = {"trained": table.loc[~table["held_out"], "value"], "heldout": held_out["value"]}
        values |= {control: held_out[control] for control in ("random", "shuffled")}
        for key, column in values.items():
            if key in ("trained", "heldout") or column.notna().any() or (term, key) == ("morpheme", "random"):
                found[name.format(key)] = float(column.mean())
    return found


@dataclass(frozen=True)
class Bags:
    """The trained rows of each affix, one affix after the other: rows [k], where each affix begins [affixes], how many
    rows it has, and the mean of their roots [affixes, d].
    """

    rows: torch.Tensor
    starts: torch.Tensor
    sizes: torch.Tensor
    roots: torch.Tensor


def bags(pairs: Pairs, trained: np.ndarray, shuffled: bool = False) -> Bags:
    """trained: which of the pairs count [k]; every affix has some. shuffled: with roots of permuted base rows."""
    order = np.flatnonzero(trained)[np.argsort(pairs.group[trained], kind="stable")]
    _, starts, sizes = np.unique(pairs.group[order], return_index=True, return_counts=True)
    roots = (pairs.shuffled if shuffled else pairs.vectors)[order]
    roots = np.add.reduceat(roots, starts, axis=0) / sizes[:, None]
    return Bags(*(torch.from_numpy(array) for array in (pairs.rows[order], starts, sizes, roots)))


def directions(new: torch.Tensor, made: Bags) -> tuple[torch.Tensor, torch.Tensor]:
    """(c [d], u [affixes, d]): the mean way from root to word, and what each affix's mean way is beyond it."""
    rows, starts = made.rows.to(new.device), made.starts.to(new.device)
    ways = embedding_bag(rows, new, starts, mode="mean") - made.roots.to(new)  # makes no copy of the rows
    common = (made.sizes / made.sizes.sum()).to(new) @ ways
    return common, ways - common


def _component(material: Material, new: torch.Tensor) -> pd.DataFrame:
    pairs, out = material.component, material.held_out[material.component.rows]
    values = _by_chunks(pairs.rows, new, lambda rows, at: cosine_similarity(rows, _on(pairs.vectors[at], new)))
    random, shuffled = np.full((2, len(out)), np.nan)
    few = pairs.vectors[~out]
    few = few[:: max(1, len(few) // REFERENCES)]
    if out.any() and len(few):
        few = normalize(_on(few, new), dim=1)
        random[out] = _by_chunks(pairs.rows[out], new, lambda rows, _: (normalize(rows, dim=1) @ few.T).mean(1))
        if pairs.shuffled is not None:
            others = pairs.shuffled[out]
            shuffled[out] = _by_chunks(
                pairs.rows[out], new, lambda rows, at: cosine_similarity(rows, _on(others[at], new))
            )
    return _table("morpheme", material, pairs.rows, values, random, shuffled)


def _direction(material: Material, new: torch.Tensor) -> pd.DataFrame:
    """A trained row is left out of the mean that it is compared with."""
    pairs = material.direction
    if not len(pairs.rows):
        return _table("direction", material, pairs.rows, np.empty(0))
    out = material.held_out[pairs.rows]
    group, trained = torch.from_numpy(pairs.group).to(new.device), torch.from_numpy(~out).to(new)[:, None]
    own = torch.from_numpy(_affixes_of_rows(material)).to(new.device)  # [n, affixes]
    rows_at = torch.from_numpy(pairs.rows).to(new.device)

    def cosines(vectors, shuffled):
        made = bags(pairs, ~out, shuffled)
        common, affix = directions(new, made)
        sizes = made.sizes.to(new)[:, None]

        def value(rows, at):
            way = rows - _on(vectors[at], new) - common
            # the mean without this row, times one row less than it has
            return cosine_similarity(way, sizes[group[at]] * affix[group[at]] - trained[at] * way)

        def other(rows, at):
            others = (~own[rows_at[at]]).to(rows)
            cosine = normalize(rows - _on(vectors[at], new) - common, dim=1) @ normalize(affix, dim=1).T
            return (cosine * others).sum(1) / others.sum(1)  # NaN where there is no other affix

        return value, other

    value, other = cosines(pairs.vectors, False)
    values, random, shuffled = _by_chunks(pairs.rows, new, value), *np.full((2, len(out)), np.nan)
    random[out] = _by_chunks(pairs.rows, new, other)[out]
    if pairs.shuffled is not None:
        shuffled[out] = _by_chunks(pairs.rows, new, cosines(pairs.shuffled, True)[0])[out]
    return _table("direction", material, pairs.rows, values, random, shuffled)


def _affixes_of_rows(material: Material) -> np.ndarray:
    own = np.zeros((len(material.words), material.direction.group.max() + 1), bool)
    own[material.direction.rows, material.direction.group] = True
    return own


def _device(material: Material, new: torch.Tensor) -> pd.DataFrame:
    """A trained row is none of those that it is compared with."""
    rows = np.flatnonzero(material.devices >= 0)
    labels, out = material.devices[rows], material.held_out[rows]
    count = len(material.names["devices"]) if len(rows) else 0
    sizes = np.bincount(labels[~out], minlength=count).astype(float)
    if count < 2 or (sizes < 2).any() or not out.any():
        return _table("device", material, rows[:0], np.empty(0))

    def margins(trained: np.ndarray) -> np.ndarray:
        """Of each row to its device, where the words that train have these [k]."""
        sums = new.new_zeros(count, new.shape[1])
        for part in np.array_split(np.arange(len(trained)), -(-len(rows) // CHUNK)):
            at = torch.from_numpy(rows[~out][part]).to(new.device)
            sums.index_add_(0, torch.from_numpy(trained[part]).to(new.device), normalize(new[at], dim=1))
        cosines = _by_chunks(rows, new, lambda found, _: normalize(found, dim=1) @ sums.T).reshape(len(rows), count)
        own = np.zeros((len(rows), count))
        own[~out, trained] = 1  # z · z
        cosines, others = cosines - own, np.bincount(trained, minlength=count) - own
        across = (cosines.sum(1, keepdims=True) - cosines) / (others.sum(1, keepdims=True) - others)
        return (cosines / others - across)[np.arange(len(rows)), labels]

    random = np.where(out, margins(_handed_round(labels[~out], material.words[rows[~out]])), np.nan)
    return _table("device", material, rows, margins(labels[~out]), random)


def _handed_round(labels: np.ndarray, words: np.ndarray) -> np.ndarray:
    """The labels of rows [k], each word's given to another at random; a word's rows have one."""
    _, first, of = np.unique(words, return_index=True, return_inverse=True)
    return np.random.default_rng(0).permutation(labels[first])[of]


def _repulsion(material: Material, new: torch.Tensor) -> pd.DataFrame:
    tables = []
    for kind in (False, True):
        rows = np.flatnonzero(material.held_out == kind)
        few = rows[:: max(1, len(rows) // REFERENCES)]
        rows = rows if kind else rows[:: max(1, len(rows) // REPULSION_ROWS)]
        others = material.words[rows][:, None] != material.words[few][None]
        there = others.any(1)
        if not there.any():
            continue
        rows, others = rows[there], torch.from_numpy(others[there]).to(new.device)
        against = normalize(new[torch.from_numpy(few).to(new.device)], dim=1)

        def value(found, at, against=against, others=others):
            squares = (normalize(found, dim=1) @ against.T).square() * others[at]
            return squares.sum(1) / others[at].sum(1)

        random = np.full(len(rows), np.nan)
        if kind and len(material.base_sample):
            base = normalize(_on(material.base_sample, new), dim=1)
            random = _by_chunks(
                rows, new, lambda found, _, base=base: (normalize(found, dim=1) @ base.T).square().mean(1)
            )
        tables.append(_table("repulsion", material, rows, _by_chunks(rows, new, value), random))
    return pd.concat(tables) if tables else _table("repulsion", material, np.empty(0, np.int64), np.empty(0))


def _norm(material: Material, new: torch.Tensor) -> pd.DataFrame:
    rows = np.arange(len(new))
    values = _by_chunks(rows, new, lambda found, _: (found.norm(dim=1) / material.base_norm - 1).square())
    return _table("norm", material, rows, values)


def _by_chunks(rows: np.ndarray, new: torch.Tensor, figure: Any) -> np.ndarray:
    """figure(rows of a chunk [c, d], which of the rows: a slice) over all rows, float64."""
    found = [np.empty(0)]
    for start in range(0, len(rows), CHUNK):
        at = slice(start, start + CHUNK)
        found.append(figure(new[torch.from_numpy(rows[at]).to(new.device)], at).double().cpu().numpy().reshape(-1))
    return np.concatenate(found)


def _on(array: np.ndarray, new: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(array).to(new)


def _table(term, material, rows, values, random=np.nan, shuffled=np.nan) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "term": term,
            "word": material.words[rows],
            "held_out": material.held_out[rows],
            "value": values,
            "random": random,
            "shuffled": shuffled,
        }
    )
