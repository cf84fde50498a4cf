"""From a .qmd template to a plain .qmd that either renderer takes: conditions, values and includes are filled in.

    ::: {when="recovery"} … :::        kept when the flag `recovery` is set (several: all); `unless=` is the opposite
    {{< meta p2.bits_per_byte >}}      a value, as text: whatever Markdown or HTML is in it is escaped
    {{< include tables/x.md >}}        a file that the table step wrote, as Markdown
    ![caption](figures/x.svg){#fig-x}  and @fig-x, @tbl-x, @sec-x, [@key], as in Quarto

Values and includes are filled in once and never read for shortcodes again. Everything that is missing is reported at
once, with a guess at the typo: keys, files, figures, flags, references, citations, and two elements of one name.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from wake2vec.errors import UserError, guess
from wake2vec.report.markdown import escape
from wake2vec.report.pandoc import Node, identifier, parse, text_of, walk
from wake2vec.storage import read_text

SHORTCODE = re.compile(r"\{\{<\s*(\w+)\s+(\S+)\s*>\}\}")
OPENING = re.compile(r"^(:{3,})\s*(?:\{(.*)\}|[^\s:{]\S*)\s*:*\s*$")
CLOSING = re.compile(r"^:{3,}\s*$")
CONDITION = re.compile(r'^\s*(when|unless)="([^"]*)"\s*$')
REFERENCE = re.compile(r"(fig|tbl|sec)-")
HEADER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


def prepare(
    template: Path, values: Mapping[str, Any], flags: Mapping[str, bool], folder: Path, bibliography: Path
) -> str:
    """Fill a template in and check it.

    `values`: texts by name. `flags`: conditions by name. `folder`: where includes and figures are found
    (`tables/x.md` is folder/tables/x.md). `bibliography`: the .bib file. Returns the document; raises UserError with
    everything that is wrong.
    """
    problems: list[str] = []
    text = conditions(read_text(template), flags, problems)
    header = HEADER.match(text)
    if header:
        settings = fill_header(yaml.safe_load(header[1]), values, problems)
        body = fill(text[header.end() :], values, folder, problems)
        text = f"---\n{yaml.safe_dump(settings, allow_unicode=True, sort_keys=False, width=10**6)}---\n{body}"
    else:
        text = fill(text, values, folder, problems)
    problems += check(parse(text), folder, read_text(bibliography))
    if problems:
        listed = "".join(f"  - {problem}\n" for problem in dict.fromkeys(problems))
        raise UserError(f"{template} cannot be rendered:\n{listed}")
    return text


def conditions(text: str, flags: Mapping[str, bool], problems: list[str]) -> str:
    """`text` without the blocks whose condition does not hold, and without the fences of those whose condition does.

    A fence closes the innermost open one, as in pandoc.
    """
    kept, open_blocks = [], []  # (is a condition, text inside is kept)
    for number, line in enumerate(text.splitlines(), 1):
        opening = OPENING.match(line)
        if opening:
            condition = CONDITION.match(opening[2] or "")
            shown = not open_blocks or open_blocks[-1][1]
            holds = _holds(condition[1], condition[2].split(), flags, number, problems) if condition else True
            if shown and not condition:
                kept.append(line)
            open_blocks.append((bool(condition), shown and holds))
        elif CLOSING.match(line) and open_blocks:
            condition, shown = open_blocks.pop()
            if shown and not condition:
                kept.append(line)
        elif not open_blocks or open_blocks[-1][1]:
            kept.append(line)
    if open_blocks:
        problems.append(f"{len(open_blocks)} of its ::: blocks are not closed")
    return "\n".join(kept) + "\n"


def _holds(word: str, names: list[str], flags: Mapping[str, bool], number: int, problems: list[str]) -> bool:
    for name in names:
        if name not in flags:
            problems.append(
                f"line {number}: unknown condition {name!r}. Accepted: {', '.join(flags)}.{guess(name, flags)}"
            )
    held = [bool(flags.get(name)) for name in names]
    return all(held) if word == "when" else not any(held)


def fill(text: str, values: Mapping[str, Any], folder: Path, problems: list[str]) -> str:
    """`text` with its values (escaped) and its includes; what is filled in is not read again."""

    def replace(found: re.Match) -> str:
        kind, name = found.groups()
        if kind == "meta":
            if name in values:
                return escape(values[name])
            problems.append(f"there is no value {name!r}.{guess(name, values)}")
        elif kind == "include":
            if (folder / name).is_file():
                return read_text(folder / name).strip("\n")
            there = [str(path.relative_to(folder)) for path in sorted((folder / name).parent.glob("*.md"))]
            problems.append(f"there is no file {name!r} to include.{guess(name, there)}")
        else:
            problems.append(f"unknown shortcode {kind!r}. Accepted: meta, include.{guess(kind, ['meta', 'include'])}")
        return ""

    return SHORTCODE.sub(replace, text)


def fill_header(settings: Any, values: Mapping[str, Any], problems: list[str]) -> Any:
    """The YAML header with the values of its texts filled in (they are Markdown as well)."""
    if isinstance(settings, dict):
        return {key: fill_header(item, values, problems) for key, item in settings.items()}
    if isinstance(settings, list):
        return [fill_header(item, values, problems) for item in settings]
    return fill(settings, values, Path("/nowhere"), problems) if isinstance(settings, str) else settings


def check(document: Node, folder: Path, bibliography: str) -> list[str]:
    """What in a document leads nowhere: figures, references, citations, links; and names that stand twice."""
    names = Counter(filter(None, map(identifier, walk(document["blocks"]))))
    keys = re.findall(r"^@\w+\{\s*([^,\s]+)", bibliography, re.MULTILINE)
    problems = [f"two elements are called #{name}" for name, times in names.items() if times > 1]
    for node in walk(document["blocks"]):
        if node["t"] == "Cite":
            for cited in (citation["citationId"] for citation in node["c"][0]):
                if REFERENCE.match(cited) and cited not in names:
                    problems.append(f"@{cited} refers to nothing in the document.{guess(cited, names)}")
                elif not REFERENCE.match(cited) and cited not in keys:
                    problems.append(f"@{cited} is not in the bibliography.{guess(cited, keys)}")
        elif node["t"] == "Image":
            target = node["c"][2][0]
            if not (folder / target).is_file():
                there = [str(path.relative_to(folder)) for path in sorted((folder / target).parent.glob("*"))]
                problems.append(f"there is no figure {target!r}.{guess(target, there)}")
        elif node["t"] == "Link" and node["c"][2][0].startswith("#") and node["c"][2][0][1:] not in names:
            target = node["c"][2][0]
            problems.append(
                f"the link “{text_of(node)}” leads to {target}, which is not there.{guess(target[1:], names)}"
            )
    return problems
