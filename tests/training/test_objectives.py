"""P3's terms by hand, and their judge: held-out pairs gain nothing from noise."""

import math

import numpy as np
import pytest
import torch

from wake2vec.training.objectives import Objective, make_pairs

LAMBDAS = {"morpheme": "cosine", "lambda_morpheme": 2.0, "lambda_repulsion": 3.0, "lambda_norm": 5.0}


def forms(words):
    return [{"row": row, "word": word} for row, word in enumerate(words)]


def objective(rows, targets, words=None, **changes):
    words = words or [f"w{i}" for i in range(rows)]
    pairs = make_pairs(forms(words), targets, held_out=0.25, seed=0)
    return Objective(pairs, words, base_norm=2.0, settings=LAMBDAS | changes, seed=1)


def test_terms_by_hand():
    new = torch.tensor([[3.0, 0.0], [0.0, 1.0]], dtype=torch.float32)
    targets = {"w0": np.array([1.0, 0.0], np.float32)}  # one word: nothing to hold out
    made = objective(2, targets)
    terms = made.terms(new, step=0)
    assert terms["morpheme"].item() == pytest.approx(0.0, abs=1e-6)
    assert terms["norm"].item() == pytest.approx(((3 / 2 - 1) ** 2 + (1 / 2 - 1) ** 2) / 2)
    assert terms["repulsion"].item() == pytest.approx(0.0, abs=1e-6)
    parallel = made.terms(torch.tensor([[1.0, 0.0], [2.0, 0.0]]), step=0)
    assert parallel["repulsion"].item() == pytest.approx(1.0)
    weighted = made.weighted(
        {"morpheme": torch.tensor(1.0), "repulsion": torch.tensor(10.0), "norm": torch.tensor(100.0)}
    )
    assert weighted.item() == pytest.approx(2 + 30 + 500)


def test_the_published_form_is_a_mean_over_dimensions():
    made = objective(2, {"w0": np.array([1.0, 1.0, 1.0, 1.0], np.float32)}, morpheme="mse")
    new = torch.tensor([[2.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
    assert made.terms(new, 0)["morpheme"].item() == pytest.approx(0.25)


def test_cosine_form_is_free_of_scale():
    targets = {f"w{i}": np.random.default_rng(i).normal(size=4).astype(np.float32) for i in range(8)}
    made = objective(8, targets)
    new = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    assert made.terms(new, 0)["morpheme"].item() == pytest.approx(made.terms(7 * new, 0)["morpheme"].item(), rel=1e-5)


def test_whole_words_are_held_out_with_all_their_forms():
    words = [f"w{i // 2}" for i in range(40)]
    pairs = make_pairs(forms(words), {w: np.ones(3) for w in words}, held_out=0.1, seed=3)
    out = {words[row] for row in pairs.rows[pairs.held_out]}
    assert len(out) == 2
    assert not out & {words[row] for row in pairs.rows[~pairs.held_out]}


def test_the_step_decides_the_random_pairs_and_nothing_else_does():
    made = objective(30, {f"w{i}": np.ones(4, np.float32) for i in range(30)})
    new = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    first = made.terms(new, 5)["repulsion"]
    torch.manual_seed(99)
    assert made.terms(new, 5)["repulsion"] == first
    assert made.terms(new, 6)["repulsion"] != first


def test_training_on_noise_moves_trained_pairs_and_leaves_held_out_ones_where_random_ones_are():
    rng = np.random.default_rng(0)
    targets = {f"w{i}": rng.normal(size=16).astype(np.float32) for i in range(400)}
    made = objective(400, targets)
    new = torch.nn.Parameter(torch.randn(400, 16, generator=torch.Generator().manual_seed(0)))
    optimizer = torch.optim.Adam([new], lr=0.05)
    for step in range(60):
        optimizer.zero_grad()
        made.terms(new, step)["morpheme"].backward()
        optimizer.step()
    measured = made.measure(new)
    assert measured["cosine_trained_pairs"] > 0.9
    assert abs(measured["cosine_heldout_pairs"] - measured["cosine_random_pairs"]) < 3 / math.sqrt(16 * 100)


def test_no_pairs_is_no_failure():
    made = objective(3, {})
    terms = made.terms(torch.randn(3, 4), 0)
    assert terms["morpheme"] == 0 and torch.isfinite(made.weighted(terms))
    assert math.isnan(made.measure(torch.randn(3, 4))["cosine_trained_pairs"])
