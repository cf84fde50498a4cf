"""Surprisal and entropy reduction of every word of the held-out text: the lines of surprisal.csv.

    surprisal(w)         = Σ -log2 p(token | context)  over the tokens of w             (Hale 2001; Smith & Levy 2013)
    entropy(w)           = H before w = -Σ_b p(b | context) log2 p(b | context)         of the next base piece, in bits
    entropy_reduction(w) = max(0, H before w - H after w)                               (Hale 2003, 2006)

H is that of the next *token*, as Lowder et al. (2018) use it, not that of whole continuations; H after w is H before
the token that follows w's last. It is taken over the pieces b of the base tokenizer, whatever the model: the
probability of a new token goes to the piece that its text begins with, so that a vocabulary with more ways to go on is
not the more uncertain for that, and base and injected models of one base compare. So does surprisal, between any two:
whatever the tokenizer, the words of a text cost together what the text costs.

One line a word (`words.WORD`), and one for each run of other characters without white space (punctuation, figures,
signs: kind `punctuation`), in the text's order: the lines are those of the text, the same for every model. Every token
belongs to one line, so the column sums to the nats of likelihood.json / ln 2. White space belongs to what follows it,
as start-of-word tokens have it (Oh & Schuler 2024 on what that does), and a token that reaches over punctuation into a
word (`"The` of some tokenizers) to the word; what it took all tokens from has 0 tokens, and costs nothing by itself.

zipf is a word's frequency in English, zipf_rank its place among the words of English by frequency; one found through
another word (a plural through the singular, `moon-river` through its rarer piece: `lexicon.zipf`) has that one's. What
the list knows in no such way, like nearly all coinages, has 0 and no rank.

A coinage is a word that the lexicon's rules find outside the base language, however rare it is: see `coinages`.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import regex

from wake2vec.language.comparison import by_passage, ratio
from wake2vec.language.likelihood import Scored, fires_of, score_phase, score_text
from wake2vec.storage import read_jsonl, read_text
from wake2vec.text.corpus import passages_of
from wake2vec.text.encoding import load_tokenizer
from wake2vec.text.lexicon import build_lexicon, kept, zipf, zipf_ranks, zipf_table
from wake2vec.text.words import WORD, normalise, words

WITH_ROW, WITHOUT_ROW, PLAIN, PUNCTUATION = "coinage with row", "coinage without row", "plain", "punctuation"
ROWS = ("base", "new_seen", "new_unseen")
GROUPS = ("coinage", "with_row", "without_row", "plain")
COLUMNS = ["passage", "start", "word", "form", "kind", "tokens", "surprisal", "entropy", "entropy_reduction"]
COLUMNS += ["count_train", "zipf", "zipf_rank", "rows"]
LINE = regex.compile(rf"(?P<word>{WORD.pattern})|(?:(?!{WORD.pattern})\S)+")
DIGITS = 6  # of bits in the file


def score_words(
    paths: Mapping[str, str], settings: Mapping[str, Any], rules: Mapping[str, Any]
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Score valid.txt once: the values of likelihood.json, and the lines of surprisal.csv.

    paths: those of `likelihood.score_phase`, train (train.txt) and, where the truth is known, gold (gold.jsonl).
    settings: those of `score_phase`. rules: max_zipf, min_length and names of the corpus's lexicon; not used with gold.
    """
    scored = score_text(paths, settings)
    train, valid = read_text(paths["train"]), read_text(paths["valid"])
    coined = coinages(train, valid, rules) if "gold" not in paths else gold_coinages(paths["gold"])
    texts = passages_of(valid)
    starts = token_spans(load_tokenizer(Path(paths["tokenizer"]).parent), texts)
    frame = word_lines(scored, texts, starts, coined, Counter(map(normalise, words(train))))
    return score_phase(paths, settings, scored), frame


def coinages(train: str, valid: str, rules: Mapping[str, Any]) -> set[str]:
    """The normalised words of a text, training and held out, that its lexicon would keep if none were too rare.

    A word that occurs once gets no row, and is as much a coinage as one that does; whether a held-out word is one does
    not depend on the word list that a run was given, so that runs compare. rules: keyword arguments of `build_lexicon`.
    """
    return set(kept(build_lexicon(train, whole=valid, min_count=1, **rules)))


def gold_coinages(path: str | Path) -> set[str]:
    """The coinages of a made text: the words of gold.jsonl."""
    return {normalise(row["word"]) for row in read_jsonl(path)}


# Tokens and lines ----------------------------------------------------------------------------------------------------


def token_spans(tokenizer, texts: list[str]) -> list[np.ndarray]:
    """Where each token stands in its text: characters [tokens, 2], from and to, one array a text."""
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    return [np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2) for encoding in encodings]


def lines_of(text: str) -> tuple[np.ndarray, list[str], np.ndarray]:
    """The lines of a passage in order: starts [lines], what is written there, and whether it is a word [lines]."""
    found = list(LINE.finditer(text))
    starts = np.array([match.start() for match in found], dtype=np.int64)
    return starts, [match[0] for match in found], np.array([match["word"] is not None for match in found], dtype=bool)


