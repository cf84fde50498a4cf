"""What a text copies from another, and how often it repeats itself: word n-grams, counted exactly.

A word is copied when it lies in a run of COPIED words or more that stands in the source text, word for word. How far
a run goes is found for every place of the text at once: of the places whose n words stand in the source, those whose
n + 1 words do are kept, until none is left. An n-gram is known by a rank, exact and never hashed, so the time grows
with the source and not with its square.

Distinct-n is the number of different n-grams in a text by the number of its n-grams (Li et al. 2016, "A
diversity-promoting objective function for neural conversation models"). It falls with a text's length, so that only
texts of equal length compare. That what a model writes is held against what it was trained on follows McCoy et al.
(2023, "How much do language models copy from their training data?").
"""

from collections.abc import Mapping, Sequence

import numpy as np

COPIED = 5  # words: shorter runs are the language's own ("at the end of")
BREAK = -1  # no word: nothing matches across it


def word_ids(texts: Sequence[Sequence[str]], index: Mapping[str, int]) -> np.ndarray:
    """Texts in a row as word numbers (n,), a BREAK behind each and for every word that the index lacks."""
    return np.array([index.get(word, BREAK) for text in texts for word in (*text, "")], dtype=np.int64)


def run_lengths(text: np.ndarray, source: np.ndarray) -> np.ndarray:
    """For every place of `text` (m,) the length of the longest run of words from there on that stands in `source`.

    Both are word numbers of one index; negative ones match nothing.
    """
    lengths = np.zeros(len(text), dtype=np.int64)
    here, there = np.flatnonzero(text >= 0), np.flatnonzero(source >= 0)
    ranks_here, ranks_there = text[here], source[there]
    words = int(max(text.max(initial=0), source.max(initial=0))) + 1
    for n in range(1, len(text) + 1):
        common = np.intersect1d(ranks_here, ranks_there)
        here, ranks_here = _only(here, ranks_here, common)
        there, ranks_there = _only(there, ranks_there, common)
        lengths[here] = n
        here, ranks_here = _longer(here, ranks_here, text, n, words)
        there, ranks_there = _longer(there, ranks_there, source, n, words)
        if not len(here) or not len(there):
            break
    return lengths


def _only(places: np.ndarray, ranks: np.ndarray, common: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places whose n-gram is in `common`, and its number there."""
    found = np.isin(ranks, common)
    return places[found], np.searchsorted(common, ranks[found])


def _longer(
    places: np.ndarray, ranks: np.ndarray, words: np.ndarray, n: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """The places where n words are followed by one more, and a number for all n + 1 of them."""
    inside = places + n < len(words)
    places, ranks = places[inside], ranks[inside]
    following = words[places + n]
    known = following >= 0
    return places[known], ranks[known] * size + following[known]


def copied(lengths: np.ndarray, least: int = COPIED) -> np.ndarray:
    """Which words lie in a run of at least `least` words (m,), given the run lengths of every place (m,)."""
    starts = np.flatnonzero(lengths >= least)
    steps = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + lengths[starts], -1)
    return np.cumsum(steps[:-1]) > 0


def copying(pieces: Sequence[Sequence[str]], source: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
    """Of each piece of text (a list of words): `copied`, the share of its words that lie in a run of COPIED words or
    more of one source text, and `longest`, the words of its longest such run, however short.
    """
    index = {word: number for number, word in enumerate(dict.fromkeys(word for text in source for word in text))}
    lengths = run_lengths(word_ids(pieces, index), word_ids(source, index))
    marked = copied(lengths)
    ends = np.cumsum([len(piece) + 1 for piece in pieces])
    spans = [slice(end - len(piece) - 1, end - 1) for piece, end in zip(pieces, ends, strict=True)]
    return {
        "copied": np.array([marked[span].mean() if span.stop > span.start else np.nan for span in spans]),
        "longest": np.array([lengths[span].max(initial=0) for span in spans], dtype=float),
    }


def distinct(words: Sequence[str], n: int) -> float:
    """Distinct-n of a text of at least n words.

    >>> distinct(["a", "b", "a", "b"], 2)
    0.6666666666666666
    """
    grams = list(zip(*(words[i:] for i in range(n)), strict=False))
    return len(set(grams)) / len(grams) if grams else float("nan")
