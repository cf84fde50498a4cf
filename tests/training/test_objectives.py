"""P3's terms by hand, their gradients, and their judge: structure that words share reaches held-out words, noise does
not.
"""

import math

import numpy as np
import pytest
import torch

from tests.training.objective_words import affixed, normal, objective, words_of
from wake2vec.errors import UserError
from wake2vec.training import objective_measures, objective_terms, objectives
from wake2vec.training.objective_pairs import assemble, held_out_words, read_devices
from wake2vec.training.objectives import TERMS
from wake2vec.training.sweep import moved

# Terms ----------------------------------------------------------------------------------------------------------------


def test_component_by_hand():
    rows, targets = torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert objective_terms.component(rows, targets).item() == pytest.approx((0 + 1 - math.sqrt(0.5)) / 2)
    # the published form is a mean over dimensions too: (4 + 0 + 1 + 0) / 4
    assert objective_terms.component(rows, targets, "mse").item() == pytest.approx(1.25)


def test_direction_repulsion_and_norm_by_hand():
    rows, origins = torch.tensor([[2.0, 1.0], [1.0, 5.0]]), torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    ways = torch.tensor([[1.0, 1.0], [0.0, -2.0]])  # the first is half a right angle off, the second points back
    assert objective_terms.direction(rows, origins, ways).item() == pytest.approx((1 - math.sqrt(0.5) + 2) / 2)
    left, right = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[-3.0, 0.0], [1.0, 1.0]])
    assert objective_terms.repulsion(left, right).item() == pytest.approx((1 + 0.5) / 2)
    assert objective_terms.norm(torch.tensor([[3.0, 0.0], [0.0, 1.0]]), 2.0).item() == pytest.approx(0.25)


def test_contrast_is_khosla_s_equation_by_loops_and_leaves_a_words_other_forms_out():
    rows, tau = normal(7, 5), objective_terms.TEMPERATURE
    labels, words = torch.tensor([0, 0, 0, 1, 1, 2, 0]), torch.tensor([0, 1, 2, 3, 4, 5, 0])  # row 6: row 0's word
    z = torch.nn.functional.normalize(rows, dim=1)
    losses = []
    for i in range(7):
        others = [a for a in range(7) if words[a] != words[i]]
        alike = [p for p in others if labels[p] == labels[i]]
        if alike:  # row 5 is alone with its label and says nothing
            below = sum(math.exp(z[i] @ z[a] / tau) for a in others)
            losses.append(-sum(math.log(math.exp(z[i] @ z[p] / tau) / below) for p in alike) / len(alike))
    assert len(losses) == 6
    assert objective_terms.contrast(rows, labels, words).item() == pytest.approx(np.mean(losses))
    assert objective_terms.contrast(rows, torch.zeros_like(labels), words) == 0


@pytest.mark.parametrize(
    "term",
    [
        lambda x: objective_terms.component(x, normal(6, 4, seed=1)),
        lambda x: objective_terms.component(x, normal(6, 4, seed=1), "mse"),
        lambda x: objective_terms.direction(x, normal(6, 4, seed=2), normal(6, 4, seed=3)),
        lambda x: objective_terms.repulsion(x[:3], x[3:]),
        lambda x: objective_terms.norm(x, 1.3),
        lambda x: objective_terms.contrast(x, torch.tensor([0, 0, 1, 1, 1, 2]), torch.tensor([0, 1, 2, 3, 3, 4])),
    ],
    ids=["component", "mse", "direction", "repulsion", "norm", "contrast"],
)
def test_gradients_are_those_of_finite_differences(term):
    assert torch.autograd.gradcheck(term, normal(6, 4).requires_grad_(), eps=1e-6)


