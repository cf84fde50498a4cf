"""The published word list in real tokenizers of every family of the study."""

import random
import re

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.conftest import SHARED
from tests.vocabulary.conftest import (
    ADDED,
    ALWAYS_AFTER_SPACE,
    BYTE_LEVEL,
    REAL,
    english,
    sentencepiece_v3,
    tekken,
    with_added_tokens,
)
from wake2vec.vocabulary.injection import inject

PADDING = 64  # rows of the matrix beyond the tokenizer's last id
RUNS = regex.compile(r"[\p{L}\p{M}\p{N}]+")


@pytest.fixture(scope="module", params=REAL)
def family(request, wake_words, tmp_path_factory):
    """(name, base tokenizer, tokenizer with the whole list, values of injection.json, first new id)."""
    base = with_added_tokens(REAL[request.param](tmp_path_factory.mktemp("tokenizer")))
    rows = base.get_vocab_size() + PADDING
    written = {word: list(dict.fromkeys([word, word.capitalize()])) for word in wake_words[:2000]}
    written |= {word: [word] for word in wake_words[2000:]}
    tokenizer, values = inject(base, rows, written, ["riverrun past"], [], min_fires=0)
    return request.param, base, tokenizer, values, rows


def ids(tokenizer, texts):
    return [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]


def test_every_form_is_a_row_or_is_reused(family, wake_words):
    _, base, tokenizer, values, rows = family
    surfaces = {(e["surface"], e["start"]) for e in values["forms"] + values["reused"]}
    wanted = {(word, start) for word in wake_words for start in (True, False)}
    missing = {word for word, _ in wanted - surfaces}
    assert missing <= {entry["word"] for entry in values["not_injectable"]}
    assert len(missing) == 0
    assert [form["id"] for form in values["forms"]] == list(range(rows, rows + len(values["forms"])))
    assert tokenizer.get_vocab_size() == rows + len(values["forms"])


def test_what_looks_like_a_space_is_none_where_bytes_are_spelled(family, wake_words):
    """▁ is how SentencePiece writes a space, and a sign like others to a byte-level base."""
    _, base, tokenizer, _, rows = family
    cut = [word for word in wake_words if not word.isalpha()]
    texts = [f"{before}▁{word}" for word in cut for before in (",c", "x ", "(")]
    kept = [(text, found) for text, found in zip(texts, ids(tokenizer, texts), strict=True) if max(found) < rows]
    assert [found for _, found in kept] == ids(base, [text for text, _ in kept])


def test_every_token_of_the_base_keeps_its_id(family):
    _, base, tokenizer, values, rows = family
    before, after = base.get_vocab(), tokenizer.get_vocab()
    assert before == {token: after[token] for token in before} and set(ADDED) <= before.keys()
    assert sorted(after.values()) == list(range(rows + len(values["forms"])))  # a token for every row
    assert rows - len(before) == PADDING
    spelled = [f"<no piece {rows - 1}>", f"a <no piece {rows - 1}> riverine", f"<no\u2581piece\u2581{rows - 1}>"]
    assert ids(tokenizer, spelled) == ids(base, spelled)
    text = "<|begin_of_text|>the <|im_start|>riverrun<|end_of_text|>"
    assert not set(map(base.token_to_id, ADDED)) - set(tokenizer.encode(text).ids)
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == base.decode(
        base.encode(text).ids, skip_special_tokens=False
    )


def test_english_without_coinages_keeps_every_id(family, wake_words):
    _, base, tokenizer, _, _ = family
    prose = english()
    listed = set(wake_words) | {word.capitalize() for word in wake_words[:2000]}
    compound = [word for word in listed if not word.isalnum() and word in prose]
    lines = [
        line
        for line in prose.splitlines()
        if listed.isdisjoint(RUNS.findall(line)) and not any(word in line for word in compound)
    ]
    free = ["\n".join(lines[i : i + 40]) for i in range(0, len(lines), 40)]
    assert sum(map(len, free)) > 400_000
    assert ids(tokenizer, free) == ids(base, free)


def test_english_and_joyce_come_back(family):
    _, base, tokenizer, _, _ = family
    text = english()[:200_000] + (SHARED / "data/joyce/ulysses.txt").read_text("utf-8")[:400_000]
    passages = [text[i : i + 2000].lstrip(" ") for i in range(0, len(text), 2000)]
    encoded = tokenizer.encode_batch(passages, add_special_tokens=False)
    decoded = tokenizer.decode_batch([e.ids for e in encoded], skip_special_tokens=False)
    assert decoded == passages


CONTEXTS = {
    "the {} ran": True,
    "“{}”": False,
    "‘{}’ he": False,
    '"{}"': False,
    "({})": False,
    "[{}],": False,
    "it—{}—it": False,
    "x\n{} y": False,
    "so {}, then": True,
    "so {}; then": True,
    "was {}.": True,
    "was {}!\n": True,
    "  {}": True,
    "a-{}": False,
}


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_form_is_one_token_wherever_it_stands(family, context):
    _, _, tokenizer, values, _ = family
    forms = [form for form in values["forms"] if form["start"] == CONTEXTS[context]]
    sample = random.Random(0).sample(forms, 3000) + [form for form in forms if not form["surface"].isalpha()][:1500]
    for form, found in zip(sample, ids(tokenizer, [context.format(f["surface"]) for f in sample]), strict=True):
        assert found.count(form["id"]) == 1, (context, form)


