"""What model.qmd may name: the summary's values as text, sentences of `findings`, and the conditions of sections."""

from collections.abc import Collection, Mapping
from typing import Any

from wake2vec.report import calibration_tables, findings, register_tables, surprisal_tables
from wake2vec.report.geometry_tables import LABELS, phases_with
from wake2vec.report.markdown import NOTHING, count, interval, number, several

Summary = Mapping[str, Any]
SENTENCES = {
    "headline": findings.headline,
    "leak": findings.leak,
    "whole_run": findings.whole_run,
    "classes": findings.classes,
    "gaps": findings.gaps,
    "isotropy": findings.isotropy,
    "dimension": findings.dimension,
    "corrected": calibration_tables.corrected,
    "directions": calibration_tables.directions,
    "random_pairs": calibration_tables.random_pairs,
    "drift": findings.drift,
    "changed_base_rows": findings.changed_base_rows,
    "random_neighbour": findings.random_neighbour,
    "recovery": findings.recovery,
    "objective": findings.objective,
    "surprisal": surprisal_tables.surprisal,
    "entropy_reduction": surprisal_tables.entropy_reduction,
    "what_was_run": findings.what_was_run,
    "rarity": findings.rarity,
    "sampler": register_tables.sampler,
    "register": register_tables.compared_with,
    "register_trial": register_tables.trial,
}
FIGURES = ("six_panel", "losses", "change", "projection", "objectives", "recovery", "likelihood", "surprisal")
FIGURES += ("register", "register_validation")


def readable(value: Any) -> str:
    """A summary value as text: three decimals for a fraction, an interval in brackets, yes or no, a list in words."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list | tuple) and len(value) == 2 and not any(isinstance(item, str) for item in value):
        return interval(value) or NOTHING
    return several([str(item) for item in value]) if isinstance(value, list | tuple) else str(value)


def model_values(summary: Summary) -> dict[str, str]:
    """Texts by name: the summary's own names, and `text.…` for sentences."""
    values = {name: readable(value) for name, value in summary.items() if not isinstance(value, Mapping)}
    values |= {f"text.{name}": sentence(summary) for name, sentence in SENTENCES.items()}
    values["phases"] = several([LABELS[phase] for phase in summary["phases"]]) or "no phase"
    values["base"], values["recipe"] = (summary[name] or NOTHING for name in ("base", "recipe"))
    return values


def model_flags(summary: Summary, figures: Collection[str]) -> dict[str, bool]:
    """Which sections a model's report has. `figures`: the names of the figure files that exist."""
    flags = {phase: phase in summary["phases"] for phase in ("p1", "p2", "p3")}
    flags |= {f"figure_{name}": f"{name}.svg" in figures for name in FIGURES}
    return flags | {
        "initial": bool(summary.get("initial.method")),
        "scored": bool(phases_with(summary, "bits_per_byte")),
        "words": bool(phases_with(summary, "surprisal.plain.mean")),
        "counted": any(name.endswith(".tokens") and summary[name] for name in summary if ".loss.seen." in name),
        "leak": summary["lexicon_saw_held_out"],
        "geometry": bool(phases_with(summary, "norms.new.count")),
        "moved": bool(phases_with(summary, "drift.new")),
        "base_moved": any(summary.get(f"{phase}.drift.base.changed_rows") for phase in ("p1", "p3")),
        "permuted": any(".permuted." in name for name in summary),
        "directions": bool(phases_with(summary, "directions")),
        "neighbours": bool(phases_with(summary, "neighbours.tokens")),
        "recovery": bool(phases_with(summary, "recovery.base_rows")),
        "objective": findings.objective(summary) != "",
        "trained": bool(summary["phases"]),
        "generated": bool(phases_with(summary, "samples")),
        "register": bool(phases_with(summary, "register.samples")),
        "register_tried": bool(register_tables.tried_measures(summary)),
    }
