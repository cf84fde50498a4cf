"""What one model's run left behind, read once for the summary and the tables.

Exactly the files named by the caller are read, so that a rule's inputs are what its numbers come from. The phase of a
file is its folder's name (`p1/run.json`, `metrics/p1/norms.json`), the measure is its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from wake2vec.errors import UserError
from wake2vec.language.surprisal import read_surprisal
from wake2vec.storage import read_json, read_jsonl, read_text
from wake2vec.text.corpus import passages_of
from wake2vec.text.lexicon import read_lexicon

PHASES = ("base", "init", "p1", "p2", "p3")  # as wake2vec.settings has them
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Results:
    """The values of the result files of one model, by phase where there are phases."""

    model: str
    corpus: Values
    lexicon: pd.DataFrame
    segmentation: list[dict[str, Any]]
    injection: Values
    initial: Values = field(default_factory=dict)  # how the new rows were made, of init/statistics.json
    regimes: Values = field(default_factory=dict)  # of P1, where the run has one
    neighbour_map: Values = field(default_factory=dict)  # for the tables
    register_validation: Values = field(default_factory=dict)  # on the testbed
    runs: Mapping[str, Values] = field(default_factory=dict)
    histories: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Values]] = field(default_factory=dict)
    surprisals: Mapping[str, pd.DataFrame] = field(default_factory=dict)  # the words of the held-out text
    passages: Sequence[str] = ()  # the held-out text itself
    provenance: Mapping[str, Values] = field(default_factory=dict)
    title: str | None = None
    base: str | None = None
    recipe: str | None = None

    def metric(self, phase: str, name: str) -> Values:
        """The values of metrics/{phase}/{name}.json; empty when that was not measured."""
        return self.metrics.get(phase, {}).get(name) or {}

    def measured(self, name: str) -> list[str]:
        """The phases that have this measure, in order."""
        return [phase for phase in PHASES if self.metric(phase, name)]


def read_results(
    model: str,
    *,
    corpus: str | Path,
    lexicon: str | Path,
    segmentation: str | Path,
    injection: str | Path,
    initial: str | Path | None = None,
    regimes: str | Path | None = None,
    neighbour_map: str | Path | None = None,
    register_validation: str | Path | None = None,
    runs: Iterable[str | Path] = (),
    histories: Iterable[str | Path] = (),
    metrics: Iterable[str | Path] = (),
    surprisals: Iterable[str | Path] = (),
    valid: str | Path | None = None,
    title: str | None = None,
    base: str | None = None,
    recipe: str | None = None,
) -> Results:
    """Read corpus.json, lexicon.csv, segmentation.jsonl, injection.json, init/statistics.json, regimes.json,
    neighbour_map.json, register_validation.json and any number of run.json, history.csv, metrics and surprisal.csv;
    and valid.txt, of which a passage is shown.

    `title` is the model's name in the reports (the key when None); `base` and `recipe` default to those of the first
    run.json that names them. Raises UserError for a metric file outside a phase's folder.
    """
    records = {"corpus": read_json(corpus), "injection": read_json(injection)}
    optional = {"initial": initial, "regimes": regimes, "neighbour_map": neighbour_map}
    optional |= {"register_validation": register_validation}
    records |= {name: read_json(path) for name, path in optional.items() if path is not None}
    run_records = {_phase(path): read_json(path) for path in runs}
    measured: dict[str, dict[str, Values]] = {}
    for path in map(Path, metrics):
        record = read_json(path)
        measured.setdefault(_phase(path), {})[path.stem] = record["values"]
        records[f"{path.parent.name}/{path.stem}"] = record
    records |= run_records
    return Results(
        model=model,
        title=title,
        base=base,
        recipe=recipe,
        corpus=records["corpus"]["values"],
        lexicon=read_lexicon(lexicon),
        segmentation=read_jsonl(segmentation),
        injection=records["injection"]["values"],
        **{name: records[name]["values"] for name in optional if name in records},
        runs=_in_order({phase: record["values"] for phase, record in run_records.items()}),
        histories=_in_order({_phase(path): pd.read_csv(path) for path in histories}),
        metrics=_in_order(measured),
        surprisals=_in_order({_phase(path): read_surprisal(path) for path in surprisals}),
        passages=passages_of(read_text(valid)) if valid is not None else (),
        provenance={name: record.get("provenance") or {} for name, record in records.items()},
    )


def _phase(path: str | Path) -> str:
    phase = Path(path).parent.name
    if phase not in PHASES:
        raise UserError(f"{path}: its folder should be named after a phase. Accepted: {', '.join(PHASES)}.")
    return phase


def _in_order(by_phase: dict[str, Any]) -> dict[str, Any]:
    return {phase: by_phase[phase] for phase in PHASES if phase in by_phase}
