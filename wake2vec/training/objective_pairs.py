"""What P3's terms are about: words and their parts, words and their roots, words and the device that made them.

Everything is by new row; a word's forms go together. One tenth of the words (`held_out_pairs`) is held out of every
term, with all its forms: those words are only measured. What a word is compared with is made of base rows, and once
more of the same base rows permuted, which says what any vectors of that kind would show.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wake2vec.errors import UserError
from wake2vec.geometry.vectors import norms
from wake2vec.storage import read_jsonl, read_values
from wake2vec.text.encoding import load_tokenizer

GROUP = 3  # words that an affix or a device must have in training, or its mean says nothing
BETTER = {"morpheme": 1, "direction": 1, "device": 1, "repulsion": -1, "norm": -1}  # 1: more of it is better
BASE_SAMPLE = 500  # base rows that repulsion's control is measured with


@dataclass(frozen=True)
class Pairs:
    """Rows and what each is compared with: row numbers [k], vectors [k, d], the same of permuted base rows (or no
    such), and the affix that each pair belongs to [k] where there are groups.
    """

    rows: np.ndarray
    vectors: np.ndarray
    shuffled: np.ndarray | None = None
    group: np.ndarray | None = None


@dataclass(frozen=True)
class Material:
    """All that the terms need: the word of each new row [n] and whether it is held out [n]; rows and their parts' mean;
    rows and their roots, by affix; the device of each row's word [n], -1 where none is known; base rows to compare
    with.
    """

    words: np.ndarray
    held_out: np.ndarray
    component: Pairs
    direction: Pairs
    devices: np.ndarray
    base_norm: float
    base_sample: np.ndarray
    names: Mapping[str, list[str]] = field(default_factory=dict)  # of words, affixes and devices, by number

    def held_out_words(self) -> list[str]:
        """The words held out of all terms, in order."""
        return sorted(self.names["words"][number] for number in set(self.words[self.held_out].tolist()))


def gather(paths: Mapping[str, Any], settings: Mapping[str, Any], seed: int) -> Material:
    """Read the material of a run. paths: manifest, injection, segmentation, morphemes; coined (synthetic.jsonl) where
    its words have rows, and devices where words are labelled. settings: p3's block.
    """
    from wake2vec.bases.checkpoint import base_rows
    from wake2vec.vocabulary.parts import Parts, segmented

    forms = read_values(paths["injection"])["forms"]
    mine = {form["word"] for form in forms}
    segmentation = segmented(paths["segmentation"], paths.get("coined"))
    segmentation = [entry for entry in segmentation if entry["word"] in mine]
    morphemes, matrix = read_values(paths["morphemes"]), base_rows(paths["manifest"], ("embedding",))["embedding"]
    tokenizer = load_tokenizer(Path(paths["manifest"]).parent)
    rng = np.random.default_rng(seed)
    sample = matrix[rng.integers(len(matrix), size=BASE_SAMPLE)]
    base_norm = float(norms(matrix).mean())
    targets, roots = vectors_of(Parts(tokenizer, matrix, segmentation, morphemes), segmentation)
    matrix = matrix[rng.permutation(len(matrix))]
    shuffled = vectors_of(Parts(tokenizer, matrix, segmentation, morphemes), segmentation)
    affixes = {entry["word"]: affixes_of(entry) for entry in segmentation}
    devices = read_devices(paths["devices"]) if paths.get("devices") else {}
    return assemble(
        [form["word"] for form in forms],
        (targets, shuffled[0]),
        (roots, shuffled[1]),
        affixes,
        devices,
        share=settings["held_out_pairs"],
        seed=seed,
        base_norm=base_norm,
        base_sample=sample,
    )


def assemble(
    words: list[str],
    targets: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray] | None],
    roots: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray] | None] = ({}, None),
    affixes: Mapping[str, list[str]] | None = None,
    devices: Mapping[str, str] | None = None,
    *,
    share: float,
    seed: int,
    base_norm: float = 1.0,
    base_sample: np.ndarray | None = None,
) -> Material:
    """Material from plain mappings. words: of each new row. targets, roots: word -> [d], as they are and from permuted
    base rows (or None). affixes: word -> its affixes. devices: word -> label. share: of the words, held out.
    """
    affixes, devices = affixes or {}, devices or {}
    numbers = {word: i for i, word in enumerate(dict.fromkeys(words))}
    out = held_out_words([w for w in numbers if w in targets[0]], share, seed)
    out |= held_out_words([w for w in numbers if w not in targets[0]], share, seed)
    held_out = np.array([word in out for word in words], bool)
    paired = [row for row, word in enumerate(words) if word in targets[0]]
    groups, grouped = _groups(words, affixes, roots[0], held_out)
    trained = Counter(devices[word] for word in numbers if word in devices and word not in out)
    labels = sorted(label for label, count in trained.items() if count >= GROUP)
    return Material(
        words=np.array([numbers[word] for word in words], np.int64),
        held_out=held_out,
        component=_pairs(paired, words, targets),
        direction=_pairs([row for row, _ in grouped], words, roots, [groups.index(affix) for _, affix in grouped]),
        devices=np.array([labels.index(d) if (d := devices.get(word)) in labels else -1 for word in words], np.int64),
        base_norm=base_norm,
        base_sample=np.empty((0, 1), np.float32) if base_sample is None else base_sample,
        names={"words": list(numbers), "affixes": groups, "devices": labels},
    )


def held_out_words(words: Iterable[str], share: float, seed: int) -> set[str]:
    """A share of the words, the same for the same words and seed: at least one where there are two, never all."""
    words = sorted(words)
    order = np.random.default_rng(seed).permutation(len(words))
    count = min(len(words) - 1, max(1, round(share * len(words)))) if len(words) > 1 else 0
    return {words[i] for i in order[:count]}


def _groups(words, affixes, roots, held_out) -> tuple[list[str], list[tuple[int, str]]]:
    """Affixes that enough words in training have, and (row, affix) of every row whose word has one of those."""
    members = [(row, affix) for row, word in enumerate(words) if word in roots for affix in affixes.get(word, ())]
    trained: dict[str, set[str]] = {}
    for row, affix in members:
        if not held_out[row]:
            trained.setdefault(affix, set()).add(words[row])
    groups = sorted(affix for affix, found in trained.items() if len(found) >= GROUP)
    return groups, [(row, affix) for row, affix in members if affix in set(groups)]


def _pairs(rows: list[int], words: list[str], sources: tuple, group: list[int] | None = None) -> Pairs:
    """Rows with their words' vectors of both sources, float32."""
    own, shuffled = (
        None
        if source is None
        else np.array([source[words[r]] for r in rows], np.float32).reshape(len(rows), -1)
        if rows
        else np.empty((0, 0), np.float32)
        for source in sources
    )
    return Pairs(np.array(rows, np.int64), own, shuffled, None if group is None else np.array(group, np.int64))


