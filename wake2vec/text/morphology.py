"""Morphology: a word as prefix, root and suffix, or as a compound of two words.

Greedy longest match: of all ways to cut known affixes off a word so that a known root is left, the one whose affixes
are longest. Three things keep it from finding morphemes where there are none:

- the root is a word: listed in English (wordfreq) often enough for its length, or frequent in the training text;
- an affix is cut from a stem that is a word itself only when the root is more frequent than that stem
  ("corner" is no corn + er), for a derived word more frequent than its base is known whole (Hay 2001);
- a block-list of false positives that frequency does not catch ("flower" is no flow + er).

At the seam English spelling changes, and is undone: hope + ing → hoping, happy + ness → happiness, run + er → runner.
What has no such reading may be two known words run together (moonblue), the split whose rarer word is most frequent.

Source: J. Hay, "Lexical frequency in morphology: is everything relative?", Linguistics 39 (2001).
"""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from wake2vec.errors import UserError, guess

VOWELS = "aeiou"
KEEP_Y = ("'", "s", "ing", "ish")  # suffixes that leave a final y as it is: copying, babyish, but harmonic, historical
MIN_ROOT = 3
# The Zipf frequency that a root, or a word of a compound, needs by its length: in a long list nearly every string of
# three letters is a word somewhere, of nine letters hardly any.
ROOT_ZIPF = {3: 4.3, 4: 3.6, 5: 3.0, 6: 2.7}
COMPOUND_ZIPF = {3: 4.5, 4: 3.5, 5: 3.1, 6: 2.8}
LONG_ZIPF = 2.3
SURE_LETTERS = 4  # an affix of so many letters is no accident: its root may be rarer, by
SURE_MARGIN = 0.5
BOTH_ZIPF = 3.3  # what a root needs between a prefix and a suffix, neither of them long
FREQUENT_ZIPF = 4.3  # what a word of the training text counts as, once it is frequent there
INFLECTION = ("s", "es", "ed", "ing", "'s")  # endings that make no new word, and that every verb or noun takes
STEM_MARGIN = 1.0  # how much more frequent a root must be than a stem that is a word itself
LISTED_ZIPF = 2.0  # a word rarer than this may be a slip of the pen, though wordfreq lists it
COMPOUND_BELOW = 2.0  # a word as frequent as this in English is no unheard compound (carpet is no car + pet)


class Morphemes(NamedTuple):
    """Affixes without their hyphens, each with example words."""

    prefixes: dict[str, list[str]]
    suffixes: dict[str, list[str]]


class Blocklist(NamedTuple):
    """False positives: affix → beginnings, endings or whole words that do not hold it; words that are no parts."""

    beginnings: dict[str, tuple[str, ...]]
    endings: dict[str, tuple[str, ...]]
    words: dict[str, tuple[str, ...]]
    no_root: frozenset[str]
    no_piece: frozenset[str]


class Segmentation(NamedTuple):
    """The parts of a word; `method` is affix, compound or none. Without a reading the root is the word itself."""

    prefix: str
    root: str
    suffix: str
    compound: tuple[str, ...]
    method: str


# Data files ---------------------------------------------------------------------------------------------------------


def read_morphemes(path: str | Path) -> Morphemes:
    """Read `type,morpheme,example1..example10`: "prefix,pre-,preview,…", "suffix,-ment,agreement,…".

    Raises UserError naming the line of a row with an unknown type, a misspelled morpheme, no example, an example that
    does not hold the morpheme, or a morpheme that stood before.
    """
    found = {"prefix": {}, "suffix": {}}
    for number, row in _rows(path, ["type", "morpheme", "example1"]):
        kind, morpheme = row["type"], row["morpheme"]
        if kind not in found:
            raise UserError(f'{path}, line {number}: type "{kind}" is neither prefix nor suffix.{guess(kind, found)}')
        spelled = "pre-" if kind == "prefix" else "-ment"
        plain = morpheme.removesuffix("-") if kind == "prefix" else morpheme.removeprefix("-")
        if not plain or plain == morpheme or "-" in plain or plain != plain.lower():
            raise UserError(f'{path}, line {number}: {kind} "{morpheme}"; write it in lower case like "{spelled}".')
        if plain in found[kind]:
            raise UserError(f'{path}, line {number}: {kind} "{morpheme}" stands in an earlier line already.')
        examples = [value for key, value in row.items() if key.startswith("example") and value]
        holds = str.startswith if kind == "prefix" else str.endswith
        wrong = [example for example in examples if not holds(example, plain) or example == plain]
        if wrong or not examples:
            fault = f'example "{wrong[0]}" does not hold the {kind}' if wrong else f"the {kind} has no example"
            raise UserError(f'{path}, line {number}: {fault} "{morpheme}".')
        found[kind][plain] = examples
    return Morphemes(found["prefix"], found["suffix"])


