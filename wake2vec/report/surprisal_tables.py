"""What the words of the held-out text cost a model: tables, sentences, and a passage coloured by surprisal.

Pure functions of summary values and results. The passage is chosen by a rule, so that nobody picks a telling one: of
the held-out passages the one with the median bits per byte at the last phase (of an even number the lower middle one).
It is Markdown with bracketed spans; every character of the text is escaped.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from wake2vec.report import readings
from wake2vec.report.findings import MARK, marked, when
from wake2vec.report.geometry_tables import LABELS, NOTHING_MEASURED, once, phases_with, seen
from wake2vec.report.markdown import (
    NOTHING,
    Markdown,
    count,
    escape,
    in_bits,
    number,
    several,
    table,
    with_interval,
)
from wake2vec.report.results import PHASES, Results

Summary = Mapping[str, Any]
GROUPS = {"with_row": "coinages with a row", "without_row": "coinages without a row", "plain": "plain words"}
COUNTS = ("0", "1", "2", "3-5", "6-10", "11+")
CHANGED = {"with_row": GROUPS["with_row"]} | {f"with_row.{times}": f"… seen {seen(times)}" for times in COUNTS}
CHANGED |= {"plain": GROUPS["plain"]}
EDGES = (1, 2, 4, 8, 16, 32)  # bits at which the shade of a word changes: the theme's .bits-0 to .bits-6


# Tables --------------------------------------------------------------------------------------------------------------


def surprisal_table(summary: Summary) -> str:
    """Mean surprisal and entropy reduction of coinages and plain words by phase, and differences to the base model."""
    rows = []
    for group, label in GROUPS.items():
        for phase in phases_with(summary, f"surprisal.{group}.mean"):
            name = f"{phase}.surprisal.{group}"
            bits = with_interval(summary[f"{name}.mean"], summary[f"{name}.interval"], 2)
            reduced = f"{phase}.entropy_reduction.{group}"
            rows.append(
                [
                    f"{label} ({count(summary[f'words.{group}'])})",
                    LABELS[phase],
                    bits if phase == "base" else marked(bits, summary),
                    marked(change(summary, phase, f"surprisal.{group}"), summary),
                    with_interval(summary[f"{reduced}.mean"], summary[f"{reduced}.interval"], 2),
                    change(summary, phase, f"entropy_reduction.{group}"),
                ]
            )
    header = ["Words", "Phase", "Surprisal", "Against the base model", "Entropy reduction", "Against the base model"]
    return table(header, once(rows), "llrrrr") if rows else NOTHING_MEASURED


def change(summary: Summary, phase: str, of: str) -> str:
    """Difference in bits a word to the base model, with its interval; an en dash where there is none."""
    name = f"change.base.{phase}.{of}"
    value = summary.get(name)
    return NOTHING if value is None else in_bits(value, summary[f"{name}.interval"])


def word_changes_table(summary: Summary) -> str:
    """What each phase changed in the surprisal of a word, against the one before it, and the last against the initial
    rows: coinages with a row, these by how often they were seen, and plain words.
    """
    pairs = [pair for pair in successive(summary) if any(_change(summary, pair, group) for group in CHANGED)]
    rows = []
    for group, label in CHANGED.items():
        if summary.get(f"words.{group}"):
            changes = [_change(summary, pair, group) or NOTHING for pair in pairs]
            rows.append([f"{label} ({count(summary[f'words.{group}'])})", *changes])
    header = ["Words", *(f"{LABELS[after]} − {LABELS[before]}" for before, after in pairs)]
    return table(header, rows, "l" + "r" * len(pairs)) if rows and pairs else NOTHING_MEASURED


def successive(summary: Summary) -> list[tuple[str, str]]:
    """(before, after) of the phases that follow one another, and of the initial rows and the last: those of one
    tokenizer, since the table of surprisal has the base model.
    """
    phases = [phase for phase in phases_with(summary, "surprisal.plain.mean") if phase != "base"]
    whole = [("init", phases[-1])] if "init" in phases[:-1] else []
    return list(dict.fromkeys([*pairwise(phases), *whole]))


def _change(summary: Summary, pair: tuple[str, str], group: str) -> str:
    name = ".".join(["change", *pair, "surprisal", group])
    value = summary.get(name)
    return "" if value is None else marked(in_bits(value, summary[f"{name}.interval"]), summary)


def counts_table(summary: Summary) -> str:
    """Loss of new tokens by how often their form occurs in the training text, phase by phase."""
    shown = [c for c in COUNTS if any(summary.get(f"{phase}.loss.seen.{c}.tokens") for phase in PHASES)]
    rows = []
    for phase in PHASES:
        names = [f"{phase}.loss.seen.{c}" for c in shown]
        if any(summary.get(name) is not None for name in names):
            losses = [with_interval(summary.get(name), summary.get(f"{name}.interval"), 2) for name in names]
            rows.append([LABELS[phase], *(marked(loss, summary) for loss in losses)])
            tokens = [count(summary.get(f"{name}.tokens")) for name in names]
    if not rows:
        return Markdown("The held-out text holds no token of a new row.\n")
    return table(["Form seen", *map(seen, shown)], [*rows, ["tokens", *tokens]], "l" + "r" * len(shown))


# Sentences -----------------------------------------------------------------------------------------------------------


def words(summary: Summary) -> dict[str, str]:
    """What came out for words, by topic."""
    said = {"Words": surprisal(summary), "Entropy": entropy_reduction(summary)}
    return {topic: sentence for topic, sentence in said.items() if sentence}


def surprisal(summary: Summary) -> str:
    """What coinages and plain words cost after the last phase, against the base model on the same words."""
    parts = []
    for group, label in GROUPS.items():
        phases = phases_with(summary, f"surprisal.{group}.mean")
        name = f"change.base.{phases[-1]}.surprisal.{group}" if phases else ""
        if summary.get(name) is None:
            continue
        bounds = summary[f"{name}.interval"]
        how = {"down": "less", "up": "more", "unclear": "not measurably more or less", None: "(one passage only)"}
        ends = " → ".join(number(summary[f"{phase}.surprisal.{group}.mean"], 1) for phase in ("base", phases[-1]))
        difference = marked(in_bits(summary[name], bounds), summary)
        words = f"{count(summary[f'words.{group}'])} {label}"
        parts.append(f"{words} cost {how[readings.direction(bounds)]}, {ends} bits a word ({difference})")
        last = phases[-1]
    if not parts:
        return ""
    sentence = f"Against the base model, {when(last)}: {'; '.join(parts)}."
    if written := summary.get("words.plain_with_row"):
        sentence += (
            " Plain words that a new token writes, wholly or in part (the word list has them, or a form matches inside "
            f"them): {count(written)}."
        )
    if summary.get("words.with_row") and summary.get("injection.new_rows"):
        rows = summary["injection.base_rows"] + summary["injection.new_rows"]
        sentence += (
            " A row makes one choice of what were several, and so may change what a coinage costs before it learns "
            f"anything: a choice among all {count(rows)} rows at random costs {number(float(np.log2(rows)), 1)} bits."
        )
    return sentence


def entropy_reduction(summary: Summary) -> str:
    """What words tell about what comes next, after the last phase: coinages with a row beside plain words."""
    phases = phases_with(summary, "entropy_reduction.plain.mean")
    if not phases:
        return ""
    last, parts, bounds = phases[-1], [], {}
    for group, label in GROUPS.items():
        name = f"{last}.entropy_reduction.{group}"
        if summary.get(f"{name}.mean") is not None:
            bounds[group] = summary[f"{name}.interval"]
            against = change(summary, last, f"entropy_reduction.{group}")
            against = "" if against == NOTHING else f" (against the base model {against})"
            parts.append(f"{with_interval(summary[f'{name}.mean'], bounds[group], 2)} bits for {label}{against}")
    lowered = f"A word lowers the entropy of the next base piece {when(last)}, rises counted as 0,"
    sentence = f"{lowered} by {several(parts)}."
    if bounds.get("with_row") and bounds.get("plain"):
        (low, high), (plain_low, plain_high) = bounds["with_row"], bounds["plain"]
        more = "more" if low > plain_high else "less" if high < plain_low else "not clearly more or less"
        open_before = [number(summary[f"{last}.entropy.{group}.mean"], 1) for group in ("with_row", "plain")]
        sentence += (
            f" Coinages with a row lower it {more} than plain words do. How much there is to lower differs: before "
            f"them it is {open_before[0]} bits, before plain words {open_before[1]}."
        )
    return sentence


# A passage -----------------------------------------------------------------------------------------------------------


def passage(results: Results) -> str:
    """One held-out passage, each word shaded by its surprisal: as the base model reads it and after the last phase."""
    scored = [phase for phase in results.surprisals if results.metric(phase, "likelihood").get("passages")]
    if not scored or not results.passages:
        return NOTHING_MEASURED
    scores = {phase: bits_per_byte(results.metric(phase, "likelihood")["passages"]) for phase in scored}
    chosen = median_passage(scores[scored[-1]])
    kinds = results.surprisals[scored[-1]]["kind"]
    cards = []
    for phase in dict.fromkeys([scored[0], scored[-1]]):
        frame = results.surprisals[phase].assign(kind=kinds)
        lines = frame[frame["passage"] == chosen]
        mark = MARK if results.metric(phase, "likelihood").get("lexicon_saw_held_out") and phase != "base" else ""
        heading = f"{LABELS[phase]}: {number(float(scores[phase][chosen]), 2)}{mark} bits per byte"
        text = coloured(results.passages[chosen], lines)
        cards.append(f"::: {{.passage}}\n\n[{escape(heading)}]{{.about}}\n\n{text}\n\n:::\n\n")
    about = f"Passage {count(chosen + 1)} of {count(len(results.passages))}. Bits a word: {legend()}"
    return f"::: {{.shades}}\n\n{about}\n\n:::\n\n:::: {{.passages}}\n\n{''.join(cards)}::::\n"


def bits_per_byte(passages: list[Mapping[str, Any]]) -> np.ndarray:
    """Of each passage of a likelihood.json: [passages]."""
    return np.array([part["nats"] / np.log(2) / part["bytes"] for part in passages])


def median_passage(scores: np.ndarray) -> int:
    """The passage with the median score; of an even number the lower of the two in the middle."""
    return int(np.argsort(scores, kind="stable")[(len(scores) - 1) // 2])


def shade(bits: float) -> int:
    """The shade of a word, 0 to 6: the more bits the darker."""
    return int(np.searchsorted(EDGES, bits, side="right"))


def legend() -> str:
    """The shades with the bits that they stand for."""
    names = [f"under {EDGES[0]}", *(f"{low} to {high}" for low, high in zip(EDGES, EDGES[1:], strict=False))]
    return " ".join(f"[{name}]{{.bits-{i}}}" for i, name in enumerate([*names, f"{EDGES[-1]} and more"]))


def coloured(text: str, lines: pd.DataFrame) -> Markdown:
    """A passage as spans, one a line of surprisal.csv, with the white space and the line breaks of the text.

    Class `bits-0` to `bits-6` says how surprising, `coinage` what kind; the title has the number.
    """
    parts, end = [], 0
    for line in lines.itertuples():
        parts.append(_gap(text[end : line.start]))
        kind = " .coinage" if line.kind.startswith("coinage") else ""
        bits = f"{line.surprisal:.1f} bits" + (f", {line.kind}" if kind else "")
        parts.append(f'[{escape(line.word)}]{{.bits-{shade(line.surprisal)}{kind} title="{bits}"}}')
        end = line.start + len(line.word)
    return Markdown("".join(parts))


def _gap(space: str) -> str:
    """White space between two lines as Markdown: nothing, a space, a line break, or a new paragraph."""
    breaks = len(re.findall(r"\r\n|\n|\r", space))
    return ("\n\n" if breaks > 1 else "\\\n" if breaks else " ") if space else ""
