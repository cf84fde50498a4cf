"""The run's results in sentences that are true whichever way they went: pure functions of summary values.

"Lowered" and "raised" are said only where the 95 % interval of the paired difference leaves out zero. Sentences are
plain text; whoever puts them into a document escapes them.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from wake2vec.report import calibration_tables, readings
from wake2vec.report.geometry_tables import LABELS, null_range, phases_with, seen
from wake2vec.report.markdown import (
    NOTHING,
    count,
    in_bits,
    interval,
    number,
    percent,
    rank,
    several,
    signed,
    with_interval,
    with_signs,
)
from wake2vec.report.multiplicity import drawn

Summary = Mapping[str, Any]
MORPHEME = "p3.objective.morpheme"  # what P3 moved in its words, of run.json
MARK = "†"  # beside every score of a run whose word list saw the held-out text
SEEN = {"0": "never", "1": "once", "2": "twice", "3-5": "3–5 times", "6-10": "6–10 times", "11+": "11 times or more"}
WHO = {
    "init": "The initial rows, before any training,",
    "p1": "P1 (the rows alone)",
    "p2": "P2 (the transformer, rows frozen)",
    "p3": "P3 (the rows again, drawn towards their parts)",
}
UNDRAWN = "P3 (the rows again, no term drawing them)"  # where its objective has no weight


def findings(summary: Summary) -> dict[str, str]:
    """What came out, by topic, the headline first; only what was measured is spoken of."""
    said = {
        "Held-out text": whole_run(summary) or headline(summary),
        "Phase by phase": phase_by_phase(summary),
        "New tokens": classes(summary),
        "Isotropy": isotropy(summary),
        "Dimension": dimension(summary),
        "Affixes": calibration_tables.directions(summary),
        "True parts": recovery(summary),
        "Morpheme objective": objective(summary),
    }
    return {topic: sentences for topic, sentences in said.items() if sentences}


def headline(summary: Summary) -> str:
    """Held-out bits per byte of every phase."""
    scored = phases_with(summary, "bits_per_byte")
    if not scored:
        return "No phase was scored on held-out text."
    parts = [f"{score(summary, phase, with_bounds=True)} {when(phase)}" for phase in scored]
    size = count(summary[f"{scored[0]}.bytes"])
    return f"On {size} bytes of held-out text the model needs, in bits per byte: {several(parts)}."


def marked(text: str, summary: Summary) -> str:
    """`text` with the mark of a run whose word list saw the held-out text."""
    return f"{text}{MARK}" if summary["lexicon_saw_held_out"] and text != NOTHING else text


def score(summary: Summary, phase: str, with_bounds: bool = False) -> str:
    """Bits per byte of a phase, marked where it must be (the base model has no word list); its interval if asked."""
    value = number(summary.get(f"{phase}.bits_per_byte"))
    value = value if phase == "base" else marked(value, summary)
    return f"{value} {interval(summary.get(f'{phase}.interval'))}".strip() if with_bounds else value


def when(phase: str) -> str:
    """A phase as part of a sentence: "as the base model", "with the initial rows", "after P1"."""
    return {"base": "as the base model", "init": "with the initial rows"}.get(phase, f"after {LABELS[phase]}")


def leak(summary: Summary) -> str:
    """Whether the word list saw the held-out text, and what follows for the scores."""
    if summary["lexicon_saw_held_out"]:
        return (
            "The word list of this run was made with the held-out text in view, or names words that only it has: "
            "part of any gain is the list’s knowledge of which words will come. These scores do not compare with those "
            "of unmarked runs."
        )
    return "The word list was made without the held-out text."


def whole_run(summary: Summary) -> str:
    """The last phase against the base model, and what the comparison can not say."""
    scored = phases_with(summary, "bits_per_byte")
    name = f"change.base.{scored[-1]}" if scored else ""
    if summary.get(f"{name}.bits_per_byte") is None:
        return ""
    last = scored[-1]
    difference, bounds = summary[f"{name}.bits_per_byte"], summary[f"{name}.interval"]
    old, new = (score(summary, phase) for phase in ("base", last))
    verb = {"down": "lowered", "up": "raised", "unclear": "did not measurably change", None: "changed"}
    sentence = (
        f"The run {verb[readings.direction(bounds)]} bits per byte on held-out text: {old} as the base model, {new} "
        f"{when(last)} ({with_signs(difference, bounds)})."
    )
    if "p2" in scored:
        sentence += " How much of that is due to the new rows, only a run without them can tell: P2 adapts to any text."
    return sentence


def phase_by_phase(summary: Summary) -> str:
    """What every phase did to held-out bits per byte, against the one before."""
    scored = phases_with(summary, "bits_per_byte")
    return " ".join(filter(None, (change(summary, before, after) for before, after in pairwise(scored))))


def change(summary: Summary, before: str, after: str) -> str:
    """What one phase did to held-out bits per byte."""
    name = f"change.{before}.{after}"
    difference, bounds = summary.get(f"{name}.bits_per_byte"), summary.get(f"{name}.interval")
    if difference is None:
        return ""
    verb = {
        "down": "lowered it to",
        "up": "raised it to",
        "unclear": "did not measurably change it, at",
        None: "made it",
    }
    free = after == "p3" and summary.get(f"{MORPHEME}.weight") is not None and not drawn(summary, after)
    who, moved = UNDRAWN if free else WHO[after], verb[readings.direction(bounds)]
    return f"{who} {moved} {score(summary, after)} ({with_signs(difference, bounds)})."


def classes(summary: Summary) -> str:
    """Loss on new tokens, those seen in training and those never seen; and what the last phase did to their words."""
    scored = [phase for phase in phases_with(summary, "bits_per_byte") if phase != "base"]
    parts = []
    for name, label in (
        ("new_seen", "new tokens seen in training"),
        ("new_unseen", "new tokens never seen in training"),
    ):
        found = [phase for phase in scored if summary.get(f"{phase}.loss.{name}") is not None]
        if not found:
            continue
        first, last = found[0], found[-1]
        tokens = count(summary[f"{last}.tokens.{name}"])
        there = number(summary[f"{last}.loss.{name}"], 2)
        if first == last:
            parts.append(f"{there} on {label} ({tokens} tokens)")
        else:
            parts.append(f"{number(summary[f'{first}.loss.{name}'], 2)} → {there} on {label} ({tokens} tokens)")
    if not parts:
        return "The held-out text holds no token of a new row."
    losses = f"Loss in nats per token, {when(scored[0])} → {when(scored[-1])}: {several(parts)}."
    return " ".join(filter(None, (losses, last_phase(summary))))


def last_phase(summary: Summary) -> str:
    """What the last phase did to the coinages with a row: against the phase before it and against the initial rows,
    there by how often the training text has the word. The same words are compared, passage by passage.
    """
    phases = phases_with(summary, "surprisal.with_row.mean")
    if len(phases) < 2 or phases[-1] == "init":
        return ""
    before, last = phases[-2:]
    change = f"change.{before}.{last}.surprisal.with_row"
    verb = {"down": "lowered", "up": "raised", "unclear": "did not measurably change", None: "changed"}
    bounds = summary[f"{change}.interval"]
    said = (
        f"{LABELS[last]} {verb[readings.direction(bounds)]} what the {count(summary['words.with_row'])} coinages with "
        f"a row cost: {marked(in_bits(summary[change], bounds), summary)} bits a word against "
        f"{'the initial rows' if before == 'init' else LABELS[before]}."
    )
    if last == "p3" and drawn(summary, last) and readings.direction(bounds) in ("down", "up"):
        said += " Whether its terms did that or training the rows further, only a P3 without terms can tell."
    change = f"change.init.{last}.surprisal.with_row"
    if summary.get(change) is None:
        return said
    if before != "init":
        bounds = summary[f"{change}.interval"]
        how = {"down": "less", "up": "more", "unclear": "not measurably more or less", None: "more (+) or less (−)"}
        said += (
            f" After {LABELS[last]} they cost {how[readings.direction(bounds)]} than with the initial rows "
            f"({marked(in_bits(summary[change], bounds), summary)})."
        )
    groups = {label: f"{change}.{times}" for times, label in SEEN.items()}
    seen_so = [
        f"{label} {marked(in_bits(summary[name], summary[f'{name}.interval']), summary)}"
        for label, name in groups.items()
        if summary.get(f"{name}.interval") is not None  # one word, or one passage, tells little
    ]
    if not seen_so:
        return said
    return f"{said} By how often the training text has the word, against the initial rows: {several(seen_so)}."


def gaps(summary: Summary) -> str:
    """Where held-out loss was lowest, and whether it rose from there while training went on."""
    parts = []
    for phase in summary["phases"]:
        lowest, final = (summary.get(f"{phase}.heldout_loss.{end}") for end in ("lowest", "final"))
        if lowest is None:
            continue
        step, steps = summary[f"{phase}.heldout_loss.lowest_step"], summary.get(f"{phase}.final_step")
        rise, gap = final - lowest, summary.get(f"{phase}.gap.final")
        where = "at the end" if step == steps else f"at step {count(step)} of {count(steps)}"
        if rise >= 0.0005:
            where += f" and rose by {number(rise)} nats to the end"
        elif step != steps:
            where += " and no higher at the end"
        apart = "" if gap is None else f" (held-out minus training loss there: {signed(gap, 2)})"
        parts.append(f"{LABELS[phase]}’s was lowest {where}{apart}")
    return f"Held-out loss during training, in nats per token: {several(parts)}." if parts else ""


def isotropy(summary: Summary) -> str:
    """Isotropy of the new rows at the last phase that has rows, beside rows without structure."""
    phases = phases_with(summary, "isotropy.new.sampled_ratio")
    if not phases:
        return "There are too few new rows to measure their isotropy."
    name = f"{phases[-1]}.isotropy.new.sampled_ratio"
    value, null = summary[name], summary[f"{name}.null"] or {}
    reading = readings.read_isotropy(value, null)
    return (
        f"The new rows’ isotropy {when(phases[-1])} is {number(value, 4)} where rows without structure give "
        f"{null_range(null, 4)}; it is {reading[0].lower()}{reading[1:]}"
    )


def dimension(summary: Summary) -> str:
    """Principal components of new and base rows at the last phase that has rows, beside rows without structure."""
    phases = phases_with(summary, "dimension.new.d90")
    if not phases:
        return "There are too few new rows to measure their dimension."
    name = f"{phases[-1]}.dimension"
    null = summary[f"{name}.new.d90.null"] or {}
    return (
        f"The new rows need {count(summary[f'{name}.new.d90'])} principal components for 90% of their variance "
        f"{when(phases[-1])}, as many base rows {count(summary[f'{name}.base.d90'])}, and as many rows without "
        f"structure {count(null.get('mean'))}. {readings.read_dimension(summary[f'{name}.new.d90'], null)}"
    )


def drift(summary: Summary) -> str:
    """How far the new rows turned in each phase that trains rows, and how many neighbours they kept."""
    phases = phases_with(summary, "drift.new")
    turned = [f"{number(summary[f'{p}.drift.new'], 2)} {when(p)}" for p in phases]
    if not turned:
        return "No phase trained rows."
    sentence = f"The mean cosine of a new row to its initial self is {several(turned)}."
    if f"{phases[-1]}.overlap" in summary:
        overlap, null, k = (summary[f"{phases[-1]}.overlap{part}"] for part in ("", ".null", ".k"))
        sentence += f" {readings.read_overlap(overlap, null, k)}"
    return sentence


def changed_base_rows(summary: Summary) -> str:
    """How many base rows the last phase that trains rows left changed."""
    phases = phases_with(summary, "drift.base.changed_rows")
    return count(summary[f"{phases[-1]}.drift.base.changed_rows"]) if phases else "0"


def random_neighbour(summary: Summary) -> str:
    """The cosine of the nearest base token to a random direction, with its range."""
    phases = phases_with(summary, "neighbours.null")
    return null_range(summary[f"{phases[-1]}.neighbours.null"], 2) if phases else NOTHING


def recovery(summary: Summary) -> str:
    """On the testbed: where the true parts of coinages stand, for those seen three times or more; where an objective
    draws rows to them, for those that it left out.
    """
    phases = phases_with(summary, "recovery.base_rows")
    if not phases:
        return ""
    phase, parts = phases[-1], []
    if drawn(summary, phase):
        return _left_out(summary, phase)
    for group in ("3-5", "6-10", "11+"):
        name = f"{phase}.recovery.{group}"
        if summary.get(f"{name}.median_rank") is None:
            continue
        middle = with_interval(summary[f"{name}.median_rank"], summary[f"{name}.interval"], 0)
        controls = [f"chance {rank(summary[f'{name}.chance.median_rank'])}"]
        controls += [f"other coinages’ parts {rank(summary[f'{name}.shuffled.median_rank'])}"]
        if phase != "init" and summary.get(f"init.recovery.{group}.median_rank") is not None:
            controls.insert(0, f"initially {rank(summary[f'init.recovery.{group}.median_rank'])}")
        parts.append(f"{middle} for coinages seen {seen(group)} times ({', '.join(controls)})")
    if not parts:
        return "No coinage seen three times or more has a row whose parts could be looked for."
    rows = count(summary.get(f"{phase}.recovery.base_rows"))
    return f"Of {rows} base rows, a coinage’s true parts rank, at the median {when(phase)}: {'; '.join(parts)}."


def _left_out(summary: Summary, phase: str) -> str:
    """Where the true parts of the coinages stand that an objective left out."""
    name = f"{phase}.recovery.held_out"
    middle = summary.get(f"{name}.median_rank")
    if middle is None:
        return f"{LABELS[phase]}’s objective left out no coinage whose parts could be looked for."
    bounds, chance = summary[f"{name}.interval"], summary[f"{name}.chance.median_rank"]
    controls = [f"chance {rank(chance)}"]
    if summary[f"{name}.shuffled.median_rank"] is not None:
        controls.append(f"other coinages’ parts {rank(summary[f'{name}.shuffled.median_rank'])}")
    if summary[f"{name}.before"] is not None:
        changed = with_signs(middle - summary[f"{name}.before"], summary[f"{name}.change.interval"], 0)
        controls.insert(0, f"initially {rank(summary[f'{name}.before'])}, a change of {changed}")
    return (
        f"Of {count(summary.get(f'{phase}.recovery.base_rows'))} base rows, the true parts of the "
        f"{count(summary[f'{name}.coinages'])} coinages that {LABELS[phase]}’s objective left out rank, at the median, "
        f"{with_interval(middle, bounds, 0)} ({'; '.join(controls)}). "
        f"{readings.read_recovery(middle, bounds, chance, summary[f'{name}.null'])}"
    )


def objective(summary: Summary) -> str:
    """P3’s morpheme objective, judged on pairs that it did not train on."""
    rises = objective_rises(summary)
    if None in rises.values():
        return ""
    moved = [
        f"{signed(rises[pair])} for {label}"
        for pair, label in (("trained", "trained pairs"), ("heldout", "held-out pairs"), ("random", "random pairs"))
    ]
    return f"P3 moved the cosine of words to their parts by {several(moved)}. {judged(summary)}"


def judged(summary: Summary) -> str:
    """What follows from P3's morpheme pairs, by their intervals over words."""
    controls = {"random pairs": "over_random", "with a permuted base": "over_shuffled"}
    over = {
        label: (summary.get(f"{MORPHEME}.{name}"), summary.get(f"{MORPHEME}.{name}.interval"))
        for label, name in controls.items()
    }
    heldout = summary.get(f"{MORPHEME}.heldout"), summary.get(f"{MORPHEME}.heldout.interval")
    return readings.read_objective(summary.get(f"{MORPHEME}.verdict"), heldout, over, summary.get(f"{MORPHEME}.weight"))