def test_terms_that_compare_angles_are_free_of_scale():
    labels, words = torch.tensor([0, 0, 1, 1, 0, 1]), torch.arange(6)
    for term in (
        lambda x, s: objective_terms.component(x, s * normal(6, 4, seed=1)),
        lambda x, s: objective_terms.direction(x, s * normal(6, 4, seed=2), normal(6, 4, seed=3)),
        lambda x, s: objective_terms.repulsion(x[:3], x[3:]),
        lambda x, s: objective_terms.norm(x, s * 1.3),
        lambda x, s: objective_terms.contrast(x, labels, words),
    ):
        assert term(7 * normal(6, 4), 7.0).item() == pytest.approx(term(normal(6, 4), 1.0).item(), rel=1e-9)


# Material and batches -------------------------------------------------------------------------------------------------


def test_held_out_words_are_out_of_every_term_with_all_their_forms():
    material = affixed(forms=2)
    out = {w for w, held in zip(material.words, material.held_out, strict=True) if held}
    assert len(out) == 15 and not out & set(material.words[~material.held_out])
    assert material.held_out_words() == sorted(material.names["words"][word] for word in out)  # for run.json
    new = normal(120, 16).requires_grad_()
    made = objective(material, **dict.fromkeys(TERMS, 1.0))
    terms = made.terms(new, 0)
    assert set(terms) == set(TERMS)
    for name, term in terms.items():
        (gradient,) = torch.autograd.grad(term, new, retain_graph=True)
        moved = gradient.norm(dim=1) > 0
        assert not moved[material.held_out].any(), name
        assert moved[~material.held_out].float().mean() > 0.9, name


def test_the_words_held_out_stay_the_same_and_some_always_train():
    assert (
        held_out_words(["a", "b"], 0.01, 0) == held_out_words(["b", "a"], 0.01, 0)
        and held_out_words(["a"], 0.9, 0) == set()
    )
    assert len(held_out_words(words_of(10), 0.99, 3)) == 9
    # a word without parts can be held out as well
    material = assemble(words_of(40), ({w: np.ones(3) for w in words_of(20)}, None), share=0.1, seed=0)
    assert material.held_out[:20].sum() == material.held_out[20:].sum() == 2


def test_the_step_decides_what_is_drawn_and_nothing_else_does(monkeypatch):
    monkeypatch.setattr(objectives, "BATCH", 10)
    monkeypatch.setattr(objectives, "CONTRAST_ROWS", 10)
    made, new = objective(affixed(), **dict.fromkeys(TERMS, 1.0)), normal(60, 16)
    first = made.terms(new, 5)
    torch.manual_seed(99), np.random.seed(99)
    made.terms(new, 4)
    assert all(made.terms(new, 5)[name] == value for name, value in first.items())
    assert all(made.terms(new, 6)[name] != value for name, value in first.items())
    # one term's words do not depend on which other terms there are
    assert objective(affixed(), norm=1.0).terms(new, 5)["norm"] == first["norm"]


def test_batches_are_the_whole_on_average(monkeypatch):
    monkeypatch.setattr(objectives, "BATCH", 15)
    material, new = affixed(), normal(60, 16)
    made, size = objective(material, norm=1.0, morpheme=1.0), 400
    drawn = [made.terms(new, step) for step in range(size)]
    rows = torch.from_numpy(np.flatnonzero(~material.held_out))
    for name, whole in (
        ("norm", objective_terms.norm(new[rows], 1.0)),
        ("morpheme", objective_terms.component(new[rows], torch.from_numpy(material.component.vectors[rows]).double())),
    ):
        values = np.array([float(terms[name]) for terms in drawn])
        assert values.std() > 0 and abs(values.mean() - float(whole)) < 4 * values.std() / math.sqrt(size)


def test_weights_multiply_and_a_term_of_weight_nothing_is_not_computed():
    made = objective(affixed(), morpheme=2.0, norm=5.0)
    terms = made.terms(normal(60, 16), 0)
    assert set(terms) == {"morpheme", "norm"}
    assert float(made.weighted(terms)) == pytest.approx(2 * float(terms["morpheme"]) + 5 * float(terms["norm"]))
    none = objective(affixed())
    assert none.weighted(none.terms(normal(60, 16), 0)) == 0


