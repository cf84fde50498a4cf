"""Pre-tokenizers that hand whole words to the BPE model, so that an entry of its vocabulary is one token.

Three steps of a tokenizer.json, each left out where it is not needed:

1. A `Split` isolates the forms in front of everything else the base does: their list folded into a trie, bounded by
   what cannot stand inside a word.
2. The base's own word-splitting `Split` would cut a form again at an apostrophe, a hyphen or a combining mark; its
   alternatives are preceded by those forms, as whole pieces only.
3. `ignore_merges` takes any piece whole that is an entry. A few entries are spelled by no merges (<0x0A> and the other
   bytes of a SentencePiece model); a text that holds nothing else is cut after its first base token, and so keeps its
   ids.

Text without coinages is touched by none of them.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

from wake2vec.vocabulary.trie import trie_regex

SPACE = "▁"
# a form's boundary: no letter, digit or mark beside it. An apostrophe or hyphen is one ("riverrun's" is riverrun + 's),
# unless the list has the longer word, which then wins
NOT_AFTER = rf"(?<![\p{{L}}\p{{M}}\p{{N}}{SPACE}])"
AFTER_MARK = r"(?<=[^\r\n \p{L}\p{M}\p{N}])"  # what a byte-level base may join to a word that follows
NOT_BEFORE = r"(?![\p{L}\p{M}\p{N}])"
# what ByteLevel(use_regex=True) splits by: GPT-2's, from its published encoder
GPT2_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def steps_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The pre-tokenizers of a tokenizer.json, in order; one that splits and spells bytes at once is made two."""
    existing = spec["pre_tokenizer"]
    steps = [] if existing is None else existing["pretokenizers"] if existing["type"] == "Sequence" else [existing]
    parted = []
    for step in steps:
        if step["type"] == "ByteLevel" and step["use_regex"]:
            parted.append(_split(GPT2_WORDS))
            step = step | {"use_regex": False}
        parted.append(step)
    return parted


def is_byte_level(steps: Sequence[dict[str, Any]]) -> bool:
    """Whether a tokenizer spells text in bytes (GPT-2's alphabet) and so leaves spaces as they are until then."""
    return any(step["type"] == "ByteLevel" for step in steps)


def isolating(base: Tokenizer, spec: dict[str, Any], texts: Sequence[tuple[str, bool]]) -> dict[str, Any]:
    """The base's pre-tokenizer, as a tokenizer.json writes it, isolating forms as well.

    base, spec: the base tokenizer and its tokenizer.json. texts: (form as it is spelled where the splits run, whether
    it has a leading space).
    """
    steps = steps_of(spec)
    at = int(bool(steps) and steps[0]["type"] == "Metaspace")  # which writes ▁
    behind = steps[at:]
    spelled = [text for text, _ in texts]
    cut = _pieces(behind, spelled) if behind else [1] * len(texts)
    alternatives = _alternatives([text for text, start in texts if start], [text for text, start in texts if not start])
    if is_byte_level(steps):
        # the base isolates a word by itself, unless it cuts it, or joins a bracket or a quotation mark to it
        joined = _pieces(behind, ["(" + text for text in spelled])
        alternatives = [
            *_alternatives(
                [text for (text, start), n in zip(texts, cut, strict=True) if n > 1 and start],
                [text for (text, start), n in zip(texts, cut, strict=True) if n > 1 and not start],
            ),
            *_alternatives(
                [],
                [
                    text
                    for (text, start), n, m in zip(texts, cut, joined, strict=True)
                    if n == 1 and m == 1 and not start
                ],
                after=AFTER_MARK,
            ),
        ]
    front = [_split("|".join(alternatives))] if alternatives else []
    own = next((i for i, step in enumerate(behind) if _isolates(step)), None)
    if own is not None and max(cut) > 1:
        again = trie_regex(text for text, pieces in zip(spelled, cut, strict=True) if pieces > 1)
        guarded = _split(rf"\A{again}\z|{behind[own]['pattern']['Regex']}")
        behind = [*behind[:own], guarded, *behind[own + 1 :]]
    guard = [] if spec["model"]["ignore_merges"] else _unreachable_guard(base, spec)
    return {"type": "Sequence", "pretokenizers": [*steps[:at], *front, *behind, *guard]}


def _alternatives(starts: list[str], bare: list[str], after: str = NOT_AFTER) -> list[str]:
    found = []
    if starts:
        # the space itself is the boundary; a look-behind would not see it where a text begins
        found.append(f"{starts[0][0]}{trie_regex(text[1:] for text in starts)}{NOT_BEFORE}")
    if bare:
        found.append(f"{after}{trie_regex(bare)}{NOT_BEFORE}")
    return found


def _split(regex: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}


def _isolates(step: dict[str, Any]) -> bool:
    return (
        step["type"] == "Split" and step["behavior"] == "Isolated" and not step["invert"] and "Regex" in step["pattern"]
    )


def _pieces(steps: list[dict[str, Any]], texts: list[str]) -> list[int]:
    """How many pieces the steps make of each text; bytes are not spelled out."""
    spec = {"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []}}
    splits = [step for step in steps if step["type"] != "ByteLevel"]
    spec["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": splits}
    cut = Tokenizer.from_str(json.dumps(spec)).pre_tokenizer.pre_tokenize_str
    return [len(cut(text)) for text in texts]


def _unreachable_guard(base: Tokenizer, spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Cuts a piece that is an entry which the base's merges would not make of it, after its first base token."""
    tokenize = base.model.tokenize
    added = {token["content"] for token in spec["added_tokens"]}
    rests: dict[str, list[str]] = defaultdict(list)
    for entry in spec["model"]["vocab"]:
        tokens = tokenize(entry) if entry not in added else ()
        if len(tokens) > 1:
            rests[entry[: tokens[0].offsets[1]]].append(entry[tokens[0].offsets[1] :])
    cuts = [f"{trie_regex([first])}(?={trie_regex(rest)}\\z)" for first, rest in sorted(rests.items())]
    return [_split(rf"\A(?:{'|'.join(cuts)})")] if cuts else []
