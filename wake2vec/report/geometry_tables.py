"""Tables of the rows' geometry: each figure with its interval, null and effect size, and what follows in a sentence.

Pure functions of summary values and results; the sentences are those of `readings`.
"""

from collections.abc import Mapping
from typing import Any

from wake2vec.layout import ROW_PHASES
from wake2vec.report import readings
from wake2vec.report.markdown import (
    NO_BREAK,
    NOTHING,
    Markdown,
    count,
    interval,
    number,
    p_value,
    percent,
    rank,
    signed,
    table,
    with_interval,
)
from wake2vec.report.multiplicity import drawn
from wake2vec.report.results import PHASES, Results

Summary = Mapping[str, Any]
LABELS = {"base": "base model", "init": "initial rows", "p1": "P1", "p2": "P2", "p3": "P3"}
AFTER = {"init": "initial", "p1": f"after{NO_BREAK}P1", "p3": f"after{NO_BREAK}P3"}
HEADER = ["Measure", "Rows", "Measured", "Without structure", "Effect", "p", "What follows"]
NOTHING_MEASURED = Markdown("Not measured in this run.\n")
ISOTROPY = {
    "sampled_ratio": "partition ratio, sampled",
    "sampled_ratio_centred": "the same, rows centred",
    "eigenvector": "partition ratio, eigenvectors",
    "isoscore": "IsoScore",
}
DIMENSION = {
    "d90": "components for 90% of the variance",
    "d95": "components for 95%",
    "participation_ratio": "participation ratio",
}
PAIRINGS = {"base_base": "base with base", "new_new": "new with new", "base_new": "base with new"}


def phases_with(summary: Summary, name: str) -> list[str]:
    """The phases for which `{phase}.{name}` was measured (a figure without a value does not count)."""
    return [phase for phase in PHASES if summary.get(f"{phase}.{name}") is not None]


def groups(summary: Summary, name: str) -> list[tuple[str, str, str]]:
    """(phase, group, label) of each line: base rows once where no phase changed them, new rows at every phase."""
    phases = [p for p in ROW_PHASES if any(f"{p}.{name.format(group=g)}" in summary for g in ("base", "new"))]
    if not phases:
        return []
    moved = [phase for phase in phases if summary.get(f"{phase}.drift.base.changed_rows")]
    base = [(phases[0], "base", "base")] + [(phase, "base", f"base, {AFTER[phase]}") for phase in moved]
    return base + [(phase, "new", f"new, {AFTER[phase]}") for phase in phases]


def once(rows: list[list[str]]) -> list[list[str]]:
    """The rows with the first cell left out where it only repeats the one above."""
    shown = [row[0] for row in rows]
    return [["" if i and shown[i - 1] == row[0] else row[0], *row[1:]] for i, row in enumerate(rows)]


def null_range(null: Mapping[str, Any] | None, decimals: int) -> str:
    """The range of a null: "0.998 [0.997, 0.999]"; an en dash without one."""
    null = null or {}
    return with_interval(null.get("mean"), [null.get("low"), null.get("high")], decimals)


def p_cell(null: Mapping[str, Any] | None) -> str:
    """The p-value of a figure under its null, corrected for the number of tests; an en dash without one."""
    p = (null or {}).get("p_adjusted", (null or {}).get("p"))
    return p_value(p).removeprefix("p = ").replace("p <", "<")


def norms_table(summary: Summary) -> str:
    """Length of base and new rows: means, Cohen's d with interval, and the chance that a new row is the longer."""
    rows = []
    for phase in ROW_PHASES:
        name = f"{phase}.norms"
        if f"{name}.new.mean" not in summary:
            continue
        d, bounds = summary[f"{name}.cohens_d"], summary[f"{name}.cohens_d.interval"]
        means = [
            f"{number(summary[f'{name}.{g}.mean'])} ± {number(summary[f'{name}.{g}.std'])}" for g in ("base", "new")
        ]
        shuffled = null_range(summary[f"{name}.cohens_d.null"], 2)
        permuted = summary.get(f"{phase}.permuted.norms.cohens_d.null")
        reading = readings.read_norms(d, bounds, summary[f"{name}.auc"], permuted)
        rows.append([AFTER[phase], *means, with_interval(d, bounds, 2), shuffled, p_cell(permuted), reading])
    header = ["Rows", "Base: mean ± sd", "New: mean ± sd", "Cohen's d", "d, labels shuffled", "p", "What follows"]
    return table(header, rows, "lrrrrrl") if rows else NOTHING_MEASURED


