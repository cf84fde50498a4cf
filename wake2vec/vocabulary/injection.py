"""Whole-word injection: the words of a lexicon as tokens of their own, in a plain tokenizer.json.

Each spelling of a word has two forms, as base tokenizers tell them apart: start-of-word (after a space) and bare
(after a quotation mark, at a line's start). A form gets an entry in the BPE model's own vocabulary, pre-tokenizers
isolate it where it stands as a word (isolation.py), and `ignore_merges` takes a piece that is an entry whole. Text
without coinages keeps its ids.

A word stands between characters that are no letters, digits or marks. A byte-level base (GPT-2, Llama 3, Qwen, Tekken)
cuts text into words of its own before anything can be matched; what it holds to be a whole word is one here too, so
that in "riverrun2" it is `riverrun`, as the base makes it `riverrun` and `2`.

New ids begin where the base *matrix* ends, which in a padded vocabulary is past the tokenizer's last id. The ids
between get entries that no text can spell: libraries count a tokenizer's entries where they want its last id, and would
give the next added token the id of a new row, or cut new rows off the matrix.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import regex
from tokenizers import Tokenizer

from wake2vec.errors import UserError
from wake2vec.storage import read_jsonl, read_text, read_values
from wake2vec.text.corpus import passages_of
from wake2vec.text.encoding import NO_PIECE, encode
from wake2vec.vocabulary.isolation import SPACE, WORD, is_byte_level, isolating, steps_of

CHUNK = regex.compile(rf"{WORD}+|.")  # of a form, where a word may begin or end
# GPT-2's alphabet: printable Latin-1 stands for itself, the other bytes are written from U+0100 on, in order
_PRINTED = {*range(33, 127), *range(161, 173), *range(174, 256)}
_BYTES = dict(zip(sorted(set(range(256)) - _PRINTED), range(256, 512), strict=False))


def inject(
    base: Tokenizer,
    base_rows: int,
    spellings: dict[str, list[str]],
    train: list[str],
    valid: list[str],
    match: str = "word",
    min_fires: int = 2,
    coined: Collection[str] = (),
    sentences: Sequence[str] = (),
) -> tuple[Tokenizer, dict[str, Any]]:
    """Give the words of a lexicon tokens of their own.

    base: the base tokenizer. base_rows: rows of the base embedding matrix; new ids begin there.
    spellings: word -> how it is written in the text ("riverrun" -> ["riverrun", "Riverrun"]).
    train, valid: passages, in which each form's occurrences are counted; the held-out count is only reported.
    match: "word", or "substring" for the notebooks' `add_tokens`.
    min_fires: a form that fires less often in the training passages gets no row; 0 keeps every form.
    coined: those of the words that are synthetic, which no text has: a form of theirs gets a row where it fires in
    sentences, whatever min_fires is. Counts stay those of the text; `count_synthetic` is how often it fires there.

    Returns the new tokenizer and the values of injection.json. Raises UserError for a base that is no BPE.
    """
    spec = json.loads(base.to_str())
    if spec["model"]["type"] != "BPE":
        raise UserError(f"injection needs a BPE tokenizer; the base has {spec['model']['type']}.")
    spec = _with_ids_kept(spec)
    if match == "substring":
        forms, reused, refused = _substring_forms(base, spellings)
        build = _with_added_tokens
    else:
        forms, reused, refused = _word_forms(base, spec, spellings)
        build = _with_whole_words
    tokenizer = build(base, spec, base_rows, forms)
    if match == "word":
        whole = _matches_whole(tokenizer, base_rows, forms)
        refused += [
            {
                "word": form["word"],
                "form": form["form"],
                "reason": f"{form['form']!r} is cut again by the base's own pre-tokenizer",
            }
            for form, ok in zip(forms, whole, strict=True)
            if not ok
        ]
        if not all(whole):
            forms = [form for form, ok in zip(forms, whole, strict=True) if ok]
            tokenizer = build(base, spec, base_rows, forms)
    while True:
        counts, shown = (_fires(tokenizer, base_rows, len(forms), texts) for texts in (train, sentences))
        reasons = [_too_rare(*about, min_fires, coined) for about in zip(forms, counts, shown, strict=True)]
        if not any(reasons):
            break
        rare = {row: reason for row, reason in enumerate(reasons) if reason}
        # what stands inside of another ("andrée" in "andrée's") is judged when that one no longer takes its occurrences
        first = _hiding({forms[row]["surface"] for row in rare if counts[row]}, {forms[row]["surface"] for row in rare})
        leaving = {row for row in rare if not first or forms[row]["surface"] in first}
        refused += [
            {"word": forms[row]["word"], "form": forms[row]["form"], "reason": rare[row]} for row in sorted(leaving)
        ]
        forms = [form for row, form in enumerate(forms) if row not in leaving]
        tokenizer = build(base, spec, base_rows, forms)
    forms = [
        form | ({"count_synthetic": int(n)} if form["word"] in coined else {})
        for form, n in zip(forms, shown, strict=True)
    ]
    held_out = _fires(tokenizer, base_rows, len(forms), valid)
    rows = [
        {"id": base_rows + row, "row": row} | form | {"count_train": int(seen), "count_valid": int(unseen)}
        for row, (form, seen, unseen) in enumerate(zip(forms, counts, held_out, strict=True))
    ]
    return tokenizer, {
        "base_rows": base_rows,
        "match": match,
        "counts": {
            "rows": len(rows),
            "fire_in_training": int((counts > 0).sum()),
            "fire_only_elsewhere": int(((counts == 0) & (held_out > 0)).sum()),
            "never_fire": int(((counts == 0) & (held_out == 0)).sum()),
            "reused": len(reused),
            "not_injectable": len(refused),
        },
        "forms": rows,
        "reused": reused,
        "not_injectable": refused,
        "round_trip": {"passages": len(train) + len(valid), "lost": not_coming_back(tokenizer, [*train, *valid])},
    }


def _too_rare(form: Mapping[str, Any], in_text: int, shown: int, min_fires: int, coined: Collection[str]) -> str | None:
    """Why a form gets no row, if it gets none."""
    if form["word"] in coined:
        return None if shown else f"{form['form']!r} fires nowhere in the synthetic sentences"
    if in_text < min_fires:
        return f"{form['form']!r} fires {in_text} < min_fires {min_fires} times in the training text"
    return None


def _hiding(fired: set[str], rare: set[str]) -> set[str]:
    """Of the surfaces that fired, those inside of which rare ones stand as whole words, but for what stands inside of
    these. (Of forms that are matched anywhere, as `substring` does, one in the middle of a word is not looked for.)

    >>> _hiding({"a-b-c", "a-b", "c", "d-e"}, {"a-b-c", "a-b", "c", "d-e"})
    {'a-b-c'}
    """
    inside = {}
    for surface in fired:
        chunks = CHUNK.findall(surface)
        spans = combinations(range(len(chunks) + 1), 2)
        inside[surface] = {"".join(chunks[i:j]) for i, j in spans} & rare - {surface}
    hiding = {surface for surface, others in inside.items() if others}
    return hiding.difference(*(inside[surface] for surface in hiding))


def _with_ids_kept(spec: dict[str, Any]) -> dict[str, Any]:
    """A base's tokenizer.json whose model has its added tokens as well ("<|begin_of_text|>", "<|im_start|>").

    A loaded tokenizer gives an added token the model's id for it, or else the next one after the model's last,
    whatever is written beside it: with new rows in the model, it would be another id, and a new row's.
    """
    added = {token["content"]: token["id"] for token in spec["added_tokens"]}
    return spec | {"model": spec["model"] | {"vocab": spec["model"]["vocab"] | added}}


def _filled(spec: dict[str, Any], base_rows: int) -> dict[str, int]:
    """The model's vocabulary, with an entry for every id of the base matrix that has none. A space is in no piece."""
    vocabulary = spec["model"]["vocab"]
    unused = set(range(base_rows)).difference(vocabulary.values())
    return vocabulary | {NO_PIECE.format(number): number for number in sorted(unused)}


