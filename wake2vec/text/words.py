"""What a word is: the one definition that corpus, lexicon, testbed and the measures of language share.

A word is a run of letters and combining marks; apostrophes and hyphens belong to it when letters stand on both sides
("andrée's", "well-nigh"). Words are compared in NFC, lower case, with ' for the typographic apostrophe.

A tokenizer knows no such words: there a form ends at an apostrophe or a hyphen unless the list has the longer word, so
that `moonbread` fires in "well-moonbread", which the lexicon counts as another word.
"""

import unicodedata

import regex

WORD = regex.compile(r"[\p{L}\p{M}]+(?:['’\-‐][\p{L}\p{M}]+)*")
# classes of how often the training text has a word: lowest and highest count of each
COUNTS = {"0": (0, 0), "1": (1, 1), "2": (2, 2), "3-5": (3, 5), "6-10": (6, 10), "11+": (11, 10**9)}


def words(text: str) -> list[str]:
    """Every word of `text` as it is written, in order."""
    return WORD.findall(text)


def normalise(word: str) -> str:
    """The form under which a word is counted: NFC, lower case, straight apostrophe, plain hyphen.

    >>> normalise("Andrée’s")
    "andrée's"
    """
    return unicodedata.normalize("NFC", word).lower().replace("’", "'").replace("‐", "-")
