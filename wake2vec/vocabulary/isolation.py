"""Pre-tokenizers that hand whole words to the BPE model, so that an entry of its vocabulary is one token.

A `Split` isolates the forms, their list folded into a trie and bounded by what cannot stand inside a word. Most need no
list, which is slow to look through:

1. A byte-level base isolates words itself. Its own `Split` is preceded by the forms that it cuts (at an apostrophe, a
   hyphen or a combining mark), and by marks that it would join to a form.
2. Where no merge of another base joins a word to what stands beside it, every word is made a piece, which leaves the
   base's ids as they are; before them go the forms that are more than a word.
3. Else all forms are listed in front of everything that the base does, and once more, as whole pieces, in its own
   `Split`, which would cut some of them again.

`ignore_merges` takes any piece whole that is an entry. A few entries are spelled by no merges (<0x0A> and the other
bytes of a SentencePiece model); a piece that holds nothing else is cut after its first base token and so keeps its ids.

Text without coinages is touched by none of them.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import regex
from tokenizers import Tokenizer

from wake2vec.bases.tokenizer import MARKS
from wake2vec.errors import UserError
from wake2vec.vocabulary.trie import escape, trie_regex

SPACE = "▁"
# a form's boundary: no letter, digit or mark beside it. An apostrophe or hyphen is one ("riverrun's" is riverrun + 's),
# unless the list has the longer word, which then wins
NOT_AFTER = rf"(?<![\p{{L}}\p{{M}}\p{{N}}{SPACE}])"
MARK = rf"[^\r\n \p{{L}}\p{{M}}\p{{N}}{SPACE}]"  # what a byte-level base may join to a word that follows
NOT_BEFORE = r"(?![\p{L}\p{M}\p{N}])"
WORD = r"[\p{L}\p{M}\p{N}]"
# of a word's edges, the characters that a merge joins to others; \0 stands between merges
_ENDS = regex.compile(rf"{WORD}(?=[^\0\p{{L}}\p{{M}}\p{{N}}])")
_BEGINS = regex.compile(rf"(?<=[^\0\p{{L}}\p{{M}}\p{{N}}{SPACE}]){WORD}")
_PLAIN = regex.compile(rf"{SPACE}?{WORD}+")
_FIRST = regex.compile(rf"{SPACE}?{WORD}+[^\p{{L}}\p{{M}}\p{{N}}]")
# what ByteLevel(use_regex=True) splits by: GPT-2's, from its published encoder
GPT2_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def steps_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The pre-tokenizers of a tokenizer.json, in order; one that splits and spells bytes at once is made two.

    Raises UserError where that would change its meaning.
    """
    existing = spec["pre_tokenizer"]
    steps = [] if existing is None else existing["pretokenizers"] if existing["type"] == "Sequence" else [existing]
    parted = []
    for step in steps:
        if step["type"] == "ByteLevel" and step["use_regex"]:
            if step["add_prefix_space"]:  # before the text; once it is split, before every piece
                raise UserError(
                    "the base's tokenizer puts a space before every text (ByteLevel with add_prefix_space), and cannot "
                    "be given whole words. Accepted: a copy of the checkpoint (kind: path) with "
                    '`"add_prefix_space": false` in the pre_tokenizer of its tokenizer.json.'
                )
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
    every = bool(at) and steps[0].get("split", True)  # ▁ begins a piece
    behind = steps[at:]
    spelled = [text for text, _ in texts]
    splits = [step for step in behind if step["type"] != "ByteLevel"]
    plain = behind  # what cuts text without forms
    if is_byte_level(steps) and len(splits) == 1 and _isolates(splits[0]):
        in_one = _split("|".join([*_beside(behind, texts), f"(?:{splits[0]['pattern']['Regex']})"]))
        behind = [in_one if step is splits[0] else step for step in behind]
        plain = []  # entries are spelled in bytes, which these splits do not see
    elif all(map(_is_local, behind)) and (word := word_regex(spec["model"], spelled, every)):
        marks = [MARKS] if behind and behind[0]["pattern"].get("Regex") == MARKS else []
        plain = [_split("|".join([word, *marks])), *behind[len(marks) :]]
        behind = [_split("|".join([*_words(word, texts, every), *marks])), *behind[len(marks) :]]
        if every:  # of which the words are made pieces now
            steps[0] = steps[0] | {"split": False}
    else:
        behind = [_split("|".join(_forms(texts))), *_guarded(behind, texts)]
    guard = [] if spec["model"]["ignore_merges"] else _unreachable_guard(base, spec, plain)
    return {"type": "Sequence", "pretokenizers": [*steps[:at], *behind, *guard]}


