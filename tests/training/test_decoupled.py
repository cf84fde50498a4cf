"""P3's terms beside the optimizer: steps by hand, who moves for whom, how far at most, and what a weight means."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from tests.training.objective_words import OFF, affixed, normal, objective, words_of
from wake2vec.training import objectives
from wake2vec.training.decoupled import Decoupled
from wake2vec.training.factored import SharedParts
from wake2vec.training.objective_pairs import assemble
from wake2vec.training.objectives import TERMS, Objective


def test_the_morpheme_term_takes_away_a_share_of_the_angle_by_hand():
    material, new = affixed(), normal(60, 16)
    needed, move, terms, lengths = objective(material, morpheme=5.0).moves(new, 0, rate=0.01)
    assert needed.tolist() == np.flatnonzero(~material.held_out).tolist()
    for row, found in zip(needed, move, strict=True):
        unit, target = (v / v.norm() for v in (new[row], torch.from_numpy(material.component.vectors[row]).double()))
        expected = 0.05 * new[row].norm() * (target - (unit @ target) * unit)
        torch.testing.assert_close(found, expected)
        turned = torch.arccos(unit @ target) - torch.arccos((unit_of(new[row] + found)) @ target)
        assert float(turned) == pytest.approx(0.05 * float(torch.arccos(unit @ target).sin()), rel=0.1)
    assert float(lengths["morpheme"]) == pytest.approx(float(move.norm(dim=1).sum()) / 60)
    assert terms.keys() == lengths.keys() == {"morpheme"}
    assert float(terms["morpheme"]) == float(objective(material, morpheme=5.0).terms(new, 0)["morpheme"])


def unit_of(vector):
    return vector / vector.norm()


def test_the_direction_term_takes_away_a_share_of_the_angle_around_the_root():
    """Square to the way from the root, and as long as a share of the angle's sine on a circle of that radius."""
    material, new = affixed(), normal(60, 16)
    pairs, made = material.direction, objective(material, direction=5.0)
    found, trained = dense(made, new, 0, 0.01), ~material.held_out[pairs.rows]
    ways = new[torch.from_numpy(pairs.rows)] - torch.from_numpy(pairs.vectors).double()
    of_affix = [ways[torch.from_numpy(trained & (pairs.group == affix))].mean(0) for affix in (0, 1)]
    common = ways[torch.from_numpy(trained)].mean(0)
    for pair in np.flatnonzero(trained):
        way, towards = ways[pair] - common, unit_of(of_affix[pairs.group[pair]] - common)
        across = towards - (unit_of(way) @ towards) * unit_of(way)
        torch.testing.assert_close(found[pairs.rows[pair]], 0.05 * way.norm() * across, rtol=1e-4, atol=1e-6)


def test_moves_are_sums_over_terms_proportional_to_weight_and_rate_and_free_of_scale():
    material, new = affixed(), normal(60, 16)
    whole = dense(objective(material, **dict.fromkeys(TERMS, 2.0)), new, 3, 0.001)
    each = {name: dense(objective(material, **{name: 2.0}), new, 3, 0.001) for name in TERMS}
    assert all(move.norm() > 0 for move in each.values())
    torch.testing.assert_close(whole, sum(each.values()))
    larger = scaled(material, 7.0)
    for name, move in each.items():
        torch.testing.assert_close(dense(objective(material, **{name: 6.0}), new, 3, 0.002), 6 * move)
        again = dense(objective(larger, **{name: 2.0}), 7 * new, 3, 0.001)
        torch.testing.assert_close(again, 7 * move, rtol=1e-5, atol=1e-7)


def scaled(material, factor):
    """The same words in a space that is so many times as large."""
    made = {
        name: replace(pairs, vectors=np.float32(factor) * pairs.vectors)
        for name, pairs in (("component", material.component), ("direction", material.direction))
    }
    return replace(material, **made, base_norm=factor * material.base_norm)


