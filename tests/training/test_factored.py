"""Rows that share their parts: the chain rule against autograd, the penalty, and what training does with them."""

import pathlib
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from tests.conftest import COINAGES
from tests.training.conftest import MODEL, MORPHEMES, SEGMENTATION, block
from wake2vec.settings import Alignment, Rows
from wake2vec.storage import load_arrays, read_text, read_values, save_arrays, write_jsonl
from wake2vec.text.encoding import load_tokenizer
from wake2vec.training import factored, phases
from wake2vec.vocabulary.parts import composition


def module_of(rows, parts):
    return SimpleNamespace(new=torch.nn.Parameter(rows.clone()), parts=torch.nn.Parameter(parts.clone()))


OWN = np.array([[0.5, 0.5, 0], [0, 1, 0], [1 / 3, 1 / 3, 1 / 3], [0, 0, 1]], np.float32)
OTHERS = OWN[[1, 2, 3, 0]]


@pytest.mark.parametrize("shared", [OWN, OTHERS, 0 * OWN], ids=["own parts", "other words' parts", "no parts"])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_steps_equal_those_of_autograd_on_parts_and_residuals(kind, shared):
    """E = S P0 + S' (P - P0) + R as autograd sees it, R shrunk after every step; S' is S but in the control."""
    generator = torch.Generator().manual_seed(0)
    first, residuals, goal = (torch.randn(n, 5, generator=generator) for n in (3, 4, 4))
    start, mixed = torch.from_numpy(OWN) @ first, torch.from_numpy(shared)
    options = {} if kind is torch.optim.SGD else {"weight_decay": 0.0}
    rate, decay = 0.05, 3.0

    p, r = torch.nn.Parameter(first.clone()), torch.nn.Parameter(residuals.clone())
    plain = kind([p, r], lr=rate, **options)
    ours = module_of(start + residuals, first)
    optimizer = kind([ours.new, ours.parts], lr=rate, **options)
    control = None if shared is OWN else (csr_array(shared), [first.clone()])
    callback = factored.SharedParts([ours], csr_array(OWN), decay, control)
    for _ in range(6):
        plain.zero_grad()
        ((start + mixed @ (p - first) + r - goal) ** 3).sum().backward()
        plain.step()
        r.data.mul_(1 - rate * decay)

        optimizer.zero_grad()
        ((ours.new - goal) ** 3).sum().backward()
        callback.on_pre_optimizer_step(None, None, None)
        optimizer.step()
        callback.on_optimizer_step(None, None, None, optimizer=optimizer)
    torch.testing.assert_close(ours.parts.data, p.data, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.new.data, (start + mixed @ (p - first) + r).data, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shared", [OWN, OTHERS, 0 * OWN], ids=["own parts", "other words' parts", "no parts"])
def test_what_rows_are_asked_is_handed_on_to_the_mean_of_each_part(shared):
    generator = torch.Generator().manual_seed(1)
    parts, rows, move = (torch.randn(n, 5, generator=generator) for n in (3, 4, 2))
    control = None if shared is OWN else (csr_array(shared), [parts.clone()])
    module = module_of(rows, parts)
    callback = factored.SharedParts([module], csr_array(OWN), 0.0, control)
    asked = torch.zeros(4, 5).index_add(0, torch.tensor([0, 2]), move)
    module.new.data += asked
    callback.hand_on(module, np.array([0, 2]), move)
    change = torch.zeros(3, 5)
    for part in range(3):
        weights = torch.from_numpy(shared[:, part])
        if weights.sum() > 0:
            change[part] = (weights[:, None] * asked).sum(0) / weights.sum()
    torch.testing.assert_close(module.parts.data, parts + change)
    torch.testing.assert_close(module.new.data, rows + asked + torch.from_numpy(shared) @ change)


def test_a_part_of_many_words_moves_as_far_as_a_part_of_one():
    shares = csr_array(np.array([[1, 0]] * 50 + [[0, 1]], np.float32))
    module = module_of(torch.zeros(51, 4), torch.zeros(2, 4))
    callback = factored.SharedParts([module], shares, 0.0)
    callback.hand_on(module, np.arange(51), torch.ones(51, 4))
    torch.testing.assert_close(module.parts.data, torch.ones(2, 4))


def test_composition_by_hand(base_tokenizer):
    matrix = np.random.default_rng(0).normal(size=(base_tokenizer.get_vocab_size(), 6)).astype(np.float32)
    forms = [
        {"word": "riverling", "surface": "riverling", "start": True},
        {"word": "moonbread", "surface": "moonbread", "start": True},
        {"word": "moonbread", "surface": "Moonbread", "start": False},
        {"word": "zzyzx", "surface": "zzyzx", "start": True},
    ]
    shares, vectors, names = composition(base_tokenizer, matrix, forms, SEGMENTATION, MORPHEMES)
    assert names[:4] == [("word", "river"), ("suffix", "-ling"), ("word", "moon"), ("word", "bread")]
    assert {role for role, _ in names[4:]} == {"piece"}
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(shares.toarray()[:3, :4], [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5]])
    pieces = [int(text) for _, text in names[4:]]
    np.testing.assert_array_equal(vectors[4:], matrix[pieces])
    # a word without parts is made of its pieces, so that it starts where their mean lies
    spelt = base_tokenizer.encode("a zzyzx", add_special_tokens=False)
    own = [i for i, (_, end) in zip(spelt.ids, spelt.offsets, strict=True) if end > 2]
    np.testing.assert_allclose((shares @ vectors)[3], matrix[own].mean(0), rtol=1e-5)


