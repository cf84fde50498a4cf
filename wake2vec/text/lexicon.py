"""The lexicon: which words of a text are coinages, and why every other word is not.

A coinage is a word outside the base language. Its measure is the Zipf frequency of van Heuven et al. (2014),

    zipf(w) = log10(occurrences of w per billion words),

from `wordfreq` (Speer 2022), whose large English list ends at 1.01: a word that it lacks has zipf 0, so a limit of 1.0
keeps exactly the words that wordfreq does not know. A word with hyphens or apostrophes that the list lacks as a whole
is as frequent as the rarest of its pieces ("well-nigh" as "nigh"), and a plural ("topers") as its singular ("toper").

Everything is counted in one text: the training text, or, when the caller says so, training and held-out text together.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import regex

from wake2vec.errors import UserError, guess
from wake2vec.text.words import WORD, normalise, words

COLUMNS = ["word", "count", "zipf", "status", "reason", "surfaces"]

# A word stands inside a sentence when a letter, a digit or a comma comes before it on the same line, or a title, whose
# full stop ends no sentence. What follows a dash, a bracket or a quotation mark may begin one, and is left out.
INSIDE = regex.compile(
    r"(?:(?<=[\p{L}\p{M}\p{N},;][’'”\"]? )|(?<=\b(?:Mr|Mrs|Ms|Dr|St|Rev|Fr|Capt)\. ))" + WORD.pattern
)
ROMAN = regex.compile(r"(?=[mdclxvi])m{0,4}(cm|cd|d?c{0,3})(xc|xl|l?x{0,3})(ix|iv|v?i{0,4})")
DRAWN_OUT = regex.compile(r"(\p{L})\1{2,}")
PIECES = regex.compile(r"['\-]")
DRAWN_OUT_ZIPF = 2.5  # shorter spellings rarer than this are noises of their own ("prrrrrht"), not drawn-out words
NAME_SHARE = 0.9  # "nearly always" capitalised: names are, and a coinage at the head of a sentence now and then is not


@lru_cache(maxsize=4)
def zipf_table(language: str = "en") -> Mapping[str, float]:
    """Zipf frequency of every word of wordfreq's largest list for a language (English: 321,180 words).

    Raises UserError for a language that wordfreq does not have.
    """
    import wordfreq

    accepted = wordfreq.available_languages()
    if language not in accepted:
        raise UserError(
            f'lexicon language "{language}" is unknown to wordfreq.{guess(language, accepted)} '
            f"Accepted: {', '.join(sorted(accepted))}."
        )
    frequencies = wordfreq.get_frequency_dict(language)
    return {word: round(math.log10(frequency) + 9, 2) for word, frequency in frequencies.items()}


def zipf(word: str, table: Mapping[str, float]) -> tuple[float, str]:
    """Zipf frequency of a normalised word, and through which other word it was found ("" when listed itself).

    0 stands for a word that the list knows neither whole nor in pieces nor in the singular.
    """
    if word in table:
        return table[word], ""
    pieces = PIECES.split(word)
    if len(pieces) > 1:
        rarest = min(pieces, key=lambda piece: table.get(piece, 0.0))
        if rarest in table:
            return table[rarest], f'rarest piece "{rarest}"'
        if len(pieces) == 2 and pieces[1] == "s":
            return zipf(pieces[0], table)
    for singular in singulars(word):
        if singular in table:
            return table[singular], f'plural of "{singular}"'
    return 0.0, ""


def zipf_ranks(zipfs: np.ndarray, table: Mapping[str, float]) -> np.ndarray:
    """Ranks in a list by their Zipf frequencies, 1 the most frequent: 1 + how many listed words are more frequent.

    Words of one frequency share a rank. NaN for a frequency of 0, which no listed word has.
    """
    listed = np.sort(np.fromiter(table.values(), float, len(table)))
    ranks = 1.0 + len(listed) - np.searchsorted(listed, zipfs, side="right")
    return np.where(np.asarray(zipfs) > 0, ranks, np.nan)


def singulars(word: str) -> list[str]:
    """The words of which `word` may be the regular English plural: "ponies" → ["ponie", "pony"]."""
    if len(word) < 5 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return []
    found = [word[:-1]]
    if word.endswith("ies"):
        found.append(word[:-3] + "y")
    elif word.endswith(("ses", "xes", "zes", "ches", "shes")):
        found.append(word[:-2])
    return found


# Building a lexicon -------------------------------------------------------------------------------------------------


def build_lexicon(
    train: str,
    *,
    min_count: int = 2,
    max_zipf: float = 1.0,
    min_length: int = 3,
    names: str = "exclude",
    language: str = "en",
    whole: str | None = None,
) -> pd.DataFrame:
    """Every word of a text with its count, its frequency in the language, and whether it is a coinage to inject.

    `train`: the training text. `whole`: the held-out text, to be counted as well; None (the default) leaves it unseen.
    A word is kept when it occurs at least `min_count` times, its Zipf frequency is at most `max_zipf`, it has at least
    `min_length` letters and no filter takes it. Returns the columns word, count, zipf, status (kept or excluded),
    reason (one phrase; empty when kept), surfaces ("Riverrun:2 riverrun:5"); most frequent first, then alphabetical.
    """
    texts = [train] if whole is None else [train, whole]
    surfaces = count_surfaces(texts)
    table = zipf_table(language)
    inside, capitals = count_capitals(texts)
    rows = []
    for word, spellings in surfaces.items():
        count, (frequency, through) = spellings.total(), zipf(word, table)
        reason = (
            _known(frequency, through, max_zipf)
            or malformed(word, min_length, table)
            or (_name(inside[word], capitals[word]) if names == "exclude" else "")
            or (f"count {count} < min_count {min_count}" if count < min_count else "")
        )
        rows.append((word, count, frequency, "excluded" if reason else "kept", reason, spell_counts(spellings)))
    return _frame(rows)


def _known(frequency: float, through: str, max_zipf: float) -> str:
    if frequency <= max_zipf:
        return ""
    return f"known: {through + ', ' if through else ''}zipf {frequency:.2f} > {max_zipf:.2f}"


def malformed(word: str, min_length: int, table: Mapping[str, float]) -> str:
    """Why a word is too short, a numeral or drawn out, and so no coinage; "" when it is none of these."""
    if len(word) < min_length:
        return f"length {len(word)} < min_length {min_length}"
    if ROMAN.fullmatch(word):
        return "Roman numeral"
    for times in (1, 2):  # "sooo" is "so", "tooo" is "too"
        plain = DRAWN_OUT.sub(lambda run, times=times: run[1] * times, word)
        if plain != word and (len(plain) == 1 or zipf(plain, table)[0] > DRAWN_OUT_ZIPF):
            return f'drawn out: "{plain}" with a letter more than twice in a row'
    return ""


def _name(inside: int, capitals: int) -> str:
    if not inside or capitals < NAME_SHARE * inside:
        return ""
    return f"name: capitalised in {capitals} of {inside} places inside sentences, at least {NAME_SHARE:.0%}"


def count_surfaces(texts: Iterable[str]) -> dict[str, Counter]:
    """For each normalised word the count of each of its spellings."""
    surfaces: dict[str, Counter] = defaultdict(Counter)
    for spelling, count in sum((Counter(words(text)) for text in texts), Counter()).items():
        surfaces[normalise(spelling)][spelling] += count
    return dict(surfaces)


def count_capitals(texts: Iterable[str]) -> tuple[Counter, Counter]:
    """How often each normalised word stands inside a sentence, and how often it is capitalised there.

    A word all in capitals (a headline, a speaker's name in a play) says nothing about names and is not counted.
    """
    inside, capitals = Counter(), Counter()
    for spelling, count in sum((Counter(INSIDE.findall(text)) for text in texts), Counter()).items():
        if len(spelling) > 1 and spelling.isupper():
            continue
        inside[normalise(spelling)] += count
        capitals[normalise(spelling)] += count * (not spelling[0].islower())
    return inside, capitals


def names_of(text: str) -> frozenset[str]:
    """The normalised words of a text that are nearly always capitalised inside sentences."""
    inside, capitals = count_capitals([text])
    return frozenset(word for word, times in inside.items() if _name(times, capitals[word]))


def spell_counts(spellings: Mapping[str, int]) -> str:
    """Spellings with their counts, most frequent first: "riverrun:5 Riverrun:2"."""
    return " ".join(f"{s}:{n}" for s, n in sorted(spellings.items(), key=lambda item: (-item[1], item[0])))


def _frame(rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(sorted(rows, key=lambda row: (-row[1], row[0])), columns=COLUMNS)
    return frame.astype({"count": int, "zipf": float})


def kept(lexicon: pd.DataFrame) -> list[str]:
    """The words to inject, most frequent first, then alphabetical: the lines of wake_lexicon.txt."""
    return lexicon.loc[lexicon["status"] == "kept", "word"].tolist()


# A user's list ------------------------------------------------------------------------------------------------------

# UTF-8 read as Latin-1 or Windows-1252 and written as UTF-8 again: "Ã©" for "é", "â€™" for "’".
TWICE_ENCODED = regex.compile("[ÃÂ][\u0080-\u00bf]|â€[\u0080-\u00bf™œ˜“”]")
SHOWN = 10  # faults that an error message lists before it says how many more there are


def read_word_list(path: str | Path) -> tuple[list[str], list[str]]:
    """Read a user's word list, UTF-8, one word a line: its normalised words in order, and warnings.

    A blank line, or a word that (after normalisation) stood before, is skipped with a warning that gives its line.
    Raises UserError when the file is missing or empty, and for lines that are not UTF-8, were encoded twice, hold
    several words, or hold what is no word; it lists the first of them by line and counts the rest.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(
            f"word list {path} cannot be read ({error.strerror}). Set lexicon.path to a text file."
        ) from None
    first: dict[str, int] = {}
    faults, warnings = [], []
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        line, fault = _read_line(raw)
        if fault:
            faults.append(f"line {number}: {fault}")
        elif not line:
            warnings.append(f"line {number}: blank, skipped")
        elif line in first:
            warnings.append(f'line {number}: "{line}" stands in line {first[line]} already, skipped')
        else:
            first[line] = number
    if faults:
        more = f"\n  and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise UserError(
            f"word list {path}: {len(faults)} of its lines cannot be used. Accepted: UTF-8, one word a line, letters "
            "with ' or - only between letters. Mend these lines, or delete them:\n  "
            + "\n  ".join(faults[:SHOWN])
            + more
        )
    if not first:
        raise UserError(f"word list {path} holds no word. Accepted: UTF-8, one word a line.")
    return list(first), warnings