def test_straight_ways_by_hand():
    """To the parts' mean itself, and to the base's length: a share of what lacks, however far that is."""
    material, new = affixed(), 50 * normal(60, 16)
    rows = torch.from_numpy(np.flatnonzero(~material.held_out))
    mse = Objective(material, OFF | {"lambda_morpheme": 10.0, "morpheme": "mse"}, 1)
    targets = torch.from_numpy(material.component.vectors).double()
    torch.testing.assert_close(dense(mse, new, 0, 0.03)[rows], 0.3 * (targets - new)[rows])
    lengths = (new + dense(objective(material, norm=10.0), new, 0, 0.03)).norm(dim=1)
    torch.testing.assert_close(lengths[rows], (new.norm(dim=1) * 0.7 + 0.3 * material.base_norm)[rows])


def test_words_repel_each_by_the_mean_over_its_partners(monkeypatch):
    monkeypatch.setattr(objectives, "REPULSION_PAIRS", 100_000)
    material, new = assemble(words_of(12), ({}, None), share=0.1, seed=0), normal(12, 8)
    found, rows = dense(objective(material, repulsion=3.0), new, 0, 0.01), np.flatnonzero(~material.held_out)
    units = {row: unit_of(new[row]) for row in rows}
    for row in rows:
        cosines = {other: units[row] @ units[other] for other in rows if other != row}
        ways = [2 * cos * (units[other] - cos * units[row]) for other, cos in cosines.items()]
        torch.testing.assert_close(found[row], -0.03 * new[row].norm() * sum(ways) / 10, rtol=0.1, atol=2e-3)


