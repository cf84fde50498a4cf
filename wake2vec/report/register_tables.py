"""The register of the samples in tables and sentences: each measure beside real Wake, plain English, shuffled Wake.

A group of samples is read against what as many pieces of held-out Wake give: below, within or above the range of 95 %
of such draws. On the testbed a measure that did not order mixtures of known shares is shown and not read.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from wake2vec.language.register import EVERY, of_every_prompt
from wake2vec.report import readings
from wake2vec.report.geometry_tables import AFTER, LABELS, NOTHING_MEASURED, once, phases_with
from wake2vec.report.markdown import NOTHING, count, interval, number, several, table
from wake2vec.report.results import Results

Summary = Mapping[str, Any]
Values = Mapping[str, Any]
USUAL = 1.0  # with a top_p of 1 the model's own distribution: the headline is of the temperature nearest to it


class Measure(NamedTuple):
    """How a measure is called and shown, and what a text does that has more of it."""

    label: str
    factor: float
    decimals: int
    verb: str = ""


MEASURES = {
    "coinages": Measure("coinages, %", 100, 1, "writes words outside the base language"),
    "quoted": Measure("quoted coinages, %", 100, 1, "quotes coinages"),
    "parsed": Measure("new, of known parts, %", 100, 1, "coins new words of known parts"),
    "unparsed": Measure("new, unparsed, %", 100, 1, "writes new words without known parts"),
    "fused": Measure("fused compounds, %", 100, 1, "fuses words"),
    "copied": Measure("copied words, %", 100, 1, "copies"),
    "longest": Measure("longest copy, words", 1, 1, "copies at a stretch"),
    "distinct_1": Measure("distinct-1, %", 100, 1, "varies its words"),
    "distinct_2": Measure("distinct-2, %", 100, 1, "varies its pairs of words"),
    "ratio": Measure("letters, bits", 1, 2, "leans to the Wake in its letters"),
    "burrows_wake": Measure("Burrows’s Delta to the Wake", 1, 3),
    "burrows_plain": Measure("Burrows’s Delta to plain", 1, 3),
    "burrows": Measure("Burrows’s Delta (plain − Wake)", 1, 3, "leans to the Wake in its frequent words (Burrows)"),
    "cosine_wake": Measure("Cosine Delta to the Wake", 1, 3),
    "cosine_plain": Measure("Cosine Delta to plain", 1, 3),
    "cosine": Measure("Cosine Delta (plain − Wake)", 1, 3, "leans to the Wake in its frequent words (cosine)"),
}
LANDMARKS = {"held_out": "Held-out Wake", "plain": "Plain", "shuffled": "Shuffled"}
HELD_OUT = {"wake": "the run’s text", "plain": "plain English"}
UNREAD = "Not read: it did not order mixtures of known shares."
ORDERS = "register.orders."
HEADLINE = ("coinages", "parsed", "unparsed", "copied", "ratio")
PER_SAMPLE = {
    "coinages": "coinages {}%",
    "quoted": "quoted {}%",
    "copied": "copied {}%",
    "ratio": "letters {} bits",
    "burrows": "Burrows’s Delta, plain − Wake {}",
    "cosine": "Cosine Delta, plain − Wake {}",
}
MIXTURES = {"language": "coined", "copied": "copied", "looped": "looped", "scrambled": "scrambled"}
MARKS = {"below": " ↓", "within": "", "above": " ↑", None: ""}
WORDS = {"below": "less", "within": "undecided", "above": "more"}


# Values --------------------------------------------------------------------------------------------------------------


def landmarks_of(register: Values, samples: int) -> Values:
    """What as many pieces of each landmark give."""
    return next((found for found in register.get("landmarks") or [] if found["samples"] == samples), {})


def held_out(register: Values, group: Values, name: str) -> Values | None:
    """The range of held-out Wake that a group's measure is read against."""
    return (landmarks_of(register, group["samples"]).get("held_out") or {}).get(name)


def usual(groups: Sequence[Values]) -> Values | None:
    """The group whose temperature is nearest to USUAL."""
    return min(groups, key=lambda group: abs(group["temperature"] - USUAL), default=None)


def orders(validation: Values) -> dict[str, bool]:
    """Whether each measure ordered all mixtures that it was expected to order; empty where nothing was tried."""
    passed: dict[str, bool] = {}
    for measures in (validation.get("mixtures") or {}).values():
        for name, found in measures.items():
            if found["expected"] is not None:
                passed[name] = passed.get(name, True) and found["orders"]
    return {name: passed[name] for name in MEASURES if name in passed}