def read_blocklist(path: str | Path) -> Blocklist:
    """Read `form,blocks,why`: a beginning ("under-"), ending ("-flower") or word, and the affix that it does not hold.

    `blocks` is an affix as morphemes.csv spells it, or for a word that is never taken as a part: "root" (of a
    derivation), "compound" (half of one), "word" (neither). Raises UserError naming the line of a row without form or
    reason, or that blocks something else.
    """
    by_affix: tuple[dict[str, list[str]], ...] = ({}, {}, {})
    parts: dict[str, set[str]] = {"root": set(), "compound": set(), "word": set()}
    for number, row in _rows(path, ["form", "blocks", "why"]):
        form, blocks = row["form"], row["blocks"]
        if not form.strip("-") or not row["why"]:
            raise UserError(f"{path}, line {number}: every row needs a form and the reason why it is blocked.")
        if blocks in parts:
            parts[blocks].add(form)
        elif blocks.endswith("-") == blocks.startswith("-"):
            raise UserError(
                f'{path}, line {number}: blocks "{blocks}"; accepted: an affix ("un-", "-ing"), {", ".join(parts)}.'
            )
        else:
            place = 0 if form.endswith("-") else 1 if form.startswith("-") else 2
            by_affix[place].setdefault(blocks, []).append(form.strip("-"))
    tables = ({affix: tuple(forms) for affix, forms in table.items()} for table in by_affix)
    return Blocklist(*tables, frozenset(parts["root"] | parts["word"]), frozenset(parts["compound"] | parts["word"]))