def test_at_a_texts_very_start(family):
    name, _, tokenizer, values, _ = family
    forms = [form for form in values["forms"] if form["start"] == (name in ALWAYS_AFTER_SPACE)][::20]
    found = ids(tokenizer, [form["surface"] + " ran" for form in forms])
    assert [ids_[0] for ids_ in found] == [form["id"] for form in forms]


@pytest.mark.parametrize("wrap", ["x{}", "{}x", "é{}", "{}é", "X{}x", " q{}", " {}qq"])
def test_never_inside_another_word(family, wake_words, wrap):
    _, base, tokenizer, values, _ = family
    listed = {form["surface"] for form in values["forms"]} | {entry["surface"] for entry in values["reused"]}
    sample = [w for w in random.Random(1).sample(wake_words, 1000) if w.isalpha()]
    texts = [text for w in sample if (text := wrap.format(w)).strip() not in listed]
    assert len(texts) > 500
    assert ids(tokenizer, texts) == ids(base, texts)


@pytest.mark.parametrize("wrap", ["{}2", "2{}", "{}\u0301"])
def test_digits_and_marks_are_part_of_a_word_where_the_base_thinks_so(family, wake_words, wrap):
    """A byte-level base cuts text at digits and marks before anything can be matched: there they end a word."""
    name, base, tokenizer, values, rows = family
    texts = [wrap.format(w) for w in random.Random(2).sample([w for w in wake_words if w.isalpha()], 300)]
    changed = sum(a != b for a, b in zip(ids(tokenizer, texts), ids(base, texts), strict=True))
    assert changed == 0 or name in BYTE_LEVEL


PIECES = [
    *ADDED,
    "riverrun",
    "Riverrun",
    "bygmester",
    "andrée's",
    "arrah-na-poghue",
    "the",
    "<0x0A>",
    "<s>x",
    "▁"[:0],
    "don't",
]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*PIECES, " ", "  ", "\n", "\n\n", "\t", "“", "”", ", ", ".", "—", "'s", "2", "é", "(", "日本"]
        ),
        max_size=14,
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="▁"), max_size=12),
)
def test_any_text_comes_back(family, parts, anything):
    name, base, tokenizer, _, _ = family
    text = ("".join(parts) + anything).lstrip(" ")
    if base.decode(*ids(base, [text]), skip_special_tokens=False) == text:
        assert tokenizer.decode(*ids(tokenizer, [text]), skip_special_tokens=False) == text


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("abe’'\n. ,-“—éRZ20<x>A日\t"), max_size=40))
def test_text_without_coinages_keeps_its_ids(family, text):
    _, base, tokenizer, values, rows = family
    after = ids(tokenizer, [text])[0]
    if all(i < rows for i in after):
        assert after == ids(base, [text])[0]
    else:  # a listed word, and it stands there whole
        surfaces = {f["id"]: f["surface"] for f in values["forms"]}
        assert all(re.search(re.escape(surfaces[i]), text) for i in after if i >= rows)


@pytest.mark.parametrize("text", ["<0x0A>", "<0x41>", "riverrun<0x0A>riverrun", "“<0x20>”"])
def test_the_spelling_of_a_byte_is_not_the_byte(family, text):
    _, base, tokenizer, _, _ = family
    assert tokenizer.decode(*ids(tokenizer, [text])) == text


def test_it_saves_and_loads_as_it_is(family, tmp_path):
    _, _, tokenizer, _, _ = family
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    again = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    texts = ["“riverrun, past Eve and Adam's”", "an andrée's arrah-na-poghue"]
    assert ids(again, texts) == ids(tokenizer, texts)


def test_the_notebooks_add_tokens(wake_words, tmp_path):
    """The published count for this tokenizer and this list, and the published harm: text that does not come back."""
    base = sentencepiece_v3(tmp_path)
    written = {word: [word] for word in wake_words}
    tokenizer, values = inject(base, base.get_vocab_size(), written, [], [], match="substring", min_fires=0)
    assert len(values["forms"]) == 44_553
    theirs = Tokenizer.from_str(base.to_str())
    theirs.add_tokens(wake_words)
    assert theirs.get_vocab_size() - base.get_vocab_size() == 44_553
    text = "where nothing was"
    assert (
        tokenizer.encode(text, add_special_tokens=False).tokens == theirs.encode(text, add_special_tokens=False).tokens
    )
    assert len(tokenizer.encode(text).ids) > len(base.encode(text).ids)


def test_a_form_the_base_cuts_is_guarded(tmp_path):
    """Tekken parts CamelCase: a listed McCool is one token all the same, and Cool alone is not made of it."""
    base = tekken(tmp_path)
    assert len(base.encode(" McCool", add_special_tokens=False).ids) > 1
    tokenizer, values = inject(base, 200_000, {"mccool": ["McCool"]}, [], [], min_fires=0)
    assert len(tokenizer.encode(" McCool", add_special_tokens=False).ids) == 1
    assert values["not_injectable"] == []
