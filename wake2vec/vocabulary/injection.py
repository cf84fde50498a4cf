"""Whole-word injection: the words of a lexicon as tokens of their own, in a plain tokenizer.json.

Each spelling of a word has two forms, as base tokenizers tell them apart: start-of-word (after a space) and bare
(after a quotation mark, at a line's start). A form gets an entry in the BPE model's own vocabulary, and
`ignore_merges` takes a piece that is an entry whole. A SentencePiece-style tokenizer (▁ for a space) does not cut text
into words, so a `Split` in front of the model isolates the forms: their list folded into a trie, bounded by what
cannot stand inside a word. A byte-level one (GPT-2, Llama 3, Qwen) cuts words already. Text without coinages is not
touched by either and keeps its ids.

New ids begin where the base *matrix* ends, which in a padded vocabulary is past the tokenizer's last id.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from wake2vec.errors import UserError
from wake2vec.storage import read_text, read_values
from wake2vec.text.corpus import passages_of
from wake2vec.text.encoding import encode
from wake2vec.vocabulary.trie import trie_regex

SPACE = "▁"
# a form's boundary: no letter, digit or mark beside it. An apostrophe or hyphen is one ("riverrun's" is riverrun + 's),
# unless the list has the longer word, which then wins
_NOT_AFTER = r"(?<![\p{L}\p{M}\p{N}▁])"
_NOT_BEFORE = r"(?![\p{L}\p{M}\p{N}])"


def inject(
    base: Tokenizer,
    base_rows: int,
    spellings: dict[str, list[str]],
    train: list[str],
    valid: list[str],
    match: str = "word",
    min_fires: int = 2,
) -> tuple[Tokenizer, dict[str, Any]]:
    """Give the words of a lexicon tokens of their own.

    base: the base tokenizer. base_rows: rows of the base embedding matrix; new ids begin there.
    spellings: word -> how it is written in the text ("riverrun" -> ["riverrun", "Riverrun"]).
    train, valid: passages, in which each form's occurrences are counted; the held-out count is only reported.
    match: "word", or "substring" for the notebooks' `add_tokens`.
    min_fires: a form that fires less often in the training passages gets no row; 0 keeps every form.

    Returns the new tokenizer and the values of injection.json.
    """
    if match == "substring":
        forms, reused, refused = _substring_forms(base, spellings)
        build = _with_added_tokens
    else:
        forms, reused, refused = _word_forms(base, spellings)
        build = _with_whole_words
    tokenizer = build(base, base_rows, forms)
    if match == "word":
        whole = _matches_whole(tokenizer, base_rows, forms)
        refused += [
            {"word": form["word"], "reason": f"{form['form']!r} is cut again by the base's own pre-tokenizer"}
            for form, ok in zip(forms, whole, strict=True)
            if not ok
        ]
        if not all(whole):
            forms = [form for form, ok in zip(forms, whole, strict=True) if ok]
            tokenizer = build(base, base_rows, forms)
    counts = _fires(tokenizer, base_rows, len(forms), train)
    if min_fires:
        keep = counts >= min_fires
        refused += [
            {
                "word": form["word"],
                "reason": f"{form['form']!r} fires {n} < min_fires {min_fires} times in the training text",
            }
            for form, n in zip(forms, counts, strict=True)
            if n < min_fires
        ]
        forms = [form for form, kept in zip(forms, keep, strict=True) if kept]
        tokenizer = build(base, base_rows, forms)
        counts = _fires(tokenizer, base_rows, len(forms), train)
    held_out = _fires(tokenizer, base_rows, len(forms), valid)
    rows = [
        {"id": base_rows + row, "row": row} | form | {"count_train": int(seen), "count_valid": int(unseen)}
        for row, (form, seen, unseen) in enumerate(zip(forms, counts, held_out, strict=True))
    ]
    return tokenizer, {
        "base_rows": base_rows,
        "match": match,
        "forms": rows,
        "reused": reused,
        "not_injectable": refused,
        "round_trip": {"passages": len(train) + len(valid), "lost": not_coming_back(tokenizer, [*train, *valid])},
    }


def not_coming_back(tokenizer: Tokenizer, passages: list[str]) -> int:
    """How many passages are not, character for character, what their ids decode to."""
    encoded = encode(tokenizer, passages).passages
    decoded = tokenizer.decode_batch([ids.tolist() for ids in encoded], skip_special_tokens=False)
    return sum(text != passage for text, passage in zip(decoded, passages, strict=True))


def _word_forms(base: Tokenizer, spellings: dict[str, list[str]]):
    """Every form's entry: {"word", "form" (as in the vocabulary), "surface", "start"}; what exists already; what
    cannot be.
    """
    vocabulary = base.get_vocab(with_added_tokens=True)
    byte_level = is_byte_level(base)
    forms, reused, refused, taken = [], [], [], set()
    for word, surfaces in spellings.items():
        for surface in surfaces:
            for start in (True, False):
                form = _byte_level_form(base, surface, start) if byte_level else _metaspace_form(base, surface, start)
                entry = {"word": word, "form": form, "surface": surface, "start": start}
                if form is None:
                    refused.append(
                        {"word": word, "reason": f"{surface!r} is more than one piece to the base's pre-tokenizer"}
                    )
                elif form in vocabulary:
                    reused.append(entry | {"id": vocabulary[form]})
                elif form not in taken:
                    taken.add(form)
                    forms.append(entry)
    return forms, reused, refused


def is_byte_level(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer spells text in bytes (GPT-2's alphabet), and so cuts words before its model."""
    return "ByteLevel" in json.dumps(json.loads(tokenizer.to_str())["pre_tokenizer"])


