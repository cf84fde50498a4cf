"""Whether a coinage's row lies near the parts it was made of: the testbed's truth, seen in the geometry.

For every coinage (its form most frequent in training) and every gold part whose row the base has (a part that is one
piece of the base tokenizer), the rank of the part's row among all B base rows by cosine: 1 is the nearest, and of
rows equally near the part counts as the last.

Chance.   A rank drawn from 1..B: median (B + 1)/2, mean reciprocal rank (1 + 1/2 + ... + 1/B) / B, top ten 10 / B.
Shuffled. The gold parts handed round at random among the coinages of the same count group and kind. Frequent words lie
          near everything, and rows of new words share a direction: both raise this as well, so what counts is the
          distance from it. `p`, two-sided, is twice the smaller of (1 + shuffles whose median rank is at most, or at
          least, the observed one) / (1 + shuffles), over the parts that could be handed on; a shuffle may leave some
          where they were, or all, as it must for p to be right however few there are (Phipson & Smyth 2010, Stat.
          Appl. Genet. Mol. Biol. 9). `z` is the observed median less the shuffles' mean, over their deviation. The
          averages are of parts that did come to another; `auc`, the effect size, is the chance that a part ranks
          nearer to its own coinage than to that one.
Centred.  All of it again with the mean base row taken from the base rows and the mean new row from the new rows,
          which removes the direction that all new rows have in common.
Intervals: bootstrap over coinages, the unit that was sampled (parts of one coinage share its row), as much farther from
the value as few coinages ask (`intervals`). None of fewer than LEAST, whose median reaches no farther than
they do; and none of a share, or a change of one, that is the same in every draw.

A row that was initialised from its parts recovers them before any training, so `change` compares the same coinages
with their initial rows. An objective draws the words that it trains on to their parts, so `held_out` has the others by
themselves, with the parts handed round among them alone.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields

import numpy as np

from wake2vec.geometry.neighbours import frequent_forms
from wake2vec.geometry.vectors import Rows, mean_row, norms, spans, unit, walk
from wake2vec.intervals import bootstrap_interval
from wake2vec.text.words import COUNTS, normalise

LEAST = 6  # coinages that an interval needs
TIE = 1e-6  # cosines closer than this are equal: float32 products of equal rows may differ by rounding


Means = tuple[np.ndarray, np.ndarray] | None


@dataclass(frozen=True)
class Pairs:
    """One entry for every gold part that has a base row, of a coinage that has a row; arrays of one length."""

    coinage: np.ndarray  # position of the coinage in gold.jsonl
    row: np.ndarray  # its new row
    target: np.ndarray  # the part's base row
    group: np.ndarray  # training count, as in COUNTS
    kind: np.ndarray
    role: np.ndarray


def measure_recovery(
    rows: Rows,
    gold: list[dict],
    forms: list[dict],
    base_ids_of: Mapping[str, list[int]],
    seed: int,
    shuffles: int = 999,
    draws: int = 1000,
    initial: Rows | None = None,
    held_out: Collection[str] | None = None,
) -> dict:
    """Ranks of gold parts by training count, kind and role: the values of recovery.json.

    gold: rows of gold.jsonl. forms: those of injection.json. base_ids_of: the piece ids of every part's text under
    the base tokenizer. initial: the rows before training, to compare with. held_out: the words that an objective left
    out, to be asked by themselves. "coinages" and "parts" count those measured; "coinages_without_row" and
    "parts_without_row" the others.

    Raises ValueError when a piece id lies outside the base rows.
    """
    pairs, without_row, without_part_row = gold_pairs(gold, forms, base_ids_of, len(rows.base))
    figures = _figures_of(rows, pairs, seed, shuffles, draws, initial)
    labels = [label for label in COUNTS if label != "0" or (pairs.group == "0").any()]
    out = None
    if held_out is not None:
        words = {normalise(word) for word in held_out}
        mine = np.array([normalise(gold[coinage]["word"]) in words for coinage in pairs.coinage.tolist()], bool)
        some = Pairs(*(getattr(pairs, field.name)[mine] for field in fields(pairs)))
        out = _figures_of(rows, some, seed, shuffles, draws, initial)(np.ones(len(some.row), bool))
    return {
        "base_rows": len(rows.base),
        "coinages_without_row": without_row,
        "parts_without_row": sum(without_part_row.values()),
        "groups": [{"count": label} | figures(pairs.group == label) for label in labels],
        "by_kind": {kind: figures(pairs.kind == kind) for kind in sorted({g["kind"] for g in gold})},
        "by_role": {
            role: figures(pairs.role == role) | {"parts_without_row": without_part_row.get(role, 0)}
            for role in sorted({part["role"] for g in gold for part in g["parts"]})
        },
        "held_out": out,
    }


def _figures_of(
    rows: Rows, pairs: Pairs, seed: int, shuffles: int, draws: int, initial: Rows | None
) -> Callable[[np.ndarray], dict]:
    """The figures of some of the pairs, as a function of which (bool [pairs])."""
    receivers = hand_round(pairs, shuffles, np.random.default_rng(seed))
    plain = rank_all(rows.new, rows.base, pairs, receivers)
    centred = rank_all(rows.new, rows.base, pairs, receivers, (mean_row(rows.new), mean_row(rows.base)))
    moved = receivers != pairs.row
    first = None if initial is None else rank(initial.new, initial.base, pairs.row, pairs.target).astype(float)

    def figures(kept: np.ndarray) -> dict:
        weights = resampled(pairs.coinage[kept], np.random.default_rng(seed), draws)
        coinages = len(np.unique(pairs.coinage[kept]))
        own, own_centred = (
            summarise(r[:, kept], moved[:, kept], weights, len(rows.base), coinages) for r in (plain, centred)
        )
        change = None if first is None else _change(first[kept], plain[0, kept], weights, coinages)
        about = {"coinages": coinages, "parts": int(kept.sum())}
        return about | own | {"change": change, "centred": own_centred}

    return figures


def _change(before: np.ndarray, after: np.ndarray, weights: np.ndarray, coinages: int) -> dict:
    """By how much the median rank and the share in the top ten changed, on the same coinages: {figure: {"before",
    "value", "interval"}}.
    """
    first, last = averages(before), averages(after)
    drawn = resampled_averages(before, weights), resampled_averages(after, weights)
    return {
        name: {
            "before": first[name],
            "value": last[name] - first[name] if len(after) else None,
            "interval": _interval(name, last[name] - first[name], drawn[1][name] - drawn[0][name], coinages, *bounds)
            if len(after)
            else None,
        }
        for name, bounds in (("median_rank", (-np.inf, np.inf)), ("top10", (-1.0, 1.0)))
    }


def gold_pairs(
    gold: list[dict], forms: list[dict], base_ids_of: Mapping[str, list[int]], base_rows: int
) -> tuple[Pairs, int, dict[str, int]]:
    """The pairs of coinage row and part row, the coinages without a row, and the parts without one by role."""
    row_of = {normalise(form["word"]): form["row"] for form in frequent_forms(forms)}
    found, without_row, without_part_row = [], 0, {}
    for coinage, entry in enumerate(gold):
        row = row_of.get(normalise(entry["word"]))
        if row is None:
            without_row += 1
            continue
        for part in entry["parts"]:
            ids = base_ids_of.get(part["text"], [])
            if len(ids) != 1:
                without_part_row[part["role"]] = without_part_row.get(part["role"], 0) + 1
            elif not 0 <= ids[0] < base_rows:
                raise ValueError(f'part "{part["text"]}" has piece id {ids[0]}, but there are {base_rows} base rows')
            else:
                found.append((coinage, row, ids[0], count_group(entry["count_train"]), entry["kind"], part["role"]))
    columns = list(zip(*found, strict=True)) if found else [[]] * 6
    numbers, names = (np.array(column, np.int64) for column in columns[:3]), (np.array(c, str) for c in columns[3:])
    return Pairs(*numbers, *names), without_row, without_part_row


def count_group(count: int) -> str:
    """The group of a training count: "0", "1", "2", "3-5", "6-10" or "11+"."""
    return next(label for label, (low, high) in COUNTS.items() if low <= count <= high)


def hand_round(pairs: Pairs, shuffles: int, rng: np.random.Generator) -> np.ndarray:
    """The new row to which each pair's part is handed, [shuffles, pairs]: that of a coinage of the same count group and
    kind, by a random permutation of them; -1 where there is no other.
    """
    receivers = np.full((shuffles, len(pairs.coinage)), -1, np.int64)
    cell = np.char.add(np.char.add(pairs.group, " "), pairs.kind) if len(pairs.coinage) else pairs.group
    for label in np.unique(cell):
        inside = np.flatnonzero(cell == label)
        members, first, member_of = np.unique(pairs.coinage[inside], return_index=True, return_inverse=True)
        if len(members) < 2:
            continue
        rows = pairs.row[inside][first]
        for shuffle in range(shuffles):
            receivers[shuffle, inside] = rng.permutation(rows)[member_of]
    return receivers


def rank_all(new: np.ndarray, base: np.ndarray, pairs: Pairs, receivers: np.ndarray, means: Means = None) -> np.ndarray:
    """Rank of every pair's part for its own coinage (first) and for the receivers, float64 [1 + shuffles, pairs]."""
    queries = np.concatenate([pairs.row[None], receivers])
    targets = np.broadcast_to(pairs.target, queries.shape)
    ranks, asked = np.full(queries.shape, np.nan), queries >= 0
    ranks[asked] = rank(new, base, queries[asked], targets[asked], means)
    return ranks