def isotropy_table(summary: Summary) -> str:
    """How evenly rows spread over directions, beside structureless rows of the same count, dimension and norms."""
    rows = []
    for measure, label in ISOTROPY.items():
        for phase, group, who in groups(summary, f"isotropy.{{group}}.{measure}"):
            name = f"{phase}.isotropy.{group}.{measure}"
            value, null = summary.get(name), summary.get(f"{name}.null")
            measured = with_interval(value, summary.get(f"{name}.interval"), 4)
            effect, reading = _difference(value, null, 4), readings.read_isotropy(value, null)
            rows.append([label, who, measured, null_range(null, 4), effect, p_cell(null), reading])
    return table(HEADER, once(rows), "llrrrrl") if rows else NOTHING_MEASURED


def dimension_table(summary: Summary) -> str:
    """How many dimensions rows fill, base and new at equal count, beside structureless rows."""
    rows = []
    for measure, label in DIMENSION.items():
        decimals = 1 if measure == "participation_ratio" else 0
        for phase, group, who in groups(summary, f"dimension.{{group}}.{measure}"):
            name = f"{phase}.dimension.{group}.{measure}"
            value, null = summary.get(name), summary.get(f"{name}.null")
            measured = with_interval(value, summary.get(f"{name}.interval"), decimals)
            centre = (null or {}).get("mean")
            share = percent(value / centre, 0) if value is not None and centre else NOTHING
            reading = readings.read_dimension(value, null)
            rows.append([label, who, measured, null_range(null, decimals), share, p_cell(null), reading])
    return table(HEADER, once(rows), "llrrrrl") if rows else NOTHING_MEASURED


def similarity_table(summary: Summary) -> str:
    """Mean cosine of pairs of rows beside random directions, and the comparison of base and new pairs."""
    rows = []
    phases = [phase for phase in ROW_PHASES if any(f"{phase}.similarity.{pair}" in summary for pair in PAIRINGS)]
    for phase in phases:
        for pair, label in PAIRINGS.items():
            name = f"{phase}.similarity.{pair}"
            same = pair == "base_base" and phase != phases[0] and not summary.get(f"{phase}.drift.base.changed_rows")
            if name not in summary or same:  # base rows that no training changed: once
                continue
            value, null, deviation = summary[name], summary[f"{name}.null"], summary[f"{name}.std"]
            effect = readings.standardised(value, null, deviation)
            measured = with_interval(value, summary[f"{name}.interval"])
            reading = readings.read_similarity(value, null, deviation)
            cells = [measured, null_range(null, 4), signed(effect, 2), p_cell(null), reading]
            rows.append([AFTER[phase], label, *cells])
        if f"{phase}.similarity.ks.statistic" in summary:
            d, p = (summary[f"{phase}.similarity.ks.{key}"] for key in ("statistic", "permutation_p"))
            p = (summary.get(f"{phase}.permuted.similarity.ks.null") or {}).get("p_adjusted", p)
            rows.append(
                [
                    AFTER[phase],
                    "base pairs against new pairs",
                    NOTHING,
                    "rows shuffled",
                    f"D = {number(d, 2)}",
                    p_cell({"p": p}),
                    readings.read_ks(d, p),
                ]
            )
    header = ["Rows", "Pairs", "Mean cosine", "Random directions", "Effect", "p", "What follows"]
    return table(header, once(rows), "llrrrrl") if rows else NOTHING_MEASURED


