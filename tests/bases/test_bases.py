"""Bases: the built-in tokenizer, manifests of any checkpoint, and pretraining that learns and repeats itself."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wake2vec.bases.checkpoint import base_rows, describe, folder_of
from wake2vec.bases.hub import register
from wake2vec.bases.pretrain import pretrain, unigram_bits_per_byte
from wake2vec.errors import UserError
from wake2vec.settings import Pretrain
from wake2vec.storage import load_arrays, write_json, write_text
from wake2vec.text.corpus import join_passages
from wake2vec.text.encoding import Encoded, begin_id, blocks, load_tokenizer


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="▁"), max_size=60).map(lambda text: text.lstrip(" ")))
def test_any_text_comes_back_from_the_built_in_tokenizer(base_tokenizer, text):
    assert base_tokenizer.decode(base_tokenizer.encode(text, add_special_tokens=False).ids) == text


def test_byte_pieces_do_not_match_their_spelling(base_tokenizer):
    assert base_tokenizer.token_to_id("<0x0A>") not in base_tokenizer.encode("a <0x0A> b").ids


def test_punctuation_does_not_stick_to_words(base_tokenizer):
    plain, comma = (base_tokenizer.encode(f"the {w} ran", add_special_tokens=False).ids for w in ("river", "river,"))
    assert set(plain) < set(comma)


def test_blocks_hold_every_passage_after_the_begin_token():
    encoded = Encoded([np.array([5, 6, 7]), np.array([8])], np.array([3, 1]))
    np.testing.assert_array_equal(blocks(encoded, 1, 3), [[1, 5, 6], [7, 1, 8]])
    np.testing.assert_array_equal(blocks(encoded, 1, 8), [[1, 5, 6, 7, 1, 8, 1, 5]])  # shorter than a block: repeated


def test_unigram_by_hand():
    train, held_out = Encoded([np.array([0, 0, 1])], np.array([3])), Encoded([np.array([0, 1])], np.array([4]))
    # counts plus one: 3/6, 2/6, 1/6
    assert unigram_bits_per_byte(train, held_out, 3) == pytest.approx((1 + np.log2(3)) / 4)


@pytest.fixture(scope="module")
def texts(tmp_path_factory, passages):
    folder = tmp_path_factory.mktemp("texts")
    write_text(folder / "train.txt", join_passages(passages[:32]))
    write_text(folder / "valid.txt", join_passages(passages[32:]))
    return folder


def test_pretraining_beats_a_unigram_model_and_repeats_itself(texts, tmp_path):
    block = Pretrain(
        kind="pretrain", corpus="x", vocabulary=400, hidden=32, layers=1, steps=60, batch=4, sequence=32
    ).model_dump(mode="json")
    runs = []
    for name in "ab":
        out = tmp_path / name
        values, _ = pretrain(texts / "train.txt", texts / "valid.txt", block, out, tmp_path / f"state-{name}")
        runs.append((values, load_arrays(out / "model.safetensors")))
        write_json(out / "manifest.json", "base", values, {})
    (first, weights), (_, again) = runs
    assert first["final_heldout_bits_per_byte"] < 0.8 * first["unigram_bits_per_byte"]
    assert all(np.array_equal(weights[name], again[name]) for name in weights)
    rows = base_rows(tmp_path / "a/manifest.json")
    assert rows["embedding"].shape == rows["head"].shape == (400, 32)
    assert begin_id(tmp_path / "a") == load_tokenizer(tmp_path / "a").token_to_id("<s>")


def test_a_folder_becomes_a_base(base, tmp_path):
    values = register({"kind": "path", "path": str(base.parent)}, tmp_path)
    write_json(tmp_path / "manifest.json", "base", values, {})
    assert values["tied"] is False and values["embedding"] == "model.embed_tokens.weight"
    assert folder_of(tmp_path / "manifest.json") == base.parent
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    text = "The river ran, “so”."
    assert load_tokenizer(tmp_path).encode(text).ids == load_tokenizer(base.parent).encode(text).ids
    assert values["files"]["model.safetensors"]


def test_a_tied_checkpoint_has_one_matrix(tied_base):
    assert base_rows(tied_base).keys() == {"embedding"}


def test_shards_and_half_precision(base, tmp_path):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base.parent, dtype=torch.bfloat16)
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    write_json(tmp_path / "manifest.json", "base", {"kind": "path", "location": "."} | describe(tmp_path), {})
    np.testing.assert_array_equal(
        base_rows(tmp_path / "manifest.json")["head"], model.lm_head.weight.detach().float().numpy()
    )


def test_gpt2_files_lack_the_bodys_prefix(tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=8, n_layer=1, n_head=2))
    model.transformer.save_pretrained(tmp_path)
    model.config.save_pretrained(tmp_path)
    values = describe(tmp_path)
    assert values["tied"] and values["embedding"] == "wte.weight"


def test_a_folder_without_a_checkpoint_is_explained(tmp_path):
    with pytest.raises(UserError, match="no checkpoint there"):
        register({"kind": "path", "path": str(tmp_path)}, tmp_path)
