"""The geometry's comparisons of groups and directions in the summary, and the correction of all its p-values for their
number.

A report looks at some hundred figures beside a null; one in twenty lies outside by chance. So the p-values of one
model's geometry, over all phases that have rows, are adjusted by Benjamini & Hochberg (1995, JRSS B 57;
`scipy.stats.false_discovery_control`): of what is called a finding at an adjusted p below 0.05, on average at most 5 %
are none. That holds for p-values that are independent or positively dependent (Benjamini & Yekutieli 2001, Annals of
Statistics 29), and measures of the same rows rise and fall together. The sentences of the report go by the adjusted p.

There are three families, since many sure findings in one family with open questions would leave these as good as
uncorrected: the rows of any trained model differ from rows without structure, and new rows from base rows.

chance      every figure under structureless rows, or under moves in random directions
labels      new rows and base rows, under shuffled labels
parts       affixes handed round among words, and true parts among coinages

For the same reason the initial rows stand apart in each, and of `parts` the words that P3's objective draws together:
what an initialisation or an objective put into them is by construction.
Base rows that no training changed count once, at the first phase; what no table shows counts nowhere. A p of a few
draws is that of Student's t for one draw more (`geometry.nulls`); one of K permutations is at least 1 / (1 + K).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scipy import stats

from wake2vec.layout import ROW_PHASES

Values = dict[str, Any]
LEVEL = 0.05
FAMILIES = {
    "chance": ("isotropy", "dimension", "similarity", "drift", "overlap", "pip_loss"),
    "labels": ("permuted",),
    "parts": ("directions", "recovery"),
}


def compared(phase: str, measured: Mapping[str, Mapping[str, Any]]) -> Values:
    """A phase's differences of the groups under permuted labels, and its affix directions, as values of the summary.

    `{phase}.permuted.{measure}.{figure}` with `.rows` (of each group) and `.null`; `{phase}.directions` and
    `{phase}.directions.centred` with `.interval`, `.null` and `.before`, `.change`, `.change.interval` (against the
    initial rows), and `.random`, `.words`, `.affixes`; `{phase}.directions.held_out` likewise, of the words that P3's
    objective left out.
    """
    values: Values = {}
    for measure in ("isotropy", "dimension", "similarity"):
        permuted = (measured.get(measure) or {}).get("permuted") or {}
        for figure, found in permuted.items():
            if isinstance(found, Mapping):
                values |= _difference(f"{phase}.permuted.{measure}.{figure}", found, permuted["rows"])
    ks = (measured.get("similarity") or {}).get("ks") or {}
    if ks.get("permutation_p") is not None:
        values[f"{phase}.permuted.similarity.ks"] = ks["statistic"]
        values[f"{phase}.permuted.similarity.ks.null"] = {"p": ks["permutation_p"]}
    if shuffled := ((measured.get("norms") or {}).get("cohens_d") or {}).get("permuted"):
        values |= _difference(f"{phase}.permuted.norms.cohens_d", shuffled, shuffled["rows"])
    if directions := measured.get("directions"):
        for name, found in (
            ("directions", directions),
            ("directions.centred", directions.get("centred") or {}),
            ("directions.held_out", directions.get("held_out") or {}),
        ):
            values[f"{phase}.{name}"] = found.get("value")
            values[f"{phase}.{name}.interval"] = found.get("interval")
            values[f"{phase}.{name}.null"] = found.get("shuffled")
            change = found.get("change") or {}
            values |= {f"{phase}.{name}.before": change.get("before"), f"{phase}.{name}.change": change.get("value")}
            values[f"{phase}.{name}.change.interval"] = change.get("interval")
            if name.endswith("held_out"):
                values[f"{phase}.{name}.words"] = found.get("words")
        values[f"{phase}.directions.random"] = (directions.get("random") or {}).get("mean")
        values |= {f"{phase}.directions.{name}": directions.get(name) for name in ("words", "affixes")}
    return values


def _difference(name: str, found: Mapping[str, Any], rows: int) -> Values:
    null = {key: found[key] for key in ("mean", "low", "high", "p", "shuffles")}
    return {name: found["difference"], f"{name}.rows": rows, f"{name}.null": null}


def adjusted(summary: Mapping[str, Any]) -> Values:
    """The summary with `p_adjusted` in the null of every geometry figure, and each family's size and findings.

    `geometry.{family}.tests` counts a family, `.below` its p below 0.05, `.found` its adjusted p below 0.05.
    """
    values = dict(summary)
    for family, measures in FAMILIES.items():
        members = [name for name in summary if _counts(name, summary, measures)]
        p = {name: summary[name]["p"] for name in members}
        corrected = {}
        for apart in ("init", "objective", "open"):
            corrected |= _corrected({name: one for name, one in p.items() if _made_by(name, family, summary) == apart})
        values |= {name: {**summary[name], "p_adjusted": q} for name, q in corrected.items()}
        below, found = (sum(one < LEVEL for one in some.values()) for some in (p, corrected))
        numbers = {"tests": len(p), "below": below, "found": found} if p else {}
        values |= {f"geometry.{family}.{name}": number for name, number in numbers.items()}
    return values


def drawn(summary: Mapping[str, Any], phase: str) -> bool:
    """Whether a phase's objective draws words to their parts, to their affix or to their device."""
    terms = ("morpheme", "direction", "device")
    return phase == "p3" and any(summary.get(f"p3.objective.{term}.weight") for term in terms)


def _made_by(name: str, family: str, summary: Mapping[str, Any]) -> str:
    """What put a figure there by construction: "init", "objective", or nothing ("open")."""
    phase = name.partition(".")[0]
    if phase == "init":
        return phase
    return "objective" if family == "parts" and drawn(summary, phase) and ".held_out." not in name else "open"


def _corrected(p: Mapping[str, float]) -> dict[str, float]:
    return dict(zip(p, stats.false_discovery_control(list(p.values())).tolist(), strict=True)) if p else {}


def _counts(name: str, summary: Mapping[str, Any], measures: Sequence[str]) -> bool:
    """Whether a name is that of a null of one of these measures, whose p counts."""
    phase, _, rest = name.partition(".")
    if phase not in ROW_PHASES or not name.endswith(".null") or rest.split(".")[0] not in measures:
        return False
    null = summary[name]
    if not isinstance(null, Mapping) or not isinstance(null.get("p"), int | float):
        return False
    if rest.startswith("isotropy.all."):  # which no table shows
        return False
    of_base = rest.startswith(("isotropy.base.", "dimension.base.", "similarity.base_base.", "drift.base."))
    return not of_base or phase == "init" or bool(summary.get(f"{phase}.drift.base.changed_rows"))
