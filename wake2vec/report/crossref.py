"""Cross-references for pandoc, numbered as Quarto numbers them: figures and tables in one row each, sections by depth.

`@fig-x` becomes a link "Figure 1", `[-@fig-x]` a link "1"; a figure's caption begins with "Figure 1: ", and the block

    ::: {#tbl-x} … table … (last paragraph: the caption) :::

becomes an HTML figure with its caption on top, as Quarto writes it. Works on pandoc's document tree; every reference
is known to exist (`document.check`).
"""

from typing import Any

from wake2vec.report.markdown import NO_BREAK
from wake2vec.report.pandoc import Node, attributes, change, identifier, walk

KINDS = {"fig": "Figure", "tbl": "Table", "sec": "Section"}


def number(document: Node) -> Node:
    """The document with numbered captions and its cross-references as links."""
    numbers = numbering(document)
    blocks = change(document["blocks"], lambda node: _element(node, numbers))
    return {**document, "blocks": blocks}


def numbering(document: Node) -> dict[str, str]:
    """The number of every figure, table and section that has a name: {"fig-x": "1", "sec-y": "2.1"}."""
    numbers, counters, depth = {}, {"fig": 0, "tbl": 0}, [0] * 6
    for node in walk(document["blocks"]):
        name = identifier(node)
        kind = name.split("-")[0]
        if node["t"] == "Header":
            if "unnumbered" in attributes(node)[1]:
                continue
            level = node["c"][0]
            depth[level - 1] += 1
            depth[level:] = [0] * (6 - level)
            numbers[name] = ".".join(map(str, depth[:level]))
        elif kind in counters and node["t"] in ("Figure", "Div"):
            counters[kind] += 1
            numbers[name] = str(counters[kind])
    return numbers


def _element(node: Node, numbers: dict[str, str]) -> list[Node] | None:
    if node["t"] == "Cite":
        cited = node["c"][0]
        if all(citation["citationId"] in numbers for citation in cited):
            return _links(cited, numbers)
    elif node["t"] == "Figure" and identifier(node) in numbers:
        return [_figure(node, numbers[identifier(node)])]
    elif node["t"] == "Div" and identifier(node).startswith("tbl-") and identifier(node) in numbers:
        return [_table(node, numbers[identifier(node)])]
    return None


def _links(citations: list[dict[str, Any]], numbers: dict[str, str]) -> list[Node]:
    links: list[Node] = []
    for citation in citations:
        name = citation["citationId"]
        label = KINDS[name.split("-")[0]] + NO_BREAK + numbers[name]
        if citation["citationMode"]["t"] == "SuppressAuthor":
            label = numbers[name]
        links += [_text(", ")] if links else []
        links.append({"t": "Link", "c": [["", ["quarto-xref"], []], [_text(label)], ["#" + name, ""]]})
    return links


def _figure(node: Node, number_: str) -> Node:
    attribute, (short, caption), content = node["c"]
    for image in (inner for inner in walk(content) if inner["t"] == "Image"):
        image["c"][0][2] = [["alt" if key == "fig-alt" else key, value] for key, value in image["c"][0][2]]
    classes = [*attribute[1], "quarto-float", "quarto-float-fig", "figure"]
    if caption:
        caption = [{**caption[0], "c": [*_caption("Figure", number_), *caption[0]["c"]]}, *caption[1:]]
    return {"t": "Figure", "c": [[attribute[0], classes, attribute[2]], [short, caption], content]}


def _table(node: Node, number_: str) -> Node:
    *content, last = node["c"][1]
    if last["t"] != "Para":
        content, last = [*content, last], {"t": "Para", "c": []}
    caption = {"t": "Plain", "c": [*_caption("Table", number_), *last["c"]]}
    opening = '<figure class="quarto-float quarto-float-tbl figure"><figcaption class="quarto-float-caption-top">'
    blocks = [_html(opening), caption, _html("</figcaption>"), *content, _html("</figure>")]
    return {"t": "Div", "c": [node["c"][0], blocks]}


def _caption(kind: str, number_: str) -> list[Node]:
    return [_text(f"{kind}{NO_BREAK}{number_}:"), {"t": "Space"}]


def _text(text: str) -> Node:
    return {"t": "Str", "c": text}


def _html(code: str) -> Node:
    return {"t": "RawBlock", "c": ["html", code]}
