"""From a file as archives distribute it to running text: paragraphs and verse, nothing of the page.

Order: characters, Project Gutenberg's banners, the user's anchors, page furniture, divided words, paragraphs.
Accents, apostrophes, typographic quotes and the letters œ and æ stay as they are.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches

import regex

from wake2vec.errors import UserError
from wake2vec.text.furniture import PAGE_BREAK, drop_furniture, squeeze, strip_margin_numbers
from wake2vec.text.paragraphs import paragraphs
from wake2vec.text.words import normalise, words

LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "ſ": "s"}
INVISIBLE = dict.fromkeys(
    "\ufeff\u200b\u200c\u200d\u2060\u200e\u200f\u061c\u180e"
    + "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
)
SPACES = dict.fromkeys("\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))), " ")
HYPHENS = {"\u2010": "-", "\u2011": "-"}
CONTROLS = dict.fromkeys(chr(c) for c in [*range(32), *range(127, 160)] if chr(c) not in "\n\t\f")

BANNER = regex.compile(
    r"(?mi)^[ \t]*(?:"
    r"(?P<start>\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG(?:[^*]{0,300}\*\*\*[^\n]*|[^\n]*)"
    r"|\*END\*? ?THE SMALL PRINT![^\n]*)"
    r"|(?P<end>\*\*\* ?END OF TH(?:E|IS) PROJECT GUTENBERG[^\n]*|End of (?:the )?Project Gutenberg[^\n]*))$"
)
CREDITS = regex.compile(
    r"(?i)\s*(?:(?:this e-?(?:book|text) was )?(?:produced|prepared|transcribed) (?:by|from)\b|e-?text prepared by\b)"
    r"[^\n]*(?:\n[ \t]*[^\s][^\n]*)*"
)
ILLUSTRATION = regex.compile(r"\[Illustration[^\]\[]*\]")

# A hyphen at a line's end, or the marks that stand for one in scans: the soft hyphen, and ¬ in ABBYY's output.
DIVIDED = regex.compile(r"(?<=[\p{L}\p{M}])[-\u00ad¬][ \t]*\n[ \t]*(?=\p{L})")
WORD_BEFORE = regex.compile(r"[\p{L}\p{M}]+(?:['’-][\p{L}\p{M}]+)*$")
WORD_AFTER = regex.compile(r"[\p{L}\p{M}]+(?:['’-][\p{L}\p{M}]+)*")
LONGEST_WORD = 120


def clean(
    text: str,
    *,
    start: str | None = None,
    end: str | None = None,
    furniture: Sequence[str] = (),
    gutenberg: bool = True,
    page_furniture: bool = True,
    rejoin_hyphens: bool = True,
    fold_ligatures: bool = True,
    italics: bool = True,
    unwrap: bool = True,
    verse_width: int = 50,
    key: str = "corpora.x",
) -> tuple[str, dict[str, int]]:
    """Clean a text; return it with the counts of what was done.

    start, end: regular expressions searched in each line (white space squeezed). The text runs from after the first
        line that matches `start` to before the first later line that matches `end`.
    furniture: regular expressions that match whole lines to drop.
    gutenberg: cut Project Gutenberg's banners, all outside them, the credits under them and [Illustration] marks.
    page_furniture: drop page numbers, running heads, ornaments and margin numbers, found as furniture.py describes, and
        let a paragraph that a page break divides run on.
    rejoin_hyphens: mend words divided at a line's end. "passen-/core" becomes "passencore". The hyphen stays where the
        text itself has the hyphenated form elsewhere and never the joined one ("well-/known" beside "well-known"), and
        before a capital ("Anglo-/Irish"). At a soft hyphen or ¬ the word is always joined.
    italics: remove the underscores of Gutenberg's _italics_.
    unwrap: join hard-wrapped lines into paragraphs, keeping the lines of verse, as paragraphs.py describes; False keeps
        every line (for TEI, where each line break is meant).
    verse_width: lines shorter than this many characters may be verse.
    key: the config entry that error messages name.

    The result has paragraphs separated by one blank line, single newlines only where lineation is kept, no tab, no
    double space, no white space at either end, and is in NFC. Without `start`, `end` and `furniture`, cleaning it again
    changes nothing. Raises UserError for a bad expression, an anchor that is not found or not in order, and when
    nothing is left.
    """
    done: Counter[str] = Counter(characters_before=len(text))
    patterns = [_compile(pattern, f"{key}.furniture") for pattern in furniture]
    text = _characters(text, fold_ligatures, done)
    if gutenberg:
        text = _inside_banners(text, done)
    text = _between(text, start, end, key, done)
    if italics:
        done["italics_marks"] += text.count("_")
        text = text.replace("_", "")
    lines = regex.sub(r"\n?\f", f"\n{PAGE_BREAK}\n", text).split("\n")
    if page_furniture:
        lines = strip_margin_numbers(lines, done)
    lines = drop_furniture(lines, patterns, done, detect=page_furniture)
    text = "\n".join(line.rstrip() for line in _close_page_breaks(lines, verse_width, done))
    if rejoin_hyphens:
        text = _rejoin(text, done)
    text = unicodedata.normalize("NFC", text.replace("\u00ad", ""))
    kept = paragraphs(text.split("\n"), unwrap=unwrap, verse_width=verse_width, done=done)
    if not kept:
        raise UserError(
            f"{key}: nothing is left of the text after cleaning. Check its start, end and furniture expressions."
        )
    text = "\n\n".join(kept)
    done["paragraphs"], done["characters_after"] = len(kept), len(text)
    return text, {name: count for name, count in done.items() if count}


def _characters(text: str, fold_ligatures: bool, done: Counter) -> str:
    """One kind of newline, space and hyphen; no invisible characters; ligatures folded; NFC."""
    done["carriage_returns"] += text.count("\r")
    text = regex.sub(r"\r+\n|[\r\v\x85\u2028]", "\n", text).replace("\u2029", "\n\n")
    soft = regex.compile(r"\u00ad(?![ \t]*\n)|(?<![\p{L}\p{M}])\u00ad")  # the others divide a word
    done["invisible_characters"] += len(soft.findall(text))
    text = soft.sub("", text)
    table: dict[str, str | None] = {}
    alphabet = set(text)
    groups = {
        "invisible_characters": INVISIBLE,
        "control_characters": CONTROLS,
        "odd_spaces": SPACES,
        "odd_hyphens": HYPHENS,
    }
    for name, group in (groups | ({"ligatures": LIGATURES} if fold_ligatures else {})).items():
        for character in sorted(alphabet & group.keys()):
            done[name] += text.count(character)
            table[character] = group[character]
    text = unicodedata.normalize("NFC", text.translate(str.maketrans(table)))
    done["squeezed_spaces"] += len(regex.findall(r"(?<=\S)(?:[ ]{2,}|[ ]*\t[ \t]*)(?=\S)", text))
    done["undecodable_characters_left"] += text.count("\ufffd")
    return text


def _inside_banners(text: str, done: Counter) -> str:
    """What stands between a START and the next END banner, for each book in the file; all where there is none."""
    banners = list(BANNER.finditer(text))
    if banners:
        bodies, begin = [], 0
        for banner in banners:
            if banner["start"]:
                begin = banner.end()
            elif begin is not None:
                bodies.append(_without_credits(text[begin : banner.start()]))
                begin = None
        if begin is not None:
            bodies.append(_without_credits(text[begin:]))
        whole, text = len(text), "\n\n".join(bodies)
        done["gutenberg_characters"] += whole - len(text)
    text, count = ILLUSTRATION.subn("", text)
    done["illustrations"] += count
    return text


def _without_credits(body: str) -> str:
    """`body` without the paragraphs that name its producers, at its beginning."""
    while credits := CREDITS.match(body):
        body = body[credits.end() :]
    return body


def _between(text: str, start: str | None, end: str | None, key: str, done: Counter) -> str:
    """The lines after the first that matches `start` and before the first later one that matches `end`."""
    if start is None and end is None:
        return text
    lines = text.split("\n")
    squeezed = [squeeze(line) for line in lines]
    first, last = 0, len(lines)
    if start is not None:
        first = _find(squeezed, start, 0, f"{key}.start") + 1
    if end is not None:
        last = _find(squeezed, end, first, f"{key}.end")
    done["front_matter_lines"] += first
    done["back_matter_lines"] += len(lines) - last
    return "\n".join(lines[first:last])


def _find(lines: Sequence[str], expression: str, first: int, key: str) -> int:
    pattern = _compile(expression, key)
    for i in range(first, len(lines)):
        if pattern.search(lines[i]):
            return i
    earlier = next((i for i in range(first) if pattern.search(lines[i])), None)
    if earlier is not None:
        raise UserError(
            f"{key}: {expression!r} matches only line {earlier + 1} (“{lines[earlier][:80]}”), which is not after the "
            f"line that starts the text (line {first}: “{lines[first - 1][:80]}”). Give an expression that matches a "
            f"later line, or a start that matches an earlier one. {_LINES}"
        )
    plain = regex.sub(r"\\.|[\^$.*+?()\[\]{}|]", " ", expression).strip()
    near = (
        get_close_matches(plain, {line for line in lines if line}, n=3, cutoff=0.5)
        or [line for line in lines if line][:3]
    )
    shown = "; ".join(f"line {lines.index(line) + 1}: “{line[:80]}”" for line in near)
    raise UserError(f"{key}: no line matches {expression!r}. Near it: {shown}. {_LINES}")


_LINES = "(Lines are counted after Project Gutenberg's banners are cut; white space in them is squeezed.)"


def _compile(expression: str, key: str) -> regex.Pattern:
    try:
        return regex.compile(expression)
    except regex.error as error:
        raise UserError(f"{key}: {expression!r} is not a regular expression: {error}.") from None


def _close_page_breaks(lines: Sequence[str | None], verse_width: int, done: Counter) -> list[str]:
    """Replace each page break (None) by a blank line, or by nothing where the sentence runs on.

    It runs on when the page ends without punctuation (or with a comma, semicolon or hyphen) and the next begins with a
    small letter; after a full-width line any letter will do, since a heading is short. A break without a blank line
    beside it says nothing about paragraphs and vanishes.
    """
    kept: list[str] = []
    gap: list[str | None] = []
    for line in lines:
        if line is None or not line.strip():
            gap.append(line)
            continue
        if gap:
            page_break, blank = None in gap, any(entry is not None for entry in gap)
            runs_on = page_break and kept and _runs_on(kept[-1].strip(), line.strip(), verse_width)
            done["page_breaks_closed"] += bool(runs_on and blank)
            if blank and not runs_on:
                kept += [""] if page_break else [""] * len(gap)
            elif runs_on:
                line = line.lstrip()
            gap = []
        kept.append(line)
    return kept


def _runs_on(before: str, after: str, verse_width: int) -> bool:
    if not regex.search(r"[\p{L}\p{M},;\u00ad¬-]$", before):
        return False
    return bool(regex.match(r"\p{Ll}", after)) or (len(before) >= verse_width and bool(regex.match(r"\p{L}", after)))


def _rejoin(text: str, done: Counter) -> str:
    """Mend words that a line's end divides; see `clean`."""
    text, numbers = regex.subn(r"(?<=\d-)[ \t]*\n[ \t]*(?=\d)", "", text)
    done["divided_numbers_joined"] += numbers
    if not DIVIDED.search(text):
        return text
    # Halves of divided words are no evidence, so they are taken out of the text that is counted.
    known = {normalise(word) for word in words(regex.sub(r"\S+[-\u00ad¬][ \t]*\n[ \t]*\S+", " ", text))}

    def mend(match: regex.Match) -> str:
        before = WORD_BEFORE.search(text, max(0, match.start() - LONGEST_WORD), match.start())
        left, right = before[0] if before else "", WORD_AFTER.match(text, match.end())[0]
        compound = normalise(f"{left}-{right}") in known and normalise(left + right) not in known
        capital = right[0].isupper() and not left.isupper()
        if text[match.start()] == "-" and (compound or capital):
            done["hyphens_kept"] += 1
            return "-"
        done["words_rejoined"] += 1
        return ""

    return DIVIDED.sub(mend, text)