def not_coming_back(tokenizer: Tokenizer, passages: list[str]) -> int:
    """How many passages are not, character for character, what their ids decode to."""
    encoded = encode(tokenizer, passages).passages
    decoded = tokenizer.decode_batch([ids.tolist() for ids in encoded], skip_special_tokens=False)
    return sum(text != passage for text, passage in zip(decoded, passages, strict=True))


def _word_forms(base: Tokenizer, spec: dict[str, Any], spellings: dict[str, list[str]]):
    """Every form's entry: {"word", "form" (as in the vocabulary), "surface", "start"}; what exists already; what
    cannot be.
    """
    vocabulary = base.get_vocab(with_added_tokens=True)
    text_of, entry_of = _text_of(base, spec), _entry_of(spec)
    forms, reused, refused, taken = [], [], [], set()
    for word, surfaces in spellings.items():
        for surface in surfaces:
            if surface.split() != [surface] or not text_of(surface, False):
                reason = f"{surface!r} is empty or has white space in it"
                refused.append({"word": word, "form": surface, "reason": reason})
                continue
            for start in (True, False):
                form = entry_of(text_of(surface, start))
                entry = {"word": word, "form": form, "surface": surface, "start": start}
                if form in vocabulary:
                    reused.append(entry | {"id": vocabulary[form]})
                elif form not in taken:
                    taken.add(form)
                    forms.append(entry)
    return forms, reused, refused


