"""A word list as one regular expression: the list folded into a trie, so that 45,000 words match in one pass.

{"river", "rivers", "run"}  ->  r(?:iver(?:s)?|un)

A regular expression tries alternatives one after another, so a node with many branches is divided by look-aheads:
(?=[a-g])(?:…)|(?=[h-p])(?:…), and a character that leads nowhere is turned away in a few steps.
"""

import itertools
import operator
import os
from collections.abc import Iterable

_META = set(r"\.^$*+?{}[]|()/-#&~'’")
_BRANCHES = 4  # of a node, before they are divided


def trie_regex(words: Iterable[str]) -> str:
    """A regular expression (Oniguruma and `regex` syntax) that matches exactly the given words, longest first.

    Raises ValueError for an empty list, which would match the empty string everywhere.
    """
    listed = sorted(set(words))
    if not listed or not listed[0]:
        raise ValueError("a trie needs at least one word, and no empty one")
    return _fold(listed, 0)


def _fold(words: list[str], at: int) -> str:
    """The rests, from character `at` on, of sorted words that are alike before it."""
    ends = len(words[0]) == at
    branches = []
    for first, group in itertools.groupby(words[ends:], operator.itemgetter(at)):
        those = list(group)
        alone = len(those) == 1
        shared = len(those[0] if alone else os.path.commonprefix((those[0], those[-1])))
        text = "".join(map(escape, those[0][at:shared]))
        branches.append((first, text if alone else text + _fold(those, shared)))
    if not branches:
        return ""
    if len(branches) == 1 and not ends:
        return branches[0][1]
    return f"(?:{_divided(branches)})" + ("?" if ends else "")


def _divided(branches: list[tuple[str, str]]) -> str:
    """Branches (first character, regex) as alternatives, in groups behind look-aheads where they are many."""
    if len(branches) <= _BRANCHES:
        return "|".join(regex for _, regex in branches)
    size = -(-len(branches) // _BRANCHES)
    groups = [branches[i : i + size] for i in range(0, len(branches), size)]
    return "|".join(
        group[0][1] if len(group) == 1 else f"(?=[{''.join(escape(first) for first, _ in group)}])(?:{_divided(group)})"
        for group in groups
    )


def escape(character: str) -> str:
    """The character as a regular expression has it, in a class or outside."""
    return "\\" + character if character in _META and character.isascii() else character
