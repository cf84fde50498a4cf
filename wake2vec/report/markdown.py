"""Plain text into Markdown that stays that text, and numbers into plain text.

Everything that reaches a document from a corpus, a model or a configuration is hostile (it may hold HTML, shortcodes,
citations, mathematics or a fence). So there is one door: `escape` puts a backslash before every ASCII punctuation
character but the comma, which pandoc's Markdown (`all_symbols_escapable`) reads as that character and nothing else;
a shortcode `{{<` no longer stands in the text either, so Quarto's own reader, which runs first, does not see one.
`table` escapes every cell by itself. Text that is Markdown on purpose says so by being a `Markdown`.
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

NO_BREAK = "\u00a0"
NOTHING = "–"  # a cell for what was not measured
_SPACES = re.compile(r"[ \t\n\r\f\v\x1c-\x1f\x85\u2028\u2029]+")  # a no-break space is a character like any other
_PUNCTUATION = re.compile(r"""([!"#$%&'()*+\-./:;<=>?@\[\\\]^_`{|}~])""")
# Control characters, lone surrogates, non-characters and the marks that reverse the reading direction of a line.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)


class Markdown(str):
    """Text that is Markdown already: `escape` leaves it alone."""


def visible(text: str) -> str:
    """`text` with characters that cannot be shown (controls, lone surrogates, direction overrides) as U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def escape(value: object) -> Markdown:
    r"""One line of Markdown that pandoc and Quarto read as exactly the plain text `value`.

    White space (line breaks too) becomes single spaces and is cut at both ends; characters that cannot be shown become
    U+FFFD. Everything else comes back unchanged from pandoc.

    >>> escape("<b>*x*</b> @key")
    '\\<b\\>\\*x\\*\\<\\/b\\> \\@key'
    """
    if isinstance(value, Markdown):
        return value
    text = _SPACES.sub(" ", visible(str(value))).strip(" ")
    return Markdown(_PUNCTUATION.sub(r"\\\1", text))


def escape_lines(text: str) -> Markdown:
    """Markdown for a longer text: its line breaks are kept, and its blank lines part paragraphs."""
    paragraphs = re.split(r"\n[^\S\n]*\n\s*", visible(text.replace("\r\n", "\n").replace("\r", "\n")))
    lines = [[escape(line) for line in paragraph.split("\n")] for paragraph in paragraphs]
    return Markdown("\n\n".join("\\\n".join(filter(None, paragraph)) for paragraph in lines if any(paragraph)))


def table(header: Sequence[object], rows: Iterable[Sequence[object]], align: str) -> Markdown:
    """A pipe table. `align` has one letter a column: l, r or c. Cells are escaped; None is an en dash.

    Raises ValueError when a row is not as long as the header.
    """
    marks = {"l": ":--", "r": "--:", "c": ":-:"}
    body = [list(header), *(list(row) for row in rows)]
    if any(len(row) != len(align) for row in body):
        raise ValueError(f"a table of {len(align)} columns has a row of another length")
    lines = ["| " + " | ".join(escape(NOTHING if cell is None else cell) for cell in row) + " |" for row in body]
    lines.insert(1, "|" + "|".join(marks[letter] for letter in align) + "|")
    return Markdown("\n".join(lines) + "\n")


def number(value: float | None, decimals: int = 3) -> str:
    """A number for reading: thousands separated, a true minus sign; an en dash for None.

    >>> number(-1234.5678, 2), number(12345, 0), number(None)
    ('−1,234.57', '12,345', '–')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    text = f"{value:,.{decimals}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")  # a rounded −0.000 is 0.000
    return text.replace("-", "−")


def count(value: float | None) -> str:
    """A whole number with thousands separated."""
    return number(value, 0)


def rank(value: float | None) -> str:
    """A median rank: whole, or with its half."""
    return number(value, 0 if value is None or value >= 100 or float(value).is_integer() else 1)


def significant(value: float | None, digits: int = 3) -> str:
    """A number with `digits` significant digits, never in scientific notation between 0.0001 and 10^15."""
    if value is None or not math.isfinite(value) or value == 0:
        return number(value, 0)
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.1e}".replace("-", "−") if decimals > digits + 3 else number(value, max(decimals, 0))


def signed(value: float | None, decimals: int = 3) -> str:
    """A difference: with its sign."""
    text = number(value, decimals)
    return f"+{text}" if value is not None and value > 0 and text.strip("0.,") else text


def interval(bounds: Sequence[float | None] | None, decimals: int = 3) -> str:
    """An interval, `[low, high]`, that no line end divides; an empty string when there is none."""
    if not bounds or None in bounds:
        return ""
    return f"[{number(bounds[0], decimals)},{NO_BREAK}{number(bounds[1], decimals)}]"


def with_interval(value: float | None, bounds: Sequence[float | None] | None, decimals: int = 3) -> str:
    """A value followed by its interval where there is one."""
    return f"{number(value, decimals)} {interval(bounds, decimals)}".strip()


def with_signs(difference: float, bounds: Sequence[float | None] | None, decimals: int | None = None) -> str:
    """A difference and its interval, with signs; by default a fourth decimal where it is known so well.

    >>> with_signs(-0.127, [-0.154, -0.1])
    '−0.127 [−0.154,\\xa0−0.100]'
    """
    if not bounds or None in bounds:
        return signed(difference, 3 if decimals is None else decimals)
    decimals = (4 if bounds[1] - bounds[0] < 0.01 else 3) if decimals is None else decimals
    low, high = (signed(bound, decimals) for bound in bounds)
    return f"{signed(difference, decimals)} [{low},{NO_BREAK}{high}]"


def in_bits(difference: float, bounds: Sequence[float | None] | None) -> str:
    """A difference in bits a word and its interval, with signs; a third decimal where it is known so well.

    >>> in_bits(-40.1736, [-43.0229, -37.4712])
    '−40.17 [−43.02,\\xa0−37.47]'
    """
    known = bounds and None not in bounds and 0 < bounds[1] - bounds[0] < 0.02
    return with_signs(difference, bounds, 3 if known else 2)


def percent(share: float | None, decimals: int = 1) -> str:
    """A share (0 to 1) as a percentage."""
    return NOTHING if share is None else f"{number(100 * share, decimals)}%"


def p_value(p: float | None) -> str:
    """`p = 0.012` or `p < 0.001`: a p-value is never 0."""
    if p is None:
        return NOTHING
    return "p < 0.001" if p < 0.001 else f"p = {number(p, 3)}"


def duration(seconds: float | None) -> str:
    """`45 s`, `3 min 20 s` or `2 h 05 min`."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 9.5 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def size(number_of_bytes: float | None) -> str:
    """`812 MiB` or `1.4 GiB`."""
    if number_of_bytes is None:
        return NOTHING
    mebibytes = number_of_bytes / 2**20
    return f"{mebibytes:,.0f} MiB" if mebibytes < 1000 else f"{mebibytes / 1024:.1f} GiB"


def several(items: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {last} ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def flatten(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots: {"a": {"b": 1}} is {"a.b": 1}. Empty mappings vanish."""
    if not isinstance(values, dict):
        return {prefix: values}
    flat: dict[str, Any] = {}
    for key, item in values.items():
        flat |= flatten(item, f"{prefix}.{key}" if prefix else str(key))
    return flat


def setting(value: Any) -> str:
    """A configured value, for a cell."""
    if isinstance(value, list | tuple):
        return ", ".join(map(setting, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
