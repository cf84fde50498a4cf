"""Synthetic coinages: new words from the prefixes, roots and suffixes that a text's own coinages are made of.

A form is prefix + root + suffix (pre + river + ation → preriveration), each part drawn on its own with a probability in
proportion to its weight, so that

    P(form) = P(prefix) P(root) P(suffix).

What is an English word, or a word of the training text, is drawn again. Sentences from a list of frames then show every
form at least once, as the published recipe does before it trains the rows.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import regex

from wake2vec.errors import UserError
from wake2vec.text.lexicon import DRAWN_OUT, kept, zipf, zipf_table
from wake2vec.text.morphology import (
    INFLECTION,
    Morphemes,
    Segmentation,
    Segmenter,
    join,
    read_blocklist,
    read_morphemes,
    roots,
)

SLOT = "{}"
FREQUENT = 5  # a word seen this often in the training text may be a root, listed in English or not
DRAWS = 50  # tries per form asked for, before fewer are given
MET = 5  # an affix's weight is how often the text has it, once it has so many different ones
ROOT_LENGTHS = range(4, 9)
ROOT_ZIPF = (3.0, 5.5)  # content words that a reader knows; function words are more frequent


def synthetic_forms(
    prefixes: Mapping[str, float],
    stems: Mapping[str, float],
    suffixes: Mapping[str, float],
    n: int,
    seed: int,
    *,
    known: Collection[str] = (),
    language: str = "en",
) -> list[dict[str, Any]]:
    """Draw `n` different forms {"word", "prefix", "root", "suffix", "weight"}, most probable first.

    `prefixes`, `stems` (the roots), `suffixes`: weight by part, in any unit. `known`: words that no form may be, beyond
    those of the language (every word that wordfreq lists). `weight` is P(form). Fewer than `n` come back when the parts
    do not allow more. Same arguments, same forms.
    """
    parts = [_distribution(weights) for weights in (prefixes, stems, suffixes)]
    if not n or not all(len(names) for names, _ in parts):
        return []
    table, rng = zipf_table(language), np.random.default_rng(seed)
    draws = [rng.choice(len(names), size=n * DRAWS, p=shares) for names, shares in parts]
    forms: dict[str, dict[str, Any]] = {}
    for i, j, k in zip(*draws, strict=True):
        prefix, root, suffix = parts[0][0][i], parts[1][0][j], parts[2][0][k]
        word = prefix + join(root, suffix)
        if word not in forms and word not in known and not zipf(word, table)[0] and not DRAWN_OUT.search(word):
            weight = float(parts[0][1][i] * parts[1][1][j] * parts[2][1][k])
            forms[word] = {"word": word, "prefix": prefix, "root": root, "suffix": suffix, "weight": weight}
            if len(forms) == n:
                break
    return sorted(forms.values(), key=lambda form: (-form["weight"], form["word"]))


def _distribution(weights: Mapping[str, float]) -> tuple[list[str], np.ndarray]:
    names = sorted(name for name, weight in weights.items() if weight > 0)
    shares = np.array([weights[name] for name in names], dtype=float)
    return names, shares / shares.sum() if len(names) else shares


def synthetic_sentences(forms: Sequence[Mapping[str, Any]], frames: Sequence[str], n: int, seed: int) -> list[str]:
    """`n` sentences, each a frame with a form in every slot; every form occurs when there are slots enough.

    Forms come in shuffled order, all of them once before any comes again; after that they are drawn by weight. Frames
    come in shuffled rounds, so that each is used as often as any other, give or take one.
    """
    if not forms or not n:
        return []
    rng = np.random.default_rng(seed)
    rounds = [rng.permutation(len(frames)) for _ in range(-(-n // len(frames)))]
    chosen = [frames[i] for i in np.concatenate(rounds)[:n]]
    slots = sum(frame.count(SLOT) for frame in chosen)
    weights = np.array([form["weight"] for form in forms], dtype=float)
    again = rng.choice(len(forms), size=max(0, slots - len(forms)), p=weights / weights.sum())
    order = np.concatenate([rng.permutation(len(forms)), rng.permutation(again)])[:slots]
    words = iter([forms[i]["word"] for i in order])
    return [_fill(frame, words) for frame in chosen]


def _fill(frame: str, words: Iterable[str]) -> str:
    sentence = frame.format(*[next(words) for _ in range(frame.count(SLOT))])
    sentence = regex.sub(r"\b([Aa]) (?=[aeiou])(?!uni|eu)", r"\1n ", sentence)
    return sentence[0].upper() + sentence[1:]


def read_frames(path: str | Path) -> list[str]:
    """Read sentence frames, one a line, each with one or more `{}` where a coinage goes; # begins a comment line.

    Raises UserError for a missing or empty file, and naming the line of a frame without a slot or with a stray brace.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as UTF-8 text: {error}.") from None
    frames = []
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if SLOT not in line or set("{}") & set(line.replace(SLOT, "")):
            raise UserError(
                f'{path}, line {number}: a frame needs {SLOT} for the coinage, and no other brace: "{line}".'
            )
        frames.append(line)
    if not frames:
        raise UserError(f"{path} holds no frame: one sentence a line, with {SLOT} for the coinage.")
    return frames


