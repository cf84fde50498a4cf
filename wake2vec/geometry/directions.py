"""Whether an affix moves its words one way: the cosine of a word's offset to the direction of the others that share it.

For a word w of affix a with root r the offset is o_w = E(w) - E(r), E(r) the mean of the root's base pieces' rows and
u_w = o_w / |o_w|. With S_a the sum of u over the words of a and S_ar that over those of them that have the root r,
    c_w = cos(u_w, S_a - S_ar),
the cosine to the mean direction of the others: a word is compared neither with itself nor with words of its own root,
with whose offsets its own has E(r) in common. Of words that share root and affix the first alone is looked at; shuffled
affixes bring others of one root together. The figure is the mean of c_w over all words whose affix has `LEAST` words or
more: 0 where offsets have no common direction, 1 where each affix is one vector. A word with prefix and suffix counts
once for each. Offsets as the analogies of Mikolov, Yih & Zweig (2013, NAACL) take them.

What a common "new word" direction does: new rows may all lie to one side of the base rows, and then every offset
points there, whatever the affix. So three things stand beside the figure.
Shuffled.  The same offsets, affixes shuffled among the words (prefixes and suffixes apart, each of which must have two
           affixes or more). The mean is what the common direction gives, p = (1 + shuffles at least as far from it) /
           (1 + shuffles), "effect" the difference from it.
Random.    Offsets of random pairs, the new row of one word less the root of another, in groups of the same sizes.
Centred.   Figure and shuffles again, the mean offset taken from every offset: the common direction is gone.
Interval: jackknife over groups of words, each group's words left out of their affixes' sums as well.

A row that was made from its parts before training has a direction by construction, so `change` compares the same words
with their initial rows. An objective draws the words that it trains on together, so `held_out` asks of the others only,
whether they lie as *all* other words of their affix do; there affixes are shuffled among the held-out words.
Of more than 10,000 words as many are drawn. Cost: some 1,100 walks over their offsets, at most 10,000 x d numbers.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from wake2vec.geometry.neighbours import frequent_forms
from wake2vec.geometry.nulls import GROUPS, SHUFFLES, difference, jackknife, random_groups
from wake2vec.geometry.vectors import Rows, norms, sampled, spans, unit
from wake2vec.text.words import normalise
from wake2vec.vocabulary.parts import mean_rows

LEAST = 3  # words of an affix whose direction is looked at
LIMIT = 10_000
KINDS = ("prefix", "suffix")


@dataclass(frozen=True)
class Pairs:
    """Every word with every affix that it has: arrays of one length, and the names of the affixes."""

    word: np.ndarray  # position of the word among the words
    affix: np.ndarray  # position of its affix among the affixes
    kind: np.ndarray  # 0 prefix, 1 suffix
    root: np.ndarray  # number of the word's root
    names: list[tuple[str, str]]  # (kind, affix)


def measure_directions(
    rows: Rows,
    segmentation: list[dict],
    forms: list[dict],
    base_ids_of: Mapping[str, list[int]],
    seed: int,
    shuffles: int = SHUFFLES,
    initial: Rows | None = None,
    held_out: Collection[str] | None = None,
) -> dict:
    """Consistency of affix directions with its controls: the values of directions.json.

    segmentation: rows of segmentation.jsonl. base_ids_of: the base piece ids of every root. initial: the rows before
    training, to compare with. held_out: the words that an objective left out, to be asked by themselves. Words without
    a new row, without a root that the base knows, or that lie where their root lies, are left out. "value" is None,
    with a "reason", where there are no two prefixes, and no two suffixes, of three words.
    """
    rng = np.random.default_rng(seed)
    entries, at = words_with_rows(segmentation, forms, base_ids_of)
    pairs = affix_pairs(entries)
    kept = np.unique(pairs.word)
    available, kept = len(kept), kept[sampled(len(kept), LIMIT, rng)]
    roots = [base_ids_of[entries[i]["root"]] for i in kept.tolist()]
    offsets = _offsets(rows, at[kept], roots)
    before = None if initial is None else _offsets(initial, at[kept], roots)
    apart = norms(offsets) > 0
    if before is not None:
        apart &= norms(before) > 0
    offsets, kept = offsets[apart], kept[apart]
    entries = [entries[i] for i in kept.tolist()]
    pairs = affix_pairs(entries)
    about = {"words": len(entries), "words_with_affix": available, "affixes": len(pairs.names)}
    if not len(pairs.word):
        reason = f"no two prefixes or suffixes have {LEAST} words with a row and a root that the base knows"
        nothing = dict.fromkeys(("value", "interval", "effect", "shuffled", "random", "centred", "change", "held_out"))
        return about | nothing | {"by_affix": [], "reason": reason}
    plain, earlier = unit(offsets), None if before is None else unit(before[apart])
    words, roots = rows.new[at[kept]], _roots(rows, [base_ids_of[entry["root"]] for entry in entries])
    random = [
        float(cosines(unit(words[rng.permutation(len(words))] - roots[rng.permutation(len(roots))]), pairs).mean())
        for _ in range(20)
    ]
    values = {
        **about,
        **figures(plain, pairs, rng, shuffles, earlier),
        "random": {"mean": float(np.mean(random)), "std": float(np.std(random, ddof=1)), "draws": len(random)},
        "centred": figures(unit(offsets - offsets.mean(0, dtype=np.float64).astype(np.float32)), pairs, rng, shuffles),
        "held_out": None,
        "by_affix": _by_affix(cosines(plain, pairs), pairs),
    }
    if held_out is not None:
        out = {normalise(word) for word in held_out}
        asked = comparable(pairs, np.array([normalise(entry["word"]) in out for entry in entries])[pairs.word])
        if asked.any():
            count = len(np.unique(pairs.word[asked]))
            values["held_out"] = {"words": count, **figures(plain, pairs, rng, shuffles, earlier, asked)}
    return values


def _roots(rows: Rows, pieces: list[list[int]]) -> np.ndarray:
    return mean_rows(rows.base, pieces).astype(np.float32)


def _offsets(rows: Rows, at: np.ndarray, pieces: list[list[int]]) -> np.ndarray:
    """New rows less those of their words' roots, float32 [words, d]."""
    return rows.new[at] - _roots(rows, pieces)