def vectors_of(parts: Any, segmentation: list[dict]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Word -> the mean of its parts' vectors [d], and affixed word -> its root's vector [d]."""
    targets, roots = {}, {}
    for entry in segmentation:
        if found := parts.of(entry):
            targets[entry["word"]] = np.mean([vector for _, vector in found], axis=0)
            if root := [vector for role, vector in found if role == "root"]:
                roots[entry["word"]] = root[0]
    return targets, roots


def affixes_of(entry: Mapping[str, Any]) -> list[str]:
    """A word's affixes, as `over-` and `-ness`."""
    prefix, suffix = entry["prefix"].strip("-"), entry["suffix"].strip("-")
    return [f"{prefix}-"] * bool(prefix) + [f"-{suffix}"] * bool(suffix)


def read_devices(path: str | Path) -> dict[str, str]:
    """Word -> device, from a user's CSV file with columns `word,device`, or from the testbed's gold.jsonl.

    Raises UserError for a file without those columns, for a word with two devices, and for fewer than two devices.
    """
    if Path(path).suffix == ".jsonl":
        return {entry["word"]: entry["kind"] for entry in read_jsonl(path)}
    where, accepted = f"p3.devices: {path}", "Accepted: a CSV file in UTF-8 with a first line `word,device`"
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"{where} could not be read ({error}). {accepted}.") from None
    frame.columns = [str(column).strip() for column in frame.columns]
    if not {"word", "device"} <= set(frame):
        raise UserError(f"{where}: found the columns {', '.join(frame.columns)}. {accepted}.")
    frame = frame[["word", "device"]].apply(lambda column: column.str.strip())
    frame = frame[(frame["word"] != "") & (frame["device"] != "")].drop_duplicates()
    if (twice := frame["word"][frame["word"].duplicated()].tolist()) != []:
        raise UserError(f"{where}: {twice[0]!r} has two devices. A word has one; give each word one line.")
    if frame["device"].nunique() < 2:
        raise UserError(f"{where}: found {frame['device'].nunique()} device. A contrast needs two or more.")
    return dict(zip(frame["word"], frame["device"], strict=True))