def test_no_pairs_is_no_failure():
    material = assemble(["a", "b", "c"], ({}, None), share=0.1, seed=0)
    made = objective(material, morpheme=1.0, direction=1.0, repulsion=1.0)
    terms = made.terms(normal(3, 4), 0)
    assert set(terms) == {"morpheme", "direction", "repulsion"} and terms["morpheme"] == terms["direction"] == 0
    measured = made.measure(normal(3, 4))
    assert math.isnan(measured["cosine_trained_pairs"]) and math.isnan(measured["cosine_heldout_pairs"])
    assert "direction_heldout" not in measured and measured["norm_heldout"] > 0


def test_an_affix_needs_three_words_that_train():
    words = words_of(7)
    vectors = {w: np.eye(7, dtype=np.float32)[i] for i, w in enumerate(words)}
    affixes = {w: ["-ness" if i < 5 else "over-"] for i, w in enumerate(words)}
    material = assemble(words, (vectors, None), (vectors, None), affixes, share=0.1, seed=0)
    assert material.names["affixes"] == ["-ness"] and len(material.direction.rows) == 5


# Devices --------------------------------------------------------------------------------------------------------------


def test_devices_come_from_a_users_file_or_from_gold(tmp_path):
    (tmp_path / "devices.csv").write_text(
        "word, device ,note\n riverrun, compound,x\nchaosmos,portmanteau,\n,,\n", "utf-8"
    )
    assert read_devices(tmp_path / "devices.csv") == {"riverrun": "compound", "chaosmos": "portmanteau"}
    (tmp_path / "gold.jsonl").write_text('{"word": "underdoor", "kind": "derivation"}\n', "utf-8")
    assert read_devices(tmp_path / "gold.jsonl") == {"underdoor": "derivation"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wort,device\na,b\n", "found the columns wort, device"),
        ("word,device\na,b\na,c\n", "'a' has two devices"),
        ("word,device\na,b\nc,b\n", "found 1 device"),
        ("", "could not be read"),
    ],
)
def test_a_users_file_that_cannot_serve_is_refused(tmp_path, text, said):
    (tmp_path / "devices.csv").write_text(text, "utf-8")
    with pytest.raises(UserError, match=said):
        read_devices(tmp_path / "devices.csv")


def test_a_device_of_fewer_than_three_words_is_no_device():
    devices = {word: "AB"[i % 2] for i, word in enumerate(words_of(20))} | {"w0000": "C", "w0001": "C"}
    material = assemble(words_of(20), ({}, None), devices=devices, share=0.1, seed=0)
    assert material.names["devices"] == ["A", "B"] and (material.devices[:2] == -1).all()
    assert "device_heldout" in objective(material, device=1.0).measure(normal(20, 4))


def test_a_device_term_without_devices_is_refused():
    with pytest.raises(UserError, match=r"p3\.lambda_device: found 1.*p3\.devices"):
        objective(assemble(words_of(5), ({}, None), share=0.1, seed=0), device=1.0)


# Measures -------------------------------------------------------------------------------------------------------------


