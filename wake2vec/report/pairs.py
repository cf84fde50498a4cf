"""Every two models of the paper on the same held-out text: which compare, by how much they differ, and the tables.

Scores compare on the same bytes only, each seen with as much text before it, so models are grouped by the hash of
their held-out text and the windows that it was scored in; within a group each is compared with every other, passage by
passage (the paired bootstrap of language/comparison.py).
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from wake2vec.language.comparison import WINDOW, paired_change
from wake2vec.report.findings import marked
from wake2vec.report.geometry_tables import LABELS, phases_with
from wake2vec.report.markdown import NOTHING, Markdown, in_bits, table, with_signs
from wake2vec.report.word_values import compare_summaries

Summary = Mapping[str, Any]
Summaries = Mapping[str, Summary]


def scored_alike(summaries: Summaries) -> list[list[str]]:
    """Models grouped by their held-out text and how it was scored (context and stride), in order."""
    groups: dict[tuple, list[str]] = {}
    for model, summary in summaries.items():
        text = summary.get("corpus.valid.sha256") or f"unknown:{model}"
        groups.setdefault((text, *map(summary.get, WINDOW)), []).append(model)
    return list(groups.values())


def last_scored(summary: Summary) -> str | None:
    """The last phase whose held-out text was scored."""
    scored = phases_with(summary, "bits_per_byte")
    return scored[-1] if scored else None


def differences(summaries: Summaries, seed: int = 0) -> list[tuple[str, str, float, list[float] | None]]:
    """(model, reference, difference in bits per byte at the last phases, interval) of every pair of models that were
    scored on the same text in the same way, the reference being the one that comes first.
    """
    found = []
    for reference, model in (pair for group in scored_alike(summaries) for pair in combinations(group, 2)):
        ends = [summaries[name] for name in (reference, model)]
        nats = [end.get(f"{last_scored(end)}.passages.nats") for end in ends]
        if None in nats or ends[0]["passages.bytes"] != ends[1]["passages.bytes"]:
            continue
        change = paired_change(nats[0], nats[1], ends[0]["passages.bytes"], np.random.default_rng(seed))
        found.append((model, reference, *change))
    return found


def with_first(summaries: Summaries) -> list[tuple[str, str, float, list[float] | None]]:
    """Of `differences`, those with the first model of each text: what is said in words, however many models."""
    firsts = [group[0] for group in scored_alike(summaries)]
    return [difference for difference in differences(summaries) if difference[1] in firsts]


def name_of(summary: Summary) -> str:
    """A model's name in the paper, marked where its word list saw the held-out text."""
    return marked(summary["title"], summary)


def differences_table(summaries: Summaries) -> str:
    """Paired differences of each model to its own base model: bits per byte, and bits a coinage and a plain word."""
    rows = []
    for model in (name for group in scored_alike(summaries) for name in group):
        summary, last = summaries[model], last_scored(summaries[model])
        change = f"change.base.{last}"
        ends = {f"{change}.bits_per_byte": f"{change}.interval"}
        ends |= {f"{change}.surprisal.{of}": f"{change}.surprisal.{of}.interval" for of in ("coinage", "plain")}
        cells = _differences([(summary.get(name), summary.get(bounds)) for name, bounds in ends.items()], summary)
        rows.append([name_of(summary), LABELS.get(last or "", NOTHING), *cells])
    return table(["Model", "At", "Bits per byte", "Bits a coinage", "Bits a plain word"], rows, "llrrr")


def words(summaries: Summaries) -> str:
    """What coinages and plain words cost each model at its last phase, against its own base model."""
    parts = []
    for summary in summaries.values():
        change = f"change.base.{last_scored(summary)}.surprisal"
        found = [(summary.get(f"{change}.{of}"), summary.get(f"{change}.{of}.interval")) for of in ("coinage", "plain")]
        if None not in (value for value, _ in found):
            coinage, plain = (in_bits(*one) for one in found)
            parts.append(f"{name_of(summary)} {coinage} bits a coinage and {plain} a plain word")
    return f"Against its own base model, on the same words: {'; '.join(parts)}." if parts else ""


def pairs_table(summaries: Summaries) -> str:
    """Paired differences of every two models that were scored alike, at the last phase of each."""
    rows = []
    for model, reference, *change in differences(summaries):
        ends = summaries[reference], summaries[model]
        phases = last_scored(ends[0]), last_scored(ends[1])
        words = [compare_summaries(*ends, phases, group) for group in ("coinage", "plain")]
        rows.append([name_of(ends[1]), name_of(ends[0]), *_differences([tuple(change), *words], *ends)])
    header = ["Model", "Minus", "Bits per byte", "Bits a coinage", "Bits a plain word"]
    return (
        table(header, rows, "llrrr")
        if rows
        else Markdown("No two models were scored on the same text in the same way.\n")
    )


def _differences(changes: list[tuple[float | None, Any]], *of: Summary) -> list[str]:
    """Differences in bits per byte, a coinage and a plain word, with intervals; marked where a list saw the text."""
    leaked = next((summary for summary in of if summary["lexicon_saw_held_out"]), of[0])
    shown = zip((with_signs, in_bits, in_bits), changes, strict=True)
    return [NOTHING if change[0] is None else marked(show(*change), leaked) for show, change in shown]