def _forms(texts: Sequence[tuple[str, bool]]) -> list[str]:
    """The forms with a leading space and the bare ones, where no letter, digit or mark stands beside them."""
    starts, bare = [text for text, start in texts if start], [text for text, start in texts if not start]
    found = []
    if starts:
        # the space itself is the boundary; a look-behind would not see it where a text begins
        found.append(f"{starts[0][0]}{trie_regex(text[1:] for text in starts)}{NOT_BEFORE}")
    if bare:
        found.append(f"{NOT_AFTER}{trie_regex(bare)}{NOT_BEFORE}")
    return found


def _parted(steps: list[dict[str, Any]], texts: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """The forms that the steps cut."""
    pieces = _pieces(steps, [text for text, _ in texts])
    return [text for text, found in zip(texts, pieces, strict=True) if len(found) > 1]


def _beside(steps: list[dict[str, Any]], texts: Sequence[tuple[str, bool]]) -> list[str]:
    """What goes before the words that a byte-level base isolates itself: the forms that it cuts, and the marks before a
    form that it cuts behind a bracket, or joins to it.
    """
    bare = [text for text, start in texts if not start]
    joined = _pieces(steps, ["(" + text for text in bare])
    after = [text for text, pieces in zip(bare, joined, strict=True) if pieces != ["(", text]]
    marks = [f" ?{MARK}+?(?={trie_regex(after)}{NOT_BEFORE})"] if after else []
    return [*_forms(_parted(steps, texts)), *marks]


def _guarded(steps: list[dict[str, Any]], texts: Sequence[tuple[str, bool]]) -> list[dict[str, Any]]:
    """The steps, those that isolate leaving whole the forms that stand alone."""
    longer = _parted(steps, texts)
    if not longer:
        return steps
    again = trie_regex(text for text, _ in longer)
    return [_split(rf"\A{again}\z|{s['pattern']['Regex']}") if _isolates(s) else s for s in steps]


def word_regex(model: dict[str, Any], spelled: Sequence[str], every: bool) -> str | None:
    """A regular expression for a word and the ▁ before it, if making it a piece changes no id of any text; or None.

    model: a BPE model as tokenizer.json has it. spelled: forms, each of which must be able to stand as such a piece.
    every: whether the base makes every ▁ the beginning of a piece, not the run of them.
    Merges work within what they can join: where none joins a word's last character to what may follow it, or what may
    precede it to its first, the model does to a word alone what it does to it among others. A character that some merge
    does join ("²." in Mistral's) is no word's end or beginning.
    """
    pairs = model["merges"]
    joined = "\0".join("".join(pair) if isinstance(pair, list) else pair.replace(" ", "") for pair in pairs)
    ends, begins = set(_ENDS.findall(joined)), set(_BEGINS.findall(joined))
    touched = any(text[-1] in ends or text.lstrip(SPACE)[0] in begins for text in spelled)
    unlike = model["ignore_merges"] or model["continuing_subword_prefix"] or model["end_of_word_suffix"]
    spaced = regex.search(f"[^\0]{SPACE}" if every else f"[^\0{SPACE}]{SPACE}", joined)
    if touched or unlike or (model["fuse_unk"] and not model["byte_fallback"]) or spaced:
        return None
    start = f"(?:{SPACE}{'' if every else '+'}|(?<!{WORD}){_unless('?!', begins)})"
    return f"{start}(?>{WORD}+){_unless('?<!', ends)}"


def _words(word: str, texts: Sequence[tuple[str, bool]], every: bool) -> list[str]:
    """Words, and forms that are more than a word: the likely ones first."""
    others = [(text, start) for text, start in texts if not _PLAIN.fullmatch(text)]
    longer = _parted([_split(word)], others)
    going_on = {found.group()[-1] for text, _ in longer if (found := _FIRST.match(text))}
    found = [f"{word}(?![{''.join(map(escape, sorted(going_on)))}])"] if going_on else []
    spaced = [text[1:] for text, start in texts if start]
    if spaced and not every:  # of a run of spaces, the last one is the coinage's
        found = [f"(?={SPACE}{SPACE}){SPACE}+(?={SPACE}{trie_regex(spaced)}{NOT_BEFORE})", *found]
    return [*found, *_forms(longer), word]


def _unless(looking: str, characters: set[str]) -> str:
    """A look around that refuses letters, digits and marks, of which none is special in a regular expression."""
    return f"({looking}[{''.join(sorted(characters))}])" if characters else ""


def _split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def _isolates(step: dict[str, Any]) -> bool:
    return (
        step["type"] == "Split" and step["behavior"] == "Isolated" and not step["invert"] and "Regex" in step["pattern"]
    )


def _is_local(step: dict[str, Any]) -> bool:
    """Whether a step cuts at marks or at one character, whatever stands beside them."""
    return step["type"] == "Split" and (
        step["pattern"].get("Regex") == MARKS or len(step["pattern"].get("String", "")) == 1
    )


def _pieces(steps: list[dict[str, Any]], texts: list[str]) -> Iterator[list[str]]:
    """The pieces that the steps make of each text; bytes are not spelled out."""
    splits = [step for step in steps if step["type"] != "ByteLevel"]
    if not splits:
        return ([text] for text in texts)
    spec = {"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []}}
    spec["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": splits}
    cut = Tokenizer.from_str(json.dumps(spec)).pre_tokenizer.pre_tokenize_str
    return ([piece for piece, _ in cut(text)] for text in texts)


def _unreachable_guard(base: Tokenizer, spec: dict[str, Any], steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cuts a piece that is an entry which the base's merges would not make of it, where its first base token ends; and
    the rest again, where that is another such entry.

    steps: what cuts the text before; an entry that it cuts is no piece.
    """
    added = {token["content"] for token in spec["added_tokens"]}
    entries = [entry for entry in spec["model"]["vocab"] if entry not in added]
    tokens = Tokenizer(base.model).encode_batch_fast(entries)
    parted = [entry for entry, found in zip(entries, tokens, strict=True) if len(found) > 1]
    cut: dict[str, tuple[str, str]] = {}  # entry -> its first base token, and the rest
    whole = set()  # entries that are pieces as they stand, and then rests of them that are entries again
    for entry, pieces in zip(parted, _pieces(steps, parted), strict=True):
        # the model's own offsets are in bytes, not of a character
        spelled, ends = entry.encode(), [token.offsets[1] for token in base.model.tokenize(entry)]
        first = next((end for end in ends if end < len(spelled) and spelled[end] & 0xC0 != 0x80), None)
        if first:
            cut[entry] = spelled[:first].decode(), spelled[first:].decode()
            whole |= {entry} if len(pieces) == 1 else set()
    rests: dict[str, list[str]] = defaultdict(list)
    times = 0
    while whole:
        times += 1
        for entry in sorted(whole):
            rests[cut[entry][0]].append(cut[entry][1])
        whole = {cut[entry][1] for entry in whole} & cut.keys()
    cuts = [f"{trie_regex([token])}(?={trie_regex(rest)}\\z)" for token, rest in sorted(rests.items())]
    return [_split(rf"\A(?:{'|'.join(cuts)})")] * times