@pytest.mark.parametrize("count", [20, 2000])
@pytest.mark.parametrize("term", TERMS)
def test_no_step_is_longer_than_the_way(monkeypatch, term, count):
    """At the largest share that there is, many words or few, rows short and long, roots near and far."""
    monkeypatch.setattr(objectives, "CONTRAST_ROWS", 64)
    material = affixed(count=count, affixes=tuple(f"-{i}" for i in range(count // 5)))
    new = torch.tensor([0.1, 10.0]).repeat_interleave(count // 2)[:, None] * normal(count, 16).float()
    length, moved = new.norm(dim=1), dense(objective(material, **{term: 1e6}), new, 0, 1.0).norm(dim=1)
    assert moved.isfinite().all() and moved.max() > 0
    if term == "norm":
        assert (moved <= (length - material.base_norm).abs() + 1e-5).all()
    elif term == "direction":  # around the root and the common way, each of which is no longer than the longest row
        reach = length + np.linalg.norm(material.direction.vectors, axis=1).max() + length.max()
        assert (moved <= reach).all()
    else:  # on the sphere; one that is drawn often is asked by several
        assert (moved <= {"morpheme": 1.001, "repulsion": 2, "device": 4}[term] * length).all()


def dense(made, new, step, rate):
    """What an objective adds to all rows."""
    needed, move, _, _ = made.moves(new, step, rate)
    return torch.zeros_like(new).index_add_(0, torch.from_numpy(needed), move)


@pytest.mark.parametrize("term", ["morpheme", "norm", "repulsion"])
def test_who_is_drawn_moves_for_those_who_are_not(monkeypatch, term):
    material, new = affixed(), normal(60, 16)
    made = objective(material, **{term: 1.0})
    monkeypatch.setattr(objectives, "REPULSION_PAIRS", 20_000)
    whole = dense(made, new, 0, 0.001)
    monkeypatch.setattr(objectives, "REPULSION_PAIRS", 15)
    monkeypatch.setattr(objectives, "BATCH", 15)
    drawn = torch.stack([dense(made, new, step, 0.001) for step in range(600)])
    along = (drawn * whole).sum((1, 2)) / whole.square().sum()
    assert float(along.std()) > 0 and abs(float(along.mean()) - 1) < 4 * float(along.std()) / math.sqrt(600) + 0.02


def test_nobody_goes_further_than_the_whole_way(monkeypatch):
    monkeypatch.setattr(objectives, "BATCH", 5)
    material, new = affixed(), normal(60, 16)
    needed, move, _, _ = objective(material, morpheme=50.0).moves(new, 0, rate=0.01)  # half, and for nine each
    for row, found in zip(needed, move, strict=True):
        unit, target = unit_of(new[row]), unit_of(torch.from_numpy(material.component.vectors[row]).double())
        torch.testing.assert_close(found, new[row].norm() * (target - (unit @ target) * unit))


def test_nothing_to_draw_moves_nothing():
    material = assemble(["a", "b", "c"], ({}, None), share=0.1, seed=0)
    needed, move, terms, lengths = objective(material, morpheme=1.0, direction=1.0).moves(normal(3, 4), 0, 0.1)
    assert len(needed) == len(move) == 0 and set(terms) == {"morpheme", "direction"}
    assert all(value == 0 for value in (*terms.values(), *lengths.values()))


def test_a_weight_says_how_far_rows_go_that_no_text_touches():
    """Half of the rows have a gradient of the language model at every step; the others have the term's alone, which
    Adam follows as fast at a thousandth of its weight.
    """
    material, start = affixed(count=200, d=32, share=0.05), normal(200, 32).float()
    free = torch.arange(100, 200)[torch.from_numpy(~material.held_out[100:])]
    targets = torch.from_numpy(material.component.vectors)

    def turned(weight: float, decoupled: bool) -> float:
        made, new = objective(material, morpheme=weight), torch.nn.Parameter(start.clone())
        optimizer = torch.optim.Adam([new], lr=0.01)
        for step in range(30):
            optimizer.zero_grad()
            loss = (new[:100] - 1).square().mean()
            (loss if decoupled else loss + made.weighted(made.terms(new, step))).backward()
            optimizer.step()
            if decoupled:
                new.data += dense(made, new.data, step, 0.01)
        angles = [torch.arccos(torch.cosine_similarity(rows, targets)) for rows in (start, new.detach())]
        return float((angles[0] - angles[1])[free].mean())

    assert turned(0.001, decoupled=False) > 0.9 * turned(1.0, decoupled=False) > 0.1
    assert turned(0.01, decoupled=True) == pytest.approx(turned(0.1, decoupled=True) / 10, rel=0.05)
    assert turned(0.1, decoupled=True) == pytest.approx(turned(1.0, decoupled=True) / 10, rel=0.2)


@pytest.mark.parametrize("shares", [None, 0.5])
def test_rows_of_parts_take_half_themselves_and_half_through_their_parts(shares):
    """E + U for free rows; E + (U + S D⁻¹ Sᵀ U) / 2 where words share parts, those held out too."""
    material, rows = affixed(), normal(60, 16).float()
    composition = np.zeros((60, 22), np.float32)
    composition[np.arange(60), np.arange(60) // 3] = composition[np.arange(60), 20 + np.arange(60) % 2] = 0.5
    embedding = SimpleNamespace(new=torch.nn.Parameter(rows.clone()), parts=torch.nn.Parameter(torch.zeros(22, 16)))
    learner = SimpleNamespace(
        causal=SimpleNamespace(get_input_embeddings=lambda: embedding),
        objective=objective(material, morpheme=10.0),
        record=True,
        recorded={},
    )
    asked = dense(learner.objective, rows, 4, 0.01)
    shared = SharedParts([embedding], csr_array(composition), 0.0) if shares else None
    callback, state = Decoupled(learner, shared), SimpleNamespace(global_step=4)
    callback.on_pre_optimizer_step(None, state, None)
    callback.on_optimizer_step(None, state, None, optimizer=SimpleNamespace(param_groups=[{"lr": 0.01}]))
    mixed = torch.from_numpy(composition / composition.sum(0)).T @ asked  # the mean of each part
    expected = (asked + torch.from_numpy(composition) @ mixed) / 2 if shares else asked
    torch.testing.assert_close(embedding.new.data - rows, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(embedding.parts.data, mixed / 2 if shares else torch.zeros(22, 16))
    assert learner.recorded["step_lm"] == 0
    assert learner.recorded["step_morpheme"] == pytest.approx(float(asked.norm(dim=1).mean()) / material.base_norm)
