"""Vectors of the parts of words, from the base's rows: what a coinage is composed of, and what it is compared with.

A word's vector is the mean of its base pieces' rows (its row, where it is one piece). A prefix or suffix that is one
piece has that piece's row; another is the mean of its example words' vectors.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from tokenizers import Tokenizer

LINE = "\n"  # what stands before a bare form: no base tokenizer joins it to a word


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

    def of(self, entry: Mapping[str, Any]) -> list[tuple[str, np.ndarray]]:
        """(role, vector [d]) of each part of a segmented word; role is prefix, root, suffix or word.

        An affix without a vector is left out; a word that was not segmented has no parts.
        """
        if entry["compound"]:
            return [("word", self.vectors[word]) for word in entry["compound"]]
        if not (entry["prefix"] or entry["suffix"]):
            return []
        parts = [("prefix", self.affixes.get(entry["prefix"])), ("root", self.vectors[entry["root"]])]
        parts.append(("suffix", self.affixes.get(entry["suffix"])))
        return [(role, vector) for role, vector in parts if vector is not None]
