"""The testbed's plain language: sentences from patterns and word lists, and little narratives of them.

A sentence draws its nouns from the passage's one or two topics and their companions from the lists of the words they
belong to, so that each content word has a signature of contexts. Choices within a list are Zipfian, in Mandelbrot's
form (1953): the item of rank r is drawn with a weight of 1 / (r + q).
"""

import re
from bisect import bisect
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import TypeVar

import numpy as np

from wake2vec.text.wordlists import ARTICLE, CAPITAL, PRONOUNS, Language, Lexeme, Pattern, Slot

Item = TypeVar("Item")
PASSAGE = 2000  # characters

# How often a slot draws where it does; the rest comes from the topic at large.
FROM_COMPANY = 0.85  # an adjective, verb or adverb from the lists of the word it belongs to
FROM_NEAR = 0.4  # a noun from the company of the sentence's noun before it
FROM_THEME = 0.15  # a noun that the passage returns to
FROM_OTHER_TOPIC = 0.12  # a noun from the passage's other topic than the paragraph's
OPTIONAL = {"A": 0.5, "D": 0.4}
MARKED = 0.6  # how often an affix has the accompanying word that echoes its meaning


@dataclass(eq=False, slots=True)
class Token:
    """A content word in a sentence; `coinage` replaces `text` in the coined language, `before` stands in both."""

    lexeme: Lexeme
    role: str
    form: str
    text: str
    company: list["Token"]  # the sentence's other words about the same noun, and itself
    lead: "Token | None" = None  # the adjective right before a noun: what precedes the noun precedes it
    passage: int = -1
    before: str = ""
    coinage: str = ""
    fixed: bool = False

    @property
    def free(self) -> bool:
        """Whether a coinage may still stand here, or the word give way to another."""
        return not (self.coinage or self.fixed)


Sentence = list[str | Token]


@cache
def _cumulative(length: int, offset: float) -> list[float]:
    return list(accumulate(1 / (rank + offset) for rank in range(1, length + 1)))


def zipf(rng: np.random.Generator, items: list[Item], offset: float = 1.0) -> Item:
    """Draw one item, that of rank r (from 1) with a weight of 1 / (r + offset)."""
    cumulative = _cumulative(len(items), offset)
    return items[bisect(cumulative, rng.random() * cumulative[-1], hi=len(items) - 1)]


@dataclass
class Scene:
    """What a passage is about: topics, cast (name and pronouns of X and Y) and the nouns it returns to."""

    topics: list[str]
    special: dict[str, str]
    theme: list[Lexeme]
    topic: str = ""


def _scene(language: Language, rng: np.random.Generator) -> Scene:
    topics = [zipf(rng, list(language.topics), 12)]
    if rng.random() < 0.65:
        topics.append(zipf(rng, language.topics[topics[0]]))
    (x, pronoun), (y, pronoun2) = zipf(rng, language.names, 4), zipf(rng, language.names, 4)
    while y == x:
        y, pronoun2 = zipf(rng, language.names, 4)
    special = {"{X}": x, "{Y}": y, "{he2}": pronoun2} | {f"{{{key}}}": one for key, one in PRONOUNS[pronoun].items()}
    theme = [zipf(rng, language.nouns[zipf(rng, topics), role, "singular"]) for role in "TTTHL"]
    return Scene(topics, special, theme)


def _noun(language: Language, rng: np.random.Generator, slot: Slot, scene: Scene, used: list[Lexeme]) -> Lexeme:
    for _ in range(4):
        source, items = rng.random(), []
        if source < FROM_NEAR and used:
            items = used[-1].company[slot.role]
        elif source < FROM_NEAR + FROM_THEME:
            items = [noun for noun in scene.theme if noun.role == slot.role]
        items = [noun for noun in items if slot.form in noun.forms]
        topic = scene.topics[-1] if rng.random() < FROM_OTHER_TOPIC else scene.topic
        noun = zipf(rng, items or language.nouns[topic, slot.role, slot.form], 3)
        if noun not in used:
            break
    return noun


def _companion(
    language: Language, rng: np.random.Generator, slot: Slot, owner: Lexeme, topic: str, avoid: set[Lexeme]
) -> Lexeme:
    """An adjective or verb for the noun `owner`, or an adverb for the verb `owner`."""
    kind = (owner.role, slot.role, slot.form)
    pool = language.adverbs if slot.role == "D" else language.pools.get((topic, *kind)) or language.pools["", *kind]
    own = [one for one in owner.company[slot.role] if slot.form in one.forms and one not in avoid]
    if own and rng.random() < FROM_COMPANY:
        return zipf(rng, own, 0.5)
    return zipf(rng, [one for one in pool if one not in avoid])


