"""One flat mapping with every number that the report and the paper speak of: the values of summary.json.

Names are stable and joined by dots: `p2.bits_per_byte`, `p1.dimension.new.d90.null`, `change.init.p1.bits_per_byte`.
A value is a number, a text, true or false, an interval `[low, high]` (95 %), or null where it was not measured; the
lists `phases`, and `passages.…` and `{phase}.passages.…` with sums over each passage, are the exceptions. A name that
ends in `.null` is a mapping with the range that structureless rows of the same shape give.

The change between two phases is scored on the same passages, so its interval is that of the paired difference

    d = (sum_i nats_after_i - sum_i nats_before_i) / (ln 2 · sum_i bytes_i)

under a bootstrap over passages (Efron & Tibshirani 1993, ch. 8): it is much narrower than the two scores' own
intervals, which share most of their spread.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from wake2vec.errors import UserError
from wake2vec.language.comparison import DRAWS, WINDOW, paired_change
from wake2vec.report.multiplicity import adjusted, compared
from wake2vec.report.objective_tables import term_values
from wake2vec.report.register_tables import summarise_register, summarise_sampler
from wake2vec.report.results import PHASES, Results
from wake2vec.report.word_values import loss_by_count, summarise_words

GROUPS = ("base", "new")
CLASSES = ("base", "new_seen", "new_unseen")
PAIRS = ("trained", "heldout", "random")


def summarise(results: Results, seed: int = 0, draws: int = DRAWS) -> dict[str, Any]:
    """Gather a model's results into flat values (see the module's text for the names).

    `seed` and `draws` are those of the bootstrap. Raises UserError when phases were scored on different text.
    """
    values = _identity(results) | _corpus(results) | _vocabulary(results)
    for phase in PHASES:
        values |= _likelihood(phase, results.metric(phase, "likelihood"))
        values |= loss_by_count(phase, results.metric(phase, "likelihood"))
        values |= _run(phase, results.runs.get(phase, {}), results.histories.get(phase))
        values |= _norms(phase, results.metric(phase, "norms"))
        values |= _isotropy(phase, results.metric(phase, "isotropy"))
        values |= _dimension(phase, results.metric(phase, "dimension"))
        values |= _similarity(phase, results.metric(phase, "similarity"))
        values |= _movement(phase, results.metrics.get(phase, {}))
        values |= _recovery(phase, results.metric(phase, "recovery"))
        values |= compared(phase, results.metrics.get(phase, {}))
    values = adjusted(values)
    values |= _changes(results, np.random.default_rng(seed), draws)
    values |= summarise_sampler(results) | summarise_register(results)
    return values | summarise_words(results.surprisals, np.random.default_rng(seed))


# What was run --------------------------------------------------------------------------------------------------------


def _identity(results: Results) -> dict[str, Any]:
    run = next(iter(results.runs.values()), {})
    likelihoods = [results.metric(phase, "likelihood") for phase in PHASES]
    saw = [results.injection, *likelihoods]
    return {
        "model": results.model,
        "title": results.title or results.model,
        "base": results.base or run.get("base"),
        "recipe": results.recipe or run.get("recipe"),
        "corpus": results.corpus.get("name") or run.get("corpus"),
        "corpus.kind": results.corpus.get("kind"),
        "phases": list(results.runs),
        "lexicon_saw_held_out": any(values.get("lexicon_saw_held_out") for values in saw),
        **{name: next((values[name] for values in likelihoods if values.get(name)), None) for name in WINDOW},
    }


def _corpus(results: Results) -> dict[str, Any]:
    corpus = results.corpus
    values = {
        f"corpus.{part}.{key}": value for part in ("train", "valid") for key, value in corpus.get(part, {}).items()
    }
    values["corpus.valid.sha256"] = corpus.get("sha256", {}).get("valid")
    values["corpus.held_out_types_unseen_in_training"] = corpus.get("held_out_types_unseen_in_training")
    return values


def _vocabulary(results: Results) -> dict[str, Any]:
    kept = results.lexicon[results.lexicon["status"] == "kept"]
    forms = results.injection.get("forms", [])
    methods = pd.Series([row["method"] for row in results.segmentation], dtype=object).value_counts()
    return {
        "lexicon.words": len(results.lexicon),
        "lexicon.kept": len(kept),
        "lexicon.kept_once": int((kept["count"] == 1).sum()),
        "lexicon.kept_unseen": int((kept["count"] == 0).sum()),
        "segmentation.affix": int(methods.get("affix", 0)),
        "segmentation.compound": int(methods.get("compound", 0)),
        "segmentation.none": int(methods.get("none", 0)),
        "injection.base_rows": results.injection.get("base_rows"),
        "injection.new_rows": len(forms),
        "injection.words": len({form["word"] for form in forms}),
        "injection.reused": len(results.injection.get("reused", [])),
        "initial.method": results.initial.get("method"),  # none where a run starts from another's rows
        "injection.not_injectable": len(results.injection.get("not_injectable", [])),
        "injection.rows_unseen": sum(form["count_train"] == 0 for form in forms),
        "injection.rows_once": sum(form["count_train"] == 1 for form in forms),
        "injection.rows_3_or_more": sum(form["count_train"] >= 3 for form in forms),
        "injection.rows_only_held_out": sum(not form["count_train"] and form["count_valid"] > 0 for form in forms),
        "injection.rows_nowhere": sum(not form["count_train"] and not form["count_valid"] for form in forms),
        "injection.rows_in_held_out": sum(form["count_valid"] > 0 for form in forms),
    }


def _run(phase: str, run: Mapping[str, Any], history: pd.DataFrame | None) -> dict[str, Any]:
    keep = ("steps", "best_step", "final_step", "kept", "stopped_early", "first_train_loss", "final_train_loss")
    keep += ("best_heldout_bits_per_byte", "final_heldout_bits_per_byte", "trainable_parameters", "tokens_seen")
    keep += ("seconds", "peak_memory_bytes", "resumed_from", "kind")
    values = {f"{phase}.{key}": run.get(key) for key in keep} if run else {}
    for term, moved in (run.get("objective") or {}).items():
        values |= {f"{phase}.objective.{term}.{key}": moved.get(key) for key in ("verdict", "weight")}
        for name, gain in moved["gain"].items():
            bounds = {"value": gain["mean"], "interval": [gain["low"], gain["high"]]} if gain else {}
            values |= _figure(f"{phase}.objective.{term}.{name}", bounds)
    if history is None or not len(history):
        return values
    for column in ("heldout_loss", "train_sample_loss"):
        values |= {f"{phase}.{column}.{end}": value for end, value in _ends(history, column).items()}
    both = _measured(history, "heldout_loss", "train_sample_loss")
    if len(both):
        gap = both["heldout_loss"] - both["train_sample_loss"]
        values |= {f"{phase}.gap.first": float(gap.iloc[0]), f"{phase}.gap.final": float(gap.iloc[-1])}
    for pair in PAIRS if phase == "p3" else ():
        values |= {f"p3.cosine.{pair}.{end}": v for end, v in _ends(history, f"cosine_{pair}_pairs").items()}
    return values | (term_values(history) if phase == "p3" else {})


def _measured(history: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return history.dropna(subset=list(columns)) if set(columns) <= set(history) else history.iloc[:0]


def _ends(history: pd.DataFrame, column: str) -> dict[str, float]:
    """First, lowest and last measured value of a column and the step of the lowest; empty when it was not measured."""
    rows = _measured(history, column)
    if not len(rows):
        return {}
    lowest = rows.loc[rows[column].idxmin()]
    ends = {"first": rows[column].iloc[0], "lowest": lowest[column], "final": rows[column].iloc[-1]}
    return {name: float(value) for name, value in ends.items()} | {"lowest_step": int(lowest["step"])}


# What came out: language ---------------------------------------------------------------------------------------------


def _likelihood(phase: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    if not measured:
        return {}
    names = ("bits_per_byte", "interval", "loss", "perplexity", "tokens", "bytes")
    values = {f"{phase}.{name}": measured.get(name) for name in names}
    for name in CLASSES:
        row = measured.get("classes", {}).get(name) or {}
        values |= {f"{phase}.loss.{name}": row.get("loss"), f"{phase}.tokens.{name}": row.get("tokens", 0)}
    return values


def _changes(results: Results, rng: np.random.Generator, draws: int) -> dict[str, Any]:
    """Paired differences of every phase against each that came before it, the one just before it first."""
    scored = {phase: results.metric(phase, "likelihood")["passages"] for phase in results.measured("likelihood")}
    scored = {phase: passages for phase, passages in scored.items() if passages}
    if not scored:
        return {}
    sizes = {phase: [passage["bytes"] for passage in passages] for phase, passages in scored.items()}
    nats = {phase: [passage["nats"] for passage in passages] for phase, passages in scored.items()}
    first, *others = scored
    for phase in others:
        if sizes[phase] != sizes[first]:
            raise UserError(
                f"{results.model}: metrics/{phase}/likelihood.json and metrics/{first}/likelihood.json were scored on "
                "different held-out text. Delete the older one and run the same command again."
            )
    values: dict[str, Any] = {"passages.bytes": sizes[first]}
    values |= {f"{phase}.passages.nats": nats[phase] for phase in scored}
    phases = list(scored)
    for before, after in ((phases[i], phases[k]) for k in range(len(phases)) for i in reversed(range(k))):
        value, bounds = paired_change(nats[before], nats[after], sizes[first], rng, draws)
        values |= {f"change.{before}.{after}.bits_per_byte": value, f"change.{before}.{after}.interval": bounds}
    return values


# What came out: geometry ---------------------------------------------------------------------------------------------


def _figure(name: str, measured: Mapping[str, Any] | None) -> dict[str, Any]:
    """A figure with its interval and its null: {"value", "interval", "null"} under one name."""
    measured = measured or {}
    return {name: measured.get("value")} | {f"{name}.{part}": measured.get(part) for part in ("interval", "null")}


def _norms(phase: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    if not measured:
        return {}
    values = {
        f"{phase}.norms.{group}.{key}": (measured.get("groups", {}).get(group) or {}).get(key)
        for group in GROUPS
        for key in ("count", "mean", "std")
    }
    values[f"{phase}.norms.auc"] = (measured.get("mann_whitney") or {}).get("auc")
    values[f"{phase}.norms.welch_p"] = (measured.get("welch") or {}).get("p")
    values[f"{phase}.norms.mann_whitney_p"] = (measured.get("mann_whitney") or {}).get("p")
    return values | _figure(f"{phase}.norms.cohens_d", measured.get("cohens_d"))


def _isotropy(phase: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for group, row in measured.get("groups", {}).items():
        values[f"{phase}.isotropy.{group}.count"] = row.get("count")
        for name in ("sampled_ratio", "sampled_ratio_centred", "eigenvector", "isoscore"):
            if name in row:
                values |= _figure(f"{phase}.isotropy.{group}.{name}", row[name])
    return values


def _dimension(phase: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {f"{phase}.dimension.matched_count": measured["matched_count"]} if measured else {}
    for group, row in measured.get("groups", {}).items():
        for name in ("d90", "d95", "participation_ratio"):
            parts = {part: (row.get(part) or {}).get(name) for part in ("interval", "null")}
            values |= _figure(f"{phase}.dimension.{group}.{name}", {"value": row.get(name)} | parts)
    return values


def _similarity(phase: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for pair, row in measured.get("pairs", {}).items():
        name = f"{phase}.similarity.{pair}"
        values |= _figure(name, {"value": row.get("mean"), "interval": row.get("interval"), "null": row.get("null")})
        values |= {f"{name}.std": row.get("std"), f"{name}.pairs": row.get("pairs")}
    for key in ("statistic", "p", "permutation_p") if measured else ():
        values[f"{phase}.similarity.ks.{key}"] = (measured.get("ks") or {}).get(key)
    return values


def _movement(phase: str, measured: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if drift := measured.get("drift"):
        for group in GROUPS:
            cosine = (drift.get(group) or {}).get("cosine") or {}
            values |= _figure(
                f"{phase}.drift.{group}", {"value": cosine.get("mean")} | _pick(cosine, "interval", "null")
            )
        values[f"{phase}.drift.base.changed_rows"] = (drift.get("base") or {}).get("changed_rows")
        for row in drift["new"].get("by_count") or []:
            values[f"{phase}.drift.new.count.{row['count']}"] = row["mean_cosine"]
    if overlap := measured.get("overlap"):
        values[f"{phase}.overlap.k"] = overlap.get("k")
        values |= _figure(f"{phase}.overlap", {"value": overlap.get("mean")} | _pick(overlap, "interval", "null"))
        values[f"{phase}.norm_change"] = (overlap.get("norm_change") or {}).get("mean")
        pip = overlap.get("pip_loss") or {}
        figure = {"value": pip.get("relative"), "interval": pip.get("interval"), "null": pip.get("null_relative")}
        values |= _figure(f"{phase}.pip_loss", figure)
    if neighbours := measured.get("neighbours"):
        values[f"{phase}.neighbours.tokens"] = len(neighbours.get("tokens", []))
        values[f"{phase}.neighbours.null"] = neighbours.get("null")
    if generation := measured.get("generation"):
        values[f"{phase}.samples"] = len(generation.get("samples", []))
    return values


def _pick(measured: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: measured.get(name) for name in names}


def _recovery(phase: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if not measured:
        return values
    values[f"{phase}.recovery.base_rows"] = measured.get("base_rows")
    left_out = [{"count": "held_out"} | measured["held_out"]] if measured.get("held_out") else []
    for row in [*measured.get("groups", []), *left_out]:
        name = f"{phase}.recovery.{row['count']}"
        for key in ("coinages", "parts", "median_rank", "top1", "top10"):
            values[f"{name}.{key}"] = row.get(key)
        values[f"{name}.interval"] = row.get("median_rank_interval")
        for other in ("chance", "shuffled"):
            values[f"{name}.{other}.median_rank"] = (row.get(other) or {}).get("median_rank")
            values[f"{name}.{other}.top10"] = (row.get(other) or {}).get("top10")
        shuffled = row.get("shuffled") or {}
        values[f"{name}.auc"] = shuffled.get("auc")
        change = (row.get("change") or {}).get("median_rank") or {}
        values |= {f"{name}.before": change.get("before"), f"{name}.change.interval": change.get("interval")}
        low, high = shuffled.get("median_rank_interval") or (None, None)
        null = {"mean": shuffled.get("median_rank"), "low": low, "high": high} | {
            key: shuffled.get(key) for key in ("p", "z")
        }
        values[f"{name}.null"] = null
    return values
