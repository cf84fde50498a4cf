"""The paper's tables and sentences: all configured models side by side, from their summary values alone.

Which models compare, and by how much they differ, is for pairs.py to say.
"""

from collections.abc import Mapping
from typing import Any

from wake2vec.report import readings
from wake2vec.report.findings import MORPHEME, judged, objective_rises, score, when
from wake2vec.report.geometry_tables import LABELS, NOTHING_MEASURED, phases_with, seen
from wake2vec.report.markdown import (
    NOTHING,
    count,
    duration,
    interval,
    number,
    rank,
    several,
    signed,
    size,
    table,
    with_interval,
    with_signs,
)
from wake2vec.report.multiplicity import drawn
from wake2vec.report.pairs import (
    differences,
    differences_table,
    last_scored,
    name_of,
    pairs_table,
    scored_alike,
    with_first,
    words,
)
from wake2vec.report.results import PHASES
from wake2vec.report.tables import findings_list

Summary = Mapping[str, Any]
Summaries = Mapping[str, Summary]
PAPER_TABLES = ("findings", "models", "scores", "differences", "pairs", "classes", "geometry", "recovery")
PAPER_TABLES += ("objective", "costs")


def paper_tables(summaries: Summaries) -> dict[str, str]:
    """Every table of the paper by name (PAPER_TABLES), as Markdown. `summaries`: by model, in their order."""
    made = {
        "findings": findings_list(findings(summaries)),
        "models": models_table(summaries),
        "scores": scores_table(summaries),
        "differences": differences_table(summaries),
        "pairs": pairs_table(summaries),
        "classes": classes_table(summaries),
        "geometry": geometry_table(summaries),
        "recovery": recovery_table(summaries),
        "objective": objective_table(summaries),
        "costs": costs_table(summaries),
    }
    return {name: made[name] for name in PAPER_TABLES}


def paper_values(summaries: Summaries) -> dict[str, str]:
    """What paper.qmd may name."""
    corpora = dict.fromkeys(str(summary["corpus"]) for summary in summaries.values())
    bases = dict.fromkeys(str(summary["base"] or NOTHING) for summary in summaries.values())
    return {
        "models": count(len(summaries)),
        "model_names": several([name_of(summary) for summary in summaries.values()]),
        "corpora": several([f"“{name}”" for name in corpora]),
        "bases": several([f"“{name}”" for name in bases]),
        "text.comparable": comparable(summaries),
        "text.isotropy": isotropy(summaries),
    }


def paper_flags(summaries: Summaries) -> dict[str, bool]:
    """Which sections the paper has."""
    return {
        "leak": any(summary["lexicon_saw_held_out"] for summary in summaries.values()),
        "several": len(summaries) > 1,
        "comparison": bool(differences(summaries)),
        "geometry": any(phases_with(summary, "isotropy.new.sampled_ratio") for summary in summaries.values()),
        "recovery": any(phases_with(summary, "recovery.base_rows") for summary in summaries.values()),
        "objective": any(None not in objective_rises(summary).values() for summary in summaries.values()),
    }


# Sentences -----------------------------------------------------------------------------------------------------------


def findings(summaries: Summaries) -> dict[str, str]:
    """What came out over all models, by topic; only what was measured is spoken of."""
    said = {
        "Against the base models": " ".join(filter(None, map(own_change, summaries.values()))),
        "Against one another": " ".join(against(summaries, *difference) for difference in with_first(summaries)),
        "Words": words(summaries),
        "Isotropy": isotropy(summaries),
        "True parts": recovered(summaries),
        "Morpheme objective": generalised(summaries),
    }
    return {topic: sentences for topic, sentences in said.items() if sentences}


def own_change(summary: Summary) -> str:
    """One model against its base model."""
    last = last_scored(summary)
    name = f"change.base.{last}"
    if summary.get(f"{name}.bits_per_byte") is None:
        return ""
    start, end = (score(summary, phase) for phase in ("base", last))
    difference, bounds = summary[f"{name}.bits_per_byte"], summary[f"{name}.interval"]
    verb = {"down": "lowered", "up": "raised", "unclear": "did not measurably change", None: "changed"}
    verb = verb[readings.direction(bounds)]
    return (
        f"{name_of(summary)} {verb} held-out bits per byte: {start} as the base model, {end} {when(last)} "
        f"({with_signs(difference, bounds)})."
    )


def against(summaries: Summaries, model: str, reference: str, difference: float, bounds: Any) -> str:
    """One model against another at the end of both, on the same passages."""
    ends = [summaries[name] for name in (model, reference)]
    how = {"down": "lower than", "up": "higher than", "unclear": "not measurably different from", None: "beside"}
    sentence = (
        f"{name_of(ends[0])} ends {how[readings.direction(bounds)]} {name_of(ends[1])} in bits per byte "
        f"({with_signs(difference, bounds)}, the same passages compared)."
    )
    if len({end["lexicon_saw_held_out"] for end in ends}) > 1:
        sentence += " Only one of the two word lists saw the held-out text, so the comparison is not a fair one."
    return sentence


