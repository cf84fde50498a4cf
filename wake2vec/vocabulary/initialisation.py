"""Where new rows start.

    compositional   E(w) = α E(p̄) + (1 - 2α) E(r̄) + α E(s̄) + ε   prefix, root, suffix; compounds: their words' mean
    spherical       E(w) = ρ σ √d · u,  u uniform on the sphere      σ: standard deviation of the base's entries
    gaussian        E(w) = mean of the base rows + spread · σ_dim · N(0, 1)
    subtoken_mean   E(w) = mean of the rows of w's pieces under the base tokenizer

An affix that is absent gives its weight to the root. A word that has no parts, or whose root the base cannot spell,
falls back: to its sub-tokens' mean, or to a small random vector of the base's standard deviation, as the seeds of this
project did. Embedding and head are initialised alike, each from its own base matrix. Deterministic from the seed, and
nothing else.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from wake2vec.geometry.vectors import spans
from wake2vec.settings import head_mode
from wake2vec.storage import read_values
from wake2vec.vocabulary.parts import Parts, mean_rows, pieces_of, segmented

NEAREST_OF, EXAMPLES = 1000, 10  # new rows whose nearest base row is looked up; and how many of them are listed


def initial_rows(
    matrices: Mapping[str, np.ndarray],
    tokenizer: Tokenizer,
    forms: list[dict[str, Any]],
    segmentation: list[dict[str, Any]],
    morphemes: Mapping[str, Any],
    settings: Mapping[str, Any],
    seed: int,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """New rows for each base matrix.

    matrices: "embedding" (and "head" where it gets rows of its own) -> base rows [B, d], float32.
    tokenizer: the *base* tokenizer. forms: of injection.json. segmentation, morphemes: of the corpus.
    settings: the `initialisation` block. seed: of noise and random directions.

    Returns ({"embedding.new": [n, d], "head.new": [n, d]}, float32 whatever the base's precision; statistics).
    """
    rows, statistics = {}, {"method": settings["method"], "rows": len(forms)}
    for number, (side, matrix) in enumerate(matrices.items()):
        rng = np.random.default_rng([seed, number])
        made, how = _METHODS[settings["method"]](matrix, tokenizer, forms, segmentation, morphemes, settings, rng)
        rows[f"{side}.new"] = made
        statistics[side] = {"made_from": dict(Counter(how))} | _statistics(made, matrix, tokenizer, forms, rng)
    return rows, statistics


def _statistics(made: np.ndarray, matrix: np.ndarray, tokenizer: Tokenizer, forms: list, rng) -> dict[str, Any]:
    """Norms, and the base row nearest to each of a sample of new rows, by cosine."""
    norms, base_norms = np.linalg.norm(made, axis=1), np.linalg.norm(matrix, axis=1)
    sample = np.sort(rng.choice(len(made), min(NEAREST_OF, len(made)), replace=False))
    directions = made[sample] / np.maximum(norms[sample], 1e-30)[:, None]
    cosines, nearest = np.full(len(sample), -np.inf, np.float32), np.zeros(len(sample), np.int64)
    for span in spans(len(matrix), matrix.shape[1]):
        block = directions @ (matrix[span] / np.maximum(base_norms[span], 1e-30)[:, None]).T
        best = block.argmax(1)
        value = block[np.arange(len(sample)), best]
        better = value > cosines
        cosines[better], nearest[better] = value[better], best[better] + span.start
    examples = [
        {"form": forms[row]["form"], "base": tokenizer.id_to_token(int(i)), "cosine": float(cosine)}
        for row, i, cosine in list(zip(sample, nearest, cosines, strict=True))[:: max(1, len(sample) // EXAMPLES)]
    ]
    return {
        "norm": _spread(norms),
        "base_norm": _spread(base_norms),
        "nearest": {
            "sample": len(sample),
            "cosine": _spread(cosines),
            "distinct": len(np.unique(nearest)),
            "examples": examples[:EXAMPLES],
        },
    }


def _spread(values: np.ndarray) -> dict[str, float | None]:
    """Mean, standard deviation, smallest and largest; None where there is nothing."""
    how = {"mean": np.mean, "std": np.std, "min": np.min, "max": np.max}
    return {name: float(of(values)) if len(values) else None for name, of in how.items()}


def _compositional(matrix, tokenizer, forms, segmentation, morphemes, settings, rng):
    by_word = {entry["word"]: entry for entry in segmentation}
    parts = Parts(tokenizer, matrix, [by_word[f["word"]] for f in forms if f["word"] in by_word], morphemes)
    alpha, how, lacking = settings["alpha"], [], []
    rows = np.empty((len(forms), matrix.shape[1]), dtype=np.float32)
    for i, form in enumerate(forms):
        entry = by_word.get(form["word"])
        found = parts.of(entry) if entry else []
        if not found:
            lacking.append(i)
            why = "not among the segmented words"
            if entry:
                why = "no parts found" if parts.spells(entry) else "a part that the base cannot spell"
            how.append(f"{settings['fallback']}: {why}")
            continue
        if found[0][0] == "word":
            rows[i] = np.mean([vector for _, vector in found], axis=0)
            how.append("compound")
            continue
        affixes = [vector for role, vector in found if role != "root"]
        root = next(vector for role, vector in found if role == "root")
        rows[i] = (1 - alpha * len(affixes)) * root + alpha * np.sum(affixes, axis=0)
        how.append("affixes and root")
    if lacking:
        others = [forms[i] for i in lacking]
        rows[lacking], _ = _METHODS[settings["fallback"]](
            matrix, tokenizer, others, segmentation, morphemes, settings, rng
        )
    if settings["noise"]:
        rows += rng.standard_normal(rows.shape, dtype=np.float32) * np.float32(settings["noise"] * matrix.std())
    return rows, how


def _spherical(matrix, tokenizer, forms, segmentation, morphemes, settings, rng):
    directions = rng.standard_normal((len(forms), matrix.shape[1]), dtype=np.float32)
    radius = settings["radius"] * matrix.std() * np.sqrt(matrix.shape[1])
    directions *= np.float32(radius) / np.linalg.norm(directions, axis=1, keepdims=True)
    return directions, ["random direction"] * len(forms)


def _gaussian(matrix, tokenizer, forms, segmentation, morphemes, settings, rng):
    rows = rng.standard_normal((len(forms), matrix.shape[1]), dtype=np.float32)
    rows *= np.float32(settings["spread"]) * matrix.std(0)
    rows += matrix.mean(0)
    return rows, ["base mean and noise"] * len(forms)


def _subtoken_mean(matrix, tokenizer, forms, segmentation, morphemes, settings, rng):
    rows = np.empty((len(forms), matrix.shape[1]), dtype=np.float32)
    for start in (True, False):
        which = [i for i, form in enumerate(forms) if form["start"] == start]
        if which:
            rows[which] = mean_rows(matrix, pieces_of(tokenizer, [forms[i]["surface"] for i in which], start))
    return rows, ["sub-token mean"] * len(forms)


def _random(matrix, tokenizer, forms, segmentation, morphemes, settings, rng):
    rows = rng.standard_normal((len(forms), matrix.shape[1]), dtype=np.float32)
    return rows * np.float32(matrix.std()), ["small random vector"] * len(forms)


_METHODS = {
    "compositional": _compositional,
    "spherical": _spherical,
    "gaussian": _gaussian,
    "subtoken_mean": _subtoken_mean,
    "random": _random,
}


def place_rows(
    paths: Any, initialisation: Mapping[str, Any], head: str, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The initial rows of a model from its files (manifest, tokenizer of the base, injection, segmentation, morphemes,
    and coined, synthetic.jsonl, where its words have rows).

    Head rows are made where the head has rows of its own. Returns (rows, statistics) as `initial_rows`.
    """
    from wake2vec.bases.checkpoint import base_rows

    tied = read_values(paths.manifest)["tied"]
    separate = head_mode(head, tied) == "separate"
    matrices = base_rows(paths.manifest, ("embedding", "head") if separate else ("embedding",))
    if separate and tied:
        matrices["head"] = matrices["embedding"]
    return initial_rows(
        matrices,
        Tokenizer.from_file(str(paths.tokenizer)),
        read_values(paths.injection)["forms"],
        segmented(paths.segmentation, getattr(paths, "coined", None)),
        read_values(paths.morphemes),
        initialisation,
        seed,
    )