def _nouns(language: Language, rng: np.random.Generator, pattern: Pattern, scene: Scene) -> dict[int, Lexeme]:
    """The nouns of a sentence by their index in its pattern."""
    nouns: dict[int, Lexeme] = {}
    slots = [piece for piece in pattern if isinstance(piece, Slot) and piece.role in "THL"]
    for slot in sorted(slots, key=lambda slot: slot.index):
        if slot.index not in nouns:
            nouns[slot.index] = _noun(language, rng, slot, scene, list(nouns.values()))
    return nouns


def compose(language: Language, rng: np.random.Generator, place: str, scene: Scene) -> Sentence:
    """A sentence: a pattern of `place` (open, tell, say, song, close) with its slots filled."""
    pattern = zipf(rng, language.patterns[place], 6)
    nouns = _nouns(language, rng, pattern, scene)
    verbs: dict[int, Lexeme] = {}
    drawn: dict[tuple[str, int], set[Lexeme]] = defaultdict(set)
    companies: dict[int, list[Token]] = defaultdict(list)
    sentence: Sentence = [] if place == "song" else [CAPITAL]
    omitted = False
    for position, piece in enumerate(pattern):
        if isinstance(piece, str):
            following = pattern[position + 2] if piece == ARTICLE else None
            if isinstance(following, Slot) and nouns[following.index].mass:
                piece = "some"
            if omitted and piece.startswith(" "):
                piece = piece[1:]
            elif omitted and isinstance(sentence[-1], str):
                sentence[-1] = sentence[-1].rstrip(" ")
            omitted = False
            sentence.append(scene.special.get(piece, piece))
            continue
        omitted = piece.optional and rng.random() > OPTIONAL[piece.role]
        if omitted:
            continue
        lexeme = nouns[piece.index]
        if piece.role not in "THL":
            # In "no hunter carved an arrow so neatly" the adverb belongs to the verb named last.
            owner = verbs.get(piece.index) or next(reversed(verbs.values())) if piece.role == "D" else lexeme
            avoid = drawn[piece.role, piece.index] if piece.another else set()
            lexeme = _companion(language, rng, piece, owner, lexeme.topic, avoid)
            drawn[piece.role, piece.index].add(lexeme)
        if piece.role in "IO":
            verbs[piece.index] = lexeme
        company = companies[piece.index]
        token = Token(lexeme, piece.role, piece.form, lexeme.forms[piece.form], company)
        if piece.role in "THL" and company and sentence[-2:] == [company[-1], " "] and company[-1].role == "A":
            token.lead = company[-1]
        if lexeme.lemma in language.marks and rng.random() < MARKED:
            mark(token, language.marks[lexeme.lemma])
        company.append(token)
        sentence.append(token)
    return sentence


def mark(token: Token, word: str) -> None:
    """Put `word` before a token (before its adjective, if it has one), unless something is there already."""
    target = token.lead or token
    target.before = target.before or word


def render(sentence: Sentence, coined: bool) -> str:
    """The sentence as text, in the plain or the coined language, with its articles and capitals."""
    parts = []
    for piece in sentence:
        if isinstance(piece, str):
            parts.append(piece)
        else:
            parts.append(f"{piece.before} " if piece.before else "")
            parts.append(piece.coinage if coined and piece.coinage else piece.text)
    text = "".join(parts).replace("/", "\n")
    text = re.sub(f"{ARTICLE}(?= “?([a-z]))", lambda found: "an" if found[1] in "aeiou" else "a", text)
    return re.sub(f"{CAPITAL}([^a-zA-Z]*[a-zA-Z])", lambda found: found[1].replace(CAPITAL, "").upper(), text)


def passage(language: Language, rng: np.random.Generator) -> list[list[Sentence]]:
    """A little narrative of about PASSAGE characters: paragraphs of sentences."""
    scene = _scene(language, rng)
    paragraphs: list[list[Sentence]] = []
    length = 0

    def add(*places: str) -> None:
        nonlocal length
        paragraph = [compose(language, rng, place, scene) for place in places]
        paragraphs.append(paragraph)
        length += sum(len(render(sentence, coined=False)) + 1 for sentence in paragraph) + 1

    while length < PASSAGE:
        scene.topic = scene.topics[0] if rng.random() < 0.6 else scene.topics[-1]
        closing = ["close"] if length > PASSAGE - 450 else []
        add(*(["open"] if not paragraphs else []), *(["tell"] * int(2 + 4 * rng.random())), *closing)
        if length < PASSAGE - 300:
            if rng.random() < 0.6:
                add(*["say"] * int(1 + 1.6 * rng.random()))
            if rng.random() < 0.12:
                add("song")
    return paragraphs
