"""The testbed's word lists and sentence patterns, read from data/testbed and joined.

A noun's line names the words that keep it company, and so gives them their company as well: what is `hot` and what
`boils` is known from the nouns that say so. data/testbed/README.md describes the files and the patterns' slots.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from wake2vec.errors import UserError, guess
from wake2vec.text.words import normalise, words

FOLDER = Path(__file__).parents[2] / "data" / "testbed"
NOUNS = {"thing": "T", "stuff": "T", "person": "H", "place": "L"}
FORMS = {"T": "singular", "Ts": "plural", "H": "singular", "Hs": "plural", "L": "singular", "A": "plain", "D": "plain"}
FORMS |= {verb + mark: form for verb in "IO" for mark, form in {"": "past", "b": "base", "g": "ing"}.items()}
ANOTHER = {"B": "A", "J": "I", "P": "O"}  # a second, different adjective or verb of the same noun
SLOT = re.compile(
    r"\{(?:(?P<special>a|X|Y|he2?|his|him)|(?P<role>[A-Z])(?P<form>[sbg]?)(?P<index>\d)(?P<optional>\??))\}"
)
PRONOUNS = {"she": {"he": "she", "his": "her", "him": "her"}, "he": {"he": "he", "his": "his", "him": "him"}}
ARTICLES = {"a", "an", "some"}
ARTICLE, CAPITAL = "\x01", "\x02"  # stand in a pattern for a/an before the next word, and a capital in it


@dataclass(eq=False, slots=True)
class Lexeme:
    """A content word: role T, H, L (thing, person, place), A (adjective), V (verb) or D (adverb).

    `company` lists, by role, the words that go with it, the most usual first (verbs under I and O: without and with the
    noun as their object).
    """

    lemma: str
    role: str
    topic: str
    forms: dict[str, str]
    mass: bool = False  # "some bread", not "a bread"
    company: dict[str, list["Lexeme"]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class Affix:
    """A prefix or suffix, the word classes it joins and makes, and the word that often accompanies it."""

    text: str
    kind: str
    source: str
    target: str
    mark: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a pattern for a content word: `{A1?}` is an optional adjective of noun 1."""

    role: str
    form: str
    index: int
    another: bool
    optional: bool


Pattern = list[str | Slot]


@dataclass(frozen=True, eq=False)
class Language:
    """The lists, read and joined. `nouns` by (topic, role, form); `pools` by (topic, noun role, role, form)."""

    topics: dict[str, list[str]]
    nouns: dict[tuple[str, str, str], list[Lexeme]]
    pools: dict[tuple[str, str, str, str], list[Lexeme]]
    adverbs: list[Lexeme]
    lexemes: list[Lexeme]
    names: list[tuple[str, str]]
    patterns: dict[str, list[Pattern]]
    affixes: list[Affix]
    marks: dict[str, str]  # by affixed word of the lists: the word that echoes its affix
    plain_words: frozenset[str]


def _rows(folder: Path, name: str, columns: str) -> list[dict[str, str]]:
    path = folder / name
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise UserError(f"the testbed's word list {path} is missing; restore it with `git checkout`") from None
    found = " ".join(rows[0]) if rows else "no rows"
    if found != columns:
        raise UserError(f"{path}, line 1: expected the columns {columns}; found {found}")
    return rows


@cache
def load(folder: Path = FOLDER) -> Language:
    """Read the word lists and patterns of `folder`.

    Raises UserError, with file and line, for a missing file, an unknown companion, or a word with two meanings.
    """
    topics = {row["topic"]: row["neighbours"].split() for row in _rows(folder, "topics.csv", "topic neighbours")}
    adverbs: dict[str, Lexeme] = {}
    verbs: dict[str, Lexeme] = {}
    for row in _rows(folder, "verbs.csv", "base past ing adverbs"):
        forms = {form: row[form] for form in ("base", "past", "ing") if row[form]}
        verb = verbs[row["base"]] = Lexeme(row["base"], "V", "", forms)
        for text in row["adverbs"].split():
            adverb = adverbs.setdefault(text, Lexeme(text, "D", "", {"plain": text}))
            verb.company["D"].append(adverb)
            adverb.company["I"].append(verb)
            adverb.company["O"].append(verb)
    nouns, adjectives, listed = _read_nouns(folder, verbs)
    lexemes = [*nouns.values(), *adjectives.values(), *verbs.values(), *adverbs.values()]
    names = [(row["name"], row["pronoun"]) for row in _rows(folder, "names.csv", "name pronoun")]
    affixes = [
        Affix(row["affix"], row["kind"], row["from"], row["to"], row["mark"], tuple(row["examples"].split()))
        for row in _rows(folder, "affixes.csv", "affix kind from to mark examples")
    ]
    patterns: dict[str, list[Pattern]] = defaultdict(list)
    literal: set[str] = set()
    for row in _rows(folder, "patterns.csv", "place pattern"):
        pieces = parse(row["pattern"])
        patterns[row["place"]].append(pieces)
        literal.update(normalise(word) for piece in pieces if isinstance(piece, str) for word in words(piece))
    literal |= {form for name, _ in names for form in (name.lower(), f"{name.lower()}'s")}
    literal |= ARTICLES | {affix.mark for affix in affixes}
    literal |= {pronoun for pronouns in PRONOUNS.values() for pronoun in pronouns.values()}
    return Language(
        topics,
        listed,
        _pools(nouns.values()),
        list(adverbs.values()),
        lexemes,
        names,
        dict(patterns),
        affixes,
        {lexeme.lemma: affix.mark for affix in affixes for lexeme in lexemes if lexeme.lemma in affix.examples},
        frozenset(_distinct(lexemes, literal, folder) | literal),
    )