def summarise_register(results: Results) -> dict[str, Any]:
    """Summary values: `{phase}.register.{measure}` at the usual temperature, with `.interval` and held-out Wake as
    `.null`; what was measured with; and `register.orders.{measure}`, whether the trial found it in order.
    """
    values: dict[str, Any] = {f"{ORDERS}{name}": passed for name, passed in orders(results.register_validation).items()}
    for phase in results.measured("register"):
        register = results.metric(phase, "register")
        group = usual(of_every_prompt(register))
        if group is None:
            continue
        name = f"{phase}.register"
        values |= {"register.plain": register["plain"], "register.words": register["words"]}
        values |= {f"register.single.{of}": of in register.get("single", []) for of in HELD_OUT}
        values |= {"register.copied_run": register["copied_run"], "register.frequent": register["frequent"]}
        values |= {f"{name}.temperature": group["temperature"], f"{name}.samples": group["samples"]}
        values[f"{name}.short"] = register["short"]
        for measure, found in group["values"].items():
            values |= {f"{name}.{measure}": found["value"], f"{name}.{measure}.interval": found["interval"]}
            values[f"{name}.{measure}.null"] = held_out(register, group, measure)
    return values


def summarise_sampler(results: Results) -> dict[str, Any]:
    """How samples were drawn, as `sampler.…`: the same at every phase."""
    generation = next((results.metric(phase, "generation") for phase in results.measured("generation")), {})
    samples = generation.get("samples") or []
    if not samples:
        return {}
    temperatures = sorted({sample["temperature"] for sample in samples})
    return {
        "sampler.temperatures": several([f"{temperature:g}" for temperature in temperatures]),
        "sampler.prompts": len({sample["prompt"] for sample in samples}),
        "sampler.seeds": 1 + max(sample["draw"] for sample in samples),
        "sampler.tokens": generation["tokens"],
        "sampler.top_p": generation["top_p"],
    }


def tried_measures(summary: Summary) -> dict[str, bool]:
    """Whether each measure that was tried put the mixtures in order."""
    return {name.removeprefix(ORDERS): passed for name, passed in summary.items() if name.startswith(ORDERS)}


# Tables --------------------------------------------------------------------------------------------------------------


def show(name: str, value: float | None) -> str:
    """A measure in its own unit."""
    measure = MEASURES[name]
    return number(None if value is None else measure.factor * value, measure.decimals)


def bounds(name: str, limits: Sequence[float | None] | None) -> str:
    """An interval in the measure's own unit."""
    if not limits or None in limits:
        return ""
    return interval([MEASURES[name].factor * limit for limit in limits], MEASURES[name].decimals)


def _range(name: str, found: Values | None) -> str:
    if not found or found.get("mean") is None:
        return NOTHING
    return f"{show(name, found['mean'])} {bounds(name, [found['low'], found['high']])}"


def register_table(results: Results) -> str:
    """Every measure by phase and temperature, beside the landmarks."""
    registers = {phase: results.metric(phase, "register") for phase in results.measured("register")}
    registers = {phase: register for phase, register in registers.items() if of_every_prompt(register)}
    if not registers:
        return NOTHING_MEASURED
    temperatures = sorted({g["temperature"] for register in registers.values() for g in of_every_prompt(register)})
    tried, rows = orders(results.register_validation), []
    for name, measure in MEASURES.items():
        read_off = tried.get(name) is not False
        for phase, register in registers.items():
            groups = {group["temperature"]: group for group in of_every_prompt(register)}
            cells = [_cell(register, groups.get(temperature), name, read_off) for temperature in temperatures]
            marks = landmarks_of(register, usual(list(groups.values()))["samples"])
            means = [
                show(name, ((marks.get(other) or {}).get(name) or {}).get("mean")) for other in ("plain", "shuffled")
            ]
            real = _range(name, (marks.get("held_out") or {}).get(name))
            rows.append([measure.label, LABELS[phase], *cells, real, *means])
    header = ["Measure", "After", *(f"at {temperature:g}" for temperature in temperatures), *LANDMARKS.values()]
    return table(header, once(rows), "ll" + "r" * (len(temperatures) + len(LANDMARKS)))