def words_with_rows(
    segmentation: list[dict], forms: list[dict], base_ids_of: Mapping[str, list[int]]
) -> tuple[list[dict], np.ndarray]:
    """The segmented words that have an affix, a root in base pieces and a new row, and those rows' positions."""
    row_of = {normalise(form["word"]): form["row"] for form in frequent_forms(forms)}
    found = [
        (entry, row_of[normalise(entry["word"])])
        for entry in segmentation
        if (entry["prefix"] or entry["suffix"])
        and normalise(entry["word"]) in row_of
        and base_ids_of.get(entry["root"])
    ]
    return [entry for entry, _ in found], np.array([row for _, row in found], np.int64)


def affix_pairs(entries: list[dict]) -> Pairs:
    """The pairs of words and affixes, of affixes with at least `LEAST` words, where a kind has two such affixes.

    Of the words that have both root and affix in common the first stands for all: no affix is known by one root, and
    shuffles would part them, which gives each more others than it has.
    """
    first: dict[tuple[str, str, str], tuple[int, tuple[str, str]]] = {}
    for i, entry in enumerate(entries):
        for kind in filter(entry.get, KINDS):
            first.setdefault((kind, entry[kind], entry["root"]), (i, (kind, entry[kind])))
    listed = list(first.values())
    count: dict[tuple[str, str], int] = {}
    for _, name in listed:
        count[name] = count.get(name, 0) + 1
    names = sorted(name for name, words in count.items() if words >= LEAST)
    number = {name: i for i, name in enumerate(names)}
    root = {name: i for i, name in enumerate(dict.fromkeys(entry["root"] for entry in entries))}
    kept = [(i, number[name], KINDS.index(name[0]), root[entries[i]["root"]]) for i, name in listed if name in number]
    columns = np.array(kept, np.int64).reshape(-1, 4).T
    pairs = Pairs(*columns, names)
    kept = comparable(pairs, np.ones(len(pairs.word), bool))
    if kept.all():
        return pairs
    used, affix = np.unique(pairs.affix[kept], return_inverse=True)
    return Pairs(pairs.word[kept], affix, pairs.kind[kept], pairs.root[kept], [names[i] for i in used.tolist()])


def comparable(pairs: Pairs, asked: np.ndarray) -> np.ndarray:
    """Of the pairs that are asked about, those of a kind that has two affixes among them: one cannot be shuffled."""
    several = [len(np.unique(pairs.affix[asked & (pairs.kind == kind)])) > 1 for kind in range(len(KINDS))]
    return asked & np.array(several)[pairs.kind]


def cosines(units: np.ndarray, pairs: Pairs) -> np.ndarray:
    """c_w of every pair, from unit offsets [words, d]: the cosine to the mean of the affix's words of other roots,
    float64; 0 where there are none.
    """
    count = len(pairs.word)
    sums = _sums(pairs.affix, pairs.word, units)
    squared = np.einsum("ij,ij->i", sums, sums, dtype=np.float64)[pairs.affix]
    dot = _dots(units, pairs.word, sums, pairs.affix)
    with_sum, with_own, own = dot.copy(), np.ones(count), np.ones(count)  # of S_ar where that is the word alone
    _, key, times = np.unique(
        pairs.affix * (pairs.root.max() + 1) + pairs.root, return_inverse=True, return_counts=True
    )
    shared = np.flatnonzero(times[key] > 1)
    if len(shared):
        _, few = np.unique(key[shared], return_inverse=True)
        kin = _sums(few, pairs.word[shared], units)
        with_own[shared] = _dots(units, pairs.word[shared], kin, few)
        with_sum[shared] = _dots(sums, pairs.affix[shared], kin, few)
        own[shared] = np.einsum("ij,ij->i", kin, kin, dtype=np.float64)[few]
    rest = np.sqrt(np.maximum(squared - 2 * with_sum + own, 0.0))
    return np.divide(dot - with_own, rest, out=np.zeros(count), where=rest > 1e-3)


