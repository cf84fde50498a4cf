"""Injection into bases of all kinds with random merges: what holds for every one of them, not for those at hand.

Merges join words to marks, spaces to spaces, digits to letters, as no trained base would; some entries have no merges.
"""

import random
from collections import Counter

import pytest
import regex
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from tests.vocabulary.conftest import ADDED, with_added_tokens
from wake2vec.bases.tokenizer import MARKS
from wake2vec.vocabulary import isolation
from wake2vec.vocabulary.injection import inject

FORMS = {"gab": ["gab", "Gab"], "ga'b": ["ga'b"], "'ba": ["'ba"], "a-gg": ["a-gg"], "b2": ["b2"], "gàb": ["gàb"]}
CHARACTERS = "abcg2²é.,'-<(\n   abñ☃"
AFTER_SPACE, BARE = ("x {} y", "x {}, y", ".\n {}"), ("({})", "x,{},", "“{}”")
SPACED = ("x  {}.", "x   {}, y")
LLAMA_3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
LLAMA_3 += r"|\s+(?!\S)|\s+"


def merged(rng, alphabet, forbidden):
    """(merges, entries that no merge makes) over an alphabet; `forbidden` joins are as rare as the draw has it."""
    pool, merges, rare = list(alphabet), [], rng.choice([0, 0, 0.1, 0.3])
    for _ in range(rng.randint(3, 40)):
        a, b = rng.choice(pool), rng.choice(pool)
        if a + b not in pool and (rng.random() < rare or not forbidden(a, b)):
            merges.append((a, b))
            pool.append(a + b)
    return merges, [
        e
        for e in ("abc.g", "bc.g", "c.g", f"{alphabet[0]}gg", "gg", "c2c", "ég")
        if e not in pool and rng.random() < 0.2
    ]


def sentencepiece(rng):
    alphabet = "▁abcg2²é.,'-<(\n"
    merges, extra = merged(
        rng, alphabet, lambda a, b: a[-1] != "▁" and (b[0] == "▁" or a[-1].isalnum() != b[0].isalnum())
    )
    entries = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *alphabet, *(a + b for a, b in merges), *extra]
    vocabulary = {entry: i for i, entry in enumerate(entries)}
    options = {"byte_fallback": rng.random() < 0.7, "fuse_unk": rng.random() < 0.5, "ignore_merges": rng.random() < 0.1}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", **options))
    write_spaces = normalizers.Replace(" ", "▁")

    def metaspace(split, scheme="always"):
        return pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme, split=split)

    kind = rng.randrange(6)
    if kind == 0:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), write_spaces])
    elif kind == 1:
        tokenizer.pre_tokenizer = metaspace(True)
    elif kind == 2:
        tokenizer.pre_tokenizer = metaspace(False, rng.choice(["never", "first"]))
    elif kind == 3:
        marks = pre_tokenizers.Split(Regex(MARKS), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([metaspace(rng.random() < 0.7), marks])
    elif kind == 4:
        tokenizer.normalizer = write_spaces
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    else:
        own = pre_tokenizers.Split(Regex(r"[^▁ab]?[ab]+|\n"), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([metaspace(True), own])
    return tokenizer


def byte_level(rng):
    merges, extra = merged(rng, "Ġabcg2Ã©'.(-Ċ", lambda a, b: b[0] == "Ġ")
    entries = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(a + b for a, b in merges), *extra]
    tokenizer = Tokenizer(models.BPE({e: i for i, e in enumerate(entries)}, merges, ignore_merges=rng.random() < 0.2))
    patterns = rng.choice([None, [LLAMA_3], [r"\p{N}{1,3}", LLAMA_3]])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if patterns:
        splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
        in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*splits, in_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def ids(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def disturbed(make, seed):
    """Texts without a new token whose ids are not the base's, of 60 random ones; and the injected tokenizer's parts."""
    rng = random.Random(seed)
    base = make(rng)
    if rng.random() < 0.5:
        with_added_tokens(base)
    rows = base.get_vocab_size() + 7
    injected, values = inject(base, rows, FORMS, [], [], "word", 0)
    assert injected.get_vocab().items() >= base.get_vocab().items()
    texts = ["".join(rng.choices([*CHARACTERS, rng.choice(ADDED)], k=rng.randint(1, 40))) for _ in range(60)]
    plain = [(text, found) for text in texts if max(found := ids(injected, text), default=0) < rows]
    return [text for text, found in plain if found != ids(base, text)], injected, values


@pytest.mark.parametrize("make", [sentencepiece, byte_level])
def test_ids_are_kept_and_every_form_is_one_token(make):
    ways = Counter()
    for seed in range(200):
        wrong, injected, values = disturbed(make, seed)
        assert not wrong, (seed, wrong[0])
        assert not values["not_injectable"], (seed, values["not_injectable"][0])
        ways["(?>" in injected.to_str()] += 1
        for form in values["forms"]:
            spaced = SPACED if make is sentencepiece else ()
            for context in (*AFTER_SPACE, *spaced) if form["start"] else BARE:
                text = context.format(form["surface"])
                assert ids(injected, text).count(form["id"]) == 1, (seed, text)
    assert make is byte_level or min(ways[True], ways[False]) > 20  # words as pieces, and the list


@pytest.mark.parametrize("edge", ["_ENDS", "_BEGINS"])
def test_without_a_look_at_the_merges_ids_would_be_lost(monkeypatch, edge):
    monkeypatch.setattr(isolation, edge, regex.compile(r"(?!)"))
    assert any(disturbed(sentencepiece, seed)[0] for seed in range(200))
