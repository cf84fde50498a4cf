"""Tables of what compares groups and directions: base against new rows with permuted labels, words along their affixes.

Pure functions of summary values and results, as `geometry_tables`; p-values are those corrected for their number.
"""

from collections.abc import Mapping
from typing import Any

from wake2vec.layout import ROW_PHASES
from wake2vec.report import readings
from wake2vec.report.geometry_tables import (
    AFTER,
    DIMENSION,
    ISOTROPY,
    LABELS,
    NOTHING_MEASURED,
    null_range,
    once,
    p_cell,
)
from wake2vec.report.markdown import (
    NOTHING,
    count,
    interval,
    number,
    p_value,
    several,
    signed,
    table,
    with_interval,
    with_signs,
)
from wake2vec.report.multiplicity import drawn
from wake2vec.report.results import Results

Summary = Mapping[str, Any]
WHEN = {"init": "with the initial rows", "p1": "after P1", "p3": "after P3"}
COMPARED = {
    "norms.cohens_d": "length, as Cohen’s d",
    **{f"isotropy.{name}": label for name, label in ISOTROPY.items()},
    **{f"dimension.{name}": label for name, label in DIMENSION.items()},
    "similarity.mean": "mean cosine of pairs",
}


def permuted_table(summary: Summary) -> str:
    """New less base rows, figure by figure, beside the same with the labels base and new shuffled over the rows."""
    rows = []
    for figure, label in COMPARED.items():
        for phase in ROW_PHASES:
            name = f"{phase}.permuted.{figure}"
            if name not in summary:
                continue
            value, null = summary[name], summary[f"{name}.null"]
            decimals = 1 if figure.startswith("dimension.") else 4 if figure.startswith("isotropy.") else 3
            bounds = interval([null["low"], null["high"]], decimals)
            reading = readings.read_permuted(value, null)
            rows.append(
                [
                    label,
                    AFTER[phase],
                    count(summary[f"{name}.rows"]),
                    signed(value, decimals),
                    bounds,
                    p_cell(null),
                    reading,
                ]
            )
    header = ["Measure", "New rows", "Rows", "New − base", "Labels shuffled", "p", "What follows"]
    return table(header, once(rows), "llrrrrl") if rows else NOTHING_MEASURED


def directions_table(summary: Summary) -> str:
    """How well words’ offsets from their roots agree within an affix, beside shuffled affixes and the initial rows."""
    rows = []
    for name, label in (
        ("directions", "as they are"),
        ("directions.held_out", "words left out"),
        ("directions.centred", "centred"),
    ):
        for phase in ROW_PHASES:
            value, null = summary.get(f"{phase}.{name}"), summary.get(f"{phase}.{name}.null")
            if value is None:
                continue
            measured = with_interval(value, summary[f"{phase}.{name}.interval"], 2)
            effect = signed(value - null["mean"], 2)
            made = drawn(summary, phase) and not name.endswith("held_out")
            reading = readings.OBJECTIVE if made else readings.read_directions(value, null)
            change = summary.get(f"{phase}.{name}.change")
            bounds = summary.get(f"{phase}.{name}.change.interval")
            reach = f" ± {number((bounds[1] - bounds[0]) / 2, 2)}" if bounds else ""
            moved = NOTHING if change is None else f"{signed(change, 2)}{reach}"
            cells = [null_range(null, 2), effect, p_cell(null), moved, reading]
            rows.append([label, AFTER[phase], measured, *cells])
    header = ["Offsets", "Rows", "Mean cosine", "Affixes shuffled", "Effect", "p", "Less initial", "What follows"]
    return table(header, once(rows), "llrrrrrl") if rows else NOTHING_MEASURED


def random_pairs(summary: Summary) -> str:
    """The mean cosine of offsets of random pairs of rows, at every phase with rows."""
    names = {phase: f"{phase}.directions.random" for phase in ROW_PHASES}
    found = [f"{number(summary[n], 2)} {WHEN[phase]}" for phase, n in names.items() if summary.get(n) is not None]
    return f"Offsets of any new row from any root have a mean cosine of {several(found)}." if found else ""


def affixes_table(results: Results) -> str:
    """The affixes of most words: how well the offsets of their words agree, at every phase with rows."""
    phases = [phase for phase in results.measured("directions") if results.metric(phase, "directions").get("by_affix")]
    if not phases:
        return NOTHING_MEASURED
    found = {
        phase: {(one["kind"], one["affix"]): one for one in results.metric(phase, "directions")["by_affix"]}
        for phase in phases
    }
    rows = []
    for (kind, affix), one in list(found[phases[-1]].items())[:20]:
        values = [number((found[phase].get((kind, affix)) or {}).get("consistency"), 2) for phase in phases]
        rows.append([f"{affix}-" if kind == "prefix" else f"-{affix}", count(one["words"]), *values])
    header = ["Affix", "Words", *(AFTER[phase] for phase in phases)]
    return table(header, rows, "lr" + "r" * len(phases))


def corrected(summary: Summary) -> str:
    """How many comparisons with a null the geometry holds, and how many of them are findings, family by family."""
    said = []
    for family, compared in (
        ("chance", "figures compared with rows without structure or with random moves"),
        ("labels", "comparisons of new and base rows with shuffled labels"),
        ("parts", "comparisons of affixes and parts with those of other words"),
    ):
        if f"geometry.{family}.tests" in summary:
            size, below, found = (summary[f"geometry.{family}.{name}"] for name in ("tests", "below", "found"))
            said.append(
                f"Of {count(size)} {compared}, {count(below)} have p < 0.05 where chance alone would give about "
                f"{count(size * 0.05)}; corrected for their number, {count(found)} have."
            )
    if said:
        said.append("Initial rows, which differ by construction, are corrected apart from trained ones.")
    return " ".join(said) or "No figure of the geometry could be compared with a null."


def directions(summary: Summary) -> str:
    """Whether words of one affix lie from their roots in one direction, at the last phase that has rows; where its
    objective draws words there, those that it left out.
    """
    phases = [phase for phase in ROW_PHASES if summary.get(f"{phase}.directions") is not None]
    if not phases:
        return ""
    phase, whose = phases[-1], "the offset of a word from its root"
    name = f"{phase}.directions"
    if drawn(summary, phase):
        all_words = f"All words’ is {number(summary[name], 2)}, but most of them the objective draws there."
        name, whose = f"{name}.held_out", "the offset from its root of a word that the objective left out"
        if summary.get(name) is None:
            return f"Too few words with an affix were kept out of {LABELS[phase]}’s objective to judge. {all_words}"
    value, null = summary[name], summary[f"{name}.null"]
    measured = with_interval(value, summary[f"{name}.interval"], 2)
    controls = [f"with affixes shuffled {null_range(null, 2)}"]
    controls.append(f"for random pairs of rows {number(summary[f'{phase}.directions.random'], 2)}")
    since = ""
    if (before := summary.get(f"{name}.before")) is not None:
        bounds = summary[f"{name}.change.interval"]
        change = with_signs(summary[f"{name}.change"], bounds, 2)
        controls.insert(0, f"initially {number(before, 2)}, a change of {change}")
        since = {"down": " They agree less than initially.", "up": " They agree more than initially."}.get(
            readings.direction(bounds), ""
        )
    at = WHEN[phase]
    return (
        f"{at[0].upper()}{at[1:]} {whose} has a mean cosine of {measured} to those of words of other roots with its "
        f"affix ({'; '.join(controls)}; {p_value(null.get('p_adjusted', null.get('p')))}). "
        f"{readings.read_directions(value, null)}{since}"
    )