def _read_line(raw: bytes) -> tuple[str, str]:
    """The normalised word of one line, or what is wrong with the line."""
    try:
        line = raw.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        return "", f"not UTF-8, byte 0x{raw[error.start]:02x} at position {error.start + 1} ({raw[:40]!r})"
    if "\ufffd" in line:
        return "", f"a letter was lost to an earlier decoding error ({line[:40]!r})"
    if TWICE_ENCODED.search(line):
        return "", f"UTF-8 encoded twice ({line[:40]!r})"
    line = normalise(line)
    if not line or WORD.fullmatch(line):
        return line, ""
    if len(line.split()) > 1:
        return "", f"{len(line.split())} words ({line[:40]!r})"
    return "", f"not a word ({line[:40]!r})"


def lexicon_from_list(listed: Sequence[str], train: str, language: str = "en") -> pd.DataFrame:
    """A lexicon whose kept words are the user's, whatever they are; columns and order as `build_lexicon`.

    `listed`: normalised words, as `read_word_list` gives them. Counts and surfaces are those of the training text, so a
    word that does not occur there has count 0; every other word of the text is excluded as not listed.
    """
    surfaces, table = count_surfaces([train]), zipf_table(language)
    members = set(listed)
    rows = []
    for word in members | surfaces.keys():
        spellings = surfaces.get(word, Counter())
        status, reason = ("kept", "") if word in members else ("excluded", "not in the word list")
        rows.append((word, spellings.total(), zipf(word, table)[0], status, reason, spell_counts(spellings)))
    return _frame(rows)


