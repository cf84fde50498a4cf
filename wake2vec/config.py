"""Read a study's configuration: merge, check, and explain what is wrong in words.

    defaults < recipes[recipe] < extends (the parent's own entry, and its parents') < the model's own entry

`corpora:` and `bases:` entries may extend one another too. Everything that is wrong is reported at once, before any
job.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from wake2vec import layout, sweeps
from wake2vec.config_errors import PLAIN, explain, message, telling, unknown
from wake2vec.errors import UserError, guess
from wake2vec.settings import STATES, Model, Study

SECTIONS = ("corpora", "bases", "defaults", "recipes", "models", "sweeps", "figures", "plan", "tiers")
RESERVED = ("corpora", "bases", "sweeps", "figures", "tables", "paper", "paper.html", "logs", "benchmarks")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def load(config: Mapping[str, Any]) -> Study:
    """Turn the mapping that config.yaml holds into a checked `Study`.

    Raises UserError with one paragraph for each thing that is wrong.
    """
    sections = {name: config.get(name) or {} for name in SECTIONS}
    problems = [
        f"{key}: unknown section. Accepted: {', '.join(SECTIONS)}.{guess(key, SECTIONS)}"
        for key in config
        if key not in SECTIONS
    ]
    for name, section in sections.items():
        if not isinstance(section, Mapping):
            problems.append(f"{name}: expected keys and values, found {section!r}")
            sections[name] = {}
    problems += [p for s in ("corpora", "bases", "models") for name in sections[s] if (p := _bad_name(s, name))]
    problems += [p for name in sections["sweeps"] if (p := _bad_name("sweeps", name))]
    layers = {}
    for section in ("corpora", "bases", "models"):
        for name in sections[section]:
            try:
                layers[section, name] = _layers(section, name, sections)
            except UserError as error:
                problems.append(str(error))
    if problems:
        raise UserError(message(problems))

    values = {section: sections[section] for section in PLAIN} | {
        section: {} for section in ("corpora", "bases", "models")
    }
    for (section, name), stack in layers.items():
        merged: dict[str, Any] = {}
        for _, entry in stack:
            merged = merge(merged, entry)
        values[section][name] = merged
    unused = _unused_recipes(sections, values["models"])
    try:
        study = Study.model_validate(values)
    except ValidationError as error:
        raise UserError(message([explain(e, layers) for e in telling(error.errors())] + unused)) from None
    if unused:
        raise UserError(message(unused))
    if truths := list(_truths(values, study.model_dump())):
        raise UserError(message([explain(e, layers) for e in truths]))
    if problems := _broken_references(study):
        raise UserError(message(problems))
    return study


OF_A_WHOLE = ("missing", "value_error")  # pydantic's errors that a run's own keys may take away


def _unused_recipes(sections: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    """What is wrong with the keys and values of recipes that no model has, which nothing else looks at."""
    usual = sections["defaults"].get("recipe", "wake")
    problems = []
    for name in sections["recipes"].keys() - {model.get("recipe", usual) for model in models.values()}:
        recipe = sections["recipes"][name] or {}
        if not isinstance(recipe, Mapping):
            problems.append(f"recipes.{name}: expected keys and values, found {recipe!r}")
            continue
        layers = {("models", name): [(f"recipes.{name}", recipe)]}
        try:
            made = Model.model_validate({"base": "any", "corpus": "any"} | recipe)
        except ValidationError as error:
            found = [e | {"loc": ("models", name, *e["loc"])} for e in error.errors() if e["type"] not in OF_A_WHOLE]
        else:
            found = _truths(recipe, made.model_dump(), ("models", name))
        problems += [explain(e, layers) for e in found]
    return problems


def _truths(written: Any, made: Any, place: tuple[Any, ...] = ()) -> Iterator[dict[str, Any]]:
    """Where a number was made of true or false (in YAML also yes, no, on, off), as pydantic's own errors have it."""
    if isinstance(written, bool) and type(made) in (int, float):
        if place[0] in ("corpora", "bases"):
            place = (*place[:2], "kind", *place[2:])  # of which union pydantic's place would say the tag
        yield {"type": "", "loc": place, "input": written, "msg": "Accepted: a number"}
    elif isinstance(written, Mapping) and isinstance(made, Mapping):
        for key in written.keys() & made.keys():
            yield from _truths(written[key], made[key], (*place, key))
    elif isinstance(written, list) and isinstance(made, list | tuple):
        for at, (one, other) in enumerate(zip(written, made, strict=False)):
            yield from _truths(one, other, (*place, at))