def _cell(register: Values, group: Values | None, name: str, read_off: bool) -> str:
    """A measure of a group, and where it lies unless the measure failed its trial."""
    if group is None:
        return NOTHING
    value = group["values"][name]["value"]
    return show(name, value) + MARKS[readings.place(value, held_out(register, group, name)) if read_off else None]


def readings_table(results: Results) -> str:
    """What follows from each measure after each phase; what failed its trial is not read."""
    registers = {phase: results.metric(phase, "register") for phase in results.measured("register")}
    registers = {phase: register for phase, register in registers.items() if of_every_prompt(register)}
    tried, rows = orders(results.register_validation), []
    for name, measure in MEASURES.items():
        if measure.verb and registers:
            failed = tried.get(name) is False
            rows.append(
                [measure.verb, *(UNREAD if failed else read(register, name) for register in registers.values())]
            )
    header = ["What a text does", *(f"After {LABELS[phase]}" for phase in registers)]
    return table(header, rows, "l" * len(header)) if rows else NOTHING_MEASURED


def read(register: Values, name: str) -> str:
    """How much of a measure the samples of a phase have against held-out Wake, at which temperatures."""
    found: dict[str, list[str]] = {}
    groups = of_every_prompt(register)
    for group in groups:
        where = readings.place(group["values"][name]["value"], held_out(register, group, name))
        if where is not None:
            found.setdefault(where, []).append(f"{group['temperature']:g}")
    if not found:
        return "Not measured."
    [(where, temperatures), *others] = found.items()
    if not others and 1 < len(temperatures) == len(groups):
        return f"{WORDS[where]} at every temperature.".capitalize()
    parts = [f"{word} at {several(found[where])}" for where, word in WORDS.items() if where in found]
    return f"{', '.join(parts)}.".capitalize()


def kinds_table(results: Results) -> str:
    """The headline's measures by kind of prompt, at the usual temperature."""
    rows = []
    for phase in results.measured("register"):
        groups = results.metric(phase, "register").get("groups") or []
        group = usual(groups)
        for one in groups:
            if one["temperature"] != group["temperature"]:
                continue
            cells = [
                f"{show(name, one['values'][name]['value'])} {bounds(name, one['values'][name]['interval'])}".strip()
                for name in HEADLINE
            ]
            kind = "all prompts" if one["kind"] == EVERY else one["kind"]
            rows.append([LABELS[phase], kind, count(one["samples"]), *cells])
    header = ["After", "Prompts", "Samples", "Coinages, %", "New, of known parts, %", "New, unparsed, %"]
    header += ["Copied words, %", "Letters, bits"]
    return table(header, once(rows), "llr" + "r" * len(HEADLINE)) if rows else NOTHING_MEASURED


def sample_lines(results: Results, phase: str) -> dict[int, str]:
    """What every sample of a phase that was long enough has of the measures of PER_SAMPLE, by its number."""
    register = results.metric(phase, "register") if phase in results.measured("register") else {}
    tried = orders(results.register_validation)
    named = {name: label for name, label in PER_SAMPLE.items() if tried.get(name, True)}
    return {
        sample["sample"]: f"of its first {count(register['words'])} words: "
        + " · ".join(
            label.format(show(name, sample[name])) for name, label in named.items() if sample.get(name) is not None
        )
        for sample in register.get("samples") or []
    }


def trial_table(validation: Values) -> str:
    """On the testbed: every measure on mixtures of known shares, with Spearman's rho."""
    if not validation:
        return NOTHING_MEASURED
    rows = []
    for name, measure in MEASURES.items():
        for kind, measures in validation["mixtures"].items():
            found = measures[name]
            if found["expected"] is None and kind != "language":
                continue
            means = [show(name, point["mean"]) for point in found["by_share"]]
            rho = f"{number(found['rho'], 2)} {interval(found['interval'], 2)}".strip()
            verdict = {True: "in order", False: "not in order", None: "nothing expected"}[found["orders"]]
            rows.append([measure.label, MIXTURES[kind], *means, rho, verdict])
    shares = [f"{100 * share:g}%" for share in validation["shares"]]
    header = ["Measure", "Mixed in", *shares, "Spearman’s rho", "Verdict"]
    return table(header, once(rows), "ll" + "r" * len(shares) + "rl")