def rank(
    new: np.ndarray, base: np.ndarray, queries: np.ndarray, targets: np.ndarray, means: Means = None
) -> np.ndarray:
    """For each pair (new row, base row) how many base rows have at least that cosine to the new row: 1 = nearest, int
    [pairs].

    means: rows [d] that are first taken from the new and from the base rows. Ties are pessimistic. Time (number of
    different new rows) x B x (d + log B); memory: a block of cosines. The base rows are not copied: of k less its mean
    m the cosine is (q . k - q . m) / |k - m|.
    """
    asked, which = np.unique(queries, return_inverse=True)
    order = np.argsort(which, kind="stable")
    bounds = np.searchsorted(which[order], np.arange(len(asked) + 1))
    ranks = np.zeros(len(queries), np.int64)
    new_mean, base_mean = means if means is not None else np.zeros((2, new.shape[1]), np.float32)
    lengths = np.concatenate([norms(block - base_mean) for block in walk(base)()] or [np.zeros(0)])
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0).astype(np.float32)
    for span in spans(len(asked), len(base)):
        queried = unit(new[asked[span]] - new_mean)
        cosines = (queried @ base.T - (queried @ base_mean)[:, None]) * inverse
        for offset, line in enumerate(cosines):
            mine = order[bounds[span.start + offset] : bounds[span.start + offset + 1]]
            least = line[targets[mine]] - np.float32(TIE)
            ranks[mine] = len(line) - np.searchsorted(np.sort(line), least, side="left")
    return ranks


