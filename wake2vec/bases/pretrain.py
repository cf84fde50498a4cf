"""The built-in base: a small Llama trained on a plain text, so that a study runs without a network or a GPU.

It is good enough when it is clearly better than a unigram model of the same tokens, which its manifest records:
    unigram bits per byte = Σ -log2 p(token) / bytes,  p from training counts plus one
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wake2vec.bases.tokenizer import tokenizer_config, train_tokenizer
from wake2vec.storage import load_arrays, publish, read_text, sha256, write_text
from wake2vec.text.corpus import passages_of
from wake2vec.text.encoding import Encoded, blocks, encode_corpus
from wake2vec.training.checkpoints import begin_state


def pretrain(
    train: Path, valid: Path, settings: Mapping[str, Any], out: Path, state: Path
) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Train tokenizer and model on train.txt and write a checkpoint folder `out`.

    settings: a `kind: pretrain` block. Deterministic on one machine. Returns (values of architecture.json, values of
    manifest.json, history).
    """
    import json

    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    from wake2vec.bases.checkpoint import manifest_of
    from wake2vec.bases.describe import SOURCE, architecture_of
    from wake2vec.model.assemble import load_named
    from wake2vec.settings import Training
    from wake2vec.training.fit import fit
    from wake2vec.training.trainer import Learner, Texts

    inputs = {"train": sha256(train), "valid": sha256(valid)}
    fingerprint = begin_state(state, {"settings": dict(settings), "inputs": inputs})
    text = read_text(train)
    tokenizer = train_tokenizer(passages_of(text), settings["vocabulary"])
    encoded, held_out = encode_corpus(tokenizer, text), encode_corpus(tokenizer, read_text(valid))
    begin = tokenizer.token_to_id("<s>")
    hidden = settings["hidden"]
    set_seed(settings["seed"])
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=hidden,
        intermediate_size=math.ceil(hidden * 8 / 3 / 16) * 16,
        num_hidden_layers=settings["layers"],
        num_attention_heads=settings["heads"],
        num_key_value_heads=settings["heads"],
        max_position_embeddings=max(512, settings["sequence"]),
        tie_word_embeddings=settings["tied"],
        bos_token_id=begin,
        eos_token_id=tokenizer.token_to_id("</s>"),
        pad_token_id=None,
    )
    causal = LlamaForCausalLM(config)
    every = max(1, len(encoded.passages) // len(held_out.passages))
    sample = Encoded(encoded.passages[::every], encoded.bytes[::every])
    texts = Texts(
        blocks(encoded, begin, settings["sequence"]),
        held_out,
        sample,
        begin,
        context=settings["sequence"],
        stride=settings["sequence"],
    )
    steps = settings["steps"]
    phase = Training(
        steps=steps,
        learning_rate=settings["learning_rate"],
        warmup=0.05,
        weight_decay=0.01,
        batch=settings["batch"],
        sequence=settings["sequence"],
        log_every=max(1, steps // 20),
        evaluate_every=max(1, steps // 4),
        checkpoint_every=max(1, steps // 3),
    ).model_dump()
    learner = Learner(causal)
    run = fit(learner, texts, phase, settings["seed"], state, "base", fingerprint)
    history = run.pop("history")
    load_named(learner, load_arrays(run.pop("best")))  # a small text is soon learned by heart
    causal.save_pretrained(state / "publish")
    publish(state / "publish", out, ("config.json", "model.safetensors"))
    write_text(out / "tokenizer.json", tokenizer.to_str())
    write_text(out / "tokenizer_config.json", json.dumps(tokenizer_config(config.max_position_embeddings), indent=1))
    quality = {"unigram_bits_per_byte": unigram_bits_per_byte(encoded, held_out, config.vocab_size)}
    architecture = SOURCE | {"kind": "pretrain", "location": "."} | architecture_of(out)
    return architecture, dict(settings) | manifest_of(out, architecture) | run | quality, history


def unigram_bits_per_byte(train: Encoded, held_out: Encoded, vocabulary: int) -> float:
    """What the held-out text costs under the training text's token frequencies, plus one."""
    counts = np.bincount(np.concatenate(train.passages), minlength=vocabulary) + 1
    ids = np.concatenate(held_out.passages)
    return float(-np.log2(counts[ids] / counts.sum()).sum() / held_out.bytes.sum())
