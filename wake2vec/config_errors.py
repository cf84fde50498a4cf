"""What is wrong with a configuration, in sentences: the key as it is written, what was found, what is accepted."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from wake2vec.errors import guess
from wake2vec.settings import Settings, Study

PLAIN = ("sweeps", "figures", "plan", "tiers")  # sections without entries that extend one another


def unknown(where: str, found: Any, accepted: Mapping[str, Any]) -> str:
    """A name that is not configured, and those that are."""
    choices = ", ".join(accepted) or "(none configured)"
    return f"{where}: there is no {found!r}. Accepted: {choices}.{guess(found, accepted)}"


def explain(error: Mapping[str, Any], layers: Mapping) -> str:
    """One pydantic error as a sentence: the key as written in the file, what was found, what is accepted."""
    section, *inside = error["loc"]
    where = section
    if section not in PLAIN:
        name, *inside = inside
        if section != "models":
            inside = inside[1:]  # pydantic puts the union's tag (the kind) after the name
        where = _written_at(layers[section, name], inside)
    key = ".".join([where, *(str(part) for part in inside)])
    found = error["input"]
    if error["type"] == "extra_forbidden":
        accepted = _accepted_keys(section, error["loc"])
        return (
            f"{key}: unknown key (value {found!r}). Accepted: {', '.join(accepted)}.{guess(str(inside[-1]), accepted)}"
        )
    if error["type"] == "missing":
        return f"{key}: this key is needed and missing."
    if error["type"] == "union_tag_not_found":
        return f"{key}.kind: this key is needed and missing. Accepted: {_kinds(section)}."
    if error["type"] == "tuple_type":
        return f"{key}: found {found!r}. Accepted: a list, [{found}]."
    if error["type"] == "model_type":
        return f"{key}: expected keys and values, found {found!r}."
    said = error["msg"].removeprefix("Value error, ")
    if error["type"] in ("literal_error", "union_tag_invalid"):
        accepted = re.findall(r"'([^']*)'", error["ctx"].get("expected") or error["ctx"]["expected_tags"])
        tag = error["ctx"].get("tag", found)
        key += ".kind" if error["type"] == "union_tag_invalid" else ""
        return f"{key}: found {tag!r}. Accepted: {', '.join(accepted)}.{guess(str(tag), accepted)}"
    shown = "" if isinstance(found, Mapping) else f"found {found!r}. "
    return f"{key}: {shown}{said}."


def telling(errors: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Pydantic's errors without those that only follow: it calls a list too short whose faulty items it left out."""

    def follows(error: Mapping[str, Any]) -> bool:
        here = error["loc"]
        return error["type"] == "too_short" and any(
            other["loc"][: len(here)] == here != other["loc"] for other in errors
        )

    return [error for error in errors if not follows(error)]


def _kinds(section: str) -> str:
    return {"corpora": "testbed, file", "bases": "pretrain, hub, path"}[section]


def _written_at(stack: list[tuple[str, Mapping[str, Any]]], inside: list[Any]) -> str:
    """Which layer of a merged entry a key came from: the highest that holds it."""
    for where, entry in reversed(stack):
        here: Any = entry
        for part in inside:
            here = (
                here.get(part, _MISSING)
                if isinstance(here, Mapping)
                else here
                if isinstance(here, list | tuple)
                else _MISSING
            )
        if here is not _MISSING:
            return where
    return stack[-1][0]


_MISSING = object()


def _accepted_keys(section: str, location: tuple) -> list[str]:
    """The keys of the settings class that refused one."""
    here: Any = Study
    for part in location[:-1]:
        here = _step(here, part)
    return [field.alias or name for name, field in here.model_fields.items()]


def _step(here: Any, part: Any) -> Any:
    """Follow one part of an error's location through annotations: a field, a mapping's key, an item, a union's tag."""
    if isinstance(here, type) and issubclass(here, Settings):
        annotation = here.model_fields[part].annotation
        return get_args(annotation)[0] if type(None) in get_args(annotation) else annotation
    options = [a for a in get_args(here) if a is not str]
    if isinstance(part, int) or len(options) == 1:
        return _innermost(options[0])
    tagged = [
        o
        for o in options
        if isinstance(o, type) and issubclass(o, Settings) and part in get_args(o.model_fields["kind"].annotation)
    ]
    return tagged[0] if tagged else options[0]


def _innermost(annotation: Any) -> Any:
    """Annotated[X | Y, …] as X | Y."""
    return getattr(annotation, "__origin__", annotation) if hasattr(annotation, "__metadata__") else annotation


def message(problems: list[str]) -> str:
    """All that is wrong, in one message."""
    problems = list(dict.fromkeys(problems))  # a parent's mistake shows in every entry that extends it
    count = "One thing is" if len(problems) == 1 else f"{len(problems)} things are"
    return f"{count} wrong in the configuration (config/config.yaml and any --configfile):\n" + "".join(
        f"  - {problem}\n" for problem in problems
    )
