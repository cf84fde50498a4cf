"""Read the text that a user brings: plain text or TEI XML, with errors that say what to do."""

import codecs
from pathlib import Path

from wake2vec.errors import UserError, guess
from wake2vec.text.tei import tei_text

TEI_SUFFIXES = (".xml", ".tei")
BINARY = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "an EPUB, DOCX or other zip file",
    b"\x1f\x8b": "a gzip file",
    b"{\\rtf": "an RTF file",
}


def is_tei(path: str | Path) -> bool:
    """Whether `path` is read as TEI XML: it ends in .xml or .tei."""
    return Path(path).suffix.lower() in TEI_SUFFIXES


def require_source(path: str | Path, key: str = "corpora.x.path") -> Path:
    """`path`, if a file is there; else a UserError naming the config key and where to put the text. Reads nothing."""
    path = Path(path)
    if path.is_file():
        return path
    if path.is_dir():
        raise UserError(f"{key}: {path} is a folder. Accepted: a file of plain text (UTF-8) or TEI XML (.xml, .tei).")
    neighbours = [entry.name for entry in path.parent.iterdir() if entry.is_file()] if path.parent.is_dir() else []
    raise UserError(
        f"{key}: there is no file {path} (looked for {path.absolute()}).{guess(path.name, neighbours)} "
        "Put the text there, as plain text in UTF-8 (.txt) or as TEI XML (.xml, .tei), or set the key to where it lies."
    )


def read_source(path: str | Path, key: str = "corpora.x.path", *, encoding: str = "utf-8") -> str:
    """The text of a file: plain text as it stands, without its byte order mark, or the body of a TEI edition.

    encoding: the file's encoding (plain text only; an XML file names its own); UTF-16 is known by its byte order mark.
    Raises UserError for a missing, binary, empty or wrongly encoded file (naming line, byte and likely encodings), and
    for XML that `tei_text` refuses.
    """
    path = require_source(path, key)
    data = path.read_bytes()
    where = f"{key}: {path}"
    for opening, kind in BINARY.items():
        if data.startswith(opening):
            raise UserError(f"{where} is {kind}. Accepted: plain text or TEI XML; convert it to text first.")
    text = tei_text(data, where) if is_tei(path) else _plain_text(data, where, key, encoding)
    if not text.strip():
        raise UserError(f"{where} holds no text.")
    return text


def _plain_text(data: bytes, where: str, key: str, encoding: str) -> str:
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in data and not utf16 and encoding.lower().replace("_", "-") in ("utf-8", "utf8", "ascii"):
        raise UserError(
            f"{where} holds NUL bytes: it is no text, or UTF-16 without a byte order mark. "
            f"For the latter set encoding: utf-16-le (or utf-16-be) beside {key}."
        )
    text = _decode(data, where, key, "utf-16" if utf16 else encoding).removeprefix("\ufeff")
    head = text[:500].lstrip().lower()
    if head.startswith(("<?xml", "<tei", "<!doctype", "<html")):
        raise UserError(
            f"{where} holds XML or HTML but is not named so. Accepted: TEI in a .xml or .tei file, or plain text."
        )
    return text


def _decode(data: bytes, where: str, key: str, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except LookupError:
        raise UserError(
            f"{where}: encoding {encoding!r} is unknown. Accepted: utf-8, cp1252, iso-8859-1, mac_roman, utf-16 …"
        ) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{data[error.start]:02x} is not {error.encoding.upper()}"
        raise UserError(f"{where}, line {line}: {found}. {_suggestion(data, error, key)}") from None


def _suggestion(data: bytes, error: UnicodeDecodeError, key: str) -> str:
    """How the line reads in the usual one-byte encodings, for the user to choose: no program can know."""
    begin = max(data.rfind(b"\n", 0, error.start) + 1, error.start - 40)
    end = error.start + 40 if (stop := data.find(b"\n", error.start)) < 0 else min(stop, error.start + 40)
    readings = {}
    for candidate in ("cp1252", "mac_roman", "cp850"):
        reading = data[begin:end].decode(candidate, errors="replace").strip()
        readings[reading] = readings.get(reading, candidate)
    shown = "; ".join(f"{candidate}: “{reading}”" for reading, candidate in readings.items())
    return (
        f"The likely encodings read the line as follows. {shown}. "
        f"Set encoding: to the right one beside {key}, or save the file as UTF-8."
    )
