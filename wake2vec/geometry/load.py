"""What the geometry rules read: a phase's rows, the base's tokens, the injected forms. No torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from wake2vec.bases.checkpoint import base_rows
from wake2vec.geometry.vectors import Rows
from wake2vec.storage import load_arrays, read_values
from wake2vec.vocabulary.parts import pieces_of


def load_rows(manifest: str | Path, rows: str | Path) -> Rows:
    """Embedding rows of one phase: the base's own, unless the phase trained them, and the new ones."""
    return load_phases(manifest, rows)[0]


def load_phases(manifest: str | Path, *rows: str | Path) -> list[Rows]:
    """Embedding rows of several phases; base rows that a phase did not train are read once and shared."""
    own = None
    found = []
    for path in rows:
        arrays = load_arrays(path)
        base = arrays.get("embedding.base")
        if base is None:
            own = base_rows(manifest, ("embedding",))["embedding"] if own is None else own
        found.append(Rows(own if base is None else base, arrays["embedding.new"]))
    return found


def earlier(files: Mapping[str, Any]) -> dict[str, Any]:
    """What a trained phase's rows are compared with, of a rule's input: {"initial": rows, "held_out": words}, each None
    where the phase has no such file ("initial": rows before training; "objective": the run.json of P3).
    """
    initial, run = files.get("initial"), files.get("objective")
    return {
        "initial": load_rows(files["manifest"], initial) if initial else None,
        "held_out": read_values(run).get("held_out_words") if run else None,
    }


def load_base_tokens(tokenizer: str | Path, rows: int) -> list[str]:
    """The base vocabulary in the order of its rows; a padded matrix has rows without a token."""
    base = Tokenizer.from_file(str(tokenizer))
    return [base.id_to_token(row) or f"(row {row})" for row in range(rows)]


def injected_forms(injection: str | Path) -> list[dict[str, Any]]:
    """The forms of an injection.json, one a new row."""
    return read_values(injection)["forms"]


def root_pieces(tokenizer: str | Path, segmentation: list[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Base piece ids of the root of every segmented word, as it is spelled after a space."""
    roots = sorted({entry["root"] for entry in segmentation if entry["prefix"] or entry["suffix"]})
    return dict(zip(roots, pieces_of(Tokenizer.from_file(str(tokenizer)), roots), strict=True))


def part_pieces(tokenizer: str | Path, gold: list[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Base piece ids of every part that gold.jsonl names: words as they are spelled after a space, suffixes bare."""
    base = Tokenizer.from_file(str(tokenizer))
    parts = {(part["text"], part["role"] != "suffix") for entry in gold for part in entry["parts"]}
    pieces: dict[str, list[int]] = {}
    for start in (False, True):  # a text that is suffix and word both counts as the word
        texts = sorted(text for text, at_start in parts if at_start == start)
        pieces |= dict(zip(texts, pieces_of(base, texts, start), strict=True))
    return pieces