def _metaspace_form(base: Tokenizer, surface: str, start: bool) -> str:
    spelled = base.normalizer.normalize_str(surface).lstrip(SPACE) if base.normalizer else surface
    return SPACE + spelled if start else spelled


def _byte_level_form(base: Tokenizer, surface: str, start: bool) -> str | None:
    text = " " + surface if start else surface
    normalised = base.normalizer.normalize_str(text) if base.normalizer else text
    pieces = [piece for piece, _ in base.pre_tokenizer.pre_tokenize_str(normalised)]
    return pieces[0] if len(pieces) == 1 else None


def _with_whole_words(base: Tokenizer, base_rows: int, forms: list[dict[str, Any]]) -> Tokenizer:
    spec = json.loads(base.to_str())
    if spec["model"]["type"] != "BPE":
        raise UserError(f"whole-word injection needs a BPE tokenizer; the base has {spec['model']['type']}.")
    if not forms:
        return base
    spec["model"]["vocab"] |= {form["form"]: base_rows + row for row, form in enumerate(forms)}
    spec["model"]["ignore_merges"] = True
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    if not is_byte_level(base):
        spec["pre_tokenizer"] = _isolating(spec["pre_tokenizer"], forms)
        tokenizer = Tokenizer.from_str(json.dumps(spec))
    return tokenizer


def _isolating(existing: dict | None, forms: list[dict[str, Any]]) -> dict:
    """The base's pre-tokenizer, isolating the forms as well.

    Where the base has an isolating Split of its own, the forms go in front of its alternatives: a second Split behind
    the first would cut a form at its apostrophe again. Elsewhere a Split is added behind Metaspace (which writes ▁).
    """
    alternatives = []
    if starts := [form["form"].removeprefix(SPACE) for form in forms if form["start"]]:
        # ▁ itself is the boundary; a look-behind would not see it where a text begins
        alternatives.append(f"{SPACE}{trie_regex(starts)}{_NOT_BEFORE}")
    if bare := [form["form"] for form in forms if not form["start"]]:
        alternatives.append(f"{_NOT_AFTER}{trie_regex(bare)}{_NOT_BEFORE}")
    steps = [] if existing is None else existing["pretokenizers"] if existing["type"] == "Sequence" else [existing]
    own = next((i for i, step in enumerate(steps) if _isolates(step)), None)
    if own is None:
        at, rest = int(bool(steps) and steps[0]["type"] == "Metaspace"), None
    else:
        at, rest = own, own + 1
        alternatives.append(steps[own]["pattern"]["Regex"])
    split = {"type": "Split", "pattern": {"Regex": "|".join(alternatives)}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [*steps[:at], split, *steps[at if rest is None else rest :]]}


def _isolates(step: dict) -> bool:
    return (
        step["type"] == "Split" and step["behavior"] == "Isolated" and not step["invert"] and "Regex" in step["pattern"]
    )


def _matches_whole(tokenizer: Tokenizer, base_rows: int, forms: list[dict[str, Any]]) -> list[bool]:
    """Tried, not reasoned: does each form come out as its one new id, after a space or after a bracket?"""
    texts = [f"a {form['surface']} a" if form["start"] else f"({form['surface']})" for form in forms]
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    return [base_rows + row in encoding.ids for row, encoding in enumerate(encodings)]


def _substring_forms(base: Tokenizer, spellings: dict[str, list[str]]):
    """The notebooks' list: each word as it stands in the list, unless the base's vocabulary has that very string."""
    vocabulary = base.get_vocab(with_added_tokens=True)
    forms = [{"word": w, "form": w, "surface": w, "start": False} for w in spellings if w not in vocabulary]
    reused = [
        {"word": w, "form": w, "surface": w, "start": False, "id": vocabulary[w]} for w in spellings if w in vocabulary
    ]
    return forms, reused, []


def _with_added_tokens(base: Tokenizer, base_rows: int, forms: list[dict[str, Any]]) -> Tokenizer:
    tokenizer = Tokenizer.from_str(base.to_str())
    spec = json.loads(tokenizer.to_str())
    added = [
        {"id": base_rows + row, "content": form["form"], "special": False}
        | {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True}
        for row, form in enumerate(forms)
    ]
    spec["added_tokens"] += added
    return Tokenizer.from_str(json.dumps(spec))


def _fires(tokenizer: Tokenizer, base_rows: int, forms: int, passages: list[str]) -> np.ndarray:
    """How often each new id occurs in the passages: [forms]."""
    if not passages or not forms:
        return np.zeros(forms, dtype=np.int64)
    ids = np.concatenate(encode(tokenizer, passages).passages)
    return np.bincount(ids[ids >= base_rows] - base_rows, minlength=forms)


def inject_lexicon(paths: Any, settings: Mapping[str, Any]) -> tuple[Tokenizer, dict[str, Any]]:
    """The tokenizer of a model from its files: architecture and tokenizer of the base, lexicon.csv and its report, morphemes.json
    (for synthetic coinages), train.txt and valid.txt. settings: the `vocabulary` block. Returns what `inject` does.
    """
    from wake2vec.report.results import read_lexicon
    from wake2vec.text.build import spellings

    written = spellings(read_lexicon(paths.lexicon))
    if settings["synthetic"]:
        written |= {form["word"]: [form["word"]] for form in read_values(paths.morphemes)["synthetic"]}
    tokenizer, values = inject(
        Tokenizer.from_file(str(paths.tokenizer)),
        read_values(paths.architecture)["rows"],
        written,
        passages_of(read_text(paths.train)),
        passages_of(read_text(paths.valid)),
        settings["match"],
        settings["min_fires"],
    )
    return tokenizer, values | {"lexicon_saw_held_out": read_values(paths.report)["saw_held_out"]}
