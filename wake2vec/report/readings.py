"""What follows from a figure, in one plain sentence: pure functions of the figure, its interval and its null.

A figure is read against what structureless rows of the same shape give, never against nothing: inside the null's
range it is no evidence of structure, outside it the sentence says in which direction, and how far (an effect size,
not a p-value). Where the null has a p that was corrected for the number of tests (`multiplicity`), that decides which
of the two it is. Words for standardised differences are Cohen's (1988): negligible below 0.2, small below 0.5, medium
below 0.8, large from there on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from wake2vec.report.markdown import number, percent, several, with_interval

NOT_MEASURED = "Not measured: too few rows."
TOO_FEW = "Too few coinages to compare."
NO_STRUCTURE = "Indistinguishable from no structure."
Null = Mapping[str, Any] | None
Interval = Sequence[float | None] | None
Gain = tuple[float | None, Interval]


def place(value: float | None, null: Null) -> str | None:
    """Where a value lies: "below", "within" or "above" the null's range; None when either is missing.

    With `p_adjusted` in the null, a value is within where that is 0.05 or more, and else on its side of the mean: by
    z where there is one, since a value that is shown in whole numbers may be tested with its decimals.
    """
    low, high = (null or {}).get("low"), (null or {}).get("high")
    if value is None or null is None or low is None or high is None:
        return None
    if null.get("p_adjusted") is not None:
        beyond = value - null["mean"] if null.get("z") is None else null["z"]
        return "within" if null["p_adjusted"] >= 0.05 else "below" if beyond < 0 else "above"
    return "below" if value < low else "above" if value > high else "within"


def direction(bounds: Interval) -> str | None:
    """The sign that a 95 % interval is sure of: "down", "up" or "unclear"; None without an interval."""
    if not bounds or None in bounds:
        return None
    return "down" if bounds[1] < 0 else "up" if bounds[0] > 0 else "unclear"


def magnitude(effect: float) -> str:
    """Cohen's word for a standardised difference."""
    size = abs(effect)
    return "negligible" if size < 0.2 else "small" if size < 0.5 else "medium" if size < 0.8 else "large"


def superiority(auc: float) -> str:
    """Vargha & Delaney's word (2000, J. Educ. Behav. Stat. 25) for the chance that one of a group exceeds one of
    another, which asks nothing of their distributions.
    """
    size = max(auc, 1 - auc)
    return "negligible" if size < 0.56 else "small" if size < 0.64 else "medium" if size < 0.71 else "large"


def standardised(mean: float | None, null: Null, deviation: float | None) -> float | None:
    """(mean - null's mean) / the values' own standard deviation; None when something is missing."""
    centre = (null or {}).get("mean")
    return (mean - centre) / deviation if mean is not None and centre is not None and deviation else None


def read_norms(d: float | None, bounds: Interval, auc: float | None, permuted: Null = None) -> str:
    """Whether new rows are longer than base rows; `permuted`: the null of d under shuffled labels."""
    if d is None:
        return NOT_MEASURED
    sure = direction(bounds)
    if sure == "unclear" or (permuted or {}).get("p_adjusted", 0) >= 0.05:
        return "New and base rows do not measurably differ in length."
    longer = "longer" if d > 0 else "shorter"
    if auc is None:
        return f"New rows are {longer} ({magnitude(d)} effect)."
    chance = f"a random new row is the longer one in {percent(auc, 0)} of pairs"
    if (d > 0) != (auc > 0.5):
        return f"New rows are {longer} on average, though {chance}."
    return f"New rows are {longer} ({superiority(auc)} effect): {chance}."


def read_isotropy(value: float | None, null: Null) -> str:
    """Whether rows spread over directions as structureless ones do."""
    return {
        None: NOT_MEASURED,
        "within": NO_STRUCTURE,
        "below": "Less even: some directions are favoured.",
        "above": "Nearer to 1 than without structure.",  # more even, or a sampled ratio of rows that all point one way
    }[place(value, null)]


def read_dimension(value: float | None, null: Null) -> str:
    """Whether rows fill fewer directions than structureless ones."""
    where = place(value, null)
    if where is None:
        return NOT_MEASURED
    if where == "within":
        return NO_STRUCTURE
    share = f", {percent(value / null['mean'], 0)} of theirs" if null and null.get("mean") else ""
    return f"{'Fewer' if where == 'below' else 'More'} directions than rows without structure fill{share}."


def read_similarity(mean: float | None, null: Null, deviation: float | None) -> str:
    """Whether pairs of rows are closer than random directions."""
    where, effect = place(mean, null), standardised(mean, null, deviation)
    if where is None:
        return NOT_MEASURED
    if where == "within":
        return "On average as far apart as random directions."
    size = "" if effect is None else f" ({magnitude(effect)} effect)"
    return f"On average {'closer' if where == 'above' else 'further apart'} than random directions{size}."