def movement_table(summary: Summary) -> str:
    """What training changed against the initial rows: drift, neighbour overlap and PIP loss."""
    rows = []
    for phase in ("p1", "p3"):
        for group in ("new", "base"):
            name = f"{phase}.drift.{group}"
            if summary.get(name) is None or (group == "base" and not summary.get(f"{name}.changed_rows")):
                continue
            reading = readings.read_drift(summary[name], summary[f"{name}.null"])
            rows.append(["cosine to the initial row", f"{group}, {AFTER[phase]}", *_cells(summary, name), reading])
        if f"{phase}.overlap" in summary:
            name, k = f"{phase}.overlap", summary[f"{phase}.overlap.k"]
            label = f"share of {k} nearest base rows kept"
            reading = readings.read_overlap(summary[name], summary[f"{name}.null"], k)
            rows.append([label, f"new, {AFTER[phase]}", *_cells(summary, name), reading])
            name = f"{phase}.pip_loss"
            reading = readings.read_pip(summary[name], summary[f"{name}.null"])
            rows.append(["PIP loss, relative", f"new, {AFTER[phase]}", *_cells(summary, name), reading])
    header = ["Measure", "Rows", "Measured", "By chance", "Effect", "p", "What follows"]
    return table(header, once(rows), "llrrrrl") if rows else NOTHING_MEASURED


def _cells(summary: Summary, name: str) -> tuple[str, str, str, str]:
    value, null = summary[name], summary[f"{name}.null"]
    measured = with_interval(value, summary[f"{name}.interval"])
    return measured, null_range(null, 3), _difference(value, null, 3), p_cell(null)


def _difference(value: float | None, null: Mapping[str, Any] | None, decimals: int) -> str:
    centre = (null or {}).get("mean")
    return NOTHING if value is None or centre is None else signed(value - centre, decimals)


def drift_by_count_table(summary: Summary) -> str:
    """Mean cosine to the initial row by how often the form occurs in the training text."""
    phases = [phase for phase in ("p1", "p3") if any(key.startswith(f"{phase}.drift.new.count.") for key in summary)]
    prefix = f"{phases[0]}.drift.new.count." if phases else ""
    counts = [key.removeprefix(prefix) for key in summary if prefix and key.startswith(prefix)]
    means = {n: [summary.get(f"{phase}.drift.new.count.{n}") for phase in phases] for n in counts}
    rows = [[seen(n), *map(number, values)] for n, values in means.items() if any(v is not None for v in values)]
    header = ["Times seen in training", *(AFTER[phase] for phase in phases)]
    return table(header, rows, "l" + "r" * len(phases)) if rows else NOTHING_MEASURED


def drifted_table(results: Results) -> str:
    """The 20 new tokens that turned most and the 20 that turned least, at the last phase that trains rows."""
    phases = results.measured("drift")
    drift = results.metric(phases[-1], "drift") if phases else {}
    most, least = drift.get("most_drifted", []), drift.get("least_drifted", [])
    rows = []
    for i in range(max(len(most), len(least))):
        cells: list[str] = []
        for listed in (most, least):
            token = listed[i] if i < len(listed) else None
            cells += [token["token"], count(token["count_train"]), number(token["cosine"])] if token else [""] * 3
        rows.append([i + 1, *cells])
    header = ["", "Turned most", "Seen", "Cosine", "Turned least", "Seen", "Cosine"]
    return table(header, rows, "rlrrlrr") if rows else NOTHING_MEASURED


def drifted_base_table(results: Results) -> str:
    """The base tokens that turned most, where a run trains base rows."""
    phases = [phase for phase in results.measured("drift") if results.metric(phase, "drift").get("most_drifted_base")]
    listed = results.metric(phases[-1], "drift")["most_drifted_base"] if phases else []
    rows = [
        [i, row["token"], number(row["cosine"], 4), number(row["norm_before"]), number(row["norm_after"])]
        for i, row in enumerate(listed, 1)
    ]
    return table(["", "Base token", "Cosine", "Norm before", "Norm after"], rows, "rlrrr") if rows else NOTHING_MEASURED