def _text_of(base: Tokenizer, spec: dict[str, Any]) -> Callable[[str, bool], str]:
    """(surface, start) -> the form as the pre-tokenizers see it."""
    normalise = cache(base.normalizer.normalize_str) if base.normalizer else str
    if is_byte_level(steps_of(spec)):
        return lambda surface, start: normalise(" " + surface if start else surface)
    return lambda surface, start: SPACE * start + normalise(surface).lstrip(SPACE)


def _entry_of(spec: dict[str, Any]) -> Callable[[str], str]:
    """A form's text -> its entry of the vocabulary."""
    if not is_byte_level(steps_of(spec)):
        return str
    return lambda text: text.encode().decode("latin-1").translate(_BYTES)


def _with_whole_words(base: Tokenizer, spec: dict[str, Any], base_rows: int, forms: list[dict[str, Any]]) -> Tokenizer:
    if not forms:
        return base
    text_of = _text_of(base, spec)
    texts = [(text_of(form["surface"], form["start"]), form["start"]) for form in forms]
    vocabulary = _filled(spec, base_rows) | {form["form"]: base_rows + row for row, form in enumerate(forms)}
    model = spec["model"] | {"vocab": vocabulary, "ignore_merges": True}
    return Tokenizer.from_str(json.dumps(spec | {"pre_tokenizer": isolating(base, spec, texts), "model": model}))


def _matches_whole(tokenizer: Tokenizer, base_rows: int, forms: list[dict[str, Any]]) -> list[bool]:
    """Tried, not reasoned: does each form come out as its one new id, after a space or after a bracket?"""
    texts = [f"a {form['surface']} a" if form["start"] else f"({form['surface']})" for form in forms]
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [base_rows + row in encoding.ids for row, encoding in enumerate(encodings)]


def _substring_forms(base: Tokenizer, spellings: dict[str, list[str]]):
    """The notebooks' list: each word as it stands in the list, unless the base's vocabulary has that very string."""
    vocabulary = base.get_vocab(with_added_tokens=True)
    forms = [{"word": w, "form": w, "surface": w, "start": False} for w in spellings if w not in vocabulary]
    reused = [
        {"word": w, "form": w, "surface": w, "start": False, "id": vocabulary[w]} for w in spellings if w in vocabulary
    ]
    return forms, reused, []


def _with_added_tokens(base: Tokenizer, spec: dict[str, Any], base_rows: int, forms: list[dict[str, Any]]) -> Tokenizer:
    added = [
        {"id": base_rows + row, "content": form["form"], "special": False}
        | {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True}
        for row, form in enumerate(forms)
    ]
    # an added token takes its id from the model's vocabulary, or else the next one, whatever is written beside it
    vocabulary = _filled(spec, base_rows) | {token["content"]: token["id"] for token in added}
    model = spec["model"] | {"vocab": vocabulary}
    return Tokenizer.from_str(json.dumps(spec | {"added_tokens": spec["added_tokens"] + added, "model": model}))


def _fires(tokenizer: Tokenizer, base_rows: int, forms: int, passages: list[str]) -> np.ndarray:
    """How often each new id occurs in the passages: [forms]."""
    if not passages or not forms:
        return np.zeros(forms, dtype=np.int64)
    ids = np.concatenate(encode(tokenizer, passages).passages)
    return np.bincount(ids[ids >= base_rows] - base_rows, minlength=forms)


def inject_lexicon(paths: Any, settings: Mapping[str, Any]) -> tuple[Tokenizer, dict[str, Any]]:
    """The tokenizer of a model from its files: architecture and tokenizer of the base, lexicon.csv and its report,
    train.txt and valid.txt; with `synthetic` coined (synthetic.jsonl) and sentences (synthetic.txt). settings: the
    `vocabulary` block. Returns what `inject` does.
    """
    from wake2vec.text.build import spellings
    from wake2vec.text.lexicon import read_lexicon

    written = spellings(read_lexicon(paths.lexicon))
    coined, sentences = [], []
    if settings["synthetic"]:
        coined = [entry["word"] for entry in read_jsonl(paths.coined)]
        sentences = read_text(paths.sentences).splitlines()
    tokenizer, values = inject(
        Tokenizer.from_file(str(paths.tokenizer)),
        read_values(paths.architecture)["rows"],
        written | {word: [word] for word in coined},
        passages_of(read_text(paths.train)),
        passages_of(read_text(paths.valid)),
        settings["match"],
        settings["min_fires"],
        set(coined),
        sentences,
    )
    return tokenizer, values | {"lexicon_saw_held_out": read_values(paths.report)["saw_held_out"]}
