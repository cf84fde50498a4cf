"""Held-out likelihood: what a text costs a model, in bits per byte of the text itself.

    bits per byte = Σ -ln p(token | context) / (ln 2 · bytes)

Every token of every passage is scored once, with the begin-of-text token before the passage and up to `context` tokens
in view: a window of `context` tokens moves by `stride`, and scores the last `stride` of its tokens (the first window
scores all of its own). Bytes are the text's, not the tokenizer's, so that models with different vocabularies compare.
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wake2vec.errors import UserError, out_of_memory
from wake2vec.language.comparison import ratio
from wake2vec.storage import read_text, read_values, sha256
from wake2vec.text.encoding import Encoded, begin_id, encode_corpus, first_pieces, load_tokenizer
from wake2vec.text.words import COUNTS

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
    from wake2vec.model.loss import token_losses

    return _of_every_token(causal, encoded, begin, context, stride, lambda *chunk: (token_losses(*chunk),))[0]


def nats_and_entropies(
    causal, encoded: Encoded, begin: int, context: int, stride: int, first: np.ndarray | None = None
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """`token_nats`, and in the same pass the entropy in nats of the base piece that came next.

    first: the base piece that each new row's text begins with (`encoding.first_pieces`).
    """
    import torch

    from wake2vec.model.loss import token_losses_and_entropies

    device = causal.get_input_embeddings().weight.device
    pieces = None if first is None else torch.from_numpy(first).to(device)
    score = partial(token_losses_and_entropies, first=pieces)
    nats, entropies = _of_every_token(causal, encoded, begin, context, stride, score)
    return nats, entropies


def _of_every_token(
    causal, encoded: Encoded, begin: int, context: int, stride: int, score: Callable[..., tuple]
) -> list[list[np.ndarray]]:
    """For each tensor that `score` gives for (hidden states, targets, head), one array [tokens] a passage."""
    import torch

    from wake2vec.model.rows import head_of, hidden_states

    device = causal.get_input_embeddings().weight.device
    base, new, cap = head_of(causal)
    passages = [np.concatenate([[begin], ids]) for ids in encoded.passages]
    measured: list[list[np.ndarray]] = []
    todo = windows(np.array([len(ids) - 1 for ids in passages]), context, stride)
    # windows of like length side by side waste the least padding
    todo.sort(key=lambda w: min(len(passages[w[0]]) - w[1], context + 1))
    # what did not fit once is not tried again at every evaluation
    size, start = getattr(causal, "windows_that_fit", max(1, BATCH_TOKENS // context)), 0
    was_training = causal.training
    causal.eval()
    with torch.no_grad():
        while start < len(todo):
            batch = todo[start : start + size]
            pieces = [passages[p][first : first + context + 1] for p, first, _ in batch]
            ids = np.zeros((len(batch), max(map(len, pieces))), dtype=np.int64)
            for row, piece in enumerate(pieces):
                ids[row, : len(piece)] = piece  # padding on the right: a causal model never looks at it
            tokens = torch.from_numpy(ids).to(device)
            try:
                hidden = hidden_states(causal, tokens[:, :-1])
                scores = score(hidden.flatten(0, 1), tokens[:, 1:].flatten(), base, new, cap)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                size = causal.windows_that_fit = _smaller(len(batch), context, str(error).split("\n")[0])
                continue
            if not measured:
                measured = [[np.full(len(ids) - 1, np.nan, dtype=np.float32) for ids in passages] for _ in scores]
            for of_passage, found in zip(measured, scores, strict=True):
                found = found.view(len(batch), -1).cpu().numpy()
                for row, ((p, first, scored), piece) in enumerate(zip(batch, pieces, strict=True)):
                    of_passage[p][scored - 1 : first + len(piece) - 1] = found[row, scored - 1 - first : len(piece) - 1]
            start += len(batch)
    causal.train(was_training)
    return measured


def _smaller(windows: int, context: int, said: str) -> int:
    """How many windows to score at a time after so many did not fit. Raises UserError where it was one."""
    if windows == 1:
        raise UserError(
            f"evaluation.context: one window of {context} tokens does not fit into the memory that is left ({said}). "
            "Accepted: fewer tokens; or use `quantisation: nf4`, or a larger device."
        )
    print(
        f"scoring {windows // 2} windows at a time, since {windows} did not fit ({said})", file=sys.stderr, flush=True
    )
    return windows // 2


def likelihood(
    nats: list[np.ndarray],
    encoded: Encoded,
    forms: list[Mapping[str, Any]],
    base_rows: int,
    context: int,
    seed: int = 0,
) -> dict[str, Any]:
    """The values of likelihood.json: totals, splits with bootstrap intervals, and the passages.

    `classes`: base rows (`base`); new rows that fire in the training text (`new_seen`) or never do (`new_unseen`).
    `counts`: the same new rows by how often they fire there ("0" to "11+"), and `base` apart. A part has tokens, nats,
    loss (nats per token) and the interval of its loss over passages; null where no token is of it.
    """
    flat = np.concatenate(nats).astype(np.float64)
    passage = np.repeat(np.arange(len(nats)), [len(part) for part in nats])
    rng = np.random.default_rng(seed)

    def part(mask: np.ndarray) -> dict[str, Any]:
        sums = np.bincount(passage[mask], flat[mask], minlength=len(nats))
        tokens = np.bincount(passage[mask], minlength=len(nats))
        loss, interval = ratio(sums, tokens, rng, least=0.0)
        return {"tokens": int(tokens.sum()), "nats": float(sums.sum()), "loss": loss, "interval": interval}

    fires = fires_of(np.concatenate(encoded.passages), forms, base_rows)
    new = fires >= 0
    classes = {"base": part(~new), "new_seen": part(fires > 0), "new_unseen": part(fires == 0)}
    counts = {name: part((fires >= low) & (fires <= high)) for name, (low, high) in COUNTS.items()}
    per_passage = np.array([part.sum(dtype=np.float64) for part in nats])
    loss = float(flat.mean())
    return {
        "tokens": len(flat),
        "nats": float(flat.sum()),
        "bytes": int(encoded.bytes.sum()),
        "loss": loss,
        "perplexity": math.exp(min(loss, 700)),
        "bits_per_byte": bits_per_byte(nats, encoded),
        "interval": ratio(per_passage / math.log(2), encoded.bytes, np.random.default_rng(seed), least=0.0)[1],
        "classes": classes,
        "counts": {"base": classes["base"]} | counts,
        "passages": [
            {"tokens": len(part), "nats": float(total), "bytes": int(size)}
            for part, total, size in zip(nats, per_passage, encoded.bytes, strict=True)
        ],
        "context": context,
    }


def fires_of(ids: np.ndarray, forms: list[Mapping[str, Any]], base_rows: int) -> np.ndarray:
    """How often the form of each token fires in the training text; -1 for a token of the base vocabulary."""
    fires = np.full(len(ids), -1, dtype=np.int64)
    new = ids >= base_rows
    if len(forms):
        fires[new] = np.array([form["count_train"] for form in forms], dtype=np.int64)[ids[new] - base_rows]
    return fires


def bits_per_byte(nats: list[np.ndarray], encoded: Encoded) -> float:
    """Σ nats / (ln 2 · bytes)."""
    return float(sum(part.sum(dtype=np.float64) for part in nats) / (math.log(2) * encoded.bytes.sum()))


@dataclass(frozen=True)
class Scored:
    """What a model says of the held-out text, token by token: nats, and entropies of the base piece that came next,
    [tokens] a passage, in nats.
    """

    nats: list[np.ndarray]
    entropies: list[np.ndarray]
    encoded: Encoded
    forms: list[Mapping[str, Any]]
    base_rows: int


def score_text(paths: Mapping[str, str], settings: Mapping[str, Any]) -> Scored:
    """Score valid.txt with a model as it is at a phase; arguments as those of `score_phase`."""
    from wake2vec.model.assemble import assemble

    injection, first = {"forms": []}, None
    if "injection" in paths:
        injection = read_values(paths["injection"])
        first = first_pieces(load_tokenizer(Path(paths["base_tokenizer"]).parent), injection["forms"])
    folder = Path(paths["tokenizer"]).parent
    encoded = encode_corpus(load_tokenizer(folder), read_text(paths["valid"]))
    causal = assemble(
        paths["manifest"],
        **{name: paths.get(name) for name in ("rows", "adapter", "body")},
        **{name: settings[name] for name in ("head", "precision", "quantisation")},
    )
    context, stride = settings["evaluation"]["context"], settings["evaluation"]["stride"]
    nats, entropies = nats_and_entropies(causal, encoded, begin_id(folder), context, stride, first)
    rows = injection["base_rows"] if "base_rows" in injection else read_values(paths["manifest"])["rows"]
    return Scored(nats, entropies, encoded, injection["forms"], rows)


def score_phase(paths: Mapping[str, str], settings: Mapping[str, Any], scored: Scored | None = None) -> dict[str, Any]:
    """The values of likelihood.json for a model as it is at a phase, scored now or (`scored`) before.

    paths: manifest, tokenizer, valid, and what the model has of injection (with base_tokenizer), rows, adapter, body.
    settings: head, precision, quantisation, evaluation.
    """
    scored = scored or score_text(paths, settings)
    evaluation = settings["evaluation"]
    values = likelihood(scored.nats, scored.encoded, scored.forms, scored.base_rows, evaluation["context"])
    saw = "injection" in paths and bool(read_values(paths["injection"])["lexicon_saw_held_out"])
    marks = {"stride": evaluation["stride"], "lexicon_saw_held_out": saw, "valid_sha256": sha256(paths["valid"])}
    return values | marks