def neighbours_table(results: Results) -> str:
    """Nearest base tokens of new tokens from beginning, middle and end of the lexicon, before and after training."""
    phases = results.measured("neighbours")
    if not phases:
        return NOTHING_MEASURED
    shown = list(dict.fromkeys([phases[0], phases[-1]]))
    found = {
        phase: {row["row"]: row for row in results.metric(phase, "neighbours").get("tokens", [])} for phase in shown
    }
    rows, before = [], None
    for number_, row in found[shown[-1]].items():
        cells = [_neighbours(found[phase].get(number_)) for phase in shown]
        rows.append(
            [row["position"] if row["position"] != before else "", row["token"], count(row["count_train"]), *cells]
        )
        before = row["position"]
    header = ["Lexicon", "New token", "Seen", *(f"Nearest base tokens, {AFTER[phase]}" for phase in shown)]
    return table(header, rows, "llr" + "l" * len(shown)) if rows else NOTHING_MEASURED


def _neighbours(row: Mapping[str, Any] | None) -> str:
    if not row:
        return NOTHING
    return " · ".join(f"{near['token']}\u00a0{number(near['cosine'], 2)}" for near in row["neighbours"]) or NOTHING


def seen(label: str) -> str:
    """A group of training counts for reading: "3-5" as "3–5"."""
    return label.replace("-", "–")


def recovery_table(results: Results, summary: Summary) -> str:
    """Rank of a coinage's true parts among its base neighbours, by how often it was seen in training."""
    rows = []
    for phase in results.measured("recovery"):
        measured = results.metric(phase, "recovery")
        left_out = [{"count": "held_out"} | measured["held_out"]] if measured.get("held_out") else []
        for row in [*measured["groups"], *left_out]:
            if not row["coinages"]:
                continue
            bounds, chance, shuffled = (row.get(key) or {} for key in ("median_rank_interval", "chance", "shuffled"))
            ranks = chance.get("median_rank"), shuffled.get("median_rank")
            null = summary.get(f"{phase}.recovery.{row['count']}.null")
            rows.append(
                [
                    AFTER[phase],
                    "any, left out" if row["count"] == "held_out" else seen(row["count"]),
                    count(row["coinages"]),
                    f"{rank(row['median_rank'])} {interval(bounds, 0)}".strip(),
                    *map(rank, ranks),
                    f"{percent(row.get('top10'), 0)} ({percent(shuffled.get('top10'), 0)})",
                    percent(shuffled.get("auc"), 0),
                    p_cell(null),
                    readings.OBJECTIVE
                    if drawn(summary, phase) and row["count"] != "held_out"
                    else readings.read_recovery(row["median_rank"], bounds, ranks[0], null),
                ]
            )
    header = ["Rows", "Seen", "Coinages", "Median rank", "Chance", "Shuffled", "In top 10", "Own", "p", "What follows"]
    return table(header, once(rows), "llrrrrrrrl") if rows else NOTHING_MEASURED


def recovery_kind_table(results: Results) -> str:
    """The same at the last phase with rows, by how the coinage was made and by the part's role."""
    phases = results.measured("recovery")
    measured = results.metric(phases[-1], "recovery") if phases else {}
    rows = []
    for name, label in (("by_kind", "kind"), ("by_role", "part")):
        for what, row in (measured.get(name) or {}).items():
            shuffled = row.get("shuffled") or {}
            middle = f"{rank(row['median_rank'])} {interval(row.get('median_rank_interval'), 0)}".strip()
            rows.append(
                [
                    f"{label}: {what}",
                    count(row["parts"]),
                    middle,
                    rank(shuffled.get("median_rank")),
                    f"{percent(row.get('top10'), 0)} ({percent(shuffled.get('top10'), 0)})",
                    percent(shuffled.get("auc"), 0),
                ]
            )
    header = ["Coinages", "Parts", "Median rank", "Shuffled", "In top 10", "Own"]
    return table(header, rows, "lrrrrr") if rows else NOTHING_MEASURED