# The rules' calls ---------------------------------------------------------------------------------------------------


def analyse(
    lexicon: pd.DataFrame, morphemes_path: str | Path, blocklist_path: str | Path, *, language: str = "en"
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Morphemes, and segmentation of the lexicon's kept words.

    `lexicon`: as `lexicon.build_lexicon` makes it. Returns (1) the values of morphemes.json: {"prefixes": {prefix:
    [examples]}, "suffixes": …, "counts": {"prefixes": {prefix: words of the lexicon that have it}, "suffixes": …,
    "methods": {affix | compound | none: words}}}; (2) the rows of segmentation.jsonl, in the lexicon's order.
    """
    morphemes = read_morphemes(morphemes_path)
    segmenter = _segmenter(lexicon, morphemes, blocklist_path, language)
    counts = dict(zip(lexicon["word"], lexicon["count"].tolist(), strict=True))
    found = {word: segmenter.segment(word) for word in kept(lexicon)}
    rows = [{"word": word, "count": counts[word], **_row(parts)} for word, parts in found.items()]
    return describe(morphemes, found.values()), rows


def coin(
    lexicon: pd.DataFrame,
    counts: Mapping[str, Mapping[str, int]],
    morphemes_path: str | Path,
    blocklist_path: str | Path,
    frames_path: str | Path,
    *,
    forms: int,
    sentences: int,
    seed: int,
    language: str = "en",
) -> tuple[list[dict[str, Any]], str]:
    """Synthetic coinages with their parts, and sentences that show them.

    `counts`: of morphemes.json. Returns (1) the rows of synthetic.jsonl, which are those of segmentation.jsonl with the
    form's `weight`, most probable first; (2) synthetic.txt, one sentence a line.
    """
    segmenter = _segmenter(lexicon, read_morphemes(morphemes_path), blocklist_path, language)
    coined = synthetic_forms(
        affix_weights({prefix: n for prefix, n in counts["prefixes"].items() if prefix != "a"}),
        root_weights(lexicon, segmenter),
        affix_weights({suffix: n for suffix, n in counts["suffixes"].items() if suffix not in INFLECTION}),
        forms,
        seed,
        known=set(lexicon["word"]),
        language=language,
    )
    lines = synthetic_sentences(coined, read_frames(frames_path), sentences, seed)
    rows = [{"word": form["word"], "count": 0, **form, "compound": [], "method": "affix"} for form in coined]
    return rows, "".join(line + "\n" for line in lines)


def _segmenter(lexicon: pd.DataFrame, morphemes: Morphemes, blocklist_path: str | Path, language: str) -> Segmenter:
    return Segmenter(morphemes, read_blocklist(blocklist_path), zipf_table(language), frequent_words(lexicon))


def _row(parts: Segmentation) -> dict[str, Any]:
    return {**parts._asdict(), "compound": list(parts.compound)}


def describe(morphemes: Morphemes, found: Iterable[Segmentation]) -> dict[str, Any]:
    """Affixes with their examples, and in how many segmented words each was found (also when in none)."""
    found = list(found)
    prefixes, suffixes = Counter(s.prefix for s in found), Counter(s.suffix for s in found)
    return {
        "prefixes": morphemes.prefixes,
        "suffixes": morphemes.suffixes,
        "counts": {
            "prefixes": {prefix: prefixes[prefix] for prefix in morphemes.prefixes},
            "suffixes": {suffix: suffixes[suffix] for suffix in morphemes.suffixes},
            "methods": {method: sum(s.method == method for s in found) for method in ("affix", "compound", "none")},
        },
    }


def frequent_words(lexicon: pd.DataFrame) -> list[str]:
    """Words seen often in the text that are no coinages: known in English, or names."""
    often = lexicon[(lexicon["status"] == "excluded") & (lexicon["count"] >= FREQUENT)]
    words = often.loc[often["reason"].str.startswith(("known: zipf", "name")), "word"]
    return words[words.str.isalpha()].tolist()


def affix_weights(counts: Mapping[str, int]) -> dict[str, float]:
    """How often each affix was found; where fewer than MET were, one more for every affix there is."""
    met = {affix: float(count) for affix, count in counts.items() if count}
    return met if len(met) >= MET else {affix: 1.0 + count for affix, count in counts.items()}


def root_weights(lexicon: pd.DataFrame, segmenter: Segmenter) -> dict[str, float]:
    """Roots for synthetic forms, weighted by their count in the text.

    They are the text's own content words that are known roots, are written in lower case, and have no ending.
    """
    words = lexicon[
        lexicon["word"].isin(segmenter.roots.keys())
        & lexicon["zipf"].between(*ROOT_ZIPF)
        & lexicon["word"].str.len().isin(list(ROOT_LENGTHS))
        & lexicon["surfaces"].str[:1].str.islower()
    ]
    weights = zip(words["word"], words["count"].astype(float), strict=True)
    return {word: count for word, count in weights if not _inflected(word, segmenter.roots)}


def _inflected(word: str, known: Collection[str]) -> bool:
    return any(
        word.endswith(ending) and any(root in known for root in roots(word.removesuffix(ending), ending))
        for ending in ("s", "es", "ed", "ing", "ly")
    )
