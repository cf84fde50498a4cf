"""The tables of a model's report: pure functions from results and summary values to Markdown.

`model_tables` makes all of them; a table of something that a run did not measure says so, so that the same files
exist for every model. Every cell is escaped where the table is written (`markdown.table`).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from wake2vec.report import geometry_tables as geometry
from wake2vec.report.findings import MARK, findings, marked, objective_rises, score, with_signs
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
    percent,
    several,
    signed,
    significant,
    size,
    table,
)
from wake2vec.report.results import Results

Summary = Mapping[str, Any]
COINAGES = 25  # words that the lexicon table shows
KINDS = 12  # kinds of reasons that a table tells apart
MODEL_TABLES = (
    "findings",
    "headline",
    "changes",
    "corpus",
    "lexicon",
    "excluded",
    "injection",
    "runs",
    "norms",
    "isotropy",
    "dimension",
    "similarity",
    "movement",
    "drift",
    "drifted",
    "drifted_base",
    "neighbours",
    "recovery",
    "recovery_kinds",
    "objective",
    "samples",
    "hyperparameters",
    "provenance",
)


def model_tables(results: Results, summary: Summary) -> dict[str, str]:
    """Every table of a model's report by name (MODEL_TABLES), as Markdown."""
    made = {
        "findings": findings_list(findings(summary)),
        "headline": headline_table(summary),
        "changes": changes_table(summary),
        "corpus": corpus_table(results.corpus),
        "lexicon": lexicon_table(results),
        "excluded": excluded_table(results),
        "injection": injection_table(results, summary),
        "runs": runs_table(results),
        "norms": geometry.norms_table(summary),
        "isotropy": geometry.isotropy_table(summary),
        "dimension": geometry.dimension_table(summary),
        "similarity": geometry.similarity_table(summary),
        "movement": geometry.movement_table(summary),
        "drift": geometry.drift_by_count_table(summary),
        "drifted": geometry.drifted_table(results),
        "drifted_base": geometry.drifted_base_table(results),
        "neighbours": geometry.neighbours_table(results),
        "recovery": geometry.recovery_table(results),
        "recovery_kinds": geometry.recovery_kind_table(results),
        "objective": objective_table(summary),
        "samples": samples(results),
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
    """Paired differences in bits per byte: each phase against the one before, and against the base model."""
    changes = [key.split(".")[1:3] for key in summary if key.startswith("change.") and key.endswith(".bits_per_byte")]
    rows = []
    for before, after in changes:
        name = f"change.{before}.{after}"
        difference = with_signs(summary[f"{name}.bits_per_byte"], summary[f"{name}.interval"])
        rows.append([LABELS[after], LABELS[before], marked(difference, summary)])
    return table(["Phase", "Against", "Difference in bits per byte"], rows, "llr") if rows else NOTHING_MEASURED


def objective_table(summary: Summary) -> str:
    """P3’s morpheme objective: mean cosine of words and their parts, for pairs trained on, held out, and random."""
    rises = objective_rises(summary)
    labels = {"trained": "trained on", "heldout": "held out", "random": "random parts"}
    rows = [
        [label, *(number(summary[f"p3.cosine.{pair}.{end}"]) for end in ("first", "final")), signed(rises[pair])]
        for pair, label in labels.items()
        if rises[pair] is not None
    ]
    header = ["Pairs of word and parts", "First measured", "Last measured", "Change"]
    return table(header, rows, "lrrr") if rows else NOTHING_MEASURED


def samples(results: Results) -> str:
    """Generated text, a card each: what seeded it, the prompt in bold, the continuation as text and nothing else."""
    cards = []
    for phase in results.measured("generation"):
        listed = results.metric(phase, "generation").get("samples", [])
        if listed:
            cards.append(f"### After {LABELS[phase]} {{.unnumbered .unlisted}}\n\n:::: {{.samples}}\n\n")
            cards += [_card(sample) for sample in listed]
            cards.append("::::\n\n")
    return "".join(cards) or "No text was generated in this run.\n"


def _card(sample: Mapping[str, Any]) -> str:
    """The text is what the model wrote on after the prompt, its first space included where it has one."""
    prompt, text = escape(sample["prompt"]), sample["text"]
    joint = " " if text[:1].isspace() or not text.strip() else ""
    about = (
        f"{sample['token']} · {sample['seeded_with']} · temperature {sample['temperature']:g} · seed {sample['seed']}"
    )
    written = f"{f'**{prompt}**' if prompt else ''}{joint}{escape_lines(text) or '(nothing)'}"
    return f"::: {{.sample}}\n\n[{escape(about)}]{{.about}}\n\n{written}\n\n:::\n\n"


# What was run --------------------------------------------------------------------------------------------------------


def corpus_table(corpus: Mapping[str, Any]) -> str:
    """Size and shape of the training and the held-out text."""
    labels = {
        "passages": "passages",
        "characters": "characters",
        "bytes": "bytes (UTF-8)",
        "words": "running words",
        "types": "distinct words",
        "hapax_types": "words that occur once",
        "hapax_share": "their share of the distinct words",
    }
    train, valid = corpus.get("train", {}), corpus.get("valid", {})
    rows = []
    for key, label in labels.items():
        show = percent if key.endswith("share") else count
        rows.append([label, show(train.get(key)), show(valid.get(key))])
    unseen = corpus.get("held_out_types_unseen_in_training")
    share = unseen / valid["types"] if unseen is not None and valid.get("types") else None
    rows.append(["distinct words unseen in training", NOTHING, f"{count(unseen)} ({percent(share)})"])
    for what, done in flatten(corpus.get("cleaning") or {}).items():
        shown = count(done) if isinstance(done, int) and not isinstance(done, bool) else _setting(done)
        rows.append([f"cleaning: {what.replace('_', ' ')}", shown, ""])
    return table(["", "Training", "Held out"], rows, "lrr")


def lexicon_table(results: Results) -> str:
    """The most frequent coinages: how they are spelled, how common in English, and their parts as segmented."""
    parts = {row["word"]: _parts(row) for row in results.segmentation}
    kept = results.lexicon[results.lexicon["status"] == "kept"].head(COINAGES)
    rows = [
        [
            row.word,
            count(row.count_),
            number(row.zipf, 2),
            parts.get(row.word, NOTHING),
            spellings(row.surfaces),
        ]
        for row in kept.rename(columns={"count": "count_"}).itertuples()
    ]
    return table(["Word", "Count", "Zipf", "Parts", "Spellings"], rows, "lrrll") if rows else "No word was kept.\n"


def spellings(surfaces: str) -> str:
    """ "Riverrun:2 riverrun:5" for reading: "Riverrun ×2, riverrun ×5"."""
    pairs = (surface.rpartition(":") for surface in surfaces.split(" ")) if surfaces else ()
    return ", ".join(f"{word} ×{times}" for word, _, times in pairs)


def _parts(row: Mapping[str, Any]) -> str:
    if row["method"] == "compound":
        return " + ".join(row["compound"])
    return (
        " + ".join(filter(None, [row["prefix"], row["root"], row["suffix"]])) if row["method"] == "affix" else NOTHING
    )


def excluded_table(results: Results) -> str:
    """Why the other words of the text are no coinages to inject: how many, and the most frequent of each kind."""
    excluded = results.lexicon[results.lexicon["status"] == "excluded"]
    rows = [["kept", count((results.lexicon["status"] == "kept").sum()), ""]]
    rows += by_kind(excluded["word"], excluded["reason"])
    return table(["Reason", "Distinct words", "For example"], rows, "lrl")


def by_kind(words: Iterable[str], reasons: Iterable[str]) -> list[list[str]]:
    """[kind of reason, how many, the first six words] for every kind, the most common first; rare kinds together."""
    kinds: dict[str, list[str]] = {}
    for word, reason in zip(words, reasons, strict=True):
        kinds.setdefault(reason_kind(reason), []).append(word)
    ordered = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    rest = [word for _, members in ordered[KINDS:] for word in members]
    ordered = ordered[:KINDS] + ([("other reasons", rest)] if rest else [])
    return [[kind, count(len(members)), ", ".join(list(dict.fromkeys(members))[:6])] for kind, members in ordered]


def reason_kind(reason: str) -> str:
    """The kind of an exclusion without the particulars of one word.

    >>> reason_kind("known: zipf 3.20 > 1.50"), reason_kind("'▁awake' fires 1 < min_fires 2 times")
    ('known', 'fires below min_fires 2 times')
    """
    kind = re.sub(r"""^(["']).*\1\s+""", "", reason).split(":")[0]
    return re.sub(r"(\w+) [\d.]+ < (\w+ [\d.]+)", r"\1 below \2", kind).strip()


def injection_table(results: Results, summary: Summary) -> str:
    """What became rows of the embedding and the head, and what did not."""
    rows = [
        ["rows of the base matrix", count(summary["injection.base_rows"]), ""],
        ["new rows", count(summary["injection.new_rows"]), f"for {count(summary['injection.words'])} words"],
        ["new rows seen three times or more in training", count(summary["injection.rows_3_or_more"]), ""],
        ["new rows seen once in training", count(summary["injection.rows_once"]), ""],
        ["new rows never seen in training", count(summary["injection.rows_unseen"]), ""],
        ["new rows that occur in the held-out text", count(summary["injection.rows_in_held_out"]), ""],
        ["forms that the base has already", count(summary["injection.reused"]), ""],
    ]
    refused = results.injection.get("not_injectable", [])
    kinds = by_kind((row["word"] for row in refused), (row["reason"] for row in refused))
    rows += [[f"no row: {kind}", *others] for kind, *others in kinds]
    if trip := results.injection.get("round_trip"):
        back = trip["passages"] - trip["lost"]
        rows.append(["passages that decode back to themselves", f"{count(back)} of {count(trip['passages'])}", ""])
    saw = "yes: every score is marked " + MARK if summary["lexicon_saw_held_out"] else "no"
    rows.append(["the word list saw the held-out text", saw, ""])
    return table(["", "", ""], rows, "lrl")


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


def hyperparameters_table(results: Results) -> str:
    """Every hyperparameter of every phase, as run."""
    flat = {phase: flatten(run.get("hyperparameters", {})) for phase, run in results.runs.items()}
    names = list(dict.fromkeys(name for values in flat.values() for name in values))
    rows = [[name, *(_setting(values[name]) if name in values else None for values in flat.values())] for name in names]
    return (
        table(["Setting", *(LABELS[phase] for phase in flat)], rows, "l" + "r" * len(flat))
        if rows
        else NOTHING_MEASURED
    )


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_setting, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


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
