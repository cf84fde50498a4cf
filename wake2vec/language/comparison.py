"""What differs between two models or phases on the same held-out text, with an interval: the paired bootstrap.

Every figure here is a ratio of two sums over passages (nats over tokens, bits over bytes, bits over words), and its
interval that of a bootstrap that draws whole passages with replacement (Efron & Tibshirani 1993, ch. 8):

    r* = Σ_i sums[i*] / Σ_i sizes[i*],   i* = as many passages as there are, drawn anew 2,000 times.

The quantiles of so few numbers as passages often are lie too close; so an interval is as much longer as its number of
passages that have any size asks (`intervals`).

Two scores of the same passages share most of their spread, so the interval of their difference is that of the ratio
with `sums` = after - before, passage by passage. What was scored on other bytes does not compare, and is refused.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wake2vec.errors import UserError
from wake2vec.intervals import bootstrap_interval
from wake2vec.storage import read_values

DRAWS = 2000
WINDOW = ("context", "stride")  # what a token is scored with, of likelihood.json
POSITION = ["passage", "start", "word"]


def ratio(
    sums: Sequence[float] | np.ndarray,
    sizes: Sequence[float] | np.ndarray,
    rng: np.random.Generator,
    draws: int = DRAWS,
    least: float = -np.inf,
) -> tuple[float | None, list[float] | None]:
    """Σ sums / Σ sizes over passages, and its 95 % interval. sums, sizes: [passages].

    None where the sizes are all 0, and no interval where fewer than two passages have any size. Draws that meet none
    of those passages are left out. least: what the ratio cannot be below, nor its interval.
    """
    sums, sizes = np.asarray(sums, float), np.asarray(sizes, float)
    if not sizes.sum():
        return None, None
    value = float(sums.sum() / sizes.sum())
    counted = int((sizes > 0).sum())
    if counted < 2:
        return value, None
    drawn = rng.integers(0, len(sizes), (draws, len(sizes)))
    below = sizes[drawn].sum(1)
    return value, list(bootstrap_interval(value, sums[drawn].sum(1)[below > 0] / below[below > 0], counted, least))


def paired_change(
    before: Sequence[float],
    after: Sequence[float],
    sizes: Sequence[float],
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> tuple[float, list[float] | None]:
    """Difference in bits per byte (after - before) on the same passages, and its 95 % interval.

    `before`, `after`: nats of each passage; `sizes`: its bytes. The interval is None for fewer than two passages.
    """
    return ratio((np.asarray(after, float) - np.asarray(before, float)) / np.log(2), sizes, rng, draws)


def compare(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    names: tuple[str, str] = ("the first likelihood.json", "the second"),
    seed: int = 0,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """The values of two likelihood.json, of any models and phases: what the second needs more than the first.

    Returns bits_per_byte (the difference), interval (95 %, paired over passages; None for one passage), passages and
    bytes. Raises UserError where the two were scored on different text, or with different windows.
    """
    sizes = [[passage["bytes"] for passage in values["passages"]] for values in (before, after)]
    texts = [values.get("valid_sha256") for values in (before, after)]
    if sizes[0] != sizes[1] or (None not in texts and texts[0] != texts[1]):
        found = [f"{name}: {len(size)} passages, {sum(size):,} bytes" for name, size in zip(names, sizes, strict=True)]
        found = [f"{line}, sha256 {text[:12]}…" if text else line for line, text in zip(found, texts, strict=True)]
        raise UserError(
            f"These two were scored on different held-out text, so their scores do not compare. {'; '.join(found)}. "
            "Accepted: two likelihood.json of one text, split in one way (the same valid.txt). Compare models whose "
            "corpora have the same files, cleaning and split."
        )
    windows = [tuple(values.get(name) for name in WINDOW) for values in (before, after)]
    if windows[0] != windows[1]:
        found = [f"{name}: {_windows(*window)}" for name, window in zip(names, windows, strict=True)]
        raise UserError(
            f"These two saw unequally much text before each token, so their scores do not compare. {'; '.join(found)}. "
            "Accepted: models with the same evaluation.context and evaluation.stride."
        )
    nats = [[passage["nats"] for passage in values["passages"]] for values in (before, after)]
    difference, bounds = paired_change(*nats, sizes[0], np.random.default_rng(seed), draws)
    return {"bits_per_byte": difference, "interval": bounds, "passages": len(sizes[0]), "bytes": sum(sizes[0])}


def _windows(context: int | None, stride: int | None) -> str:
    return f"windows of {context or '?'} tokens, moved by {stride or '?'}"


def compare_files(before: str | Path, after: str | Path, seed: int = 0, draws: int = DRAWS) -> dict[str, Any]:
    """`compare` of two files, which an error names."""
    return compare(read_values(before), read_values(after), (str(before), str(after)), seed, draws)


def compare_words(before: pd.DataFrame, after: pd.DataFrame, seed: int = 0, draws: int = DRAWS) -> dict[str, Any]:
    """Two surprisal.csv, of any models and phases, on the same words: what a word costs the second more than the first.

    Returns for `coinage` (words that both take for one), those of them `with_row` in either, and `plain` (words that
    both take for plain): words, before and after (means in bits), difference, interval (95 %, paired over passages);
    and `disputed`, the number of words that the two take for different things. Raises UserError for different texts.
    """
    one, other = (frame[POSITION].to_numpy().tolist() for frame in (before, after))
    if one != other:
        differ = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
        where = f"first where {differ[0][0]} meets {differ[0][1]}" if differ else f"{len(one)} and {len(other)} lines"
        raise UserError(
            f"These two surprisal.csv are of different held-out text ({where}; passage, character, word). Accepted: "
            "two files of one text, split in one way (the same valid.txt)."
        )
    kinds = [frame["kind"].to_numpy(dtype=str) for frame in (before, after)]
    coined = [np.char.startswith(kind, "coinage") for kind in kinds]
    masks = {
        "coinage": coined[0] & coined[1],
        "with_row": coined[0] & coined[1] & ((kinds[0] == "coinage with row") | (kinds[1] == "coinage with row")),
        "plain": (kinds[0] == "plain") & (kinds[1] == "plain"),
    }
    passages, rng = after["passage"].to_numpy(), np.random.default_rng(seed)
    made: dict[str, Any] = {"disputed": int((coined[0] != coined[1]).sum())}
    bits = [frame["surprisal"].to_numpy(float) for frame in (before, after)]
    for name, mask in masks.items():
        sums = [by_passage(passages, mask, values) for values in bits]
        words = by_passage(passages, mask)
        difference, bounds = ratio(sums[1] - sums[0], words, rng, draws)
        means = [float(total.sum() / words.sum()) if words.sum() else None for total in sums]
        made[name] = {"words": int(words.sum()), "before": means[0], "after": means[1]}
        made[name] |= {"difference": difference, "interval": bounds}
    return made


def by_passage(passages: np.ndarray, mask: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
    """Sums of the values of a mask's lines (their number without values), a passage each: [passages].

    passages: [lines], from 0. A value that is no number (what was not measured) adds nothing.
    """
    weights = mask.astype(float) if values is None else np.where(mask, np.nan_to_num(values), 0.0)
    return np.bincount(passages, weights, minlength=int(passages.max()) + 1 if len(passages) else 0)