def _read_nouns(folder: Path, verbs: dict[str, Lexeme]) -> tuple[dict, dict, dict]:
    rows = _rows(folder, "nouns.csv", "topic word plural kind adjectives does done near")
    nouns: dict[str, Lexeme] = {}
    adjectives: dict[str, Lexeme] = {}
    listed: dict[tuple[str, str, str], list[Lexeme]] = defaultdict(list)
    for row in rows:
        forms = {"singular": row["word"]} | ({"plural": row["plural"]} if row["plural"] else {})
        noun = nouns[row["word"]] = Lexeme(row["word"], NOUNS[row["kind"]], row["topic"], forms, row["kind"] == "stuff")
        for form in forms:
            listed[noun.topic, noun.role, form].append(noun)
    for line, row in enumerate(rows, 2):
        noun = nouns[row["word"]]
        for word in row["adjectives"].split():
            _link(noun, "A", adjectives.setdefault(word, Lexeme(word, "A", "", {"plain": word})))
        for column, role, lexicon in (("does", "I", verbs), ("done", "O", verbs), ("near", "", nouns)):
            for word in row[column].split():
                if word not in lexicon:
                    where = f"{folder / 'nouns.csv'}, line {line}, {column}"
                    raise UserError(f'{where}: "{word}" is not in the lists.{guess(word, lexicon)}')
                _link(noun, role or lexicon[word].role, lexicon[word])
    return nouns, adjectives, dict(listed)


def _link(noun: Lexeme, role: str, other: Lexeme) -> None:
    """Put two words into each other's company."""
    for one, key, two in ((noun, role, other), (other, noun.role, noun)):
        if two not in one.company[key]:
            one.company[key].append(two)


def _pools(nouns: Iterable[Lexeme]) -> dict[tuple[str, str, str, str], list[Lexeme]]:
    """For each topic (and "", all of them) and kind of noun, its nouns' adjectives and verbs, the most usual first."""
    weights: dict[tuple[str, str, str, str], dict[Lexeme, float]] = defaultdict(lambda: defaultdict(float))
    for noun in nouns:
        for role in "AIO":
            for rank, other in enumerate(noun.company[role], 1):
                for form in other.forms:
                    for topic in (noun.topic, ""):
                        weights[topic, noun.role, role, form][other] += 1 / rank
    return {key: sorted(pool, key=lambda one: (-pool[one], one.lemma)) for key, pool in weights.items()}


def _distinct(lexemes: list[Lexeme], literal: set[str], folder: Path) -> set[str]:
    owner: dict[str, Lexeme] = {}
    for lexeme in lexemes:
        for text in lexeme.forms.values():
            if text in literal or owner.setdefault(text, lexeme) is not lexeme:
                other = (
                    f"of {owner[text].lemma} ({owner[text].role})"
                    if text in owner
                    else "a name, a mark or in a pattern"
                )
                one = f'{folder}: "{text}" is a form of {lexeme.lemma} ({lexeme.role})'
                raise UserError(f"{one} and also {other}; a form may have one meaning only")
    return set(owner)


def parse(pattern: str) -> Pattern:
    """Split a pattern into literal text, slots and the names of special slots (`{X}`, `{he}`), which stay text."""
    pieces: Pattern = []
    end = 0
    for match in SLOT.finditer(pattern):
        pieces.append(pattern[end : match.start()].replace("^", CAPITAL))
        end = match.end()
        if match["special"]:
            pieces.append(ARTICLE if match["special"] == "a" else match[0])
        else:
            role = ANOTHER.get(match["role"], match["role"])
            form = FORMS[role + match["form"]]
            pieces.append(Slot(role, form, int(match["index"]), role != match["role"], bool(match["optional"])))
    pieces.append(pattern[end:])
    if any("{" in piece and not SLOT.fullmatch(piece) for piece in pieces if isinstance(piece, str)):
        raise UserError(f"sentence pattern with an unknown slot: {pattern}")
    return [piece for piece in pieces if piece != ""]