def line_of_token(text: str, spans: np.ndarray) -> np.ndarray:
    """The line (its number in `lines_of`) that each token belongs to: [tokens].

    The first word that the token touches; without one, what stands at its first character that is no white space, or
    after it. White space at the end belongs to the last line.
    """
    starts, written, is_word = lines_of(text)
    ends, word = starts + [len(part) for part in written], np.flatnonzero(is_word)
    here = np.minimum(np.searchsorted(ends, spans[:, 0], side="right"), len(starts) - 1)  # the first to end after it
    next_word = np.append(word, len(starts))[np.searchsorted(ends[word], spans[:, 0], side="right")]
    return np.where(np.append(starts, np.inf)[next_word] < spans[:, 1], next_word, here)


def word_lines(
    scored: Scored, texts: list[str], spans: list[np.ndarray], coined: set[str], count_train: Mapping[str, int]
) -> pd.DataFrame:
    """The lines of surprisal.csv (COLUMNS), passage by passage.

    texts: the passages that were scored. spans: of their tokens (`token_spans`). coined: the coinages, normalised.
    count_train: how often each normalised word occurs in the training text.
    """
    parts = [
        _passage(number, *one, scored.forms, scored.base_rows)
        for number, one in enumerate(
            zip(texts, spans, scored.encoded.passages, scored.nats, scored.entropies, strict=True)
        )
    ]
    frame = pd.concat(parts, ignore_index=True)
    table = zipf_table()
    is_word = frame.pop("is_word")
    frame["form"] = [normalise(word) for word in frame["word"]]
    with_row = frame["rows"] != "base"
    coinage = is_word & frame["form"].isin(coined)
    frame["kind"] = np.select([~is_word, coinage & with_row, coinage], [PUNCTUATION, WITH_ROW, WITHOUT_ROW], PLAIN)
    known = {form: (count_train.get(form, 0), zipf(form, table)[0]) for form in set(frame.loc[is_word, "form"])}
    for place, column in enumerate(("count_train", "zipf")):
        frame[column] = [known[form][place] if of else None for form, of in zip(frame["form"], is_word, strict=True)]
    frame["zipf_rank"] = zipf_ranks(frame["zipf"].to_numpy(float), table)
    for column in ("count_train", "zipf_rank"):
        frame[column] = frame[column].astype("Int64")
    return frame[COLUMNS].round({name: DIGITS for name in ("surprisal", "entropy", "entropy_reduction")})


def _passage(number, text, spans, ids, nats, entropies, forms, base_rows) -> pd.DataFrame:
    """The lines of one passage, as far as its tokens tell."""
    starts, written, is_word = lines_of(text)
    line = line_of_token(text, spans)
    tokens = np.bincount(line, minlength=len(starts))
    first = np.searchsorted(line, np.arange(len(starts)))  # tokens of a line stand together
    bits = entropies.astype(np.float64) / np.log(2)
    bits = np.append(bits, np.nan)  # after the last token nothing was asked
    before = np.where(tokens > 0, bits[first], np.nan)
    after = bits[np.minimum(first + tokens, len(bits) - 1)]
    fires = fires_of(ids, forms, base_rows)
    rows = np.zeros(len(starts), dtype=np.int64)
    np.maximum.at(rows, line, np.select([fires < 0, fires > 0], [0, 1], 2))
    return pd.DataFrame(
        {
            "passage": number,
            "start": starts,
            "word": written,
            "is_word": is_word,
            "tokens": tokens,
            "surprisal": np.bincount(line, nats.astype(np.float64), minlength=len(starts)) / np.log(2),
            "entropy": before,
            "entropy_reduction": np.maximum(0.0, before - after),
            "rows": np.array(ROWS)[rows],
        }
    )


# Reading it again ----------------------------------------------------------------------------------------------------


def read_surprisal(path: str | Path) -> pd.DataFrame:
    """surprisal.csv as it was written: "null" and "nan" are words, and what was not measured is NaN."""
    measured = {name: "" for name in ("entropy", "entropy_reduction", "count_train", "zipf", "zipf_rank")}
    return pd.read_csv(
        path, keep_default_na=False, na_values=measured, dtype={"word": str, "form": str, "kind": str, "rows": str}
    )


def kinds_of(frames: Mapping[str, pd.DataFrame]) -> np.ndarray:
    """The kind of each line for all phases alike: that of the last phase, in which the words have their rows."""
    return frames[list(frames)[-1]]["kind"].to_numpy(dtype=str)


def group_masks(kinds: np.ndarray) -> dict[str, np.ndarray]:
    """Which lines are of each of GROUPS: [lines] a group."""
    masks = {"with_row": kinds == WITH_ROW, "without_row": kinds == WITHOUT_ROW, "plain": kinds == PLAIN}
    return {"coinage": masks["with_row"] | masks["without_row"]} | masks


def mean_of(
    frame: pd.DataFrame,
    mask: np.ndarray,
    column: str,
    rng: np.random.Generator,
    before: pd.DataFrame | None = None,
) -> tuple[float | None, list[float] | None]:
    """Mean of a column over a mask's lines with its 95 % interval over passages; with `before` (the same lines of
    another model), that of the difference, frame - before. Lines where it was not measured are left out.
    """
    values = frame[column].to_numpy(float) - (0 if before is None else before[column].to_numpy(float))
    passages, there = frame["passage"].to_numpy(), mask & np.isfinite(values)
    least = 0.0 if before is None else -np.inf
    return ratio(by_passage(passages, there, values), by_passage(passages, there), rng, least=least)
