"""Vectors of the parts of words, from the base's rows: what a coinage is composed of, and what it is compared with.

A word's vector is the mean of its base pieces' rows (its row, where it is one piece). A prefix or suffix that is one
piece has that piece's row; another is the mean of its example words' vectors.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from tokenizers import Tokenizer

from wake2vec.storage import read_jsonl
from wake2vec.text.encoding import LINE


def pieces_of(tokenizer: Tokenizer, texts: Sequence[str], start: bool = True) -> list[list[int]]:
    """Base piece ids of each word as it is spelled after a space (start) or after nothing (bare)."""
    context = "a " if start else LINE
    encodings = tokenizer.encode_batch([context + text for text in texts], add_special_tokens=False)
    # pieces are told apart by where they end: the context's own pieces end within it
    return [[i for i, (_, end) in zip(e.ids, e.offsets, strict=True) if end > len(context)] for e in encodings]


def mean_rows(matrix: np.ndarray, pieces: Sequence[Sequence[int]]) -> np.ndarray:
    """Mean of each list of rows: [len(pieces), d], float32. An empty list gives zeros."""
    lengths = np.array([len(p) for p in pieces], dtype=np.int64)
    flat = np.array([i for p in pieces for i in p], dtype=np.int64)
    weights = np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return csr_array((weights, flat, starts), shape=(len(pieces), len(matrix))) @ matrix


def segmented(segmentation: str | Path, coined: str | Path | None = None) -> list[dict[str, Any]]:
    """The words whose parts are known: of segmentation.jsonl, and of synthetic.jsonl where a run has those words."""
    return [*read_jsonl(segmentation), *(read_jsonl(coined) if coined else [])]


class Parts:
    """Vectors of words and affixes under one base matrix [rows, d]; looked up in one batch when made."""

    def __init__(
        self, tokenizer: Tokenizer, matrix: np.ndarray, segmentation: list[dict], morphemes: Mapping[str, Any]
    ):
        words, affixes = set(), {"prefixes": set(), "suffixes": set()}
        for entry in segmentation:
            words.update(entry["compound"] or [entry["root"]])
            affixes["prefixes"].update(filter(None, [entry["prefix"]]))
            affixes["suffixes"].update(filter(None, [entry["suffix"]]))
        examples = {kind: {a: list(morphemes[kind].get(a, ())) for a in sorted(affixes[kind])} for kind in affixes}
        for kind in examples.values():
            for listed in kind.values():
                words.update(listed)
        ordered = sorted(words)
        pieces = pieces_of(tokenizer, ordered)
        self.pieces = dict(zip(ordered, pieces, strict=True))
        self.vectors = dict(zip(ordered, mean_rows(matrix, pieces), strict=True))
        self.affixes = {}
        for kind, start in (("prefixes", True), ("suffixes", False)):
            bare = {affix: affix.strip("-") for affix in examples[kind]}
            own = pieces_of(tokenizer, list(bare.values()), start=start)
            for affix, ids in zip(examples[kind], own, strict=True):
                if len(ids) == 1:
                    self.affixes[affix] = matrix[ids[0]]
                elif examples[kind][affix]:
                    self.affixes[affix] = np.mean([self.vectors[w] for w in examples[kind][affix]], axis=0)

    def names(self, entry: Mapping[str, Any]) -> list[tuple[str, str]]:
        """(role, text) of each part of a segmented word; role is prefix, root, suffix or word.

        An affix without a vector is left out; a word that was not segmented, or with a root or word in it that the
        base cannot spell, has no parts.
        """
        if not self.spells(entry):
            return []
        if entry["compound"]:
            return [("word", word) for word in entry["compound"]]
        if not (entry["prefix"] or entry["suffix"]):
            return []
        named = [(role, entry[role]) for role in ("prefix", "root", "suffix")]
        return [(role, text) for role, text in named if role == "root" or text in self.affixes]

    def spells(self, entry: Mapping[str, Any]) -> bool:
        """Whether the base has pieces for the root of a word with affixes, or for all words of a compound."""
        root = [entry["root"]] if entry["prefix"] or entry["suffix"] else []
        return all(self.pieces[text] for text in entry["compound"] or root)

    def vector(self, role: str, text: str) -> np.ndarray:
        """The vector [d] of a part."""
        return self.affixes[text] if role in ("prefix", "suffix") else self.vectors[text]

    def of(self, entry: Mapping[str, Any]) -> list[tuple[str, np.ndarray]]:
        """(role, vector [d]) of each part of a segmented word, as `names` has them."""
        return [(role, self.vector(role, text)) for role, text in self.names(entry)]


def composition(
    tokenizer: Tokenizer,
    matrix: np.ndarray,
    forms: Sequence[Mapping[str, Any]],
    segmentation: Sequence[Mapping[str, Any]],
    morphemes: Mapping[str, Any],
) -> tuple[csr_array, np.ndarray, list[tuple[str, str]]]:
    """What every new row is made of: (S [n, m], its rows summing to 1; the parts' vectors [m, d]; their (role, text)).

    A form has its word's parts: words (roots, and the words of compounds, which are one thing here) and affixes; a form
    whose word has none, its pieces under the base tokenizer. matrix: base rows [B, d]. forms: of injection.json, in the
    order of their rows.
    """
    by_word = {entry["word"]: entry for entry in segmentation}
    parts = Parts(tokenizer, matrix, [by_word[f["word"]] for f in forms if f["word"] in by_word], morphemes)
    pieces = {start: pieces_of(tokenizer, [f["surface"] for f in forms], start) for start in (True, False)}
    numbers: dict[tuple[str, str], int] = {}
    vectors, made_of = [], []
    for row, form in enumerate(forms):
        named = (
            [("word" if role == "root" else role, text) for role, text in parts.names(by_word[form["word"]])]
            if form["word"] in by_word
            else []
        )
        named = named or [("piece", str(i)) for i in pieces[form["start"]][row]]
        for role, text in named:
            if (role, text) not in numbers:
                numbers[role, text] = len(numbers)
                vectors.append(matrix[int(text)] if role == "piece" else parts.vector(role, text))
        made_of.append([numbers[part] for part in named])
    lengths = np.array([len(own) for own in made_of], np.int64)
    weights = np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
    flat, starts = np.array([i for own in made_of for i in own], np.int64), np.concatenate([[0], np.cumsum(lengths)])
    shares = csr_array((weights, flat, starts), shape=(len(forms), len(numbers)))
    shares.sum_duplicates()  # a word may have the same part twice
    return shares, np.array(vectors, np.float32).reshape(len(numbers), matrix.shape[1]), list(numbers)
