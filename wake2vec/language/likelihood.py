"""Held-out likelihood: what a text costs a model, in bits per byte of the text itself.

    bits per byte = Σ -ln p(token | context) / (ln 2 · bytes)

Every token of every passage is scored once, with the begin-of-text token before the passage and up to `context` tokens
in view: a window of `context` tokens moves by `stride`, and scores the last `stride` of its tokens (the first window
scores all of its own). Bytes are the text's, not the tokenizer's, so that models with different vocabularies compare.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wake2vec.storage import read_text, read_values
from wake2vec.text.encoding import Encoded, begin_id, encode_corpus, load_tokenizer

BATCH_TOKENS = 4096  # in one forward pass


def windows(lengths: np.ndarray, context: int, stride: int) -> list[tuple[int, int, int]]:
    """(passage, first token, first scored token) of each window; positions count the begin token as 0.

    A window holds tokens [first, first + context]; it predicts tokens first_scored … first + context.
    """
    made = []
    for passage, length in enumerate(lengths):
        scored = 1  # the begin token is given
        while scored <= length:
            first = 0 if scored == 1 else min(scored + stride, length + 1) - 1 - context
            first = max(0, first)
            made.append((passage, first, scored))
            scored = min(first + context, length) + 1
    return made


def token_nats(causal, encoded: Encoded, begin: int, context: int, stride: int) -> list[np.ndarray]:
    """Negative log-likelihood in nats of every token of every passage: one array [tokens] a passage, float32."""
    import torch

    from wake2vec.model.loss import token_losses
    from wake2vec.model.rows import head_of, hidden_states

    device = causal.get_input_embeddings().weight.device
    base, new, cap = head_of(causal)
    passages = [np.concatenate([[begin], ids]) for ids in encoded.passages]
    nats = [np.full(len(ids) - 1, np.nan, dtype=np.float32) for ids in passages]
    todo = windows(np.array([len(ids) - 1 for ids in passages]), context, stride)
    # windows of like length side by side waste the least padding
    todo.sort(key=lambda w: min(len(passages[w[0]]) - w[1], context + 1))
    size = max(1, BATCH_TOKENS // context)
    was_training = causal.training
    causal.eval()
    with torch.no_grad():
        for start in range(0, len(todo), size):
            batch = todo[start : start + size]
            pieces = [passages[p][first : first + context + 1] for p, first, _ in batch]
            ids = np.zeros((len(batch), max(map(len, pieces))), dtype=np.int64)
            for row, piece in enumerate(pieces):
                ids[row, : len(piece)] = piece  # padding on the right: a causal model never looks at it
            tokens = torch.from_numpy(ids).to(device)
            hidden = hidden_states(causal, tokens[:, :-1])
            losses = token_losses(hidden.flatten(0, 1), tokens[:, 1:].flatten(), base, new, cap)
            losses = losses.view(len(batch), -1).cpu().numpy()
            for row, ((p, first, scored), piece) in enumerate(zip(batch, pieces, strict=True)):
                nats[p][scored - 1 : first + len(piece) - 1] = losses[row, scored - 1 - first : len(piece) - 1]
    causal.train(was_training)
    return nats


def likelihood(
    nats: list[np.ndarray],
    encoded: Encoded,
    forms: list[Mapping[str, Any]],
    base_rows: int,
    context: int,
    seed: int = 0,
) -> dict[str, Any]:
    """The values of likelihood.json: totals, the split by token class and by passage, and a bootstrap interval.

    Classes: `base` rows; new rows that fire in the training text (`new_seen`) or never do (`new_unseen`).
    """
    ids, flat = np.concatenate(encoded.passages), np.concatenate(nats).astype(np.float64)
    seen = np.array([form["count_train"] > 0 for form in forms], dtype=bool)
    kind = np.zeros(len(ids), dtype=np.int64)
    new = ids >= base_rows
    kind[new] = np.where(seen[ids[new] - base_rows], 1, 2) if len(forms) else 0
    classes = {}
    for number, name in enumerate(("base", "new_seen", "new_unseen")):
        mine = flat[kind == number]
        classes[name] = {
            "tokens": len(mine),
            "nats": float(mine.sum()),
            "loss": float(mine.mean()) if len(mine) else None,
        }
    per_passage = np.array([part.sum(dtype=np.float64) for part in nats])
    loss = float(flat.mean())
    return {
        "tokens": len(flat),
        "nats": float(flat.sum()),
        "bytes": int(encoded.bytes.sum()),
        "loss": loss,
        "perplexity": math.exp(min(loss, 700)),
        "bits_per_byte": bits_per_byte(nats, encoded),
        "interval": bootstrap_bits_per_byte(per_passage, encoded.bytes, seed),
        "classes": classes,
        "passages": [
            {"tokens": len(part), "nats": float(total), "bytes": int(size)}
            for part, total, size in zip(nats, per_passage, encoded.bytes, strict=True)
        ],
        "context": context,
    }


def bits_per_byte(nats: list[np.ndarray], encoded: Encoded) -> float:
    """Σ nats / (ln 2 · bytes)."""
    return float(sum(part.sum(dtype=np.float64) for part in nats) / (math.log(2) * encoded.bytes.sum()))


def bootstrap_bits_per_byte(nats: np.ndarray, sizes: np.ndarray, seed: int, draws: int = 2000) -> list[float]:
    """95 % interval of bits per byte, passages drawn with replacement. nats, sizes: [passages]."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(nats), size=(draws, len(nats)))
    values = nats[drawn].sum(1) / (math.log(2) * sizes[drawn].sum(1))
    return [float(v) for v in np.quantile(values, [0.025, 0.975])]


def score_phase(paths: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Score valid.txt with a model as it is at a phase: the values of likelihood.json.

    paths: manifest, tokenizer, valid, and what the model has of injection, rows, adapter, body. settings: head,
    precision, quantisation, evaluation.
    """
    from wake2vec.model.assemble import assemble

    injection = read_values(paths["injection"]) if "injection" in paths else None
    folder = Path(paths["tokenizer"]).parent
    encoded = encode_corpus(load_tokenizer(folder), read_text(paths["valid"]))
    causal = assemble(
        paths["manifest"],
        **{name: paths.get(name) for name in ("rows", "adapter", "body")},
        **{name: settings[name] for name in ("head", "precision", "quantisation")},
    )
    context, stride = settings["evaluation"]["context"], settings["evaluation"]["stride"]
    nats = token_nats(causal, encoded, begin_id(folder), context, stride)
    forms, base_rows = (
        ([], read_values(paths["manifest"])["rows"])
        if injection is None
        else (injection["forms"], injection["base_rows"])
    )
    saw = bool(injection and injection["lexicon_saw_held_out"])
    return likelihood(nats, encoded, forms, base_rows, context) | {"stride": stride, "lexicon_saw_held_out": saw}
