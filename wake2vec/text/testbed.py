"""The calibration instrument: one text in two languages, plain and with coinages whose parts are known.

A coinage stands where a word with the meaning of its parts would stand. A derivation that keeps its root's class takes
places of the root; one that changes the class (-ness, -ish, -ward) takes places of the new class and draws their
neighbours from the root's company; a compound or portmanteau takes places of both its words where it can, and draws the
neighbours of each place from the other word's company. An affix has its own mark, a word that stands beside it some of
the time ("again" with re-, "little" with -let). So the truth lies in the distribution, not only in the spelling.

Both languages are made by the same draws: they differ at the coinages and in a/an before them, nowhere else.

Counts follow Zipf's law on top of a planned share of hapax legomena: with M repeated types the one of rank r occurs
2 (M / r)^s times, s = 0.65; M h / (1 - h) further types occur once, h being the hapax share.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from wordfreq import zipf_frequency

from wake2vec.errors import UserError, guess
from wake2vec.text.grammar import MARKED, PASSAGE, Sentence, Token, mark, passage, render, zipf
from wake2vec.text.wordlists import FOLDER, Affix, Language, Lexeme, load
from wake2vec.text.words import normalise, words

LANGUAGES = ("plain", "coined")
KINDS = {"derivation": 0.5, "compound": 0.32, "portmanteau": 0.18}
EXPONENT = 0.65
LONGEST = 16  # letters of a coinage
ENGLISH = 1.0  # a form at or above this Zipf frequency in English is no coinage
CHANGES_CLASS = 0.3  # the share of derivations that do
OFTENEST_CHANGED = 12  # and how often one may occur
PULL = 0.6  # how often a neighbour of a compound or portmanteau is drawn from its other word's company
CLASSES = {
    "T": "noun",
    "H": "noun",
    "L": "noun",
    "A": "adjective",
    "V": "verb",
    "I": "verb",
    "O": "verb",
    "D": "adverb",
}


@dataclass(frozen=True, slots=True)
class Coinage:
    """A form with its parts as (text, role), its marks, and the places it may take.

    With each place comes the word from whose company the place's neighbours are drawn, if any.
    """

    word: str
    kind: str
    parts: list[tuple[str, str]]
    places: list[tuple[Token, Lexeme | None]]
    marks: list[str]


@dataclass(frozen=True, eq=False)
class Places:
    """Where the content words of the text stand, and which words overlap."""

    language: Language
    tokens: list[Token]
    by_text: dict[str, list[Token]]
    by_passage: list[list[Token]]
    passages: dict[Lexeme, set[int]]
    overlaps: dict[str, list[tuple[str, str]]]  # by word: the (first, second) pairs it blends in
    owner: dict[str, Lexeme]  # nouns and adjectives without affix, by their uninflected form


def generate(
    language: str,
    characters: int = 500_000,
    seed: int = 42,
    hapax_share: float = 0.82,
    coinage_rate: float = 0.06,
    folder: Path = FOLDER,
) -> tuple[list[str], list[dict]]:
    """A text of about `characters` characters (of its plain form) as passages of some 2,000, and its coinages.

    `language` is "plain" or "coined"; with all else equal the two texts match word by word. `hapax_share` is the share
    of coined types that occur once, `coinage_rate` the share of running words that are coinages (a little less where
    no word is frequent enough to give a frequent coinage its places). `folder` holds the word lists. The coinages, none
    for plain text, are dicts, the most frequent first: word (lower case), kind (derivation, compound, portmanteau),
    parts (dicts of text and role: prefix, root, suffix, word) and count.

    Raises UserError for an unknown language, a value out of range, and for word lists that do not hold together.
    """
    if language not in LANGUAGES:
        raise UserError(f'testbed language "{language}" is not plain or coined.{guess(language, LANGUAGES)}')
    for name, value, low, high in (
        ("characters", characters, PASSAGE, float("inf")),
        ("hapax_share", hapax_share, 0.0, 0.99),
        ("coinage_rate", coinage_rate, 0.0, 0.2),
    ):
        if not low <= value <= high:
            raise UserError(f"testbed {name} is {value}; accepted: {low} to {high}")
    lists = load(folder)
    rng = np.random.default_rng(seed)
    passages: list[list[list[Sentence]]] = []
    length = 0
    while length < characters:
        passages.append(passage(lists, rng))
        length += len(_text(passages[-1], coined=False))
    running = sum(len(words(_text(one, coined=False))) for one in passages)
    gold = _coin(lists, passages, rng, planned_counts(round(coinage_rate * running), hapax_share))
    texts = [_text(one, coined=language == "coined") for one in passages]
    return texts, gold if language == "coined" else []


def count_gold(gold: list[dict], train_text: str, valid_text: str) -> list[dict]:
    """The rows of `gold` with count, count_train and count_valid as they occur in the two parts of the text."""
    train, valid = (Counter(map(normalise, words(text))) for text in (train_text, valid_text))
    return [
        row | {"count": train[word] + valid[word], "count_train": train[word], "count_valid": valid[word]}
        for row in gold
        for word in [normalise(row["word"])]
    ]


def planned_counts(total: int, hapax_share: float) -> list[int]:
    """How often each coinage is to occur, in falling order, so that they come to about `total` together."""

    def repeated(types: int) -> list[int]:
        return [max(2, round(2 * (types / rank) ** EXPONENT)) for rank in range(1, types + 1)]

    def hapaxes(types: int) -> int:
        return round(types * hapax_share / (1 - hapax_share))

    types = bisect_left(range(total), total, key=lambda types: sum(repeated(types)) + hapaxes(types))
    return repeated(types) + [1] * hapaxes(types)


def _text(paragraphs: list[list[Sentence]], coined: bool) -> str:
    return "\n\n".join(" ".join(render(sentence, coined) for sentence in paragraph) for paragraph in paragraphs)


def _coin(
    language: Language, passages: list[list[list[Sentence]]], rng: np.random.Generator, counts: list[int]
) -> list[dict]:
    """Make coinages and put them in their places; the gold rows, by falling count."""
    places = _places(language, passages)
    makers = [_derivation, _compound, _portmanteau]  # in the order of KINDS
    shares = np.cumsum(list(KINDS.values()))
    used: set[str] = set()
    gold = []
    for count in counts:
        maker = makers[int(np.searchsorted(shares, rng.random() * shares[-1]))]
        coinage, count = _make(places, rng, maker, count, used)
        used.add(coinage.word)
        placed = _put(coinage, rng, count)
        parts = [{"text": text, "role": role} for text, role in coinage.parts]
        gold.append({"word": coinage.word, "kind": coinage.kind, "parts": parts, "count": placed})
    return sorted(gold, key=lambda row: (-row["count"], row["word"]))


def _make(
    places: Places, rng: np.random.Generator, maker: Callable[..., Coinage | None], count: int, used: set[str]
) -> tuple[Coinage, int]:
    """A new coinage with room for `count` of it, or for somewhat fewer where no word is frequent enough."""
    for attempt in range(4000):
        if attempt == 400:  # overlapping words are few, and may all have been used
            maker = _derivation
        # after 100 vain attempts 1 % less with each, but never less than twice
        wanted = count if attempt < 100 else max(min(count, 2), round(count * 0.99 ** (attempt - 100)))
        token = places.tokens[int(rng.random() * len(places.tokens))]
        if not token.free or token.lexeme.lemma in places.language.marks:
            continue
        coinage = maker(places, rng, token, wanted)
        if coinage and _enough(coinage.places, wanted) and _is_new(coinage.word, places.language, used):
            return coinage, wanted
    raise UserError(
        f"the testbed's text is too short for its coinages: no room for one more that occurs {count} times. "
        "Ask for more characters or a lower coinage_rate."
    )


def _places(language: Language, passages: list[list[list[Sentence]]]) -> Places:
    tokens: list[Token] = []
    by_passage: list[list[Token]] = []
    by_text: dict[str, list[Token]] = defaultdict(list)
    where: dict[Lexeme, set[int]] = defaultdict(set)
    for number, paragraphs in enumerate(passages):
        here = [piece for sentence in chain(*paragraphs) for piece in sentence if not isinstance(piece, str)]
        for token in here:
            token.passage = number
            by_text[token.text].append(token)
            where[token.lexeme].add(number)
        by_passage.append(here)
        tokens += here
    unaffixed = [lexeme for lexeme in language.lexemes if lexeme.lemma not in language.marks]
    owner = {lexeme.lemma: lexeme for lexeme in unaffixed if lexeme.role in "THLA"}
    return Places(language, tokens, by_text, by_passage, where, _overlaps(owner, unaffixed), owner)


def _overlaps(owner: dict[str, Lexeme], lexemes: list[Lexeme]) -> dict[str, list[tuple[str, str]]]:
    """Under each word, the pairs (first, second) it is in of which the first ends as the second begins."""
    starts: dict[str, list[str]] = defaultdict(list)
    for text in (text for lexeme in lexemes if lexeme.role != "D" for text in lexeme.forms.values()):
        for size in range(2, len(text) - 1):
            starts[text[:size]].append(text)
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for first in owner:
        for size in range(2, len(first) - 1):
            for second in starts[first[-size:]]:
                if second != first and overlap(first, second) == size:
                    pairs[first].append((first, second))
                    pairs[second].append((first, second))
    return pairs


def overlap(first: str, second: str) -> int:
    """The most letters that end `first` and begin `second`, each keeping two letters of its own or more.

    >>> overlap("market", "kettle")
    3
    """
    sizes = range(min(len(first), len(second)) - 2, 0, -1)
    return next((size for size in sizes if first.endswith(second[:size])), 0)


def _standing(places: Places, text: str, rng: np.random.Generator) -> list[Token]:
    """The free places of a form, shuffled."""
    free = [token for token in places.by_text[text] if token.free and token.text == text]
    return [free[index] for index in rng.permutation(len(free))]


def _enough(sites: list, count: int) -> bool:
    """Whether there is room for `count` coinages that leaves the plain word some of its places."""
    return len(sites) >= (1 if count == 1 else 1.5 * count + 2)


def _is_new(word: str, language: Language, used: set[str]) -> bool:
    if word in used or word in language.plain_words or len(word) > LONGEST:
        return False
    if any(word[index] == word[index + 1] == word[index + 2] for index in range(len(word) - 2)):
        return False
    return zipf_frequency(word, "en") < ENGLISH


def _affix(places: Places, rng: np.random.Generator, kind: str, source: str, changes: bool = False) -> Affix | None:
    fitting = [
        affix
        for affix in places.language.affixes
        if affix.kind == kind and affix.source == source and (affix.target != source) == changes
    ]
    return zipf(rng, fitting, 2) if fitting else None


def _derivation(places: Places, rng: np.random.Generator, token: Token, count: int) -> Coinage | None:
    """An affix or two on the word at `token`."""
    if rng.random() < CHANGES_CLASS and count <= OFTENEST_CHANGED:
        return _class_change(places, rng, token, count)
    source = CLASSES[token.role]
    style = rng.random()
    prefix = _affix(places, rng, "prefix", source) if style < 0.7 else None
    suffix = _affix(places, rng, "suffix", source) if style > 0.55 and token.form in ("singular", "plain") else None
    if not (prefix or suffix):
        return None
    sites = [token] if count == 1 else _standing(places, token.text, rng)
    return _derived(prefix, token.text, suffix, [(site, None) for site in sites])


def _class_change(places: Places, rng: np.random.Generator, token: Token, count: int) -> Coinage | None:
    """A derivation that takes its root's company into another word class."""
    root = token.lexeme
    suffix = _affix(places, rng, "suffix", CLASSES[root.role], changes=True)
    if suffix is None:
        return None
    prefix = _affix(places, rng, "prefix", suffix.target) if rng.random() < 0.25 else None
    # Where the root occurs; for nouns made of adjectives and verbs, a noun that the root goes with.
    passages = [token.passage] if count == 1 else sorted(places.passages[root])
    sites: list[Token] = []
    for number in rng.permutation(passages):
        sites += [
            site
            for site in places.by_passage[number]
            if site.free
            and (site.lexeme in root.company["T"] if suffix.target == "noun" else CLASSES[site.role] == suffix.target)
            and site.form in ("singular", "plain")
        ]
        if _enough(sites, 2 * count):
            break
    return _derived(prefix, root.lemma, suffix, [(sites[index], root) for index in rng.permutation(len(sites))])