def test_a_word_may_have_a_part_twice_and_parts_in_any_order(base_tokenizer):
    matrix = np.ones((base_tokenizer.get_vocab_size(), 3), np.float32)
    made = {"m": ["moon", "bread"], "b": ["bread", "moon", "bread", "bread"]}
    forms = [{"word": word, "surface": word, "start": True} for word in made]
    entries = [{"word": w, "prefix": "", "root": "", "suffix": "", "compound": parts} for w, parts in made.items()]
    shares, _, names = composition(base_tokenizer, matrix, forms, entries, MORPHEMES)
    assert [text for _, text in names] == made["m"]
    module = module_of(torch.zeros(2, 3), torch.zeros(2, 3))
    callback = factored.SharedParts([module], shares, 0.0)
    np.testing.assert_allclose(callback.compose.to_dense(), [[0.5, 0.5], [0.25, 0.75]])
    np.testing.assert_allclose(callback.spread.to_dense(), [[0.5, 0.25], [0.5, 0.75]])


def composed(run, settings, tmp_path):
    states, values, _ = phases.rows_phase("p1", run, settings, MODEL, tmp_path)
    forms = read_values(run["injection"])["forms"]
    tokenizer = load_tokenizer(run["manifest"].rsplit("/", 1)[0])
    matrix = np.zeros((read_values(run["manifest"])["rows"], 2), np.float32)
    return states["final"]["rows"], values, composition(tokenizer, matrix, forms, SEGMENTATION, MORPHEMES)[0]


def test_a_penalty_of_everything_leaves_rows_that_are_their_parts(run, tmp_path):
    settings = block(Rows, rows="factored", residual_decay=100.0, schedule="constant", warmup=0.0)  # 100 x 0.01 = 1
    rows, values, shares = composed(run, settings, tmp_path)
    for side in ("embedding", "head"):
        np.testing.assert_allclose(rows[f"{side}.new"], shares @ rows[f"{side}.parts"], atol=1e-5)
    assert values["parts"]["vectors"] == shares.shape[1]
    assert values["trainable_parameters"] == sum(array.size for array in rows.values())


@pytest.mark.parametrize(
    ("kind", "made_of", "moves"),
    [("free", ["moon", "river"], False), ("factored", ["moon", "river"], True), ("factored", ["river", "bed"], False)],
)
def test_a_word_that_never_occurs_moves_with_the_words_that_share_its_parts(run, tmp_path, kind, made_of, moves):
    """moonbread occurs and riverling does not: its row follows only where it is made of "moon" too."""
    folder = pathlib.Path(run["train"]).parent
    text = read_text(run["train"])
    (folder / "without.txt").write_text(re.sub("(?i)riverling", "river", text))
    entry = {"word": "riverling", "prefix": "", "root": "", "suffix": "", "compound": made_of, "method": "compound"}
    write_jsonl(folder / "other.jsonl", [entry, *SEGMENTATION[1:]])
    paths = run | {"train": folder / "without.txt", "segmentation": folder / "other.jsonl"}
    settings = block(Rows, rows=kind, residual_decay=0.0)
    states, _, _ = phases.rows_phase("p1", paths, settings, MODEL, tmp_path / "state")
    moved = states["final"]["rows"]["embedding.new"] - load_arrays(run["rows"])["embedding.new"]
    of = {word: [f["row"] for f in read_values(run["injection"])["forms"] if f["word"] == word] for word in COINAGES}
    assert np.linalg.norm(moved[of["moonbread"]], axis=1).min() > 0.01
    assert (np.linalg.norm(moved[of["riverling"]], axis=1) > 0.01).all() == moves
    assert moved[of["riverling"]].any() == moves


def test_a_word_of_the_control_has_another_words_parts_in_all_its_forms():
    words = ["a", "b", "b", "c", "c", "c", "d"]
    of = {word: i for i, word in enumerate("abcd")}
    shares = csr_array(np.eye(4)[[of[word] for word in words]])
    for seed in range(20):
        given = factored.hand_round(shares, words, np.random.default_rng(seed)).toarray().argmax(1)
        assert all(part != of[word] for part, word in zip(given, words, strict=True))
        assert len({(word, part) for word, part in zip(words, given, strict=True)}) == len(set(given)) == 4


