"""pandoc, from the `pypandoc_binary` wheel: Markdown to its document tree (JSON), and walks over the tree."""

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from wake2vec.errors import UserError

Node = dict[str, Any]
_ATTRIBUTES = {
    "Header": 1,
    "Div": 0,
    "Span": 0,
    "Figure": 0,
    "Image": 0,
    "Link": 0,
    "Code": 0,
    "CodeBlock": 0,
    "Table": 0,
}


def pandoc(arguments: Sequence[str], text: str, folder: str | Path | None = None) -> tuple[str, list[str]]:
    """Run pandoc in `folder` on `text`; what it prints and its warnings, a line each.

    Raises UserError with pandoc's own words when it fails.
    """
    import pypandoc

    command = [pypandoc.get_pandoc_path(), *arguments]
    done = subprocess.run(command, input=text.encode("utf-8"), capture_output=True, cwd=folder)
    messages = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    if done.returncode:
        raise UserError("pandoc could not make the document:\n" + "\n".join(f"  {line}" for line in messages))
    return done.stdout.decode("utf-8"), messages


def version() -> str:
    """pandoc's version, as in "3.9"."""
    return pandoc(["--version"], "")[0].split()[1]


def parse(markdown: str) -> Node:
    """The document tree of a Markdown text (its YAML header included)."""
    return json.loads(pandoc(["--from", "markdown", "--to", "json"], markdown)[0])


def walk(node: Any) -> Iterator[Node]:
    """Every element of a tree, parents before children, in reading order."""
    if isinstance(node, list):
        for item in node:
            yield from walk(item)
    elif isinstance(node, dict):
        if "t" in node:
            yield node
        yield from walk(list(node.values()))


def change(node: Any, replace: Callable[[Node], list[Node] | None]) -> Any:
    """The tree with every element for which `replace` gives a list replaced by that list; children first."""
    if isinstance(node, dict):
        return {key: change(value, replace) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    changed: list[Any] = []
    for item in node:
        item = change(item, replace)
        new = replace(item) if isinstance(item, dict) and "t" in item else None
        changed.extend([item] if new is None else new)
    return changed


def identifier(node: Node) -> str:
    """An element's id; an empty string when it has none."""
    return attributes(node)[0] if node["t"] in _ATTRIBUTES else ""


def attributes(node: Node) -> list[Any]:
    """[id, classes, [[key, value], …]] of an element that can have them."""
    return node["c"][_ATTRIBUTES[node["t"]]]


def text_of(node: Any) -> str:
    """The plain text below an element, formatting dropped."""
    spaces = ("Space", "SoftBreak", "LineBreak")
    return "".join(node_["c"] if node_["t"] == "Str" else " " for node_ in walk(node) if node_["t"] in ("Str", *spaces))