def objective_rises(summary: Summary) -> dict[str, float | None]:
    """Last minus first mean cosine of trained, held-out and random pairs in P3."""
    rises = {}
    for pair in ("trained", "heldout", "random"):
        first, final = (summary.get(f"p3.cosine.{pair}.{end}") for end in ("first", "final"))
        rises[pair] = None if first is None or final is None else final - first
    return rises


def what_was_run(summary: Summary) -> str:
    """One sentence: the base, the text, the rows and the phases."""
    phases = several([LABELS[phase] for phase in summary["phases"]])
    trained = f", then trained in {phases}" if phases else ""
    return (
        f"{count(summary['injection.new_rows'])} new rows for {count(summary['injection.words'])} words of "
        f"“{summary['corpus']}” were added to the {count(summary['injection.base_rows'])} rows of "
        f"“{summary['base'] or 'the base'}”{trained}, by the recipe “{summary['recipe'] or 'none'}”."
    )


def rarity(summary: Summary) -> str:
    """How much training text the new rows have to learn from."""
    rows = summary["injection.new_rows"]
    if not rows:
        return "No word of the lexicon got a row."
    return (
        f"Of the {count(rows)} new rows, {count(summary['injection.rows_3_or_more'])} "
        f"({percent(summary['injection.rows_3_or_more'] / rows)}) occur three times or more in the training text, "
        f"{count(summary['injection.rows_once'])} once and {count(summary['injection.rows_unseen'])} never; "
        f"{count(summary['injection.rows_in_held_out'])} occur in the held-out text."
    )