def refuse_bad_yaml(path: str | Path) -> None:
    """Raise UserError where a file is no YAML, and where it has a key twice in one block, of which YAML would keep the
    last in silence.
    """
    problems = []

    class Loader(yaml.SafeLoader):
        pass

    def mapping(loader: Loader, node: yaml.MappingNode) -> dict[str, Any]:
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.value != "<<" and lines.setdefault(key.value, line) != line:
                problems.append(
                    f"{path}, line {line}: `{key.value}:` stands in line {lines[key.value]} already. One block has a "
                    "key once; write both entries under the one."
                )
        return yaml.SafeLoader.construct_mapping(loader, node, deep=True)

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    text = Path(path).read_text("utf-8") if Path(path).is_file() else ""
    try:
        yaml.load(text, Loader)  # noqa: S506, a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise UserError(
            f"{where}: this is no YAML ({getattr(error, 'problem', None) or error}). Often a colon is missing before "
            "here, a quotation mark is not closed, or lines are indented by tabs or unequally."
        ) from None
    if problems:
        raise UserError(message(problems))


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """`high` over `low`, key by key and all the way down; lists and plain values are replaced whole.

    >>> merge({"p1": {"steps": 10, "batch": 2}}, {"p1": {"steps": 20}})
    {'p1': {'steps': 20, 'batch': 2}}
    """
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _layers(section: str, name: str, sections: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The entries that make up one key, lowest first, each with the place that it was written."""
    chain: list[tuple[str, dict[str, Any]]] = []
    seen: list[str] = []
    current: str | None = name
    while current is not None:
        where = f"{section}.{current}"
        if current in seen:
            raise UserError(f"{section}.{name}: `extends` goes round in a circle: {' -> '.join([*seen, current])}")
        if current not in sections[section]:
            raise UserError(unknown(f"{section}.{seen[-1]}.extends", current, sections[section]))
        entry = sections[section][current]
        if not isinstance(entry, Mapping):
            raise UserError(f"{where}: expected keys and values, found {entry!r}")
        seen.append(current)
        chain.append((where, {key: value for key, value in entry.items() if key != "extends"}))
        current = entry.get("extends")
        if current is not None and not isinstance(current, str):
            raise UserError(f"{where}.extends: expected one name of {section}, found {current!r}")
    chain.reverse()
    if section != "models":
        return chain
    recipe = next(
        (e["recipe"] for _, e in reversed(chain) if "recipe" in e), sections["defaults"].get("recipe", "wake")
    )
    if not isinstance(recipe, str):
        raise UserError(f"models.{name}.recipe: expected one name of recipes, found {recipe!r}")
    if recipe not in sections["recipes"]:
        raise UserError(unknown(f"models.{name}.recipe", recipe, sections["recipes"]))
    below = [("defaults", sections["defaults"]), (f"recipes.{recipe}", sections["recipes"][recipe] or {})]
    for where, entry in below:
        if not isinstance(entry, Mapping):
            raise UserError(f"{where}: expected keys and values, found {entry!r}")
    return [*below, *chain]


def unknown_target(folder: str, configured: Mapping[str, Any]) -> str:
    """What to say when a target lies in the folder of a model or sweep that is not configured."""
    return unknown(folder, folder.split("/")[-1], configured)


def _broken_references(study: Study) -> list[str]:
    problems = []
    for name, base in study.bases.items():
        if base.kind == "pretrain" and base.corpus not in study.corpora:
            problems.append(unknown(f"bases.{name}.corpus", base.corpus, study.corpora))
    for name, model in study.models.items():
        if model.base not in study.bases:
            problems.append(unknown(f"models.{name}.base", model.base, study.bases))
        if model.corpus not in study.corpora:
            problems.append(unknown(f"models.{name}.corpus", model.corpus, study.corpora))
        problems += _broken_start(name, study) + _unsaved_steps(name, study) + _broken_plain(name, study)
    problems += sweeps.problems(study)
    places: dict[str, str] = {}
    for tier, place in study.tiers.items():
        if place is not None and (other := places.setdefault(place.rstrip("/"), tier)) != tier:
            problems.append(f"tiers.{tier}: the same place as tiers.{other}; a second copy needs a place of its own.")
    return problems


SHARED = ("base", "corpus", "vocabulary", "head", "precision")  # what rows of one run need to fit another


def _broken_start(name: str, study: Study) -> list[str]:
    """What keeps a model from standing on another's P1."""
    model = study.models[name]
    if model.start is None:
        return []
    where, parent = f"models.{name}.start", study.models.get(model.start.model)
    if parent is None:
        return [unknown(f"{where}.from", model.start.model, study.models)]
    if circle := _circle(name, study):
        return [f"{where}.from: these runs start from one another in a circle: {' -> '.join(circle)}."]
    problems = []
    if "p1" not in parent.phases:
        trained = [key for key, other in study.models.items() if "p1" in other.phases and key != name]
        problems.append(
            f"{where}.from: {model.start.model!r} has no P1 (its phases: {', '.join(parent.phases)}). "
            f"Accepted: runs that have one: {', '.join(trained) or '(none configured)'}."
        )
    here, there = (_flat(m.model_dump(include=set(SHARED))) for m in (model, parent))
    return problems + [
        f"models.{name}.{key}: found {here[key]!r}, but {model.start.model!r}, whose rows this run starts from, has "
        f"{there[key]!r}. The two must agree in {', '.join(SHARED)}."
        for key in here
        if here[key] != there[key]
    ]


def _broken_plain(name: str, study: Study) -> list[str]:
    """A plain English to compare samples with that is no corpus, or the run's own."""
    model, where = study.models[name], f"models.{name}.battery.plain"
    plain = model.battery.plain
    if plain is None:
        return []
    if plain not in study.corpora:
        return [unknown(where, plain, study.corpora)]
    others = ", ".join(key for key in study.corpora if key != model.corpus) or "(none configured)"
    own = f"{where}: {plain!r} is the text that this run learns. Accepted: another corpus, {others}; or null."
    return [own] if plain == model.corpus else []


def _circle(name: str, study: Study) -> list[str]:
    """The models from `name` through their starts back to `name`; empty where that never comes back."""
    chain = [name]
    while (model := study.models.get(chain[-1])) is not None and model.start is not None:
        if model.start.model == name:
            return [*chain, name]
        if model.start.model in chain:
            break
        chain.append(model.start.model)
    return []


def _unsaved_steps(name: str, study: Study) -> list[str]:
    """Starts from a step of which no rows will be saved."""
    model = study.models[name]
    wanted = []
    if model.start is not None:
        wanted.append((f"models.{name}.start.at", model.start.model, model.start.at))
    if "p2" in model.phases and (owner := layout.p1_owner(name, model)) is not None:
        wanted.append((f"models.{name}.p2.start", owner, model.p2.start))
    problems = []
    for where, owner, state in wanted:
        if not isinstance(state, int) or owner not in study.models:
            continue
        p1 = study.models[owner].p1
        if state > p1.steps:
            problems.append(
                f"{where}: found step {state}, but P1 of {owner!r} has {p1.steps} (models.{owner}.p1.steps)."
            )
        elif state != p1.steps and (p1.snapshot_every is None or state % p1.snapshot_every):
            problems.append(
                f"{where}: no rows of {owner!r} are saved at step {state}: models.{owner}.p1.snapshot_every is "
                f"{'null' if p1.snapshot_every is None else p1.snapshot_every}. Set it to a number that divides "
                f"{state}, or name another state: {', '.join(STATES)}."
            )
    return problems


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _bad_name(section: str, name: Any) -> str | None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        if not isinstance(name, str):
            return f'{section}.{name}: YAML reads {name!r} as no text. Accepted: the name in quotes, "{name}":'
        return (
            f"{section}.{name}: not usable as a folder's name. Accepted: letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit."
        )
    if section == "models" and name in RESERVED:
        taken = ", ".join(RESERVED)
        return f"models.{name}: results/{name} is used by the pipeline itself. Accepted: any name but {taken}."
    return None
