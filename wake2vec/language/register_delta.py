"""How near two texts are in their most frequent words: Burrows's Delta and Cosine Delta.

With f_i(t) the relative frequency of the i-th of the k most frequent words in a text t, and mean and deviation of f_i
over a collection of texts,

    z_i(t) = (f_i(t) - mean_i) / sd_i
    Burrows's Delta(s, t) = 1/k · sum_i |z_i(s) - z_i(t)|       (Burrows 2002, "Delta")
    Cosine Delta(s, t)    = 1 - cos(z(s), z(t))                 (Smith & Aldridge 2011; Evert et al. 2017)

The collection is the passages of two languages, each language with half of the weight, so that the longer text does
not decide what counts as usual. Both distances fall with the length of a text, whose frequencies are then surer: only
texts of equal length compare.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scale:
    """The most frequent words (k), and mean and standard deviation (k,) of their relative frequencies."""

    words: list[str]
    mean: np.ndarray
    deviation: np.ndarray


def counts(texts: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> np.ndarray:
    """How often each word of a vocabulary occurs in each text: (texts, words)."""
    place = {word: number for number, word in enumerate(vocabulary)}
    table = np.zeros((len(texts), len(place)))
    for row, text in zip(table, texts, strict=True):
        for word, count in Counter(text).items():
            if word in place:
                row[place[word]] = count
    return table


def fit_scale(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]], most: int) -> Scale:
    """The `most` most frequent words of two collections of texts (lists of words), each with half of the weight.

    A word that is equally frequent in all texts tells nothing and is left out.
    """
    halves = [[text for text in half if len(text)] for half in (one, other)]
    weights = np.concatenate([np.full(len(half), 0.5 / len(half)) for half in halves])
    shares: Counter[str] = Counter()
    for text, weight in zip((text for half in halves for text in half), weights, strict=True):
        for word, count in Counter(text).items():
            shares[word] += weight * count / len(text)
    ranked = sorted(shares, key=lambda word: (-shares[word], word))[:most]
    texts = [text for half in halves for text in half]
    frequency = counts(texts, ranked) / np.array([len(text) for text in texts])[:, None]
    mean = weights @ frequency
    deviation = np.sqrt(weights @ (frequency - mean) ** 2)
    telling = deviation > 1e-9 * mean  # more than rounding
    return Scale([word for word, keep in zip(ranked, telling, strict=True) if keep], mean[telling], deviation[telling])


def standardise(counted: np.ndarray, words: np.ndarray | float, scale: Scale) -> np.ndarray:
    """z-scores (..., k) of texts with these counts (..., k) of the scale's words and so many words in all (...); NaN
    for a text without words.
    """
    words = np.asarray(words, float)[..., None]
    return (counted / np.where(words > 0, words, np.nan) - scale.mean) / scale.deviation


def burrows(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Burrows's Delta of z-scores (..., k): the mean absolute difference."""
    return np.abs(one - other).mean(-1)


def cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosine Delta of z-scores (..., k): one less the cosine, 0 to 2."""
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return 1 - (one * other).sum(-1) / np.where(lengths, lengths, np.nan)