def test_measures_by_loops():
    material, new = affixed(count=30, d=8, affixes=("-ness", "over-", "-ly")), normal(30, 8)
    table = objective_measures.by_word(material, new).set_index(["term", "word"])
    rows, out = new.numpy(), material.held_out

    def cos(a, b):
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    pairs, train = material.direction, [i for i in range(30) if not out[i]]
    for roots, column in ((pairs.vectors, "value"), (pairs.shuffled, "shuffled")):
        way = rows - roots
        common = way[train].mean(0)
        affix = [np.mean([way[i] for i in train if pairs.group[i] == g], axis=0) - common for g in range(3)]
        for i in train if column == "value" else ():  # without itself in the mean
            alike = np.mean([way[j] for j in train if pairs.group[j] == pairs.group[i] and j != i], axis=0) - common
            assert table.loc["direction", i]["value"] == pytest.approx(cos(way[i] - common, alike), abs=1e-6)
        for i in np.flatnonzero(out):
            found = table.loc["direction", i]
            assert found[column] == pytest.approx(cos(way[i] - common, affix[pairs.group[i]]), abs=1e-6)
            if column == "value":
                others = [cos(way[i] - common, affix[g]) for g in range(3) if g != pairs.group[i]]
                assert found["random"] == pytest.approx(np.mean(others), abs=1e-6)
    for i in range(30):
        same, other = (
            [j for j in train if j != i and (material.devices[j] == material.devices[i]) == s] for s in (True, False)
        )
        margin = np.mean([cos(rows[i], rows[j]) for j in same]) - np.mean([cos(rows[i], rows[j]) for j in other])
        assert table.loc["device", i]["value"] == pytest.approx(margin)
        assert table.loc["norm", i]["value"] == pytest.approx((np.linalg.norm(rows[i]) - 1) ** 2)
        kind = [j for j in range(30) if out[j] == out[i] and j != i]
        assert table.loc["repulsion", i]["value"] == pytest.approx(np.mean([cos(rows[i], rows[j]) ** 2 for j in kind]))
        assert table.loc["morpheme", i]["value"] == pytest.approx(cos(rows[i], material.component.vectors[i]), abs=1e-6)
    for i in np.flatnonzero(out):
        cosines = [cos(rows[i], material.component.vectors[j]) for j in train]
        assert table.loc["morpheme", i]["random"] == pytest.approx(np.mean(cosines))
        squares = [cos(rows[i], row) ** 2 for row in material.base_sample]
        assert table.loc["repulsion", i]["random"] == pytest.approx(np.mean(squares))
        given = objective_measures._handed_round(material.devices[train], material.words[train])
        same, other = (
            [j for j, d in zip(train, given, strict=True) if (d == material.devices[i]) == s] for s in (True, False)
        )
        margin = np.mean([cos(rows[i], rows[j]) for j in same]) - np.mean([cos(rows[i], rows[j]) for j in other])
        assert table.loc["device", i]["random"] == pytest.approx(margin)


def test_devices_are_handed_round_by_word():
    words, devices = np.repeat(np.arange(40), 3), np.repeat(np.arange(40) % 2, 3)
    given = objective_measures._handed_round(devices, words)
    assert (given.reshape(40, 3) == given[::3, None]).all() and sorted(given) == sorted(devices)
    assert 10 < (given == devices)[::3].sum() < 30


def trained(material, rows, steps=150, pull=None, **weights):
    """Rows after training on the terms alone; pull(rows) is a loss that all words have besides."""
    made, new = objective(material, **weights), torch.nn.Parameter(rows.clone().float())
    before, optimizer = made.measure(new), torch.optim.Adam([new], lr=0.03)
    for step in range(steps):
        optimizer.zero_grad()
        loss = made.weighted(made.terms(new, step)) + (0.0 if pull is None else pull(new))
        loss.backward()
        optimizer.step()
    return before, made.measure(new)


COLUMN = {"morpheme": "cosine_{}_pairs", "direction": "direction_{}", "device": "device_{}"}


@pytest.mark.parametrize("term", COLUMN)
def test_on_noise_trained_words_move_and_held_out_words_stay_with_their_controls(term):
    material = affixed(count=400, d=32, seed=5)
    before, after = trained(material, normal(400, 32), **{term: 1.0})
    rise = {k: after[COLUMN[term].format(k)] - before[COLUMN[term].format(k)] for k in ("trained", "heldout", "random")}
    assert rise["trained"] > 0.3
    assert abs(rise["heldout"] - rise["random"]) < 4 / math.sqrt(32 * 100)  # free rows learn nothing of other words


