"""Tiny random checkpoints of every architecture that wake2vec promises, natively tied and untied."""

import json
from pathlib import Path

import numpy as np
import pytest

NEW = 5
PADDING = 12  # rows of the matrix that the tokenizer has no piece for
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": None,
}
ARCHITECTURES = {
    "llama": SIZES,
    "mistral": SIZES,
    "qwen2": SIZES,
    "phi3": SIZES,
    # a low cap and a short window, so that both are felt
    "gemma2": SIZES | {"head_dim": 8, "query_pre_attn_scalar": 8, "final_logit_softcapping": 3.0, "sliding_window": 4},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128},
}
# a model that sees as well: its text model's configuration is a part of its own
WITH_EYES = {
    "vision_config": {
        "model_type": "siglip_vision_model",
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    },
    "mm_tokens_per_image": 4,
    "image_token_index": 7,
    "boi_token_index": 8,
    "eoi_token_index": 9,
}
BYTE_LEVEL = ("gpt2", "qwen2")  # tokenizers of these spell text in bytes; those of the others write ▁ for a space
EVERY = [(name, tied) for name in ARCHITECTURES for tied in (False, True)]
EVERY_ID = [f"{name}-{'tied' if tied else 'untied'}" for name, tied in EVERY]


def describe(folder: Path) -> dict:
    """The values of a checkpoint's manifest."""
    from wake2vec.bases.checkpoint import manifest_of
    from wake2vec.bases.describe import SOURCE, architecture_of

    return manifest_of(folder, SOURCE | {"kind": "path", "location": "."} | architecture_of(folder))


def write_checkpoint(folder: Path, tokenizer, name: str, tied: bool, precision: str = "float32", **changes) -> Path:
    """A random checkpoint with a padded vocabulary, its tokenizer and manifest; returns the manifest's path."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from wake2vec.bases.tokenizer import tokenizer_config
    from wake2vec.storage import write_json, write_text

    shared = {"tie_word_embeddings": tied, "bos_token_id": 1, "eos_token_id": 2}
    text = {"vocab_size": tokenizer.get_vocab_size() + PADDING} | shared | changes
    if name == "gemma3":
        config = AutoConfig.for_model(name, text_config=ARCHITECTURES["gemma2"] | text, **shared, **WITH_EYES)
    else:
        config = AutoConfig.for_model(name, **(ARCHITECTURES[name] | text))
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():  # biases and norms too, which start as zeros and ones
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.generation_config.max_length = 77
    model.to(getattr(torch, precision)).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_text(folder / "tokenizer_config.json", json.dumps(tokenizer_config(128)))
    write_json(folder / "manifest.json", "base", describe(folder), {})
    return folder / "manifest.json"


def rows_for(manifest: Path, separate: bool, count: int = NEW, seed: int = 0) -> dict[str, np.ndarray]:
    """Random new rows, as rows.safetensors has them."""
    from wake2vec.storage import read_values

    rng = np.random.default_rng(seed)
    names = ["embedding.new", "head.new"] if separate else ["embedding.new"]
    return {name: rng.normal(0, 0.2, (count, read_values(manifest)["hidden"])).astype(np.float32) for name in names}


@pytest.fixture(scope="session")
def byte_level_tokenizer():
    """A byte-level BPE that knows a few words and no coinage."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    cut = pre_tokenizers.Split(Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    special, alphabet = ["<unk>", "<s>", "</s>"], pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["the river sang of bread and the moon sang of rivers"] * 5, trainer)
    return tokenizer


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, base_tokenizer, byte_level_tokenizer):
    """Manifest of an architecture's checkpoint, written once: checkpoint("gemma2", tied=True)."""
    written = {}

    def manifest(name: str, tied: bool, precision: str = "float32") -> Path:
        key = (name, tied, precision)
        if key not in written:
            folder = tmp_path_factory.mktemp("-".join(map(str, key)))
            tokenizer = byte_level_tokenizer if name in BYTE_LEVEL else base_tokenizer
            written[key] = write_checkpoint(folder, tokenizer, name, tied, precision)
        return written[key]

    return manifest