def test_two_words_that_change_parts_learn_what_they_did(run, tmp_path):
    """In the control it is the parts that learn from another word. With two words, which share nothing either way, the
    rows come out alike: nothing else about them is different.
    """
    own, _, _ = composed(run, block(Rows, rows="factored"), tmp_path / "own")
    other, _, _ = composed(run, block(Rows, rows="shuffled"), tmp_path / "other")
    for side in ("embedding", "head"):
        np.testing.assert_allclose(own[f"{side}.new"], other[f"{side}.new"], atol=1e-6)
        change = own[f"{side}.parts"] - other[f"{side}.shuffled_parts"]
        np.testing.assert_allclose(change[:2], -change[2:], atol=1e-6)
        assert abs(change).max() > 0.01


def test_without_learning_the_control_decays_to_where_words_own_parts_lie(run, tmp_path):
    """A residual that is taken away leaves a row at the mean of its own parts, in the control too."""
    still = {"learning_rate": 1e-9, "residual_decay": 1e9, "schedule": "constant", "warmup": 0.0}
    kinds = ("factored", "shuffled", "unshared")
    own, *others = [composed(run, block(Rows, rows=kind, **still), tmp_path / kind)[0] for kind in kinds]
    for rows in others:
        np.testing.assert_allclose(own["embedding.new"], rows["embedding.new"], atol=1e-5)


def test_rows_that_share_nothing_learn_as_free_rows_do_but_for_the_penalty(run, tmp_path):
    free, unshared = (
        composed(run, block(Rows, rows=kind, residual_decay=0.0), tmp_path / kind)[0] for kind in ("free", "unshared")
    )
    np.testing.assert_allclose(free["embedding.new"], unshared["embedding.new"], atol=1e-5)
    np.testing.assert_array_equal(
        unshared["embedding.shuffled_parts"],
        composed(run, block(Rows, rows="unshared", steps=1), tmp_path / "one")[0]["embedding.shuffled_parts"],
    )


def then_p3(run, rows, tmp_path, kind, **changes):
    """The rows of a P3 that does not learn, on those of a P1."""
    save_arrays(tmp_path / "rows.safetensors", rows)
    still = {"learning_rate": 1e-30, "residual_decay": 0.0} | changes
    paths = run | {"rows": tmp_path / "rows.safetensors"}
    states, _, _ = phases.rows_phase("p3", paths, block(Alignment, rows=kind, **still), MODEL, tmp_path / "p3")
    return states["final"]["rows"]


@pytest.mark.parametrize("kind", ["factored", "shuffled", "unshared"])
def test_p3_goes_on_with_the_parts_of_p1(run, tmp_path, kind):
    """With no step that moves anything, P3's parts are P1's, and its rows too."""
    rows, _, _ = composed(run, block(Rows, rows=kind), tmp_path / "p1")
    after = then_p3(run, rows, tmp_path, kind, lambda_morpheme=0.0, residual_decay=100.0)
    assert sorted(after) == sorted(rows)
    for name, array in after.items():
        np.testing.assert_allclose(array, rows[name], atol=1e-6)


def test_the_terms_of_p3_act_after_the_penalty_and_on_rows_that_have_moved_with_their_parts(run, tmp_path):
    """Where the penalty takes all of the residuals, what is left of them is half of the last step's ask: λ = 10 at this
    rate is a tenth of the way.
    """
    rows, _, shares = composed(run, block(Rows, rows="factored"), tmp_path / "p1")
    all_of_it = {"learning_rate": 0.01, "residual_decay": 100.0, "schedule": "constant", "warmup": 0.0}
    after = then_p3(run, rows, tmp_path, "factored", lambda_repulsion=0.0, lambda_norm=0.0, **all_of_it)
    row, parts = after["embedding.new"], shares @ after["embedding.parts"]
    left = np.linalg.norm(row - parts, axis=1) / np.linalg.norm(row, axis=1)
    assert 1e-4 < left.max() < 0.06
    np.testing.assert_allclose(after["head.new"], shares @ after["head.parts"], atol=1e-5)


def test_a_control_of_p3_begins_with_what_the_parts_have_become_in_p1(run, tmp_path):
    """What the penalty leaves of a row is its own parts, as P1 trained them, and nothing of another word's."""
    rows, _, shares = composed(run, block(Rows, rows="factored"), tmp_path / "p1")
    decay = {"learning_rate": 1e-9, "residual_decay": 1e9, "schedule": "constant", "warmup": 0.0}
    after = then_p3(run, rows, tmp_path, "shuffled", **decay)
    for side in ("embedding", "head"):
        np.testing.assert_allclose(after[f"{side}.new"], shares @ rows[f"{side}.parts"], atol=1e-5)


def test_a_tied_model_has_one_set_of_parts(tied_run, tmp_path):
    states, _, _ = phases.rows_phase("p1", tied_run, block(Rows, rows="factored"), MODEL, tmp_path)
    assert sorted(states["final"]["rows"]) == ["embedding.new", "embedding.parts"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"row_precision": "bfloat16"}, "float32"),
        ({"weight_decay": 0.1}, "weight_decay: 0"),
        ({"residual_decay": 101.0}, "at most 1"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        Rows(rows="factored", learning_rate=0.01, **changes)