def held_out_words(listed: Iterable[str], train: str, valid: str) -> list[str]:
    """The listed words that occur in the held-out text but not in the training text, in alphabetical order.

    A list made from the training text alone can hold none. One that names such a word tells the model which words will
    come (`saw_held_out`), and every held-out score of that run is marked.
    """
    return sorted(set(listed) & (count_surfaces([valid]).keys() - count_surfaces([train]).keys()))


def saw_held_out(listed: Iterable[str], train: str, valid: str) -> bool:
    """Whether a word list names a word that only the held-out text has."""
    return bool(held_out_words(listed, train, valid))


def make_lexicon(train: str, valid: str, settings: Mapping[str, Any]) -> tuple[pd.DataFrame, list[str]]:
    """The lexicon that a corpus's `lexicon:` settings ask for, and warnings about the user's list.

    `settings`: source (text | file), path, scope (training | whole), min_count, max_zipf, min_length, names.
    """
    if settings["source"] == "file":
        listed, warnings = read_word_list(settings["path"])
        return lexicon_from_list(listed, train), warnings
    limits = {key: settings[key] for key in ("min_count", "max_zipf", "min_length", "names")}
    return build_lexicon(train, **limits, whole=valid if settings["scope"] == "whole" else None), []


def read_lexicon(path: str | Path) -> pd.DataFrame:
    """lexicon.csv as it was written: "null" and "nan" are words, not missing values."""
    return pd.read_csv(path, keep_default_na=False, dtype={"word": str, "surfaces": str, "reason": str, "status": str})
