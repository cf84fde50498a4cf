"""The tables of a model's report: pure functions from results and summary values to Markdown.

`model_tables` makes all of them; a table of something that a run did not measure says so, so that the same files
exist for every model. Every cell is escaped where the table is written (`markdown.table`).
"""

from collections.abc import Mapping
from typing import Any

from wake2vec.report import calibration_tables as calibration
from wake2vec.report import geometry_tables as geometry
from wake2vec.report import neighbour_page
from wake2vec.report import register_tables as register
from wake2vec.report import surprisal_tables as surprisal
from wake2vec.report import word_tables as words
from wake2vec.report.findings import findings, marked, score
from wake2vec.report.geometry_tables import LABELS, NOTHING_MEASURED, phases_with
from wake2vec.report.markdown import (
    NOTHING,
    Markdown,
    count,
    duration,
    escape,
    escape_lines,
    flatten,
    number,
    setting,
    several,
    significant,
    size,
    table,
    with_signs,
)
from wake2vec.report.objective_tables import terms_table
from wake2vec.report.results import Results

Summary = Mapping[str, Any]
MODEL_TABLES = (
    "findings",
    "headline",
    "changes",
    "counts",
    "surprisal",
    "word_changes",
    "passage",
    "corpus",
    "lexicon",
    "excluded",
    "injection",
    "initial",
    "nearest",
    "runs",
    "regimes",
    "norms",
    "isotropy",
    "dimension",
    "similarity",
    "permuted",
    "directions",
    "affixes",
    "movement",
    "drift",
    "drifted",
    "drifted_base",
    "neighbours",
    "neighbour_map",
    "neighbour_map_text",
    "neighbour_controls",
    "recovery",
    "recovery_kinds",
    "objective",
    "samples",
    "register",
    "register_readings",
    "register_kinds",
    "register_trial",
    "hyperparameters",
    "provenance",
)


def model_tables(results: Results, summary: Summary) -> dict[str, str]:
    """Every table of a model's report by name (MODEL_TABLES), as Markdown."""
    made = {
        "findings": findings_list(findings(summary) | surprisal.words(summary) | register.register(summary)),
        "headline": headline_table(summary),
        "changes": changes_table(summary),
        "counts": surprisal.counts_table(summary),
        "surprisal": surprisal.surprisal_table(summary),
        "word_changes": surprisal.word_changes_table(summary),
        "passage": surprisal.passage(results),
        "corpus": words.corpus_table(results.corpus),
        "lexicon": words.lexicon_table(results),
        "excluded": words.excluded_table(results),
        "injection": words.injection_table(results, summary),
        "initial": words.initial_table(results.initial),
        "nearest": words.nearest_table(results.initial),
        "runs": runs_table(results),
        "regimes": regimes_table(results.regimes),
        "norms": geometry.norms_table(summary),
        "isotropy": geometry.isotropy_table(summary),
        "dimension": geometry.dimension_table(summary),
        "similarity": geometry.similarity_table(summary),
        "permuted": calibration.permuted_table(summary),
        "directions": calibration.directions_table(summary),
        "affixes": calibration.affixes_table(results),
        "movement": geometry.movement_table(summary),
        "drift": geometry.drift_by_count_table(summary),
        "drifted": geometry.drifted_table(results),
        "drifted_base": geometry.drifted_base_table(results),
        "neighbours": geometry.neighbours_table(results),
        **neighbour_page.neighbour_map_tables(results.neighbour_map, results.model),
        "recovery": geometry.recovery_table(results, summary),
        "recovery_kinds": geometry.recovery_kind_table(results),
        "objective": terms_table(summary) or NOTHING_MEASURED,
        "samples": samples(results),
        **register.register_tables(results),
        "hyperparameters": hyperparameters_table(results),
        "provenance": provenance_table(results.provenance),
    }
    return {name: made[name] for name in MODEL_TABLES}


def findings_list(said: Mapping[str, str]) -> str:
    """The findings as a list, each with its topic in bold."""
    return "".join(f"- **{escape(topic)}.** {escape(sentences)}\n" for topic, sentences in said.items())


# What came out -------------------------------------------------------------------------------------------------------


def headline_table(summary: Summary) -> str:
    """Phase by phase: bits per byte with interval, loss, perplexity, and loss by class of token."""
    rows = []
    for phase in phases_with(summary, "bits_per_byte"):
        by_class = [number(summary[f"{phase}.loss.{name}"], 2) for name in ("base", "new_seen", "new_unseen")]
        rows.append(
            [
                LABELS[phase],
                score(summary, phase, with_bounds=True),
                number(summary[f"{phase}.loss"]),
                significant(summary[f"{phase}.perplexity"]),
                *by_class,
                count(summary[f"{phase}.tokens"]),
            ]
        )
    header = ["Phase", "Bits per byte", "Loss", "Perplexity", "Base tokens", "New, seen", "New, unseen", "Tokens"]
    return table(header, rows, "lrrrrrrr") if rows else NOTHING_MEASURED


def changes_table(summary: Summary) -> str:
    """Paired differences in bits per byte: each phase against every one before it."""
    changes = [key.split(".")[1:3] for key in summary if key.startswith("change.") and key.endswith(".bits_per_byte")]
    rows = []
    for before, after in changes:
        name = f"change.{before}.{after}"
        difference = with_signs(summary[f"{name}.bits_per_byte"], summary[f"{name}.interval"])
        rows.append([LABELS[after], LABELS[before], marked(difference, summary)])
    return table(["Phase", "Against", "Difference in bits per byte"], rows, "llr") if rows else NOTHING_MEASURED