def register_tables(results: Results) -> dict[str, str]:
    """The tables of the register by name."""
    return {
        "register": register_table(results),
        "register_readings": readings_table(results),
        "register_kinds": kinds_table(results),
        "register_trial": trial_table(results.register_validation),
    }


# Sentences -----------------------------------------------------------------------------------------------------------


def register(summary: Summary) -> dict[str, str]:
    """The register of the samples after the last phase, for the findings: only measures that passed their trial."""
    phases = phases_with(summary, "register.samples")
    if not phases:
        return {}
    name, tried = f"{phases[-1]}.register", tried_measures(summary)
    said = {
        "coinages": "{}% of the words are coinages",
        "parsed": "{}% are new, which the training text does not have, and of known parts",
        "unparsed": "{}% are new and can be parsed into no known parts",
        "copied": "{}% stand in runs of "
        + str(summary["register.copied_run"])
        + " words or more copied from the training text",
        "ratio": "the letters are {} bits a character likelier in the Wake than in plain English",
    }
    parts = [
        f"{said[measure].format(show(measure, summary[f'{name}.{measure}']))} (held-out Wake "
        f"{_range(measure, summary[f'{name}.{measure}.null'])})"
        for measure in HEADLINE
        if tried.get(measure, True) and summary.get(f"{name}.{measure}") is not None
    ]
    where = f"Of {count(summary[f'{name}.samples'])} samples {AFTER.get(phases[-1], 'after P2')}"
    sentence = f"{where} at temperature {summary[f'{name}.temperature']:g}, {several(parts)}."
    return {"Register": sentence} if parts else {}


def sampler(summary: Summary) -> str:
    """How the samples were drawn, and what a nucleus keeps from coming."""
    if "sampler.top_p" not in summary:
        return ""
    prompts, seeds = summary["sampler.prompts"], summary["sampler.seeds"]
    drawn = (
        f"Every phase writes on from the same {count(prompts)} prompt{'s' * (prompts != 1)}, at "
        f"temperature {summary['sampler.temperatures']}, from {count(seeds)} "
        f"seed{'s' * (seeds != 1)} each, at most {count(summary['sampler.tokens'])} tokens"
    )
    top_p = summary["sampler.top_p"]
    if top_p == 1:
        return f"{drawn}; tokens are drawn from the whole distribution (top-p 1)."
    return (
        f"{drawn}; tokens are drawn from the nucleus alone, the likeliest ones that together have {top_p:g} of the "
        f"probability (top-p {top_p:g}). Words outside it cannot come, however many they are, so that a sample may "
        "coin less than the model would."
    )


def compared_with(summary: Summary) -> str:
    """Which plain English the samples are compared with, and in what pieces."""
    if not phases_with(summary, "register.samples"):
        return ""
    plain = summary["register.plain"]
    text = (
        f"the corpus “{plain}”" if plain else "the built-in testbed’s, which is made of patterns and is no real prose"
    )
    short = sum(summary[f"{phase}.register.short"] for phase in phases_with(summary, "register.samples"))
    left = "" if not short else f" {count(short)} samples were shorter and are left out."
    if named := [label for of, label in HELD_OUT.items() if summary[f"register.single.{of}"]]:
        left += (
            f" Of {several(named)} a single passage is held out, and the Deltas, which compare with passages "
            "drawn from several, are not measured."
        )
    return (
        f"Plain English is here {text}. Everything is measured in pieces of "
        f"{count(summary['register.words'])} words; copied is what stands in runs of "
        f"{count(summary['register.copied_run'])} words or more of the training text; the Deltas compare the "
        f"{count(summary['register.frequent'])} most frequent words.{left}"
    )


def trial(summary: Summary) -> str:
    """How the battery's trial on known mixtures came out."""
    tried = tried_measures(summary)
    if not tried:
        return ""
    failed = [MEASURES[name].label for name, passed in tried.items() if not passed]
    if not failed:
        return f"All {count(len(tried))} scales put the mixtures in order."
    deltas = any(name.startswith(("burrows", "cosine")) for name, passed in tried.items() if not passed)
    why = (
        " The testbed’s two languages share most of the frequent words that Deltas compare; and a distance to one text "
        "alone also tells how sure its frequencies are."
        if deltas
        else ""
    )
    return (
        f"{count(len(tried) - len(failed))} of {count(len(tried))} scales put the mixtures in order; "
        f"{several(failed)} did not.{why}"
    )