def _derived(
    prefix: Affix | None, root: str, suffix: Affix | None, sites: list[tuple[Token, Lexeme | None]]
) -> Coinage:
    parts = [(prefix.text, "prefix")] if prefix else []
    parts += [(root, "root")] + ([(suffix.text, "suffix")] if suffix else [])
    marks = [affix.mark for affix in (prefix, suffix) if affix]
    return Coinage("".join(text for text, _ in parts), "derivation", parts, sites, marks)


def _compound(places: Places, rng: np.random.Generator, token: Token, count: int) -> Coinage | None:
    """The word at `token` behind another of its passage: bell + tower, moon + pale, kettle + boiled."""
    here = places.by_passage[token.passage]
    other = here[int(rng.random() * len(here))]
    first = other.lexeme
    if first.lemma not in places.owner or first is token.lexeme or token.role == "D":
        return None
    if first.role == "A" and token.role in "IO":  # nothing is palesang
        return None
    parts = [(first.lemma, "word"), (token.text, "word")]
    return _joined(places, rng, first.lemma + token.text, "compound", parts, token, first, count)


def _portmanteau(places: Places, rng: np.random.Generator, token: Token, count: int) -> Coinage | None:
    """The word at `token` blended with one that it overlaps."""
    pairs = places.overlaps.get(token.text, [])
    if not pairs:
        return None
    first, second = pairs[int(rng.random() * len(pairs))]
    if first == token.text and second not in places.owner:
        return None
    other = places.owner[first if second == token.text else second]
    if first == token.text and CLASSES[other.role] != CLASSES[token.role]:
        return None
    word = first + second[overlap(first, second) :]
    return _joined(places, rng, word, "portmanteau", [(first, "word"), (second, "word")], token, other, count)


