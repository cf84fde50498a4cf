"""Tables of the way from text to rows: the corpus, its words, what became of them, and where their rows start."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from wake2vec.report.findings import MARK
from wake2vec.report.geometry_tables import NOTHING_MEASURED
from wake2vec.report.markdown import NOTHING, count, flatten, number, percent, setting, table
from wake2vec.report.results import Results

Summary = Mapping[str, Any]
COINAGES = 25  # words that the lexicon table shows
NAMED = 25  # words that got no row by name
KINDS = 12  # kinds of reasons that a table tells apart


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
        shown = count(done) if isinstance(done, int) and not isinstance(done, bool) else setting(done)
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
    """What became of the words of the text: kept, with a row and without one, or why not; the most frequent of each."""
    excluded = results.lexicon[results.lexicon["status"] == "excluded"]
    kept, without = int((results.lexicon["status"] == "kept").sum()), rowless(results)
    rows = [["kept, with a new row", count(kept - len(without)), ""]]
    rows += [["kept, without a new row", count(len(without)), named(without)]] if without else []
    rows += by_kind(excluded["word"], excluded["reason"])
    return table(["Reason", "Distinct words", "For example"], rows, "lrl")


def rowless(results: Results) -> list[str]:
    """The kept words that have no new row in any of their forms, the most frequent first."""
    with_row = {form["word"] for form in results.injection.get("forms", [])}
    kept = results.lexicon.loc[results.lexicon["status"] == "kept", "word"]
    return [word for word in kept if word not in with_row]


def named(words: list[str]) -> str:
    """The words, as far as there is room."""
    return ", ".join([*words[:NAMED], *(["…"] if len(words) > NAMED else [])])


def by_kind(words: Iterable[str], reasons: Iterable[str]) -> list[list[str]]:
    """[kind of reason, how many, the first six of them] for every kind, the most common first; rare kinds together."""
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
    """What became rows of the embedding and the head, and what did not: words, and forms of words."""
    without = rowless(results)
    rows = [
        ["rows of the base matrix", count(summary["injection.base_rows"]), ""],
        ["new rows", count(summary["injection.new_rows"]), f"for {count(summary['injection.words'])} words"],
        ["kept words without a new row", count(len(without)), named(without)],
        ["new rows seen three times or more in training", count(summary["injection.rows_3_or_more"]), ""],
        ["new rows seen once in training", count(summary["injection.rows_once"]), ""],
        ["new rows that occur in the held-out text only", count(summary["injection.rows_only_held_out"]), ""],
        ["new rows that occur in neither text", count(summary["injection.rows_nowhere"]), ""],
        ["new rows that occur in the held-out text", count(summary["injection.rows_in_held_out"]), ""],
        ["forms that the base has already", count(summary["injection.reused"]), ""],
    ]
    refused = results.injection.get("not_injectable", [])
    kinds = by_kind((row.get("form", row["word"]) for row in refused), (row["reason"] for row in refused))
    rows += [[f"forms without a row: {kind}", *others] for kind, *others in kinds]
    if trip := results.injection.get("round_trip"):
        back = trip["passages"] - trip["lost"]
        rows.append(["passages that decode back to themselves", f"{count(back)} of {count(trip['passages'])}", ""])
    saw = "yes: every score is marked " + MARK if summary["lexicon_saw_held_out"] else "no"
    rows.append(["the word list saw the held-out text", saw, ""])
    return table(["", "", ""], rows, "lrl")


def initial_table(initial: Mapping[str, Any]) -> str:
    """Where new rows start, a column a matrix: what they were made from, how long they are, how near to base rows."""
    sides = {name: initial[name] for name in ("embedding", "head") if initial.get(name) and initial.get("rows")}
    if not sides:
        return NOTHING_MEASURED
    kinds = dict.fromkeys(kind for side in sides.values() for kind in side["made_from"])
    rows = [
        [f"made from: {kind}", *(count(side["made_from"].get(kind, 0)) for side in sides.values())] for kind in kinds
    ]
    rows += [
        ["norm, mean ± standard deviation", *(_spread(side["norm"]) for side in sides.values())],
        ["norm, smallest to largest", *(_range(side["norm"]) for side in sides.values())],
        ["norm of the base rows, mean ± standard deviation", *(_spread(side["base_norm"]) for side in sides.values())],
        [
            "cosine with the nearest base row, mean ± standard deviation",
            *(_spread(side["nearest"]["cosine"]) for side in sides.values()),
        ],
        ["… of how many new rows", *(count(side["nearest"]["sample"]) for side in sides.values())],
        ["… different base rows among the nearest", *(count(side["nearest"]["distinct"]) for side in sides.values())],
    ]
    return table(["", *sides], rows, "l" + "r" * len(sides))


def nearest_table(initial: Mapping[str, Any]) -> str:
    """A few new rows of the embedding with the base row that each is nearest to before any training."""
    examples = initial.get("embedding", {}).get("nearest", {}).get("examples", [])
    rows = [[row["form"], row["base"], number(row["cosine"])] for row in examples]
    return table(["New row", "Nearest base row", "Cosine"], rows, "llr") if rows else NOTHING_MEASURED


def _spread(values: Mapping[str, Any]) -> str:
    return f"{number(values['mean'])} ± {number(values['std'])}"


def _range(values: Mapping[str, Any]) -> str:
    return f"{number(values['min'])} to {number(values['max'])}"