def isotropy(summaries: Summaries) -> str:
    """For how many models the new rows’ isotropy is what structureless rows give."""
    places = []
    for summary in summaries.values():
        phases = phases_with(summary, "isotropy.new.sampled_ratio")
        if phases:
            name = f"{phases[-1]}.isotropy.new.sampled_ratio"
            places.append(readings.place(summary[name], summary[f"{name}.null"]))
    if not places:
        return ""
    return (
        f"The isotropy of the new rows lies within what rows without structure give for {places.count('within')} of "
        f"{len(places)} models, below it for {places.count('below')} and above it for {places.count('above')}."
    )


def recovered(summaries: Summaries) -> str:
    """For how many groups the true parts of coinages seen three times or more rank nearer than the controls, of those
    with enough coinages to compare.
    """
    nearer, groups = 0, 0
    for summary in summaries.values():
        for line in _recovered(summary):
            groups += line["reading"] != readings.TOO_FEW
            nearer += line["reading"].startswith("Nearer")
    if not groups:
        return ""
    return (
        "Where the truth is known, the true parts of coinages seen three times or more (after an objective that draws "
        "rows to them: of any that it left out) rank nearer than chance and than other coinages’ parts in "
        f"{nearer} of {groups} groups of coinages."
    )


def generalised(summaries: Summaries) -> str:
    """For how many models held-out pairs of the morpheme objective rose more than their controls."""
    weighted = [summary for summary in summaries.values() if summary.get(f"{MORPHEME}.weight") != 0]
    verdicts = [verdict for summary in weighted if (verdict := summary.get(f"{MORPHEME}.verdict"))]
    if not verdicts:
        return ""
    more = verdicts.count("generalises")
    return (
        "In P3 the cosine of pairs that the morpheme objective did not train on rose measurably, and more than that of "
        f"random pairs and of a permuted base, in {more} of {len(verdicts)} models; only the same runs without the "
        "objective can say whether it is the cause."
    )


def comparable(summaries: Summaries) -> str:
    """Which models may be compared with one another."""
    groups = scored_alike(summaries)
    if len(groups) == 1:
        return "All models are scored on the same held-out bytes, with equally much text in view."
    listed = "; ".join(several([name_of(summaries[name]) for name in group]) for group in groups)
    return (
        "Scores compare within a group of models that share their held-out text and the windows in which it is scored, "
        f"and not between groups: {listed}."
    )


# Tables --------------------------------------------------------------------------------------------------------------


def models_table(summaries: Summaries) -> str:
    """What each model is made of."""
    rows = [
        [
            name_of(summary),
            summary["base"],
            summary["corpus"],
            summary["recipe"],
            several([LABELS[phase] for phase in summary["phases"]]) or NOTHING,
            count(summary["injection.new_rows"]),
            count(summary["injection.rows_3_or_more"]),
            "yes †" if summary["lexicon_saw_held_out"] else "no",
        ]
        for summary in summaries.values()
    ]
    header = ["Model", "Base", "Text", "Recipe", "Phases", "New rows", "Seen ≥ 3 times", "List saw held-out text"]
    return table(header, rows, "lllllrrl")


def scores_table(summaries: Summaries) -> str:
    """Held-out bits per byte of every model at every phase; which text it is where there are several."""
    groups = scored_alike(summaries)
    rows = []
    for model in (name for group in groups for name in group):
        summary = summaries[model]
        row = [name_of(summary), summary["corpus"]] if len(groups) > 1 else [name_of(summary)]
        for phase in PHASES:
            row.append(score(summary, phase, with_bounds=True))
        rows.append(row)
    header = ["Model", "Text"][: 1 + (len(groups) > 1)] + [LABELS[phase] for phase in PHASES]
    return table(header, rows, "l" * (len(header) - len(PHASES)) + "r" * len(PHASES))


def classes_table(summaries: Summaries) -> str:
    """Loss by class of token at the last phase, beside the initial rows."""
    rows = []
    for summary in summaries.values():
        last = last_scored(summary)
        if last is None:
            continue
        cells = []
        for name in ("base", "new_seen", "new_unseen"):
            ends = [summary.get(f"{phase}.loss.{name}") for phase in ("init", last)]
            shown = " → ".join(number(end, 2) for end in ends) if ends != [None, None] else NOTHING
            cells += [shown, count(summary.get(f"{last}.tokens.{name}"))]
        rows.append([name_of(summary), LABELS[last], *cells])
    header = ["Model", "At", "Base tokens", "(n)", "New, seen", "(n)", "New, unseen", "(n)"]
    return table(header, rows, "llrrrrrr") if rows else NOTHING_MEASURED


