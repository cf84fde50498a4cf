"""The likelihood ratio of a text under two models of letters, in bits per character.

    ratio(t) = (log2 P_one(t) - log2 P_other(t)) / characters of t

Each P is a character n-gram model with Witten-Bell smoothing (Witten & Bell 1991, "The zero-frequency problem"): with
c(h, x) the count of the character x after the characters h, c(h) its sum, and T(h) how many different ones came,

    P_k(x | h) = (c(h, x) + T(h) · P_{k-1}(x | h')) / (c(h) + T(h)),      h' = h without its first,

down to the uniform distribution. A text is its words in lower case with a space between: no punctuation and no line
breaks, in which editions differ more than languages do. Both models learn from equally many words, since the longer
text would else be the better model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ORDER = 5  # characters in an n-gram


@dataclass(frozen=True)
class Model:
    """Per order: n-grams with their counts, and contexts with how many characters, and how many different, came."""

    characters: str
    tables: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


def fit_pair(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]], order: int = ORDER) -> tuple[Model, Model]:
    """Models of two collections of texts (lists of words), over one alphabet, of equally many words."""
    size = min(sum(map(len, one)), sum(map(len, other)))
    texts = [_first(texts, size) for texts in (one, other)]
    characters = "".join(sorted(set().union(" ", *texts)))
    return tuple(fit(text, characters, order) for text in texts)


def _first(texts: Sequence[Sequence[str]], words: int) -> str:
    return " ".join([word for text in texts for word in text][:words])


def fit(text: str, characters: str, order: int = ORDER) -> Model:
    """The n-gram model of a text over an alphabet; what is not in it is one more character."""
    size = len(characters) + 1
    codes = _codes(text, characters)
    tables = []
    for n in range(1, order + 1):
        grams, counts = np.unique(_grams(codes, n, n, size), return_counts=True)
        contexts, first = np.unique(grams // size, return_index=True)
        totals = np.add.reduceat(counts, first) if len(first) else counts
        tables.append((grams, counts, contexts, totals, np.diff(np.append(first, len(grams)))))
    return Model(characters, tables)


def bits(model: Model, texts: Sequence[str]) -> np.ndarray:
    """log2 P of each text (texts,), each begun after a space."""
    order, size = len(model.tables), len(model.characters) + 1
    padding = _padding(model.characters, order)
    coded = [np.concatenate([padding, _codes(text, model.characters)]) for text in texts]
    codes = np.concatenate([padding, *coded])  # a first padding, for which nothing is scored, so that all are alike
    probability = np.full(len(codes) - len(padding), 1 / size)
    for n, (grams, counts, contexts, totals, types) in enumerate(model.tables, start=1):
        found = _grams(codes, n, order, size)
        seen, after = _look_up(found, grams, counts), found // size
        total, different = _look_up(after, contexts, totals), _look_up(after, contexts, types)
        smoothed = (seen + different * probability) / np.maximum(total + different, 1)
        probability = np.where(total > 0, smoothed, probability)
    ends = np.cumsum([len(code) for code in coded])
    return np.array(
        [
            np.log2(probability[end - len(code) + len(padding) : end]).sum()
            for code, end in zip(coded, ends, strict=True)
        ]
    )


def ratio(one: Model, other: Model, pieces: Sequence[Sequence[str]]) -> np.ndarray:
    """Bits per character by which `one` explains each piece (a list of words) better than `other` does."""
    texts = [" ".join(piece) for piece in pieces]
    lengths = np.array([len(text) for text in texts], float)
    return (bits(one, texts) - bits(other, texts)) / np.where(lengths, lengths, np.nan)


def _codes(text: str, characters: str) -> np.ndarray:
    place = {character: number for number, character in enumerate(characters)}
    return np.array([place.get(character, len(characters)) for character in text], dtype=np.int64)


def _padding(characters: str, order: int) -> np.ndarray:
    """What stands before a text: a space, and before that what no text has, so that no longer context is known."""
    return np.append(np.full(order - 1, len(characters)), _codes(" ", characters))[1:] if order > 1 else _codes("", "")


def _grams(codes: np.ndarray, n: int, first: int, size: int) -> np.ndarray:
    """The n-gram that ends at each character from the `first`-th (counted from 1) on, as one number."""
    places = np.arange(first - 1, len(codes))
    number = np.zeros(len(places), dtype=np.int64)
    for back in range(n - 1, -1, -1):
        number = number * size + codes[places - back]
    return number


def _look_up(keys: np.ndarray, table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The value of each key, 0 where the table has none."""
    if not len(table):
        return np.zeros(len(keys), dtype=np.int64)
    place = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return np.where(table[place] == keys, values[place], 0)
