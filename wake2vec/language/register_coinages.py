"""Which words of a text are coinages, judged alike for what a model wrote and for what people wrote.

A word is a coinage when the lexicon has it as one; else when English does not know it (Zipf frequency at most the
lexicon's `max_zipf`), it is no name of the training text, no numeral and not drawn out, and long enough. How often it
occurs does not matter. It is *quoted* when it stands in the training text, and *new* when it does not. A name that the
training text lacks cannot be told from a coinage by its letters, and counts as one, in the landmarks as well.
"""

from collections.abc import Callable, Collection, Mapping
from functools import cache

import pandas as pd

from wake2vec.text.coinage import frequent_words
from wake2vec.text.lexicon import kept, malformed, zipf, zipf_table
from wake2vec.text.morphology import Segmenter, read_blocklist, read_morphemes

NAME = "name"  # how the lexicon's reason for leaving a name out begins
KINDS = ("plain", "quoted", "new")


def judge(
    lexicon: pd.DataFrame, training: Collection[str], *, max_zipf: float, min_length: int
) -> Callable[[str], str]:
    """A function from a normalised word to "plain", "quoted" or "new".

    `lexicon`: as lexicon.csv has it. `training`: the words of the training text.
    """
    listed = frozenset(kept(lexicon))
    names = frozenset(lexicon.loc[lexicon["reason"].str.startswith(NAME), "word"])
    table = zipf_table()

    @cache
    def kind(word: str) -> str:
        if word not in listed:
            if word in names or zipf(word, table)[0] > max_zipf or malformed(word, min_length, table):
                return "plain"
        return "quoted" if word in training else "new"

    return kind


def fusing(lexicon: pd.DataFrame, morphemes: str, blocklist: str) -> Callable[[str], bool]:
    """A function that says whether a normalised word is two known words run together (`Segmenter`'s compound)."""
    segmenter = Segmenter(read_morphemes(morphemes), read_blocklist(blocklist), zipf_table(), frequent_words(lexicon))
    return cache(lambda word: segmenter.segment(word).method == "compound")


def rates(piece: list[str], kind: Callable[[str], str], fused: Callable[[str], bool]) -> Mapping[str, float]:
    """Shares of a piece's words: coinages, the quoted and the new ones among them, and those that are fused."""
    kinds = [kind(word) for word in piece]
    words = max(len(piece), 1)
    return {
        "coinages": sum(found != "plain" for found in kinds) / words,
        "quoted": kinds.count("quoted") / words,
        "new": kinds.count("new") / words,
        "fused": sum(found != "plain" and fused(word) for word, found in zip(piece, kinds, strict=True)) / words,
    }
