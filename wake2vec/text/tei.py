"""TEI XML to plain text: the body's paragraphs and verse lines, as a reader sees them.

Paragraphs and headings are separated by a blank line, verse lines <l> by a newline; the apparatus (teiHeader, notes,
page breaks, forme work such as running heads, figures' descriptions, deletions) is left out. <choice> keeps what the
editor corrected, regularised or expanded; <app> keeps the lemma.
Elements as in the TEI Guidelines P5, https://tei-c.org/release/doc/tei-p5-doc/en/html/.

The file is untrusted: declared entities are refused before any is expanded ("billion laughs", external files), nothing
is ever fetched, and the nesting is bounded.
"""

import xml.etree.ElementTree as ElementTree
from html.entities import html5
from xml.parsers import expat

import regex

from wake2vec.errors import UserError

DEEPEST = 200  # nested elements; real editions stay below 30
OMITTED = {"teiHeader", "note", "noteGrp", "fw", "figDesc", "graphic", "del", "gap", "index", "front", "back"}
PREFERRED = {"choice": ("corr", "reg", "expan"), "app": ("lem",)}
BREAKS = {"lb", "pb", "cb", "gb", "milestone"}
BLOCKS = (
    "text body group floatingText div div1 div2 div3 div4 div5 div6 div7 p ab head trailer lg sp speaker quote cit "
    "epigraph argument opener closer salute signed dateline byline list item label table row figure titlePage"
).split()

# XML 1.0 forbids these characters in a document, so that they cannot be confused with its text.
PARAGRAPH, LINE, BROKEN, BROKEN_WORD = "\x1c", "\x1d", "\x1e", "\x1f"
SPACE = regex.compile(r"[ \t\r\n]+")


def tei_text(data: bytes, where: str) -> str:
    """The text of every <body> in a TEI document.

    A line that the edition marks with <lb/> runs on; after a hyphen at such a line's end a newline stays, so that the
    cleaning can decide whether the word is whole. Raises UserError, opening with `where`, for XML that is not
    well-formed, declares entities, nests deeper than 200 elements or has no <body>.
    """
    _refuse_hostile(data, where)
    parser = ElementTree.XMLParser()
    parser.entity.update(
        {name.rstrip(";"): value for name, value in html5.items()}
    )  # &mdash; … of older editions' DTDs
    try:
        root = ElementTree.fromstring(data, parser)
    except ElementTree.ParseError as error:
        raise _malformed(where, error.position[0], error) from None
    pieces: list[str] = []
    for body in _bodies(root):
        _emit(body, pieces)
    if not pieces:
        raise UserError(
            f"{where}: no text was found in a <body>; the root element is <{_name(root)}>. Accepted: TEI, whose <text> "
            "has a <body>. "
            "For another kind of XML, save its text as a plain .txt file."
        )
    return _layout("".join(pieces))


def _refuse_hostile(data: bytes, where: str) -> None:
    depth = 0
    parser = expat.ParserCreate()

    def entity(name: str, *_: object) -> None:
        raise UserError(
            f"{where}, line {parser.CurrentLineNumber}: the XML declares an entity ({name}), and entities are not "
            "expanded here: a hostile file could fill the memory or read other files with them. If you trust it, "
            "resolve them first: xmllint --noent --dropdtd edition.xml > resolved.xml"
        )

    def opened(name: str, _: object) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise UserError(
                f"{where}, line {parser.CurrentLineNumber}: elements are nested more than {DEEPEST} deep. "
                "Accepted: at most that; no edition needs more."
            )

    def closed(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser.EntityDeclHandler, parser.StartElementHandler, parser.EndElementHandler = entity, opened, closed
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise _malformed(where, error.lineno, error) from None
    except (LookupError, ValueError) as error:
        raise UserError(
            f"{where}: the encoding that its XML declaration names cannot be read ({error}). Save it as UTF-8."
        ) from None


def _malformed(where: str, line: int, error: Exception) -> UserError:
    return UserError(
        f"{where}, line {line}: not well-formed XML ({error}). Accepted: TEI XML; plain text belongs in a .txt file."
    )


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _bodies(element: ElementTree.Element) -> list[ElementTree.Element]:
    if _name(element) == "body":
        return [element]
    return [body for child in element for body in _bodies(child)]


def _emit(element: ElementTree.Element, pieces: list[str]) -> None:
    name = _name(element)
    if name in OMITTED:
        return
    if name in PREFERRED:
        if (chosen := _chosen(element, PREFERRED[name])) is not None:
            _emit(chosen, pieces)
        return
    if name in BREAKS:
        pieces.append(BROKEN_WORD if element.get("break") == "no" else BROKEN)
        return
    mark = PARAGRAPH if name in BLOCKS else LINE if name == "l" else " " if name == "cell" else ""
    pieces += [mark, SPACE.sub(" ", element.text or "")]
    for child in element:
        _emit(child, pieces)
        pieces.append(SPACE.sub(" ", child.tail or ""))
    pieces.append(mark)


def _chosen(element: ElementTree.Element, preferred: tuple[str, ...]) -> ElementTree.Element | None:
    readings = {_name(child): child for child in reversed(element)}
    return next((readings[name] for name in preferred if name in readings), next(iter(element), None))


def _layout(text: str) -> str:
    text = regex.sub(r"(?<=[-\u00ad‐]) *[\x1e\x1f] *", "\n", text)
    text = regex.sub(r" *\x1f *", "", text)
    text = regex.sub(r"[ \x1e]+", " ", text)
    text = regex.sub(r"[ \x1c\x1d]*\x1c[ \x1c\x1d]*", "\n\n", text)
    text = regex.sub(r"[ \x1d]*\x1d[ \x1d]*", "\n", text)
    return text.strip() + "\n"