def test_what_one_run_moved_is_read_off_its_ends():
    """Half of the way to their parts: for the words that train, for all words, and for nobody."""
    material, rows = affixed(count=200, d=32, seed=5), normal(200, 32).float()
    targets = torch.from_numpy(material.component.vectors).float()
    trains = torch.from_numpy(~material.held_out)[:, None]
    ends = {"trained": rows + trains * targets / 2, "generalises": rows + targets / 2, "still": rows + 1e-9}
    for verdict, after in ends.items():
        assert moved(material, rows, after, ["morpheme"])["morpheme"]["verdict"] == verdict
    assert list(moved(material, rows, rows, ["direction", "norm"])) == ["direction", "norm"]
    shorter = rows / rows.norm(dim=1, keepdim=True) * material.base_norm
    assert moved(material, rows, shorter, ["norm"])["norm"]["verdict"] == "generalises", "less of it is better"


@pytest.mark.parametrize(("term", "rows"), [("repulsion", normal(200, 32) + 2), ("norm", 3 * normal(200, 32))])
def test_repulsion_and_norm_lower_what_is_too_near_and_too_long(term, rows):
    before, after = trained(affixed(count=200, d=32, seed=6), rows, **{term: 1.0})
    assert after[f"{term}_trained"] < before[f"{term}_trained"] / 2
    assert after[f"{term}_heldout"] == pytest.approx(before[f"{term}_heldout"], rel=0.05), "free rows of other words"


def planted(term, d=32, count=400):
    """Words whose structure lies in vectors that they share: rows = S P, and only P trains."""
    rng = np.random.default_rng(3)
    words, groups = words_of(count), np.arange(count) % 4
    shared = rng.normal(size=(4, d)).astype(np.float32)
    roots = {w: rng.normal(size=d).astype(np.float32) for w in words}
    targets = {w: roots[w] + 2 * shared[g] for w, g in zip(words, groups, strict=True)}
    affixes = {w: [f"-a{g}"] for w, g in zip(words, groups, strict=True)}
    devices = {w: f"d{g}" for w, g in zip(words, groups, strict=True)}
    material = assemble(words, (targets, None), (roots, None), affixes, devices, share=0.25, seed=0)
    own = torch.from_numpy(np.array([roots[w] for w in words]) + rng.normal(size=(count, d)).astype(np.float32))
    return material, own, torch.from_numpy(groups)


@pytest.mark.parametrize("term", COLUMN)
def test_structure_that_words_share_reaches_held_out_words(term):
    material, own, groups = planted(term)
    parts = torch.nn.Parameter(0.1 * normal(4, own.shape[1], seed=9).float())
    made, optimizer = objective(material, **{term: 1.0}), torch.optim.Adam([parts], lr=0.03)
    before = made.measure((own + parts[groups]).detach())
    for step in range(120):
        optimizer.zero_grad()
        made.weighted(made.terms(own + parts[groups], step)).backward()
        optimizer.step()
    after = made.measure((own + parts[groups]).detach())
    rise = {k: after[COLUMN[term].format(k)] - before[COLUMN[term].format(k)] for k in ("heldout", "random")}
    assert rise["heldout"] > 0.15 and rise["heldout"] > rise["random"] + 0.15


def test_a_common_way_off_the_base_rows_is_no_direction():
    """What fooled the uncentred measure: every new row moves the same way from its root."""
    material = affixed(count=400, d=32, seed=7)
    roots = torch.zeros(400, 32, dtype=torch.float64)
    roots[material.direction.rows] = torch.from_numpy(material.direction.vectors).double()
    rows = roots + 0.3 * normal(400, 32) + 5 * normal(1, 32, seed=8)
    measured = objective(material).measure(rows)
    assert abs(measured["direction_heldout"]) < 4 / math.sqrt(32 * 100)
    assert abs(measured["direction_heldout"] - measured["direction_random"]) < 8 / math.sqrt(32 * 100)