def geometry_table(summaries: Summaries) -> str:
    """Geometry of the new rows at the last phase that has rows, each figure beside its null."""
    rows = []
    for summary in summaries.values():
        phases = phases_with(summary, "isotropy.new.sampled_ratio")
        if not phases:
            continue
        phase = phases[-1]
        ratio, d90, pairs = (
            f"{phase}.{name}" for name in ("isotropy.new.sampled_ratio", "dimension.new.d90", "similarity.new_new")
        )
        rows.append(
            [
                name_of(summary),
                with_interval(
                    summary.get(f"{phase}.norms.cohens_d"), summary.get(f"{phase}.norms.cohens_d.interval"), 2
                ),
                number(summary[ratio], 4),
                _range(summary[f"{ratio}.null"], 4),
                count(summary.get(d90)),
                _range(summary.get(f"{d90}.null"), 0),
                number(summary.get(pairs)),
                _range(summary.get(f"{pairs}.null"), 3),
            ]
        )
    header = ["Model", "Norms: d", "Isotropy", "structureless", "d90", "structureless", "Mean cosine", "random"]
    return table(header, rows, "lrrrrrrr") if rows else NOTHING_MEASURED


def _range(null: Mapping[str, Any] | None, decimals: int) -> str:
    return interval([(null or {}).get("low"), (null or {}).get("high")], decimals) or NOTHING


def _recovered(summary: Summary) -> list[dict[str, Any]]:
    """The recovery of coinages seen three times or more, at the last phase that measured it; where its objective
    draws rows to their parts, of those that it left out.
    """
    phases = phases_with(summary, "recovery.base_rows")
    lines = []
    groups = ("held_out",) if phases and drawn(summary, phases[-1]) else ("3-5", "6-10", "11+")
    for group in groups if phases else ():
        name = f"{phases[-1]}.recovery.{group}"
        value = summary.get(f"{name}.median_rank")
        if value is None:
            continue
        controls = [summary[f"{name}.{control}.median_rank"] for control in ("chance", "shuffled")]
        bounds = summary[f"{name}.interval"]
        reading = readings.read_recovery(value, bounds, controls[0], summary[f"{name}.null"])
        initial = summary.get(f"{name}.before", summary.get(f"init.recovery.{group}.median_rank"))
        lines.append({"phase": phases[-1], "group": group, "rank": value, "bounds": bounds, "initial": initial,
                      "coinages": summary[f"{name}.coinages"], "controls": controls, "reading": reading})  # fmt: skip
    return lines


def recovery_table(summaries: Summaries) -> str:
    """Median rank of the true parts of coinages, where the truth is known."""
    rows = [
        [
            name_of(summary) if i == 0 else "",
            "any, left out" if line["group"] == "held_out" else seen(line["group"]),
            count(line["coinages"]),
            rank(line["initial"]),
            with_interval(line["rank"], line["bounds"], 0),
            *map(rank, line["controls"]),
            line["reading"],
        ]
        for summary in summaries.values()
        for i, line in enumerate(_recovered(summary))
    ]
    header = ["Model", "Seen", "Coinages", "Rank, initial", "Rank, last", "Chance", "Shuffled", "What follows"]
    return table(header, rows, "llrrrrrl") if rows else NOTHING_MEASURED


def objective_table(summaries: Summaries) -> str:
    """Change of cosine in P3 for trained, held-out and random pairs."""
    rows = []
    for summary in summaries.values():
        rises = objective_rises(summary)
        if None not in rises.values():
            changes = [signed(rises[pair]) for pair in ("trained", "heldout", "random")]
            rows.append([name_of(summary), *changes, judged(summary)])
    header = ["Model", "Trained pairs", "Held-out pairs", "Random pairs", "What follows"]
    return table(header, rows, "lrrrl") if rows else NOTHING_MEASURED


def costs_table(summaries: Summaries) -> str:
    """Time and peak memory of the phases."""
    rows = []
    for summary in summaries.values():
        for phase in summary["phases"]:
            steps = f"{count(summary.get(f'{phase}.final_step'))} of {count(summary.get(f'{phase}.steps'))}"
            rows.append(
                [name_of(summary), LABELS[phase], count(summary.get(f"{phase}.trainable_parameters")), steps,
                 duration(summary.get(f"{phase}.seconds")), size(summary.get(f"{phase}.peak_memory_bytes"))]
            )  # fmt: skip
    header = ["Model", "Phase", "Trained numbers", "Steps", "Time", "Peak memory"]
    return table(header, rows, "llrrrr") if rows else NOTHING_MEASURED
