"""Bases: the built-in tokenizer, manifests of any checkpoint, and pretraining that learns and repeats itself."""

import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wake2vec.bases.checkpoint import base_rows, folder_of, manifest_of, register, stored_type
from wake2vec.bases.describe import architecture_of, describe_base
from wake2vec.bases.pretrain import pretrain, unigram_bits_per_byte
from wake2vec.errors import UserError
from wake2vec.settings import Pretrain
from wake2vec.storage import load_arrays, read_values, save_arrays, sha256, write_json, write_text
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
        architecture, values, _ = pretrain(
            texts / "train.txt", texts / "valid.txt", block, out, tmp_path / f"state-{name}"
        )
        runs.append((values, load_arrays(out / "model.safetensors")))
        assert architecture["kind"] == "pretrain" and architecture["location"] == "." and architecture["rows"] == 400
        assert architecture["parameters"] == sum(array.size for array in runs[-1][1].values())
        write_json(out / "manifest.json", "base", values, {})
    (first, weights), (_, again) = runs
    assert first["final_heldout_bits_per_byte"] < 0.8 * first["unigram_bits_per_byte"]
    assert all(np.array_equal(weights[name], again[name]) for name in weights)
    rows = base_rows(tmp_path / "a/manifest.json")
    assert rows["embedding"].shape == rows["head"].shape == (400, 32)
    assert begin_id(tmp_path / "a") == load_tokenizer(tmp_path / "a").token_to_id("<s>")


def described(folder, out, **settings):
    """A folder, described and registered as the base "mine"; returns its manifest's path."""
    architecture = describe_base("mine", {"kind": "path", "path": str(folder), **settings}, out)
    write_json(out / "manifest.json", "base", register("mine", architecture), {})
    return out / "manifest.json"


def test_a_folder_becomes_a_base(base, tmp_path):
    manifest = described(base.parent, tmp_path)
    values = read_values(manifest)
    assert values["tied"] is False and values["embedding"] == "model.embed_tokens.weight"
    assert values["head"] == "lm_head.weight" and (values["rows"], values["hidden"]) == (357, 32)
    assert values["parameters"] == sum(array.size for array in load_arrays(base.parent / "model.safetensors").values())
    assert values["files"] == {name: sha256(base.parent / name) for name in ("config.json", "model.safetensors")}
    assert folder_of(manifest) == base.parent
    np.testing.assert_array_equal(base_rows(manifest)["head"], base_rows(base)["head"])
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    text = "The river ran, “so”."
    assert load_tokenizer(tmp_path).encode(text).ids == load_tokenizer(base.parent).encode(text).ids
    assert (tmp_path / "config.json").read_text() == (base.parent / "config.json").read_text()
    written = {"config.json", "manifest.json", "tokenizer.json", "tokenizer_config.json"}
    assert {path.name for path in tmp_path.iterdir()} == written


def test_a_tied_checkpoint_has_one_matrix(tied_base):
    assert base_rows(tied_base).keys() == {"embedding"}


def saved(model, folder):
    """The checkpoint of a model in a folder, and its manifest's values."""
    model.save_pretrained(folder)
    return manifest_of(folder, architecture_of(folder))


def test_shards_and_half_precision(base, tmp_path):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base.parent, dtype=torch.bfloat16)
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    values = manifest_of(tmp_path, architecture_of(tmp_path)) | {"kind": "path", "location": "."}
    shards = {path.name for path in tmp_path.glob("*.safetensors")}
    assert len(shards) > 2 and set(values["files"]) == shards | {"config.json", "model.safetensors.index.json"}
    write_json(tmp_path / "manifest.json", "base", values, {})
    np.testing.assert_array_equal(
        base_rows(tmp_path / "manifest.json")["head"], model.lm_head.weight.detach().float().numpy()
    )
    assert (stored_type(tmp_path / "manifest.json"), stored_type(base)) == ("bfloat16", "float32")
    shard = max(tmp_path.glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(UserError, match=f"{shard.name} is no complete safetensors file"):
        manifest_of(tmp_path, architecture_of(tmp_path))
    shard.unlink()
    with pytest.raises(UserError, match=f"lacks {shard.name}"):
        manifest_of(tmp_path, architecture_of(tmp_path))


def test_an_index_without_the_head_is_refused_before_any_shard_is_there(base, tmp_path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base.parent / name, tmp_path / name)
    index = {"weight_map": {"model.embed_tokens.weight": "a.safetensors", "model.norm.weight": "b.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"^bases\.mine\.path: .* hold no head \(lm_head\.weight\)"):
        describe_base("mine", {"kind": "path", "path": str(tmp_path)}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    index["weight_map"]["lm_head.weight"] = "b.safetensors"
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    describe_base("mine", {"kind": "path", "path": str(tmp_path)}, tmp_path / "out")


def test_gpt2_files_lack_the_bodys_prefix(tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=8, n_layer=1, n_head=2))
    model.transformer.save_pretrained(tmp_path)
    model.config.save_pretrained(tmp_path)
    values = manifest_of(tmp_path, architecture_of(tmp_path))
    assert values["tied"] and values["embedding"] == "wte.weight" and values["head"] is None


def test_pythias_head_has_another_name_on_disk_than_in_transformers(tmp_path):
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    values = saved(GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=50, **sizes)), tmp_path)
    assert (values["embedding"], values["head"]) == ("gpt_neox.embed_in.weight", "embed_out.weight")


def test_weights_that_contradict_the_configuration_are_refused(base, tmp_path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        shutil.copy(base.parent / name, tmp_path / name)
    architecture = describe_base("mine", {"kind": "path", "path": str(tmp_path)}, tmp_path / "out")
    arrays = load_arrays(tmp_path / "model.safetensors")
    embedding, head = arrays["model.embed_tokens.weight"], arrays["lm_head.weight"]

    def refused(words, architecture, **changes):
        changed = {name: array for name, array in (arrays | changes).items() if array is not None}
        save_arrays(tmp_path / "model.safetensors", changed)
        with pytest.raises(UserError, match=r"^bases\.mine\.path: .*" + words):
            register("mine", architecture)

    refused("hold no head", architecture, **{"lm_head.weight": None})
    refused(r"stored as \[356, 32\].*says \[357, 32\]", architecture, **{"lm_head.weight": head[:-1]})
    tied = architecture | {"tied": True}
    refused("two different matrices", tied)
    save_arrays(tmp_path / "model.safetensors", arrays | {"lm_head.weight": embedding})  # twice the same is tied
    assert register("mine", tied)["head"] is None
    config = json.loads((tmp_path / "config.json").read_text()) | {"tie_word_embeddings": True}
    (tmp_path / "config.json").write_text(json.dumps(config))
    refused("has changed since", architecture)


def test_a_folder_without_a_checkpoint_is_explained(base, tmp_path):
    with pytest.raises(UserError, match=r"bases\.mine\.path: .*no checkpoint there"):
        described(tmp_path / "nowhere", tmp_path)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base.parent / name, tmp_path / name)
    with pytest.raises(UserError, match=r"bases\.mine\.path: .* lacks model\.safetensors\. Accepted"):
        described(tmp_path, tmp_path / "out")
