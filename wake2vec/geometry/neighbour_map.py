"""The neighbour map: every word that got a row, with its parts, its counts, how far its row turned, and what it lies
nearest to at every phase that has rows. For audit, so that nobody has to trust the words that a table shows.

A word stands by one row, that of its form most frequent in training (`neighbours.frequent_forms`); so its other forms
are never its neighbours. At every phase

    base, new   the k base tokens, and the k other words, of highest cosine to the word's row, nearest first
    drift       the cosine of the row to its initial self, 1 where it did not turn (not at the first phase)

and two controls for each kind of neighbour, so that a cosine can be judged: the nearest neighbour of

    random_direction   a uniformly random direction
    same_covariance    m + sum_i w_i (r_i - m) / sqrt(n - 1), w_i ~ N(0, 1): a Gaussian vector with the mean m and the
                       covariance of n words' rows r_i, which has their common directions and nothing of its own

each as mean and 95 % range of the draws. `above` is the share of words whose nearest neighbour lies above the range of
`same_covariance`: about 0.025 for rows without structure. A vector made of rows lies near to these very rows, so where
neighbours are words, the words are halved at random: those of one half, and what is drawn of them, against the other.

The values of neighbour_map.json. Cosines are rounded to four decimals. Lists are shorter than k where there are fewer
rows; a row of zeros has no neighbours and is nobody's.

    k         neighbours of each kind
    phases    names in order, as ["init", "p1", "p3"]
    controls  {phase: {"base" and "new": {"mean": cosine of the words' nearest, "above": share, "random_direction" and
              "same_covariance": {"mean", "low", "high", "draws"}}}}; null where there is nothing to compare
    words     most frequent in training first, equal ones in the order of their rows:
      word, count_train, count_valid   (counts: tokens of its forms that have a row)
      forms   [{"form": as in the vocabulary, "row", "count_train", "count_valid"}], the one that stands for it first
      parts   of segmentation.jsonl: the words of a compound, or prefix, root and suffix; [] when not segmented
      gold    the true parts; on the testbed only, null for a word that it does not name
      phases  {phase: {"base": [[token, cosine], ...], "new": [[word, cosine], ...], "drift": cosine or null}}
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wake2vec.geometry.load import load_base_tokens, load_rows
from wake2vec.geometry.measures import check, few_threads
from wake2vec.geometry.neighbours import DRAWS, frequent_forms, neighbour_spread, random_neighbour
from wake2vec.geometry.nulls import own_stream
from wake2vec.geometry.vectors import Rows, nearest, paired_cosines, spans
from wake2vec.storage import read_jsonl, read_values
from wake2vec.text.words import normalise

DECIMALS = 4

Neighbours = list[list[tuple[str, float]]]


def map_files(files: Mapping[str, Any], phases: Sequence[str], k: int, seed: int) -> dict[str, Any]:
    """The neighbour map of a run from its files: manifest, tokenizer (the base's), injection, rows (a file for each of
    `phases`, the first the initial ones), segmentation, and gold where there is one.
    """
    injection = read_values(files["injection"])
    paths = [files["rows"]] if isinstance(files["rows"], str | Path) else files["rows"]
    return map_neighbours(
        {phase: partial(load_rows, files["manifest"], path) for phase, path in zip(phases, paths, strict=True)},
        load_base_tokens(files["tokenizer"], injection["base_rows"]),
        injection["forms"],
        read_jsonl(files["segmentation"]),
        read_jsonl(files["gold"]) if "gold" in files else None,
        k,
        own_stream(seed),
    )


def map_neighbours(
    phases: Mapping[str, Callable[[], Rows]],
    base_tokens: Sequence[str],
    forms: Sequence[Mapping[str, Any]],
    segmentation: Iterable[Mapping[str, Any]],
    gold: Iterable[Mapping[str, Any]] | None,
    k: int,
    seed: int,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """The values of neighbour_map.json (the module's text says which).

    phases: what loads the rows of each phase, the first the initial ones; one phase is in memory at a time, with the
    initial new rows. base_tokens: the base vocabulary in the order of its rows. forms: those of injection.json.
    Time: n (B + n) d multiplications a phase for n words, B base rows and d numbers in a row. Raises UserError when
    rows and forms differ in number.
    """
    words = describe(forms, segmentation, gold)
    names = [word["word"] for word in words]
    at = np.array([word["forms"][0]["row"] for word in words], np.int64)
    initial, controls = None, {}
    for phase, load in phases.items():
        rows = load()
        check(rows, list(forms))
        with few_threads(rows):
            near = {"base": nearest(rows.new, rows.base, k, at), "new": nearest(rows.new, None, k, at)}
            controls[phase] = control(rows, at, near["base"][1], seed, draws)
        spelled = {"base": _spelled(*near["base"], base_tokens), "new": _spelled(*near["new"], names)}
        drift = None if initial is None else paired_cosines(initial[at], rows.new[at])
        for i, word in enumerate(words):
            word["phases"][phase] = {kind: found[i] for kind, found in spelled.items()}
            if drift is not None:
                word["phases"][phase]["drift"] = _rounded(drift[i])
        initial = rows.new if initial is None else initial
        del rows  # before the next phase's are loaded
    return {"k": k, "phases": list(phases), "controls": controls, "words": words}


def describe(
    forms: Sequence[Mapping[str, Any]],
    segmentation: Iterable[Mapping[str, Any]],
    gold: Iterable[Mapping[str, Any]] | None,
) -> list[dict[str, Any]]:
    """What is known of every word without its row: forms, counts, parts (and no phases yet), frequent words first."""
    parts = {normalise(entry["word"]): parts_of(entry) for entry in segmentation}
    true = None if gold is None else {normalise(e["word"]): [part["text"] for part in e["parts"]] for e in gold}
    by_word: dict[str, list[Mapping[str, Any]]] = {}
    for form in [*frequent_forms(list(forms)), *sorted(forms, key=lambda form: form["row"])]:
        own = by_word.setdefault(form["word"], [])
        if form not in own:
            own.append(form)
    words = []
    for word, own in by_word.items():
        keep = ("form", "row", "count_train", "count_valid")
        about: dict[str, Any] = {"word": word, "forms": [{key: form[key] for key in keep} for form in own]}
        about |= {count: sum(form[count] for form in own) for count in ("count_train", "count_valid")}
        about["parts"] = parts.get(normalise(word), [])
        if true is not None:
            about["gold"] = true.get(normalise(word))
        words.append(about | {"phases": {}})
    return sorted(words, key=lambda word: -word["count_train"])


def parts_of(entry: Mapping[str, Any]) -> list[str]:
    """The parts of a line of segmentation.jsonl; none for a word that was not segmented.

    >>> parts_of({"compound": [], "prefix": "un", "root": "wake", "suffix": ""})
    ['un', 'wake']
    """
    if entry["compound"]:
        return list(entry["compound"])
    affixed = entry["prefix"] or entry["suffix"]
    return [part for part in (entry["prefix"], entry["root"], entry["suffix"]) if part] if affixed else []


def control(rows: Rows, at: np.ndarray, to_base: np.ndarray, seed: int, draws: int) -> dict[str, Any]:
    """What the nearest row of a vector that is no word has, of each kind, and how many words lie nearer to theirs.

    at: the words' new rows. to_base: cosines of their base neighbours, nearest first, [words, k].
    """
    rng = np.random.default_rng(seed)
    one, other = np.array_split(rng.permutation(at), 2)
    to_new = nearest(rows.new, rows.new, 1, one, other)[1]
    sides = {"base": (to_base, at, rows.base, None), "new": (to_new, one, rows.new, other)}
    made: dict[str, Any] = {}
    for kind, (cosines, drawn_of, keys, key_at) in sides.items():
        own = cosines[:, :1][np.isfinite(cosines[:, :1])]
        made[kind] = {"mean": float(own.mean()) if len(own) else None}
        made[kind]["random_direction"] = random_neighbour(keys, seed, key_at, draws)
        alike = partial(like, rows.new, drawn_of, rng=rng)
        made[kind]["same_covariance"] = neighbour_spread(alike, keys, key_at, draws)
        high = made[kind]["same_covariance"]["high"]
        made[kind]["above"] = float((own > high).mean()) if len(own) and high is not None else None
    return made


def like(matrix: np.ndarray, at: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian vectors with the mean and covariance of the rows `at`, [draws, d]; none for fewer than two rows."""
    if len(at) < 2:
        return np.zeros((0, matrix.shape[1]), np.float32)
    total, mixed = np.zeros(matrix.shape[1]), np.zeros((draws, matrix.shape[1]))
    weights = rng.standard_normal((draws, len(at)))
    for span in spans(len(at), matrix.shape[1]):
        block = matrix[at[span]]
        total, mixed = total + block.sum(0, dtype=np.float64), mixed + weights[:, span].astype(np.float32) @ block
    mean = total / len(at)
    return (mean + (mixed - np.outer(weights.sum(1), mean)) / np.sqrt(len(at) - 1)).astype(np.float32)


def _spelled(where: np.ndarray, cosines: np.ndarray, names: Sequence[str]) -> Neighbours:
    return [
        [(names[i], cosine) for i, cosine in zip(line, values, strict=True) if i >= 0]
        for line, values in zip(where.tolist(), cosines.astype(np.float64).round(DECIMALS).tolist(), strict=True)
    ]


def _rounded(cosine: float) -> float | None:
    return round(float(cosine), DECIMALS) if np.isfinite(cosine) else None
