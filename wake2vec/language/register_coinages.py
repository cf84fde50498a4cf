"""Which words of a text are coinages, judged alike for what a model wrote and for what people wrote.

A word is a coinage when the lexicon has it as one; else when English does not know it (Zipf frequency at most the
lexicon's `max_zipf`), it is no name of the training text (unless the lexicon keeps names), no numeral and not drawn
out, and long enough. How often it occurs does not matter. It is *quoted* when it stands in the training text, and *new*
when it does not. A name that the training text lacks cannot be told from a coinage by its letters, and counts as one,
in the landmarks as well.

A model that puts tokens together at random writes new words too (recpes, thiefreyasyand). So new words are told apart
by the segmenter that parses the lexicon: *parsed* into affixes and a known root or into two known words, or *unparsed*.
Neither is sure. A word that is opaque or merges its parts is unparsed though it be coined, so that the share is read
against the Wake's own; and of strings that are glued from two words cut at random one in twenty is parsed by chance.
"""

from collections.abc import Callable, Collection, Mapping
from functools import cache

import pandas as pd

from wake2vec.text.coinage import frequent_words
from wake2vec.text.lexicon import kept, malformed, zipf, zipf_table
from wake2vec.text.morphology import Segmenter, read_blocklist, read_morphemes

COINED = ("coinages", "quoted", "parsed", "unparsed", "fused")


def judge(
    lexicon: pd.DataFrame, training: Collection[str], names: Collection[str], *, max_zipf: float, min_length: int
) -> Callable[[str], str]:
    """A function from a normalised word to "plain", "quoted" or "new".

    `lexicon`: as lexicon.csv has it. `training`: the words of the training text. `names`: those that are no coinages.
    """
    listed = frozenset(kept(lexicon))
    table = zipf_table()

    @cache
    def kind(word: str) -> str:
        if word not in listed:
            if word in names or zipf(word, table)[0] > max_zipf or malformed(word, min_length, table):
                return "plain"
        return "quoted" if word in training else "new"

    return kind


def parsing(lexicon: pd.DataFrame, morphemes: str, blocklist: str) -> Callable[[str], str]:
    """A function from a normalised word to how it is parsed: "affix", "compound" or "none" (`Segmentation.method`)."""
    segmenter = Segmenter(read_morphemes(morphemes), read_blocklist(blocklist), zipf_table(), frequent_words(lexicon))
    return cache(lambda word: segmenter.segment(word).method)


def rates(piece: list[str], kind: Callable[[str], str], parse: Callable[[str], str]) -> Mapping[str, float]:
    """Shares of a piece's words: COINED, as the module says; `fused` are coinages that run two known words together.

    `coinages` is the sum of `quoted`, `parsed` and `unparsed`.
    """
    kinds = [kind(word) for word in piece]
    parsed = [found != "plain" and parse(word) for word, found in zip(piece, kinds, strict=True)]
    new = [method for method, found in zip(parsed, kinds, strict=True) if found == "new"]
    counts = {
        "coinages": len(kinds) - kinds.count("plain"),
        "quoted": kinds.count("quoted"),
        "parsed": len(new) - new.count("none"),
        "unparsed": new.count("none"),
        "fused": parsed.count("compound"),
    }
    return {name: counts[name] / max(len(piece), 1) for name in COINED}