def _sums(group: np.ndarray, word: np.ndarray, units: np.ndarray) -> np.ndarray:
    """The sum of the units of each group's words, [groups, d]."""
    shape = int(group.max()) + 1, len(units)
    return csr_array((np.ones(len(group), np.float32), (group, word)), shape) @ units


def _dots(a: np.ndarray, at: np.ndarray, b: np.ndarray, of: np.ndarray) -> np.ndarray:
    """a[at] . b[of], float64, a block at a time."""
    parts = [np.einsum("ij,ij->i", a[at[s]], b[of[s]], dtype=np.float64) for s in spans(len(at), a.shape[1])]
    return np.concatenate(parts)


def figures(
    units: np.ndarray,
    pairs: Pairs,
    rng: np.random.Generator,
    shuffles: int,
    earlier: np.ndarray | None = None,
    asked: np.ndarray | None = None,
) -> dict:
    """{"value", "interval", "effect", "shuffled", "change"} of the mean cosine.

    earlier: the unit offsets of the same words before; "change" is then {"before", "value", "interval"}, else None.
    asked: of which pairs the mean is taken, bool [pairs]; the others stay with their affixes.
    """
    asked = np.ones(len(pairs.word), bool) if asked is None else asked
    value = float(cosines(units, pairs)[asked].mean())
    drawn = [float(cosines(units, _shuffled(pairs, asked, rng))[asked].mean()) for _ in range(shuffles)]
    shuffled = difference(value, drawn)
    del shuffled["difference"]
    group = random_groups(len(units), rng)[pairs.word] if len(np.unique(pairs.word[asked])) >= 2 * GROUPS else None
    left_out = _left_out(units, pairs, asked, group)
    change = None
    if earlier is not None:
        first = float(cosines(earlier, pairs)[asked].mean())
        differences = [now - then for now, then in zip(left_out, _left_out(earlier, pairs, asked, group), strict=True)]
        bounds = jackknife(value - first, differences, -2.0, 2.0) if differences else None
        change = {"before": first, "value": value - first, "interval": bounds}
    return {
        "value": value,
        "interval": jackknife(value, left_out, -1.0, 1.0) if left_out else None,
        "effect": value - shuffled["mean"],
        "shuffled": shuffled,
        "change": change,
    }


def _shuffled(pairs: Pairs, asked: np.ndarray, rng: np.random.Generator) -> Pairs:
    """The pairs with the affixes of a kind shuffled among those of its words that are asked about."""
    affix = pairs.affix.copy()
    for kind in range(len(KINDS)):
        inside = np.flatnonzero(asked & (pairs.kind == kind))
        affix[inside] = affix[rng.permutation(inside)]
    return Pairs(pairs.word, affix, pairs.kind, pairs.root, pairs.names)


def _left_out(units: np.ndarray, pairs: Pairs, asked: np.ndarray, group: np.ndarray | None) -> list[float]:
    """The mean cosine with each group of words left out; empty without groups, or where one leaves nobody to ask."""
    found = []
    for g in range(GROUPS) if group is not None else ():
        kept = group != g
        # a word left alone with its affix has no other to be compared with
        kept &= np.bincount(pairs.affix[kept], minlength=len(pairs.names))[pairs.affix] > 1
        if not (kept & asked).any():
            return []
        rest = Pairs(pairs.word[kept], pairs.affix[kept], pairs.kind[kept], pairs.root[kept], pairs.names)
        found.append(float(cosines(units, rest)[asked[kept]].mean()))
    return found


def _by_affix(found: np.ndarray, pairs: Pairs) -> list[dict]:
    """Each affix with its words and their mean cosine, the affix of most words first."""
    words = np.bincount(pairs.affix, minlength=len(pairs.names))
    means = np.bincount(pairs.affix, found, minlength=len(pairs.names)) / np.maximum(words, 1)
    listed = [
        {"affix": affix, "kind": kind, "words": int(n), "consistency": float(mean)}
        for (kind, affix), n, mean in zip(pairs.names, words, means, strict=True)
    ]
    return sorted(listed, key=lambda one: (-one["words"], one["affix"]))