def resampled(coinage: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Bootstrap over coinages: how often each pair's coinage was drawn, float64 [draws, pairs]."""
    members, member_of = np.unique(coinage, return_inverse=True)
    if not len(members):
        return np.zeros((draws, 0))
    return rng.multinomial(len(members), np.full(len(members), 1 / len(members)), draws)[:, member_of].astype(float)


def summarise(ranks: np.ndarray, moved: np.ndarray, weights: np.ndarray, base_rows: int, coinages: int) -> dict:
    """Figures of own ranks (the first of ranks [1 + shuffles, pairs], of so many coinages) with intervals, chance and
    the shuffled ranks. moved: which parts a shuffle handed to another, [shuffles, pairs].
    """
    own, handed = ranks[0], ranks[1:]
    movable = np.isfinite(handed).all(0) if len(handed) else np.zeros(len(own), bool)
    harmonic = float((1 / np.arange(1, base_rows + 1)).sum())
    values = averages(own) | {
        "chance": {
            "median_rank": (base_rows + 1) / 2 if base_rows else None,
            "mean_reciprocal_rank": harmonic / base_rows if base_rows else None,
            "top1": 1 / base_rows if base_rows else None,
            "top10": min(10, base_rows) / base_rows if base_rows else None,
        },
        "shuffled": _shuffled(own[movable], handed[:, movable], moved[:, movable]),
    }
    for name, drawn in resampled_averages(own, weights).items():
        bounds = (1, base_rows) if name == "median_rank" else (0.0, 1.0)
        values[f"{name}_interval"] = _interval(name, values[name], drawn, coinages, *bounds) if len(own) else None
    return values if len(own) else values | {"reason": "no coinage here has a row and a part with a row"}


def _interval(name: str, value: float, drawn: np.ndarray, coinages: int, low: float, high: float) -> list[float] | None:
    """The 95 % interval of a figure (of `averages`) from its bootstrap draws [draws], within the possible range."""
    if coinages < LEAST or (name != "median_rank" and not np.ptp(drawn)):
        return None
    return list(bootstrap_interval(value, drawn, coinages, low, high))


def averages(ranks: np.ndarray) -> dict:
    """Median rank, mean reciprocal rank, and the shares at rank 1 and within 10; None for no ranks."""
    if not ranks.size:
        return dict.fromkeys(("median_rank", "mean_reciprocal_rank", "top1", "top10"))
    return {
        "median_rank": float(np.median(ranks)),
        "mean_reciprocal_rank": float((1 / ranks).mean()),
        "top1": float((ranks <= 1).mean()),
        "top10": float((ranks <= 10).mean()),
    }


def resampled_averages(ranks: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Median rank, mean reciprocal rank and top-ten share of every bootstrap draw; weights [draws, pairs]."""
    if not len(ranks):
        return {name: np.zeros(0) for name in ("median_rank", "mean_reciprocal_rank", "top10")}
    order = np.argsort(ranks, kind="stable")
    total, reached = weights.sum(1), np.cumsum(weights[:, order], axis=1)
    # The median of a list with repetitions: the mean of its two middle entries, which coincide when its length is odd.
    lower, upper = (reached >= total[:, None] / 2).argmax(1), (reached > total[:, None] / 2).argmax(1)
    return {
        "median_rank": (ranks[order[lower]] + ranks[order[upper]]) / 2,
        "mean_reciprocal_rank": weights @ (1 / ranks) / total,
        "top10": weights @ (ranks <= 10) / total,
    }


def _shuffled(own: np.ndarray, handed: np.ndarray, moved: np.ndarray) -> dict:
    """`averages` over all shuffles of what came to another, the 95 % range of the shuffles' medians, p, z and auc; None
    if nothing was handed round.
    """
    if not moved.any():
        return averages(handed[:0]) | dict.fromkeys(("median_rank_interval", "p", "z", "auc"))
    medians, observed = np.median(handed, axis=1), np.median(own)
    beyond = min((medians <= observed).sum(), (medians >= observed).sum())
    means = [averages(line[elsewhere]) for line, elsewhere in zip(handed, moved, strict=True) if elsewhere.any()]
    nearer = (own < handed) + (own == handed) / 2
    return {name: float(np.mean([m[name] for m in means])) for name in means[0]} | {
        "median_rank_interval": np.quantile(medians, [0.025, 0.975]).tolist(),
        "p": float(min(1.0, 2 * (1 + beyond) / (1 + len(medians)))),
        "z": float((observed - medians.mean()) / medians.std()) if medians.std() else None,
        "auc": float(nearer[moved].mean()),
    }
