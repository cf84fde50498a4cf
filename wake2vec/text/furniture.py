"""What a book's pages add to its text, found and taken off: page numbers, running heads, line numbers in the margin.

Nothing is known about a book in advance, so a line counts as furniture on evidence within the text: a running head is a
line that comes back beside page numbers, margin numbers are multiples of five that keep going up by five.
"""

from collections import Counter
from collections.abc import Sequence

import regex

ROMAN = r"(?=[ivxl]{2})(?:xl|l?x{0,3})(?:i[xv]|v?i{0,3})"  # ii to lxxxix: front matter is no longer
PAGE_NUMBER = regex.compile(
    rf"\d{{1,4}}|{ROMAN}"  # 12, xii
    rf"|\[ ?(?:\d{{1,4}}|{ROMAN}) ?\]|\( ?(?:\d{{1,4}}|{ROMAN}) ?\)|\{{ ?\d{{1,4}} ?\}}"  # [ 12 ] (12)
    r"|(?P<rule>[-–—~*·•|]{1,3}) ?\d{1,4} ?(?P=rule)"  # - 12 -
    r"|(?:[Pp]|[Pp]g|[Pp]age|PAGE)\.? ?\d{1,4}(?: of \d{1,4})?"  # p. 12, Page 3 of 628
)
ORNAMENT = regex.compile(r"(?:[*_=~#+|·•–—-] ?){3,}")  # a rule or * * *; a lone mark may be the author's
NUMBERED = regex.compile(r"(?:\d{1,4} +(?P<text>\D+)|(?P<text>\D+?) +\d{1,4})")
DIVISION = regex.compile(r"(?i)(?:chapter|book|part|canto|act|scene|section|episode|letter|volume|no\.?|number)\b.*")
SENTENCE_LIKE = regex.compile(r"[—–“‘\"'«(].*|.*[.!?,;:’”\"'»)]")

TIMES = 3  # a head must come back that often
MARGIN_TIMES = 6
PAGE_BREAK = "\f"

MARGIN = regex.compile(r"(?:^[ \t]*(?P<n>\d{1,3})(?: {2,}|\t)\s*(?=\S))|(?:(?<=\S)(?: {2,}|\t)\s*(?P<n>\d{1,3})$)")
PAGE_AND_LINE = regex.compile(r"^[ \t]*\[?\d{3}\.\d{2}\]?[ \t]+(?=\S)")


def squeeze(line: str) -> str:
    """A line without outer white space, with single spaces and without a soft hyphen at its end."""
    return " ".join(line.split()).rstrip("\u00ad ")


def strip_margin_numbers(lines: Sequence[str], done: Counter) -> list[str]:
    """Lines without line numbers in their margin.

    Those are: multiples of five set off by two spaces or a tab, at least six, nearly all of them five more than the one
    before or a new beginning; and references such as 003.01 (page and line), at least six, at a line's beginning.
    """
    found = [(i, m) for i, line in enumerate(lines) if (m := MARGIN.search(line))]
    numbers = [int(m["n"]) for _, m in found]
    steps = [b - a == 5 or b < a for a, b in zip(numbers, numbers[1:], strict=False)]
    lines = list(lines)
    if len(found) >= MARGIN_TIMES and all(n and n % 5 == 0 for n in numbers) and sum(steps) >= 0.8 * len(steps):
        for i, m in found:
            lines[i] = lines[i][: m.start()] + lines[i][m.end() :]
        done["margin_numbers"] += len(found)
    references = [i for i, line in enumerate(lines) if PAGE_AND_LINE.match(line)]
    if len(references) >= MARGIN_TIMES:
        for i in references:
            lines[i] = PAGE_AND_LINE.sub("", lines[i])
        done["margin_numbers"] += len(references)
    return lines


def drop_furniture(
    lines: Sequence[str], patterns: Sequence[regex.Pattern], done: Counter, *, detect: bool
) -> list[str | None]:
    """Lines with every furniture line replaced by None, ornaments (* * *, rules) by an empty line.

    patterns: the user's, matched on whole lines. Page numbers, running heads and ornaments are found here if `detect`;
    form feeds always go.
    """
    squeezed = [PAGE_BREAK if line == PAGE_BREAK else squeeze(line) for line in lines]
    kinds = [_kind(line, patterns, detect) for line in squeezed]
    for i in _running_heads(squeezed, kinds) if detect else ():
        kinds[i] = "running_heads"
    done.update(kind for kind in kinds if kind and kind != "form_feeds")
    return ["" if kind == "ornaments" else None if kind else line for line, kind in zip(lines, kinds, strict=True)]


def _kind(line: str, patterns: Sequence[regex.Pattern], detect: bool) -> str:
    if not line:
        return ""
    if line == PAGE_BREAK:
        return "form_feeds"
    if any(pattern.fullmatch(line) for pattern in patterns):
        return "furniture_lines"
    if not detect:
        return ""
    if PAGE_NUMBER.fullmatch(line):
        return "page_numbers"
    return "ornaments" if ORNAMENT.fullmatch(line) else ""


def _running_heads(lines: Sequence[str], kinds: Sequence[str]) -> list[int]:
    """Lines beside a page number or form feed, or in capitals with a page number of their own, that occur there at
    least three times and at least as often as anywhere else.

    Chapter headings ("CHAPTER 12") and lines punctuated as sentences or speech are text.
    """
    breaks = ("page_numbers", "form_feeds")
    filled = [i for i, line in enumerate(lines) if line]
    beside: dict[int, str] = {}
    elsewhere: Counter[str] = Counter()
    for before, i, after in zip([None, *filled], filled, [*filled[1:], None], strict=False):
        line = lines[i]
        if kinds[i] or len(line) > 60:
            continue
        numbered = NUMBERED.fullmatch(line)
        key = (numbered["text"] if numbered else line).strip().casefold()
        if DIVISION.fullmatch(key) or SENTENCE_LIKE.fullmatch(line):
            continue
        own_number = numbered is not None and line.upper() == line
        if own_number or any(n is not None and kinds[n] in breaks for n in (before, after)):
            beside[i] = key
        else:
            elsewhere[key] += 1
    times = Counter(beside.values())
    return [i for i, key in beside.items() if times[key] >= TIMES and times[key] >= elsewhere[key]]
