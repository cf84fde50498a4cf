"""Text to token ids: passage by passage, each begun by the model's own begin-of-text token.

Nothing but the `tokenizers` library is needed, so that jobs without a model need not import transformers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from wake2vec.text.corpus import passages_of

BATCH = 512  # texts encoded at once
LINE = "\n"  # what stands before a bare form: no base tokenizer joins it to a word
NO_PIECE = "<no piece {}>"  # the entry of an id that is a row of a padded matrix and no piece; no text has it


@dataclass(frozen=True)
class Encoded:
    """Token ids of passages without special tokens, and the bytes of text that they stand for."""

    passages: list[np.ndarray]
    bytes: np.ndarray

    @property
    def tokens(self) -> int:
        return sum(len(ids) for ids in self.passages)


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """The tokenizer.json of a folder."""
    return Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))


def begin_id(folder: str | Path) -> int:
    """The id that begins a text: bos_token, or eos_token where a model has no other (GPT-2, Qwen).

    Raises KeyError when tokenizer_config.json names neither.
    """
    config = json.loads((Path(folder) / "tokenizer_config.json").read_text("utf-8"))
    token = config.get("bos_token") or config["eos_token"]
    token = token["content"] if isinstance(token, dict) else token
    return load_tokenizer(folder).token_to_id(token)


def encode(tokenizer: Tokenizer, texts: list[str]) -> Encoded:
    """Encode texts without special tokens, BATCH at a time: an encoding holds far more than its ids."""
    batches = (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
    encodings = (e for batch in batches for e in tokenizer.encode_batch_fast(batch, add_special_tokens=False))
    ids = [np.array(e.ids, dtype=np.int64) for e in encodings]
    return Encoded(ids, np.array([len(text.encode("utf-8")) for text in texts], dtype=np.int64))


def encode_corpus(tokenizer: Tokenizer, text: str) -> Encoded:
    """Encode the passages of a corpus text (train.txt or valid.txt)."""
    return encode(tokenizer, passages_of(text))


def with_text(tokenizer: Tokenizer, ids: Sequence[int]) -> list[int]:
    """The ids that stand for text: a model may draw a row of a padded matrix that no piece has."""
    return [i for i in ids if tokenizer.id_to_token(i) != NO_PIECE.format(i)]


def first_pieces(tokenizer: Tokenizer, forms: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """The base piece that each form (of injection.json) begins with, the space before it included: ids [forms]."""
    found = np.zeros(len(forms), np.int64)
    for start, before in ((True, "a"), (False, LINE)):
        which = [i for i, form in enumerate(forms) if form["start"] == start]
        texts = [before + " " * start + forms[i]["surface"] for i in which]
        encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
        first = [next(i for i, (_, end) in zip(e.ids, e.offsets, strict=True) if end > len(before)) for e in encodings]
        found[which] = first
    return found


def blocks(encoded: Encoded, begin: int, length: int) -> np.ndarray:
    """All passages in a row, each after `begin`, cut into [blocks, length] ids; a last incomplete block is dropped.

    A text shorter than one block is repeated until it fills one.
    """
    stream = np.concatenate([part for ids in encoded.passages for part in ([begin], ids)])
    if len(stream) < length:
        stream = np.resize(stream, length)
    return stream[: len(stream) // length * length].reshape(-1, length)
