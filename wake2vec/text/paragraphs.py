"""Hard-wrapped lines to paragraphs, verse kept in lines."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import regex

from wake2vec.text.furniture import squeeze

INDENT = 2  # spaces; one may be a scanner's noise
SENTENCE_END = regex.compile(r"[.!?…:]['\"”’»)\]]*$")
OPENING = regex.compile(r"[\p{Lu}\p{N}“‘\"'«(\[—–-]")


def paragraphs(lines: Sequence[str], *, unwrap: bool, verse_width: int, done: Counter) -> list[str]:
    """Paragraphs of a text given as lines; blank lines separate them. White space is squeezed.

    Lines stay lines (verse, lists, addresses) where the median line of a block, its last aside, is shorter than
    `verse_width`; otherwise they are joined. Indented lines amid flush ones are a block of their own, or, in a text
    that marks paragraphs by indentation, each begin a paragraph. In joined text a line that ends a sentence and is
    shorter than `verse_width` ends a paragraph.
    """
    blocks = [list(block) for filled, block in groupby(lines, key=lambda line: bool(line.strip())) if filled]
    if not unwrap:
        done["lines_kept"] += sum(len(block) - 1 for block in blocks)
        return ["\n".join(map(squeeze, block)) for block in blocks]
    if _double_spaced(blocks):
        done["double_spacing_undone"] += 1
        blocks = _single_spaced(lines)
    by_indent = _marked_by_indent(blocks)
    tight = _dashes_are_tight(lines)
    kept: list[str] = []
    for block in blocks:
        for segment in _segments(block, by_indent, verse_width):
            segment = [squeeze(line) for line in segment]
            if _is_verse(segment, verse_width):
                done["lines_kept"] += len(segment) - 1
                kept.append("\n".join(segment))
            else:
                joined = _join(segment, verse_width, tight)
                done["lines_joined"] += len(segment) - len(joined)
                kept += joined
    return kept


def _indented(line: str) -> bool:
    return line[:INDENT].isspace() and len(line) > INDENT


def _segments(block: list[str], by_indent: bool, verse_width: int) -> list[list[str]]:
    if not any(map(_indented, block)) or all(map(_indented, block)):
        return [block]
    if by_indent:
        segments: list[list[str]] = []
        for line in block:
            if _indented(line) or not segments:
                segments.append([])
            segments[-1].append(line)
        return segments
    runs = [list(lines) for _, lines in groupby(block, key=_indented)]
    verse_then_prose = len(runs) == 2 and len(runs[0]) > 1 and _indented(block[0])
    if not verse_then_prose and all(len(squeeze(line)) < verse_width for line in block[:-1]):
        return [block]  # a stanza with some lines set in
    return runs


def _is_verse(segment: Sequence[str], verse_width: int) -> bool:
    lengths = sorted(len(line) for line in segment[:-1])
    return bool(lengths) and lengths[len(lengths) // 2] < verse_width


def _join(segment: Sequence[str], verse_width: int, tight: bool) -> list[str]:
    joined = [segment[0]]
    for before, line in zip(segment, segment[1:], strict=False):
        if len(before) < verse_width and SENTENCE_END.search(before) and OPENING.match(line):
            joined.append(line)
        else:
            dash = tight and regex.search(r"\w(?:—|--)$", before) and regex.match(r"\w", line)
            joined[-1] += line if dash else " " + line
    return joined


def _dashes_are_tight(lines: Sequence[str]) -> bool:
    """Whether the text mostly sets dashes without spaces—so—and a line that ends with one joins the next directly."""
    text = "\n".join(lines)
    return len(regex.findall(r"\w(?:—|--)\w", text)) > len(regex.findall(r"\w ?(?:—|--) \w", text))


def _marked_by_indent(blocks: Sequence[Sequence[str]]) -> bool:
    """Whether more paragraphs begin with an indented line inside a block than with a blank line."""
    inside = sum(
        not _indented(before) and _indented(line) and not _indented(after)
        for block in blocks
        for before, line, after in zip(block, block[1:], block[2:], strict=False)
    )
    return inside > len(blocks)


def _double_spaced(blocks: Sequence[Sequence[str]]) -> bool:
    """Whether each line stands alone only because the scan doubles the line spacing: most break off in mid-sentence."""
    if len(blocks) < 20 or sum(len(block) == 1 for block in blocks) < 0.9 * len(blocks):
        return False
    firsts = [squeeze(block[0]) for block in blocks]
    runs_on = sum(
        regex.search(r"[\p{L},;]$", before) is not None and regex.match(r"\p{Ll}", line) is not None
        for before, line in zip(firsts, firsts[1:], strict=False)
    )
    return runs_on > len(blocks) / 2


def _single_spaced(lines: Sequence[str]) -> list[list[str]]:
    """Blocks of a double-spaced text: one blank line ends a line, more of them a paragraph."""
    text = "\n".join(line.rstrip() for line in lines).strip("\n")
    return [[line for line in block.split("\n") if line] for block in regex.split(r"\n{3,}", text)]