def read_ks(statistic: float | None, permutation_p: float | None) -> str:
    """Whether the cosines of new pairs are distributed as those of base pairs."""
    if statistic is None or permutation_p is None:
        return NOT_MEASURED
    differ = "differ" if permutation_p < 0.05 else "do not measurably differ"
    return f"The cosines of base and of new pairs {differ} (largest gap of their distributions {number(statistic, 2)})."


def read_permuted(difference: float | None, null: Null) -> str:
    """Whether new and base rows differ in a figure by more than groups of the same rows with shuffled labels."""
    return {
        None: NOT_MEASURED,
        "within": "No measurable difference.",
        "below": "Lower in new rows.",
        "above": "Higher in new rows.",
    }[place(difference, null)]


OBJECTIVE = "Says little: the objective draws most of these words there."


def read_directions(value: float | None, null: Null) -> str:
    """Whether words of an affix lie from their roots in one direction, beyond what all new words have in common."""
    return {
        None: "Not measured: too few words share an affix.",
        "within": "That is no more than all new words have in common, whatever their affix.",
        "below": "That is less than words of different affixes have in common.",
        "above": "Words of an affix share a direction, beyond what all new words have in common.",
    }[place(value, null)]


def read_overlap(mean: float | None, null: Null, k: int | None) -> str:
    """How much of a row's neighbourhood training left in place. `mean` is a share of k."""
    where = place(mean, null)
    if where is None:
        return NOT_MEASURED
    if where == "within":
        return "Not measurably more neighbours were kept than by chance."
    if where == "below":
        return "Fewer neighbours were kept than by chance."
    by_chance = number(null["mean"] * k, 2)
    return f"On average {number(mean * k, 1)} of {k} initial neighbours were kept, {by_chance} by chance."


def read_pip(value: float | None, null: Null) -> str:
    """PIP loss: whether the inner products among the rows changed as after moves of the same size at random."""
    return {
        None: NOT_MEASURED,
        "within": "Their arrangement changed as random moves of the same size would change it.",
        "below": "Their arrangement changed less than random moves of the same size would change it.",
        "above": "Their arrangement changed more than random moves of the same size would change it: the moves have "
        "something in common, with one another or with the rows.",
    }[place(value, null)]


def read_drift(mean: float | None, null: Null) -> str:
    """Mean cosine of rows to their initial selves, against moves of the same size in random directions."""
    return {
        None: NOT_MEASURED,
        "within": "They turned as moves of this size in random directions would turn them.",
        "below": "They turned further than moves of this size in random directions would turn them.",
        "above": "They turned less than moves of this size in random directions would: they grew or shrank as well.",
    }[place(mean, null)]


def read_recovery(rank: float | None, bounds: Interval, chance: float | None, shuffled: Null) -> str:
    """Whether the true parts of coinages lie nearer to them than chance and than other coinages’ parts.

    Ranks count from 1 (the nearest base row). For a yes the interval must lie wholly below chance, and the corrected p
    of parts handed round be below 0.05. shuffled: the null of parts handed round.
    """
    if rank is None or chance is None:
        return "Not measured: no such coinage has a row."
    where = place(rank, shuffled)
    if where is None or not bounds or None in bounds:
        return TOO_FEW
    if where == "below" and bounds[1] < chance:
        return "Nearer than both controls."
    if where == "above" and bounds[0] > chance:
        return "Farther than both controls."
    return "Not measurably nearer than the controls."


def read_objective(verdict: str | None, heldout: Gain, over: Mapping[str, Gain], weight: float | None = None) -> str:
    """Whether the morpheme objective acts beyond the pairs that it trains on.

    verdict: sweep.py's, of one run's end against its beginning, by intervals over words. heldout: the gain of pairs
    kept out, with its interval. over: control -> how much more that is than the control's. weight: the objective's; at
    0 the run is what others are compared with.
    """
    if verdict is None:
        return "Not measured."
    gains = [f"{with_interval(*gain)} more than {name}" for name, gain in over.items() if gain[0] is not None]
    rose = f"{with_interval(*heldout)}, which is {several(gains)}" if gains else with_interval(*heldout)
    if weight == 0:
        kept_out = "" if heldout[0] is None else f" Pairs kept out moved by {rose}."
        return f"The objective had no weight here: this is what training does without it.{kept_out}"
    if verdict == "still":
        return "The trained pairs themselves did not measurably draw closer: no sign that the objective acts."
    if heldout[0] is None:
        return "Too few pairs were kept out to say whether it acts beyond its own."
    beyond = "no sign that the objective acts beyond its own pairs"
    if verdict == "trained":
        moved = "fell" if direction(heldout[1]) == "down" else "did not measurably rise"
        return f"Pairs kept out {moved} ({with_interval(*heldout)}): {beyond}."
    if verdict == "controls":
        return f"Pairs kept out rose, but not measurably beyond every control of theirs ({rose}): {beyond}."
    return (
        f"Pairs kept out rose by {rose}; whether the objective is the cause, the same run with its weight at 0 decides."
    )
