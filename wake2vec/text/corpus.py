"""A corpus: clean text, cut once into passages, some of them held out from everything.

The split is made on text, before any tokenizer sees it, so that all phases and models are scored on the same bytes.
train.txt and valid.txt hold passages joined by two blank lines; inside a passage a blank line separates paragraphs.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import regex

from wake2vec.errors import UserError
from wake2vec.storage import sha256
from wake2vec.text.cleaning import clean
from wake2vec.text.source import is_tei, read_source
from wake2vec.text.words import normalise, words

SEPARATOR = "\n\n\n"
SENTENCES = regex.compile(r"(?<=[.!?…][\"”’»)\]]*)(\s+)(?=[\"“‘«(\[—–-]*[\p{Lu}\p{N}])")


def split_passages(text: str, size: int = 2000) -> list[str]:
    """Cut a text into passages of about `size` characters.

    A passage ends at a paragraph's end; inside a paragraph longer than `size`, at a sentence's end; inside a sentence
    longer than that, between two words. It ends where its length is nearest to `size`. No word is lost or cut; a word
    longer than `size` stays whole.
    """
    passages: list[str] = []
    for separator, unit in _units(text, size):
        if passages and 2 * len(passages[-1]) + len(separator) + len(unit) <= 2 * size:
            passages[-1] += separator + unit
        else:
            passages.append(unit)
    return passages


def _units(text: str, size: int) -> Iterator[tuple[str, str]]:
    """(what stands before it, paragraph or sentence or word), the largest that fits `size`."""
    for paragraph in filter(None, regex.split(r"\s*\n\s*\n\s*", text.strip())):
        before = "\n\n"
        if len(paragraph) <= size:
            yield before, paragraph
            continue
        for sentence, gap in _pairs(SENTENCES.split(paragraph)):
            if len(sentence) <= size:
                yield before, sentence
                before = gap
                continue
            for word, space in _pairs(regex.split(r"(\s+)", sentence)):
                yield before, word
                before = space
            before = gap


def _pairs(parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(parts[::2], [*parts[1::2], ""], strict=True)


def split(
    passages: Sequence[str], held_out: float = 0.1, seed: int = 42, *, key: str = "corpora.x"
) -> tuple[list[str], list[str]]:
    """Hold out random passages, about the share `held_out` of the characters: (training, held out), in text order.

    At least one passage goes to each side. Raises UserError for fewer than two passages or a share outside (0, 1).
    """
    if not 0 < held_out < 1:
        raise UserError(
            f"{key}.split.held_out: {held_out} is not a share. Accepted: above 0 and below 1; 0.1 holds out a tenth."
        )
    if len(passages) < 2:
        raise UserError(
            f"{key}: the text makes {len(passages)} passage(s), and two are needed to hold one out. "
            f"Bring more text or lower {key}.split.passage."
        )
    order = np.random.default_rng(seed).permutation(len(passages))
    lengths = np.cumsum([len(passages[i]) for i in order])
    count = int(np.abs(lengths - held_out * lengths[-1]).argmin()) + 1
    chosen = set(order[: min(count, len(passages) - 1)].tolist())
    train = [passage for i, passage in enumerate(passages) if i not in chosen]
    return train, [passages[i] for i in sorted(chosen)]


def join_passages(passages: Sequence[str]) -> str:
    """Passages as the text of a corpus file; `passages_of` is its exact inverse.

    Raises ValueError for a passage that is empty, begins or ends with white space or holds two blank lines.
    """
    for passage in passages:
        if not passage or passage != passage.strip() or SEPARATOR in passage:
            raise ValueError(f"not a passage: {passage[:80]!r}")
    return SEPARATOR.join(passages) + "\n" if passages else ""


def passages_of(text: str) -> list[str]:
    """The passages of a corpus file's text."""
    return text.removesuffix("\n").split(SEPARATOR) if text else []


