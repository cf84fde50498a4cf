"""Which base tokens the new rows lie nearest to: the five base rows of highest cosine, for new tokens of every part
of the vocabulary.

Tokens come from the beginning, the middle and the end of the new vocabulary, so that nobody chooses the pretty ones.
Of a word's two forms the one more frequent in training is shown. Null: the cosine of the nearest base row to a
uniformly random direction, so that a neighbour at 0.3 can be told from the nearest of 32,000 rows to nothing in
particular. Its range is that of quantiles: the highest of many cosines leans upwards, as the normal law does not.
"""

from collections.abc import Callable

import numpy as np

from wake2vec.geometry.nulls import gaussian_rows
from wake2vec.geometry.vectors import Rows, nearest

DRAWS = 1000  # a bound of the range then varies by about 0.004 from seed to seed
CHUNK = 500  # draws in memory at a time


def measure_neighbours(
    rows: Rows, base_tokens: list[str], forms: list[dict], seed: int, k: int = 5, per_position: int = 5
) -> dict:
    """The k nearest base tokens of new tokens from beginning, middle and end: the values of neighbours.json.

    `forms` are those of injection.json, `base_tokens` the base vocabulary in the order of its rows. A token whose row
    is all zeros has no neighbours.
    """
    chosen = choose(frequent_forms(forms), per_position)
    at = np.array([form["row"] for form, _ in chosen], np.int64)
    where, cosines = nearest(rows.new, rows.base, k, at)
    found = [
        [{"token": name(base_tokens, i), "cosine": float(c)} for i, c in zip(ids, values, strict=True) if i >= 0]
        for ids, values in zip(where.tolist(), cosines, strict=True)
    ]
    values = {
        "k": k,
        "tokens": [
            {
                "token": form["form"],
                "row": form["row"],
                "position": position,
                "count_train": form["count_train"],
                "neighbours": neighbours,
            }
            for (form, position), neighbours in zip(chosen, found, strict=True)
        ],
        "null": random_neighbour(rows.base, seed),
    }
    return values if chosen else values | {"reason": "no new rows"}


def random_neighbour(
    keys: np.ndarray, seed: int, key_at: np.ndarray | None = None, draws: int = DRAWS
) -> dict[str, float | int | None]:
    """`spread` of the cosine of the nearest of `keys` (rows [n, d]; of the rows `key_at`) to a random direction.

    The same keys and the same seed give the same numbers, whoever asks.
    """
    rng = np.random.default_rng(seed)
    return neighbour_spread(lambda many: gaussian_rows(np.ones(many), keys.shape[1], rng), keys, key_at, draws)


def neighbour_spread(
    draw: Callable[[int], np.ndarray], keys: np.ndarray, key_at: np.ndarray | None, draws: int
) -> dict[str, float | int | None]:
    """`spread` of the cosine of the nearest of `keys` to vectors that `draw(how many)` makes, CHUNK at a time.

    Time: draws · n · d multiplications for n keys of d numbers.
    """
    found = [nearest(draw(min(CHUNK, draws - at)), keys, 1, None, key_at)[1].ravel() for at in range(0, draws, CHUNK)]
    highest = np.concatenate([np.zeros(0, np.float32), *found])
    return spread(highest[np.isfinite(highest)])


def spread(drawn: np.ndarray) -> dict[str, float | int | None]:
    """{"mean", "low", "high", "draws"}: mean and 95 % range of draws, so that one more lies above it in 2.5 of 100
    cases (the largest of some are not normally distributed); None without draws.
    """
    if not len(drawn):
        return dict.fromkeys(("mean", "low", "high", "draws"))
    low, high = np.quantile(drawn, [0.025, 0.975], method="weibull").tolist()
    return {"mean": float(drawn.mean(dtype=np.float64)), "low": low, "high": high, "draws": len(drawn)}


def frequent_forms(forms: list[dict]) -> list[dict]:
    """One form for every word, in row order: the most frequent in training, on a tie the start-of-word form."""
    best: dict[str, dict] = {}
    for form in sorted(forms, key=lambda f: (-f["count_train"], not f["start"], f["row"])):
        best.setdefault(form["word"], form)
    return sorted(best.values(), key=lambda f: f["row"])


def choose(forms: list[dict], per_position: int) -> list[tuple[dict, str]]:
    """The first, middle and last `per_position` forms with the name of their position, none of them twice."""
    few = min(per_position, len(forms) // 3 + (len(forms) % 3 > 0))
    middle = max(few, (len(forms) - few) // 2)
    last = max(middle + few, len(forms) - few)
    places = {"beginning": forms[:few], "middle": forms[middle : middle + few], "end": forms[last:]}
    return [(form, position) for position, part in places.items() for form in part]


def name(tokens: list[str], token_id: int) -> str:
    """A token's spelling; "(row 17)" for a row beyond the vocabulary, as padded embedding matrices have."""
    return tokens[token_id] if token_id < len(tokens) else f"(row {token_id})"