def samples(results: Results) -> str:
    """Generated text, a card each: what seeded it, the prompt in bold, the continuation as text and nothing else.

    Of all samples those of each prompt's first seed are shown, at the temperature nearest to register.USUAL, each with
    what the register battery found in it.
    """
    cards = []
    for phase in results.measured("generation"):
        written = results.metric(phase, "generation").get("samples", [])
        shown = (register.usual(written) or {}).get("temperature")
        listed = [i for i, one in enumerate(written) if one["temperature"] == shown and not one.get("draw")]
        measured = register.sample_lines(results, phase)
        if listed:
            cards.append(f"### After {LABELS[phase]} {{.unnumbered .unlisted}}\n\n:::: {{.samples}}\n\n")
            cards += [_card(written[i], measured.get(i, "")) for i in listed]
            cards.append("::::\n\n")
    return "".join(cards) or "No text was generated in this run.\n"


def _card(sample: Mapping[str, Any], measured: str) -> str:
    """The text is what the model wrote on after the prompt, its first space included where it has one."""
    prompt, text = escape(sample["prompt"]), sample["text"]
    joint = " " if text[:1].isspace() or not text.strip() else ""
    about = f"{sample['seeded_with']} · temperature {sample['temperature']:g} · seed {sample['seed']}"
    about = f"{sample['token']} · {about}" if sample["token"] else about
    written = f"{f'**{prompt}**' if prompt else ''}{joint}{escape_lines(text) or '(nothing)'}"
    found = f"[{escape(measured)}]{{.about}}\n\n" if measured else ""
    return f"::: {{.sample}}\n\n[{escape(about)}]{{.about}}\n\n{written}\n\n{found}:::\n\n"


# What was run --------------------------------------------------------------------------------------------------------


def runs_table(results: Results) -> str:
    """One line a phase: what was trained, for how long, and which state was kept."""
    rows = []
    for phase, run in results.runs.items():
        steps = count(run.get("steps")) if run.get("steps") is not None else NOTHING
        early = " (stopped early)" if run.get("stopped_early") else ""
        rows.append(
            [
                LABELS[phase],
                run.get("kind"),
                count(run.get("trainable_parameters")),
                f"{count(run.get('final_step'))} of {steps}{early}",
                f"{run.get('kept')}, step {count(run.get('best_step' if run.get('kept') == 'best' else 'final_step'))}",
                f"{number(run.get('first_train_loss'), 2)} → {number(run.get('final_train_loss'), 2)}",
                duration(run.get("seconds")),
                size(run.get("peak_memory_bytes")),
            ]
        )
    header = ["Phase", "Kind", "Trained numbers", "Steps", "Kept", "Training loss", "Time", "Peak memory"]
    return table(header, rows, "llrllrrr") if rows else "No phase was trained in this run.\n"


def regimes_table(regimes: Mapping[str, Any]) -> str:
    """P1's regimes: where each was reached, how far the gap had grown there, and which saved rows stand for it."""
    if not regimes:
        return "This run has no P1 of its own.\n"
    at = {line["step"]: line for line in regimes["evaluated"]}
    rows = []
    for name, chosen in regimes["states"].items():
        line = at.get(chosen["wanted"], {})
        found = [number(line.get("heldout_loss")), number(line.get("gap"))]
        saved = NOTHING if chosen["step"] is None else f"step {count(chosen['step'])}"
        rows.append([name, count(chosen["wanted"]), *found, saved, chosen["reason"] or regimes[name]["reason"]])
    worst = regimes["largest_gap"]
    rows.append(["largest gap", count(worst["step"]), number(at[worst["step"]]["heldout_loss"]), number(worst["gap"])])
    rows[-1] += ["", "how far a meltdown has come"]
    return table(["Regime of P1", "Step", "Held-out loss", "Gap", "Saved rows", "Why"], rows, "lrrrll")


def hyperparameters_table(results: Results) -> str:
    """Every hyperparameter of every phase, as run."""
    flat = {phase: flatten(run.get("hyperparameters", {})) for phase, run in results.runs.items()}
    names = list(dict.fromkeys(name for values in flat.values() for name in values))
    rows = [[name, *(setting(values[name]) if name in values else None for values in flat.values())] for name in names]
    return (
        table(["Setting", *(LABELS[phase] for phase in flat)], rows, "l" + "r" * len(flat))
        if rows
        else NOTHING_MEASURED
    )


def provenance_table(provenance: Mapping[str, Mapping[str, Any]]) -> str:
    """Which code, packages, seed and device made which results; results that agree share a line."""
    lines: dict[tuple[str, str], list[str]] = {}
    for name, record in provenance.items():
        for what, value in _made_by(record).items():
            lines.setdefault((what, value), []).append(name)
    rows = []
    for what in dict.fromkeys(what for what, _ in lines):
        for (key, value), names in lines.items():
            if key == what:
                rows.append([what, value, "all results" if len(names) == len(provenance) else several(sorted(names))])
    header = ["", "", "Results"]
    return table(header, geometry.once(rows), "lll") if rows else Markdown("No provenance was recorded.\n")


def _made_by(record: Mapping[str, Any]) -> dict[str, str]:
    """What is worth showing of one result's provenance; its settings and input hashes stay in the result's own file."""
    git = record.get("git")
    commit = f"{git['commit'][:12]}{' with uncommitted changes' if git.get('dirty') else ''}" if git else None
    packages = ", ".join(f"{name} {version}" for name, version in (record.get("packages") or {}).items())
    shown = {
        "wake2vec": record.get("wake2vec"),
        "git commit": commit,
        "Python": record.get("python"),
        "packages": packages,
        "device": record.get("device"),
    }
    return {what: str(value) for what, value in shown.items() if value}
