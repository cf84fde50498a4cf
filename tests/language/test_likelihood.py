"""Held-out scoring: every token once, with the context that the window gives, against a reference forward pass."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wake2vec.errors import UserError
from wake2vec.intervals import widening
from wake2vec.language.likelihood import (
    likelihood,
    nats_and_entropies,
    token_nats,
    windows,
)
from wake2vec.model import rows
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


def needy(limit):
    """Hidden states that ask for more memory than there is when more than `limit` windows come at once."""
    states = rows.hidden_states

    def hidden_states(causal, ids):
        if len(ids) > limit:
            torch.empty(2**55, dtype=torch.uint8)
        return states(causal, ids)

    return hidden_states


def test_windows_that_do_not_fit_are_scored_fewer_at_a_time(causal, base_tokenizer, passages, monkeypatch, capsys):
    encoded = encode(base_tokenizer, passages[:9])
    expected = token_nats(causal, encoded, 1, 16, 5)
    causal.train()
    monkeypatch.setattr(rows, "hidden_states", needy(3))
    for ours, whole in zip(token_nats(causal, encoded, 1, 16, 5), expected, strict=True):
        np.testing.assert_allclose(ours, whole, atol=2e-5)
    said = capsys.readouterr().err
    tried = [int(line.split()[1]) for line in said.splitlines()]
    assert tried == sorted(tried, reverse=True) and tried[0] > 3 >= tried[-1]
    assert causal.training
    causal.eval()
    token_nats(causal, encoded, 1, 16, 5)  # as the next evaluation does: what fitted is remembered
    assert not capsys.readouterr().err
    monkeypatch.setattr(rows, "hidden_states", needy(0))
    with pytest.raises(UserError, match=r"^evaluation\.context: one window of 16 tokens does not fit"):
        token_nats(causal, encoded, 1, 16, 5)


def test_another_error_is_no_want_of_memory(causal, base_tokenizer, passages, monkeypatch):
    def broken(*_):
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(rows, "hidden_states", broken)
    with pytest.raises(RuntimeError, match="device-side"):
        token_nats(causal, encode(base_tokenizer, passages[:2]), 1, 16, 5)


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
    base = {"tokens": 2, "nats": 4.0, "loss": 2.0}  # one passage costs 1 a token, the other 3
    base["interval"] = pytest.approx([0.0, 2 + widening(2)])
    seen = {"tokens": 1, "nats": 2.0, "loss": 2.0, "interval": None}  # one passage alone has no interval
    unseen = {"tokens": 1, "nats": 4.0, "loss": 4.0, "interval": None}
    nothing = {"tokens": 0, "nats": 0.0, "loss": None, "interval": None}
    assert values["classes"] == {"base": base, "new_seen": seen, "new_unseen": unseen}
    assert values["counts"] == dict.fromkeys(("1", "2", "3-5", "11+"), nothing) | {
        "base": base,
        "0": unseen,
        "6-10": seen,
    }
    assert values["passages"] == [{"tokens": 3, "nats": 7.0, "bytes": 8}, {"tokens": 1, "nats": 3.0, "bytes": 2}]
    assert values["interval"][0] <= values["bits_per_byte"] <= values["interval"][1]


def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        nats = rng.gamma(4.0, 25.0, size=60)  # mean 100 nats a passage of 50 bytes
        ids = [np.zeros(1, int)] * 60
        values = likelihood([np.array([total]) for total in nats], Encoded(ids, np.full(60, 50)), [], 10, 8, seed=trial)
        covered += values["interval"][0] <= 100 / (50 * math.log(2)) <= values["interval"][1]
    assert 0.88 <= covered / 200 <= 0.99


def test_one_passage_has_no_interval():
    values = likelihood([np.array([7.0])], Encoded([np.zeros(1, int)], np.array([4])), [], base_rows=10, context=8)
    assert values["bits_per_byte"] == pytest.approx(7 / (4 * math.log(2))) and values["interval"] is None


def test_parts_by_training_count_add_up_to_the_whole():
    rng = np.random.default_rng(1)
    forms = [{"count_train": n} for n in (0, 1, 2, 3, 5, 6, 10, 11, 500)]
    ids = [rng.integers(0, 20 + len(forms), 300) for _ in range(12)]
    nats = [rng.gamma(2.0, 2.0, 300).astype(np.float32) for _ in ids]
    values = likelihood(nats, Encoded(ids, np.full(12, 1000)), forms, base_rows=20, context=8)
    flat, tokens = np.concatenate(nats).astype(float), np.concatenate(ids)
    rows = {"base": range(20), "0": [20], "1": [21], "2": [22], "3-5": [23, 24], "6-10": [25, 26], "11+": [27, 28]}
    for name, mine in rows.items():
        part = values["counts"][name]
        assert part["loss"] == pytest.approx(flat[np.isin(tokens, list(mine))].mean())
        assert part["interval"][0] < part["loss"] < part["interval"][1]
    for total in ("tokens", "nats"):
        assert sum(part[total] for part in values["counts"].values()) == pytest.approx(values[total])
        assert sum(part[total] for part in values["classes"].values()) == pytest.approx(values[total])


def test_entropies_come_with_the_same_nats(causal, base_tokenizer, passages):
    encoded = encode(base_tokenizer, passages[:5])
    alone = token_nats(causal, encoded, 1, 16, 5)
    nats, entropies = nats_and_entropies(causal, encoded, 1, 16, 5)
    for one, other in zip(alone, nats, strict=True):
        np.testing.assert_array_equal(one, other)
    for found, ids in zip(entropies, encoded.passages, strict=True):
        sequence = np.concatenate([[1], ids])
        with torch.no_grad():
            for _, first, scored in windows(np.array([len(ids)]), 16, 5):
                end = min(first + 16, len(ids))
                logits = causal(input_ids=torch.from_numpy(sequence[None, first:end])).logits[0]
                expected = torch.distributions.Categorical(logits=logits.double()).entropy()[scored - 1 - first :]
                np.testing.assert_allclose(found[scored - 1 : end], expected, atol=1e-5)