def _rows(path: str | Path, columns: Sequence[str]) -> Iterable[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with their line numbers, cells stripped; UserError when the file is not well formed."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or [])]
            if missing:
                raise UserError(f"{path}, line 1: column {', '.join(missing)} is missing; found {reader.fieldnames}.")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as UTF-8 text: {error}.") from None
    for number, row in rows:
        if None in row:
            raise UserError(f"{path}, line {number}: more cells than the {len(row) - 1} columns of the header.")
        yield number, {key: (value or "").strip() for key, value in row.items()}


# Spelling at the seam of root and suffix ----------------------------------------------------------------------------


def doubles(root: str) -> bool:
    """Whether a root doubles its last letter before a vowel: one syllable, one vowel, one consonant (run, snap)."""
    return (
        len(root) >= 3
        and root[-1] not in VOWELS + "wxy"
        and root[-2] in VOWELS
        and not any(letter in VOWELS + "y" for letter in root[:-2])
    )


def join(root: str, suffix: str) -> str:
    """Root and suffix as English spells them together.

    >>> [join("hope", "ing"), join("happy", "ness"), join("run", "er"), join("gentle", "ly"), join("river", "ation")]
    ['hoping', 'happiness', 'runner', 'gently', 'riveration']
    """
    return _before(root, suffix) + suffix


def _before(root: str, suffix: str) -> str:
    """The spelling of a root in front of a suffix."""
    opens_with_vowel = suffix[:1] in VOWELS + "y"
    after_consonant = len(root) > 2 and root[-2] not in VOWELS
    if root.endswith("le") and root[-3:-2] not in VOWELS and suffix == "ly":
        return root[:-2]
    if root.endswith("y") and after_consonant and not suffix.startswith(KEEP_Y):
        return root[:-1] if suffix[:1] in ("i", "y") else root[:-1] + "i"
    if root.endswith("e") and root[-2:-1] not in "eoy" and opens_with_vowel:
        return root if root.endswith(("ce", "ge")) and suffix[:1] in "aou" else root[:-1]
    if root.endswith("ous") and suffix == "ity":
        return root[:-2] + "s"
    return root + root[-1] if opens_with_vowel and doubles(root) else root


def roots(core: str, suffix: str) -> list[str]:
    """The roots that may be spelled `core` in front of `suffix`, likeliest first.

    >>> roots("hop", "ing"), roots("hopp", "ing"), roots("happi", "ness")
    (['hope', 'hop'], ['hop', 'hopp', 'hoppe'], ['happy', 'happi'])
    """
    if not suffix:
        return [core]
    if suffix in ("s", "es") and core.endswith(("s", "x", "z", "ch", "sh")) != (suffix == "es"):
        return [core[:-1] + "y"] if suffix == "es" and core.endswith("i") else []
    found = [core]
    if len(core) > 1 and suffix[0] in VOWELS + "y":
        if core.endswith("e") and core[-2] not in "eoycg" and suffix[0] not in "aou":
            found = []  # an e would have been dropped: "portey" is no porte + y, though "likeable" is like + able
        if core[-1] == core[-2] and core[-1] not in VOWELS and (doubles(core[:-1]) or core[-1] != "r"):
            # "bragg" is a name, "bragging" comes from "brag"; but l and s also end words double: "calling" from "call"
            found.insert(0 if doubles(core[:-1]) and core[-1] in "bdgmnprt" else len(found), core[:-1])
        # "hop" would have doubled its p: "hoping" comes from "hope"; and "pleas" is a plural: "pleasing" from "please"
        first = doubles(core) or (core[-1] == "s" and core[-2] != "s")
        found.insert(0 if first else len(found), core + "e")
    if core.endswith("i") and core[-2:-1] not in VOWELS:
        found.insert(0, core[:-1] + "y")  # hardly an English word ends in i: "sunnily" is no sunni + ly
    if core.endswith("os") and suffix == "ity":
        found.append(core[:-2] + "ous")
    if suffix[0] == "i" and not suffix.startswith(KEEP_Y):
        found.append(core + "y")
    if suffix == "ly" and core[-1:] not in VOWELS:
        found.append(core + "le")
    return found


# Segmentation -------------------------------------------------------------------------------------------------------


def known_words(
    table: Mapping[str, float],
    limits: Mapping[int, float],
    without: Iterable[str],
    frequent: Iterable[str] = (),
    margin: float = 0.0,
) -> dict[str, float]:
    """The words that may be parts, with their Zipf frequency.

    `table`: zipf by word (`lexicon.zipf_table`). `limits`: the frequency that a word of so many letters needs, less
    `margin`. `without`: the block-list's. `frequent`: words of the training text that are no coinages but that the
    table may lack, such as its heroes' names; they count as FREQUENT_ZIPF at least.
    """
    known = {
        word: frequency
        for word, frequency in table.items()
        if len(word) >= MIN_ROOT and frequency >= limits.get(len(word), LONG_ZIPF) - margin and word.isalpha()
    }
    for word in frequent:
        if len(word) >= MIN_ROOT:
            known[word] = max(known.get(word, 0.0), FREQUENT_ZIPF)
    blocked = frozenset(without)
    return {word: frequency for word, frequency in known.items() if word not in blocked}


class Segmenter:
    """What `segment` looks up, prepared once: affixes, block-list, known roots and known words of compounds.

    Looking up is constant in the size of these, so the time for a word grows only with its length.
    """

    def __init__(
        self,
        morphemes: Morphemes,
        blocklist: Blocklist,
        table: Mapping[str, float],
        frequent: Iterable[str] = (),
    ) -> None:
        frequent = list(frequent)
        self.morphemes, self.blocklist, self.table = morphemes, blocklist, table
        self.roots = known_words(table, ROOT_ZIPF, blocklist.no_root, frequent)
        self.rare_roots = known_words(table, ROOT_ZIPF, blocklist.no_root, frequent, SURE_MARGIN)
        self.pieces = known_words(table, COMPOUND_ZIPF, blocklist.no_piece, frequent)
        self.longest_prefix = max(map(len, morphemes.prefixes), default=0)
        self.longest_suffix = max(map(len, morphemes.suffixes), default=0)

    def segment(self, word: str) -> Segmentation:
        """Cut a normalised word into prefix, root and suffix, or into the two words of a compound."""
        return self._affixes(word) or self._compound(word) or Segmentation("", word, "", (), "none")

    def _affixes(self, word: str) -> Segmentation | None:
        prefixes = [p for n in range(self.longest_prefix, 0, -1) if (p := word[:n]) in self.morphemes.prefixes]
        suffixes = [s for n in range(self.longest_suffix, 0, -1) if (s := word[-n:]) in self.morphemes.suffixes]
        prefixes = [p for p in prefixes if not self._blocked(word, p + "-")] + [""]
        suffixes = [s for s in suffixes if not self._blocked(word, "-" + s)] + [""]
        pairs = [(p, s) for p in prefixes for s in suffixes if len(p) + len(s) <= len(word) - MIN_ROOT and p + s]
        for prefix, suffix in sorted(pairs, key=lambda pair: -len(pair[0]) - len(pair[1])):
            root = self._root(word, prefix, suffix)
            if root:
                return Segmentation(prefix, root, suffix, (), "affix")
        return None

    def _blocked(self, word: str, affix: str) -> bool:
        return (
            word.startswith(self.blocklist.beginnings.get(affix, ()))
            or word.endswith(self.blocklist.endings.get(affix, ()))
            or word in self.blocklist.words.get(affix, ())
        )

    def _root(self, word: str, prefix: str, suffix: str) -> str:
        """The known root between a prefix and a suffix, "" when there is none or its stems are better known."""
        core = word[len(prefix) : len(word) - len(suffix)]
        core = core.removeprefix("-") if prefix else core
        candidates = roots(core, suffix)
        if suffix and core.endswith("-"):  # a hyphen keeps the root's own spelling
            candidates = [core := core[:-1]]
        affixes = [affix for affix in (prefix, suffix) if affix]
        sure = max(map(len, affixes)) >= SURE_LETTERS
        known = self.rare_roots if sure else self.roots
        shortest = MIN_ROOT + (min(map(len, affixes)) < 3)
        least = self.table.get(word, 0.0)
        if len(prefix) == 1:  # a- makes adverbs of common words (aflame), and these take no suffix
            least = max(least, ROOT_ZIPF[MIN_ROOT]) if not suffix else math.inf
        elif prefix and suffix:
            tail = word[len(prefix) :]
            if suffix in INFLECTION and tail in self.roots:  # a known inflected word stays whole: out + climbing
                return ""
            stems = [tail, *roots(word[: len(word) - len(suffix)], suffix)]
            least = max(
                least, 0.0 if sure else BOTH_ZIPF, *(self.table.get(stem, -9.0) + STEM_MARGIN for stem in stems)
            )
        for root in candidates:
            undoubled = (
                root == core and len(candidates) > 1 and doubles(core) and suffix.startswith(tuple(VOWELS + "y"))
            )
            if undoubled and self.table.get(core + "e", 0.0) > LISTED_ZIPF:
                continue  # gapers come from "gape", though "gape" be too rare to be a root
            if len(root) >= shortest and known.get(root, 0.0) > least:
                return root
        return ""

    def _compound(self, word: str) -> Segmentation | None:
        frequency = self.table.get(word, 0.0)
        if frequency >= COMPOUND_BELOW:
            return None
        if "-" in word:
            splits = [tuple(word.split("-"))] if word.count("-") == 1 else []
        else:
            shortest = MIN_ROOT + (frequency > 0)  # what is listed is rarely an unheard compound (biddies: bid + dies)
            splits = [(word[:cut], word[cut:]) for cut in range(shortest, len(word) - shortest + 1)]
        rarer = {split: min(self.pieces.get(piece, 0.0) for piece in split) for split in splits}
        rarer = {split: frequency for split, frequency in rarer.items() if frequency}
        # the first word of an English compound is seldom a plural: "waterspray" is no waters + pray
        singular = {(a, b) for a, b in rarer if not (a.endswith("s") and (a[:-1], "s" + b) in rarer)}
        best = max(singular, key=lambda split: (rarer[split], split), default=())
        return Segmentation("", word, "", best, "compound") if best else None
