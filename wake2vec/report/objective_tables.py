"""Tables of P3's terms: each term's own measure in a run, and its gains over the λ of a sweep.

A term is judged on words that were held out of it, beside its controls. One run shows what moved; only a sweep, which
has a run with no term to compare with, says what moved it.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from wake2vec.report.markdown import NOTHING, Markdown, count, escape, interval, number, signed, table

TERMS = {
    "morpheme": "cosine to the parts’ mean",
    "direction": "cosine of the way from the root to its affix’s",
    "device": "cosine within a device, less across",
    "repulsion": "squared cosine with other words",
    "norm": "squared deviation from the base’s norm",
}
KINDS = {
    "trained": "trained on",
    "heldout": "held out",
    "random": "random control",
    "shuffled": "shuffled base",
}
RANDOM = {
    "morpheme": "random parts",
    "direction": "other affixes",
    "device": "devices handed round",
    "repulsion": "base rows",
}
GAINS = ("trained", "heldout", "over_random", "over_shuffled")
VERDICTS = {
    "generalises": "acts and generalises",
    "controls": "acts; held-out words gain, but not measurably more than their controls",
    "trained": "acts on the words that it trains on and not measurably beyond them",
    "still": "does not measurably act: not even on the words that it trains on",
    "no_words": "there are no such words to measure",
}


def column(term: str, kind: str) -> str:
    """The column of history.csv that holds a term's measure."""
    return f"cosine_{kind}_pairs" if term == "morpheme" else f"{term}_{kind}"


def term_values(history: pd.DataFrame) -> dict[str, float]:
    """Names and values of the summary: `p3.terms.{term}.{kind}.first|final`, of what was measured."""
    values = {}
    for term in TERMS:
        for kind in KINDS:
            name = column(term, kind)
            if name in history and len(measured := history[name].dropna()):
                ends = {"first": measured.iloc[0], "final": measured.iloc[-1]}
                values |= {f"p3.terms.{term}.{kind}.{end}": float(value) for end, value in ends.items()}
    return values


def terms_table(summary: Mapping[str, Any]) -> str:
    """Each term's own measure at P3's first and last evaluation: words trained on, held out, and controls of these."""
    rows = []
    for term, about in TERMS.items():
        label = f"{term}: {about}"
        for kind, name in KINDS.items():
            first, final = (summary.get(f"p3.terms.{term}.{kind}.{end}") for end in ("first", "final"))
            if first is not None and final is not None:
                name = RANDOM.get(term, name) if kind == "random" else name
                rows.append([label, name, number(first), number(final), signed(final - first)])
                label = ""
    header = ["Term and measure", "Words", "First measured", "Last measured", "Change"]
    return table(header, rows, "llrrr") if rows else ""


def sweep_table(values: Mapping[str, Any]) -> str:
    """sweep.md: the verdicts of a sweep in words, its gains and costs, and the measures behind them."""
    judged, levels = [], []
    for entry in values["entries"]:
        about = [entry["term"], f"{entry['lambda']:g}"]
        gains = [_gain(entry.get("gain", {}).get(name)) for name in GAINS]
        judged.append([*about, *gains, _gain(entry["cost"], 4)])
        if (before := values["baseline"].get(entry["term"])) and not any(row[0] == entry["term"] for row in levels):
            levels.append([entry["term"], "0", *(number(before[kind]) for kind in KINDS)])
        if "measure" in entry:
            levels.append([*about, *(number(entry["measure"][kind]) for kind in KINDS)])
    leak = " The word list saw the held-out text, so the costs are no fair scores." * values["lexicon_saw_held_out"]
    header = ["Term", "λ", "Gain, trained", "Gain, held out", "Held out over random", "Held out over shuffled base"]
    return Markdown(
        "".join(f"- {escape(sentence(entry))}\n" for entry in values["entries"])
        + f"\n{escape(_words(values))}\n\n"
        + table([*header, "Bits per byte"], judged, "lrrrrrr")
        + "\nGains are differences of a term’s own measure from the run with no term, signed so that more is better, "
        + f"and means over words; the intervals of a column hold together with 95 % ({100 * values['level']:.2f} % "
        + "each), the costs’ with 95 % each. More bits per byte are worse; the run with no term has "
        + f"{number(values['bits_per_byte'], 4)}.{leak}\n\n"
        + table(["Term", "λ", *KINDS.values()], levels, "lrrrrr")
        + "\nEach term’s own measure at the end of P3 ("
        + "; ".join(f"{term}: {about}" for term, about in TERMS.items() if any(row[0] == term for row in levels))
        + ").\n"
    )


def sentence(entry: Mapping[str, Any]) -> str:
    """One λ of one term in words, with its cost."""
    said = f"{entry['term'].capitalize()} at λ = {entry['lambda']:g} {VERDICTS[entry['verdict']]}"
    if gains := entry.get("gain"):
        said += f" (held-out words {_gain(gains['heldout'])}"
        said += f", over random {_gain(gains['over_random'])})" if gains["over_random"] else ")"
    return f"{said}, at {_gain(entry['cost'], 4)} bits per byte."


def _gain(figure: Mapping[str, float] | None, decimals: int = 3) -> str:
    if figure is None:
        return NOTHING
    bounds = interval((figure["low"], figure["high"]), decimals)
    return f"{signed(figure['mean'], decimals)} {bounds}".strip()


def _words(values: Mapping[str, Any]) -> str:
    """How many words are behind the gains, term by term."""
    counted = {e["term"]: e["words"] for e in values["entries"] if "words" in e}
    said = [f"{term} {count(w['heldout'])} of {count(w['heldout'] + w['trained'])}" for term, w in counted.items()]
    return f"Words held out: {'; '.join(said)}." if said else "No words were measured."
