"""Held-out scoring: every token once, with the context that the window gives, against a reference forward pass."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wake2vec.language.likelihood import bootstrap_bits_per_byte, likelihood, token_nats, windows
from wake2vec.model.assemble import load_base
from wake2vec.text.encoding import Encoded, encode


@given(st.lists(st.integers(0, 90), min_size=1, max_size=5), st.integers(1, 30), st.integers(1, 30))
def test_windows_score_every_token_once(lengths, context, stride):
    stride = min(stride, context)
    scored = [[] for _ in lengths]
    for passage, first, start in windows(np.array(lengths), context, stride):
        end = min(first + context, lengths[passage])
        assert 0 <= first < start <= end
        scored[passage] += range(start, end + 1)
    assert scored == [list(range(1, length + 1)) for length in lengths]


def test_windows_by_hand():
    # 10 tokens, 4 in view, 2 scored at a time: the first window scores its 4, the rest 2 each
    assert windows(np.array([10]), 4, 2) == [(0, 0, 1), (0, 2, 5), (0, 4, 7), (0, 6, 9)]


@pytest.fixture(scope="module")
def causal(base):
    return load_base(base)


def reference(causal, ids, context, stride):
    """One token at a time from transformers' own forward pass, with exactly the window's context."""
    sequence = np.concatenate([[1], ids])
    nats = np.full(len(ids), np.nan)
    for _, first, scored in windows(np.array([len(ids)]), context, stride):
        end = min(first + context, len(ids))
        logits = causal(input_ids=torch.from_numpy(sequence[None, first:end])).logits[0].log_softmax(-1)
        for position in range(scored, end + 1):
            nats[position - 1] = -logits[position - 1 - first, sequence[position]].item()
    return nats


@pytest.mark.parametrize(("context", "stride"), [(16, 16), (16, 5), (100, 40)])
def test_against_transformers_own_loss(causal, base_tokenizer, passages, context, stride):
    encoded = encode(base_tokenizer, passages[:5])
    nats = token_nats(causal, encoded, 1, context, stride)
    for ours, ids in zip(nats, encoded.passages, strict=True):
        with torch.no_grad():
            np.testing.assert_allclose(ours, reference(causal, ids, context, stride), atol=2e-5)


def test_numbers_by_hand():
    encoded = Encoded([np.array([0, 5, 6]), np.array([1])], np.array([8, 2]))
    nats = [np.array([1.0, 2.0, 4.0], np.float32), np.array([3.0], np.float32)]
    forms = [{"count_train": 7}, {"count_train": 0}]
    values = likelihood(nats, encoded, forms, base_rows=5, context=4)
    assert values["bits_per_byte"] == pytest.approx(10 / (10 * math.log(2)))
    assert values["loss"] == pytest.approx(2.5)
    assert values["perplexity"] == pytest.approx(math.exp(2.5))
    assert values["classes"]["base"] == {"tokens": 2, "nats": 4.0, "loss": 2.0}
    assert values["classes"]["new_seen"] == {"tokens": 1, "nats": 2.0, "loss": 2.0}
    assert values["classes"]["new_unseen"] == {"tokens": 1, "nats": 4.0, "loss": 4.0}
    assert values["passages"] == [{"tokens": 3, "nats": 7.0, "bytes": 8}, {"tokens": 1, "nats": 3.0, "bytes": 2}]
    assert values["interval"][0] <= values["bits_per_byte"] <= values["interval"][1]


def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        nats = rng.gamma(4.0, 25.0, size=60)  # mean 100 nats a passage of 50 bytes
        low, high = bootstrap_bits_per_byte(nats, np.full(60, 50), seed=trial, draws=400)
        covered += low <= 100 / (50 * math.log(2)) <= high
    assert 0.88 <= covered / 200 <= 0.99
