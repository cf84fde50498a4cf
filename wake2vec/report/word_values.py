"""The words of the held-out text in summary.json: what coinages and plain words cost, phase by phase.

    words.{group}, words.with_row.{count}                    how many
    {phase}.surprisal.{group}.mean, .interval                bits a word
    {phase}.entropy.{group}.mean, .interval                  bits before a word
    {phase}.entropy_reduction.{group}.mean, .interval        bits a word
    change.{before}.{after}.surprisal.{group}, … .interval   difference on the same words: to the base model, to the
                                                             phase before, and of the last phase to the initial rows
    change.base.{after}.entropy_reduction.{group}, …         the same of entropy reduction, to the base model
    change.{before}.{after}.surprisal.with_row.{count}, …    the same, of words that the training text has so often
    words.plain_with_row                                     plain words that a new token writes, wholly or not
    passages.words.{group}, {phase}.passages.bits.{group}    sums over passages, by which the paper compares models
    {phase}.loss.seen.{count}, … .interval, … .tokens        loss of new tokens by how often their form was trained on

Groups: `coinage`, of these `with_row` and `without_row`, and `plain`. Which words have a row is the last phase's to
say, so that a phase is compared with the base model on the same words, though the base model has no row for them.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from wake2vec.language.comparison import by_passage, ratio
from wake2vec.language.surprisal import GROUPS, group_masks, kinds_of, mean_of
from wake2vec.text.words import COUNTS

COMPARED = ("coinage", "plain")  # whose words are the same in every model of a text


def summarise_words(frames: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> dict[str, Any]:
    """The values named above, from surprisal.csv by phase."""
    if not frames:
        return {}
    masks = group_masks(kinds_of(frames))
    first = next(iter(frames.values()))
    values: dict[str, Any] = {f"words.{group}": int(masks[group].sum()) for group in GROUPS}
    with_new = np.any([frame["rows"] != "base" for frame in frames.values()], axis=0)
    values["words.plain_with_row"] = int((masks["plain"] & with_new).sum())
    passages = first["passage"].to_numpy()
    values |= {f"passages.words.{group}": by_passage(passages, masks[group]).tolist() for group in COMPARED}
    for phase, frame in frames.items():
        bits = frame["surprisal"].to_numpy(float)
        values |= {f"{phase}.passages.bits.{of}": by_passage(passages, masks[of], bits).tolist() for of in COMPARED}
        for group in GROUPS:
            for column in ("surprisal", "entropy", "entropy_reduction"):
                values |= _named(f"{phase}.{column}.{group}.mean", mean_of(frame, masks[group], column, rng))
    seen = {f"with_row.{name}": mask for name, mask in by_count(first, masks["with_row"]).items()}
    values |= {f"words.{name}": int(mask.sum()) for name, mask in seen.items()}
    for before, after in compared_phases(list(frames)):
        asked = [("surprisal", masks | seen), ("entropy_reduction", masks if before == "base" else {})]
        for column, groups in asked:
            for group, mask in groups.items():
                change = mean_of(frames[after], mask, column, rng, frames[before])
                values |= _named(f"change.{before}.{after}.{column}.{group}", change)
    return values


def by_count(frame: pd.DataFrame, mask: np.ndarray) -> dict[str, np.ndarray]:
    """A mask by how often the training text has the word, in any of its forms: [lines] for each class of COUNTS."""
    counts = frame["count_train"].to_numpy(float, na_value=np.nan)
    return {name: mask & (counts >= low) & (counts <= high) for name, (low, high) in COUNTS.items()}


def compared_phases(phases: Sequence[str]) -> list[tuple[str, str]]:
    """(before, after) of phases in order: each with the base model, each with the one before it, and the initial rows
    with the last.

    >>> compared_phases(["base", "init", "p2"])
    [('base', 'init'), ('base', 'p2'), ('init', 'p2')]
    """
    others = [phase for phase in phases if phase != "base"]
    found = [("base", phase) for phase in others if "base" in phases]
    found += pairwise(phases)
    found += [("init", phase) for phase in others[-1:] if "init" in others and phase != "init"]
    return list(dict.fromkeys(found))


def compare_summaries(
    before: Mapping[str, Any], after: Mapping[str, Any], phases: tuple[str, str], group: str, seed: int = 0
) -> tuple[float | None, list[float] | None]:
    """Difference in bits a word between two models at a phase each, on the same words of the same text, from their
    summaries alone: (None, None) where they take different words for coinages, or one was not measured.
    """
    words = [summary.get(f"passages.words.{group}") for summary in (before, after)]
    bits = [s.get(f"{phase}.passages.bits.{group}") for s, phase in zip((before, after), phases, strict=True)]
    if None in words or None in bits or words[0] != words[1]:
        return None, None
    return ratio(np.subtract(bits[1], bits[0]), words[0], np.random.default_rng(seed))


def loss_by_count(phase: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    """From the values of likelihood.json: `counts`, without the base tokens."""
    values = {}
    for name, row in measured.get("counts", {}).items():
        if name != "base":
            loss = f"{phase}.loss.seen.{name}"
            values |= {loss: row["loss"], f"{loss}.interval": row["interval"], f"{loss}.tokens": row["tokens"]}
    return values


def _named(name: str, figure: tuple[float | None, list[float] | None]) -> dict[str, Any]:
    end = name.removesuffix(".mean")
    return {name: figure[0], f"{end}.interval": figure[1]}
