"""What each term of P3 does at each λ, on words that were held out of it, against a run without any term.

For a word w, a term and a λ, with m the term's own measure (objective_measures.py; its sign such that more is better)

    gain(w) = m_λ(w) - m_0(w)       net(w) = gain(w) - (control_λ(w) - control_0(w))

m_0 is of the run with no term, which started from the same rows and saw the same text. The control is that of random
pairs, and where there is one that of permuted base rows. A term acts if its trained words gain, and it generalises only
if held-out words gain, and gain more than every control of theirs. Means have Student's t intervals over words (those
held out are few, and percentiles of a bootstrap too narrow for them), each at 1 - 0.05/K, K the number of the sweep's
runs with a term: so those of one gain over all runs hold at once with 95 % (Bonferroni), and so do the verdicts, which
ask for the gains in a fixed order and stop at the first that is not sure (Maurer, Hothorn & Lehmacher 1995). What it
costs is the paired difference in held-out bits per byte, with its own 95 %.

Words are what was sampled: the intervals are about other words of these affixes and devices, and about these runs, not
about other affixes or seeds. Where rows share their parts, a held-out word moves with the parts that it has in common
with trained words, and that is what generalising means there: the words are held out, not their parts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wake2vec.language.comparison import compare as compare_scores
from wake2vec.storage import load_arrays, read_values
from wake2vec.training.objective_pairs import BETTER, Material, gather

CONTROLS = ("random", "shuffled")


def compare_runs(
    paths: Mapping[str, Any], runs: Mapping[str, tuple[str | None, float]], settings: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    """The values of sweep.json.

    paths: manifest, injection, segmentation, morphemes, perhaps coined and devices; rows and likelihoods, one of each
    run, in the order of runs. runs: name -> (term, λ), the first with no term. settings: p3's block. seed: of the run.
    """
    import torch

    files = dict(zip(runs, paths["rows"], strict=True))
    scores = {run: read_values(path) for run, path in zip(runs, paths["likelihoods"], strict=True)}

    def rows_of(run: str) -> torch.Tensor:
        return torch.from_numpy(load_arrays(files[run], ["embedding.new"])["embedding.new"])

    return compare(gather(paths, settings, seed), rows_of, scores, runs)


def compare(
    material: Material,
    rows_of: Callable[[str], Any],
    scores: Mapping[str, Mapping[str, Any]],
    runs: Mapping[str, tuple[str | None, float]],
) -> dict[str, Any]:
    """`compare_runs` of what is in memory: the new rows [n, d] (torch) of a run, and its likelihood.json."""
    none = next(iter(runs))
    level = 0.05 / max(1, len(runs) - 1)
    before, entries = _words(material, rows_of(none)), []
    measured = set(before.index.get_level_values("term"))
    for run, (term, value) in runs.items():
        if term is None:
            continue
        entry = {"run": run, "term": term, "lambda": value, "cost": cost(scores[run], scores[none])}
        if term in measured:
            entry |= judge(before.loc[term], _words(material, rows_of(run)).loc[term], BETTER[term], level)
        entries.append({"verdict": "no_words"} | entry)
    baseline = {term: _levels(before.loc[term]) for term in BETTER if term in measured}
    return {
        "without": none,
        "level": 1 - level,
        "bits_per_byte": scores[none]["bits_per_byte"],
        "baseline": baseline,
        "entries": entries,
        "lexicon_saw_held_out": bool(scores[none].get("lexicon_saw_held_out")),
    }


def moved(material: Material, before: Any, after: Any, terms: Sequence[str]) -> dict[str, Any]:
    """`judge` of one run by itself, for each of its terms that has words: the rows [n, d] (torch) at its end against
    those at its beginning. What moved them, only a run without the term can say.
    """
    first, last = _words(material, before), _words(material, after)
    measured = [term for term in terms if term in first.index.get_level_values("term")]
    return {term: judge(first.loc[term], last.loc[term], BETTER[term], 0.05) for term in measured}


def _words(material: Material, new: Any) -> pd.DataFrame:
    """Measures by (term, word), a word's rows taken together."""
    from wake2vec.training.objective_measures import by_word

    table = by_word(material, new)
    return table.groupby(["term", "word"], sort=True).mean()


def _levels(table: pd.DataFrame) -> dict[str, float | None]:
    """Mean measure of trained and of held-out words, and of the controls of these."""
    out = table["held_out"] > 0
    means = {"trained": table.loc[~out, "value"].mean(), "heldout": table.loc[out, "value"].mean()}
    means |= {control: table.loc[out, control].mean() for control in CONTROLS}
    return {name: None if np.isnan(value) else float(value) for name, value in means.items()}


def judge(before: pd.DataFrame, after: pd.DataFrame, sign: int, level: float) -> dict[str, Any]:
    """Measures, gains and the verdict of one term at one λ.

    before, after: by word, columns held_out, value, random, shuffled. sign: 1 where more is better, else -1. level: of
    each interval, the chance that the mean lies outside.
    """
    gain = sign * (after[["value", *CONTROLS]] - before[["value", *CONTROLS]])
    out = (before["held_out"] > 0).to_numpy()
    held_out = gain[out]
    gains = {"trained": interval(gain.loc[~out, "value"], level), "heldout": interval(held_out["value"], level)}
    for control in CONTROLS:
        gains[control] = interval(held_out[control], level)
        gains[f"over_{control}"] = interval(held_out["value"] - held_out[control], level)
    return {
        "words": {"trained": int((~out).sum()), "heldout": int(out.sum())},
        "measure": _levels(after),
        "gain": gains,
        "verdict": verdict(gains),
    }


def verdict(gains: Mapping[str, Mapping[str, Any] | None]) -> str:
    """`still` (trained words do not gain), `trained` (they do, held-out ones do not), `controls` (held-out words gain,
    but no more than a control of theirs), or `generalises`.
    """

    def gained(name: str) -> bool:
        return gains[name] is not None and gains[name]["low"] > 0

    if not gained("trained"):
        return "still"
    if not gained("heldout"):
        return "trained"
    measured = [f"over_{control}" for control in CONTROLS if gains[f"over_{control}"] is not None]
    return "generalises" if all(gained(name) for name in measured) else "controls"


def interval(values: Any, level: float) -> dict[str, float] | None:
    """Mean over words and its Student's t interval; None where fewer than two were measured."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return None
    mean, reach = values.mean(), stats.t.ppf(1 - level / 2, len(values) - 1) * stats.sem(values)
    return {"mean": float(mean), "low": float(mean - reach), "high": float(mean + reach)}


def cost(scored: Mapping[str, Any], without: Mapping[str, Any]) -> dict[str, float | None]:
    """Bits per byte more than without any term, and its paired 95 % interval. Below 0 is a gain."""
    found = compare_scores(without, scored)
    low, high = found["interval"] or (None, None)
    return {"mean": found["bits_per_byte"], "low": low, "high": high}