def _joined(
    places: Places,
    rng: np.random.Generator,
    word: str,
    kind: str,
    parts: list[tuple[str, str]],
    token: Token,
    other: Lexeme,
    count: int,
) -> Coinage:
    """A coinage of two words, with places of the one at `token`: first one in each passage that holds both words.

    When both are of one class and neither is inflected, either word's places will do, and are taken by turns.
    """
    either = CLASSES[other.role] == CLASSES[token.role] and token.text in places.owner
    if count == 1:
        return Coinage(word, kind, parts, [(token, other)], [])

    def sites(text: str, other: Lexeme) -> list[tuple[Token, Lexeme]]:
        near, seen = places.passages[other], Counter()
        ranked = []
        for order, site in enumerate(_standing(places, text, rng)):
            ranked.append((site.passage not in near, seen[site.passage], order, site))
            seen[site.passage] += 1
        return [(site, other) for _, _, _, site in sorted(ranked, key=lambda one: one[:3])]

    one, two = sites(token.text, other), sites(other.lemma, token.lexeme) if either else []
    by_turns = list(chain(*zip(one, two, strict=False)))
    return Coinage(word, kind, parts, by_turns + one[len(two) :] + two[len(one) :], [])


def _put(coinage: Coinage, rng: np.random.Generator, count: int) -> int:
    """Put a coinage in `count` of its places, with its marks and company; the number of places it took."""
    placed = 0
    for token, other in coinage.places:
        if placed == count:
            break
        if not token.free:
            continue
        token.coinage = coinage.word
        placed += 1
        for word in coinage.marks:
            if rng.random() < MARKED:
                mark(token, word)
        if other is not None:
            _pull(token, other, rng)
    return placed


def _pull(token: Token, other: Lexeme, rng: np.random.Generator) -> None:
    """Draw the neighbours of a place, in both languages, from the company of `other`."""
    for neighbour in token.company:
        if neighbour is token or not neighbour.free or rng.random() > PULL:
            continue
        company = [
            one
            for one in other.company[neighbour.role]
            if neighbour.form in one.forms and one.mass == neighbour.lexeme.mass and one is not token.lexeme
        ]
        if company:
            neighbour.lexeme = zipf(rng, company, 0.5)
            neighbour.text = neighbour.lexeme.forms[neighbour.form]
            neighbour.fixed = True
    adjectives = other.company["A"]
    if adjectives and token.role in "THL" and not any(one.role == "A" for one in token.company) and rng.random() < 0.5:
        mark(token, zipf(rng, adjectives, 0.5).lemma)