def describe(train: Sequence[str], valid: Sequence[str]) -> dict[str, Any]:
    """The numbers of corpus.json for a split.

    Characters and UTF-8 bytes are those of the passages, without the blank lines between them: what is scored. Types
    are words under `normalise`; a hapax occurs once on its side. sha256 is that of train.txt and valid.txt.
    """
    sides = {"train": train, "valid": valid}
    counts = {side: _word_counts(passages) for side, passages in sides.items()}
    return {
        **{side: _numbers(passages, counts[side]) for side, passages in sides.items()},
        "held_out_types_unseen_in_training": len(counts["valid"].keys() - counts["train"].keys()),
        "sha256": {side: hashlib.sha256(join_passages(p).encode("utf-8")).hexdigest() for side, p in sides.items()},
    }


def _word_counts(passages: Sequence[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for surface, count in Counter(words("\n".join(passages))).items():
        counts[normalise(surface)] += count
    return counts


def _numbers(passages: Sequence[str], counts: Counter[str]) -> dict[str, Any]:
    hapaxes = sum(count == 1 for count in counts.values())
    return {
        "passages": len(passages),
        "characters": sum(map(len, passages)),
        "bytes": sum(len(passage.encode("utf-8")) for passage in passages),
        "words": counts.total(),
        "types": len(counts),
        "hapax_types": hapaxes,
        "hapax_share": hapaxes / len(counts) if counts else 0.0,
    }


def build_corpus(
    *,
    name: str,
    files: Sequence[Mapping[str, Any]],
    cleaning: Mapping[str, Any] | None = None,
    passage: int = 2000,
    held_out: float = 0.1,
    seed: int = 42,
) -> tuple[str, str, dict[str, Any]]:
    """Read, clean, cut and split a corpus of files: (text of train.txt, text of valid.txt, values of corpus.json).

    files: in order, each with `path` and, if wanted, `encoding`, `start`, `end` and `furniture`. No passage spans two.
    cleaning: further keyword arguments of `clean`, for all files.
    Raises UserError for what `read_source`, `clean` and `split` refuse, naming `corpora.{name}` and the file's number.
    """
    passages, sources = [], []
    texts: dict[str, int] = {}
    done: Counter[str] = Counter()
    for number, entry in enumerate(files):
        options = {option: value for option, value in entry.items() if option not in ("path", "encoding")}
        key = f"corpora.{name}.files.{number}"
        path, encoding = entry["path"], entry.get("encoding", "utf-8")
        text = read_source(path, f"{key}.path", encoding=encoding)
        text, counts = clean(text, **(cleaning or {}), **options, unwrap=not is_tei(path), key=key)
        passages += split_passages(text, passage)
        done.update(counts)
        if (twin := texts.setdefault(text, number)) != number:  # or what is held out of one is trained on in the other
            raise UserError(
                f"{key}.path: {path} holds the same text as corpora.{name}.files.{twin}. Name it once, or give the two "
                "entries different parts of it (`start`, `end`)."
            )
        sources.append({"path": str(path), "sha256": sha256(path), "characters": len(text)})
    source = {"files": sources, "passage": passage}
    train, valid, values = build_from_passages(
        name=name, kind="file", source=source, passages=passages, held_out=held_out, seed=seed
    )
    return train, valid, values | {"cleaning": dict(done)}


def build_from_passages(
    *, name: str, kind: str, source: Mapping[str, Any], passages: Sequence[str], held_out: float = 0.1, seed: int = 42
) -> tuple[str, str, dict[str, Any]]:
    """Split ready passages: (text of train.txt, text of valid.txt, values of corpus.json).

    source: what the passages were made from, for the record; the split's settings are added to it.
    """
    train, valid = split(passages, held_out, seed, key=f"corpora.{name}")
    values = {"name": name, "kind": kind, "source": {**source, "held_out": held_out, "seed": seed}}
    return join_passages(train), join_passages(valid), values | describe(train, valid) | {"cleaning": {}}
