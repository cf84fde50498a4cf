"""The phases: what trains and what stays, what is kept, and that a resumed run is the uninterrupted one."""

import numpy as np
import pytest
import torch

from tests.training.conftest import MODEL, SMALL, block, to_score
from wake2vec.bases.checkpoint import base_rows
from wake2vec.errors import UserError
from wake2vec.language.likelihood import score_phase
from wake2vec.model.assemble import assemble
from wake2vec.model.loss import cross_entropy
from wake2vec.model.rows import head_of, hidden_states
from wake2vec.settings import Adapter, Alignment, Rows
from wake2vec.storage import load_arrays, read_values, save_arrays, write_json
from wake2vec.training import objectives, phases, trainer


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def p1(run, settings, folder, model=MODEL):
    return phases.rows_phase("p1", run, settings, model, folder / "state")


def test_p1_trains_the_new_rows_and_lowers_the_loss(run, p1_block, tmp_path, capsys):
    states, values, history = p1(run, p1_block, tmp_path)
    assert values["base_dtype"] == "float32" and "rounded" not in capsys.readouterr().err
    start = load_arrays(run["rows"])
    assert states["final"]["rows"].keys() == start.keys() == {"embedding.new", "head.new"}
    assert all(rows.dtype == np.float32 for rows in states["final"]["rows"].values())
    for name in start:
        assert (states["final"]["rows"][name] != start[name]).any(1).all(), f"a row of {name} did not move"
    assert values["final_train_loss"] < values["first_train_loss"]
    count, d = start["embedding.new"].shape
    assert values["trainable_parameters"] == 2 * count * d
    evaluated = history.dropna(subset=["heldout_loss"])
    assert list(evaluated["step"]) == [0, 4, 8, 12]
    assert values["best_step"] == evaluated.loc[evaluated["heldout_loss"].idxmin(), "step"]
    assert values["tokens_seen"] == 12 * 2 * 32


def test_p1_on_a_tied_base_shares_the_rows(tied_run, p1_block, tmp_path):
    states, values, _ = p1(tied_run, p1_block, tmp_path)
    assert states["final"]["rows"].keys() == {"embedding.new"}
    assert values["trainable_parameters"] == states["final"]["rows"]["embedding.new"].size


def test_base_rows_are_bitwise_unchanged(run, p1_block):
    causal = assemble(run["manifest"], rows=run["rows"])
    from wake2vec.model.rows import train_rows

    train_rows(causal, "new")
    before = base_rows(run["manifest"])
    optimizer = torch.optim.AdamW([p for p in causal.parameters() if p.requires_grad], lr=1.0, weight_decay=1.0)
    ids = torch.randint(0, len(before["embedding"]) + 2, (2, 16))
    trainer.Learner(causal)(ids).backward()
    optimizer.step()
    np.testing.assert_array_equal(causal.get_input_embeddings().base.detach().numpy(), before["embedding"])
    np.testing.assert_array_equal(causal.get_output_embeddings().base.detach().numpy(), before["head"])


def test_masked_training_is_the_notebooks_only_weight_decay_moves_base_rows(run, tmp_path):
    settings = block(Rows, train="masked", weight_decay=0.1)
    rows = p1(run, settings, tmp_path)[0]["final"]["rows"]
    before = base_rows(run["manifest"])["embedding"]
    ratio = rows["embedding.base"] / before
    assert 0.9 < ratio.min() and ratio.max() < 1  # every entry shrinks, by one common factor
    np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-4)


def test_train_all_moves_base_rows_too(run, tmp_path):
    rows = p1(run, block(Rows, train="all"), tmp_path)[0]["final"]["rows"]
    assert np.abs(rows["head.base"] - base_rows(run["manifest"])["head"]).max() > 1e-3


def test_base_rows_of_an_earlier_phase_stay_with_the_rows(run, tmp_path):
    """A P3 that trains new rows alone after a P1 that trained them all: what it publishes is what it measured."""
    rows = p1(run, block(Rows, train="all"), tmp_path)[0]["final"]["rows"]
    save_arrays(tmp_path / "rows1.safetensors", rows)
    after = run | {"rows": str(tmp_path / "rows1.safetensors")}
    states, values, _ = phases.rows_phase("p3", after, block(Alignment), MODEL, tmp_path / "state3")
    for name in ("embedding.base", "head.base"):
        np.testing.assert_array_equal(states["final"]["rows"][name], rows[name])
    save_arrays(tmp_path / "rows3.safetensors", states["best"]["rows"])
    scored = score_phase(
        to_score(run, rows=str(tmp_path / "rows3.safetensors")), {k: v for k, v in MODEL.items() if k != "seed"}
    )
    assert scored["bits_per_byte"] == pytest.approx(values["best_heldout_bits_per_byte"], abs=1e-6)


def test_tie_all_overwrites_the_head_and_says_so(tmp_path, base, passages, p1_block, capsys):
    from tests.training.conftest import make_run

    run = make_run(tmp_path, base, passages, head_too=False)
    causal = assemble(run["manifest"], rows=run["rows"], head="tie_all")
    assert causal.get_output_embeddings().base is causal.get_input_embeddings().base
    states, _, _ = p1(run, p1_block, tmp_path, MODEL | {"head": "tie_all"})
    assert states["final"]["rows"].keys() == {"embedding.new"}
    assert "what the head has learnt is lost" in capsys.readouterr().err


def test_bfloat16_rows_are_rounded_after_each_step(run, tmp_path):
    rows = p1(run, block(Rows, row_precision="bfloat16"), tmp_path)[0]["final"]["rows"]
    for array in rows.values():
        np.testing.assert_array_equal(array, torch.from_numpy(array).bfloat16().float().numpy())


def test_changed_settings_start_afresh(run, p1_block, tmp_path, capsys):
    p1(run, p1_block, tmp_path)
    _, values, _ = p1(run, p1_block | {"learning_rate": 0.02}, tmp_path)
    assert values["resumed_from"] is None
    said = capsys.readouterr().err
    assert "settings.learning_rate was 0.01 and is 0.02; starting afresh" in said
    _, values, _ = p1(run, p1_block, tmp_path)
    assert values["resumed_from"] == SMALL["steps"]
    assert "is 0.01; going on with the state that belongs to these settings" in capsys.readouterr().err


def test_early_stopping_counts_evaluations_without_a_better_one(run, tmp_path):
    settings = block(Rows, learning_rate=30.0, patience=1, warmup=0.0, max_grad_norm=0)
    _, values, history = p1(run, settings, tmp_path)
    assert values["stopped_early"] and values["final_step"] < SMALL["steps"]
    assert values["final_step"] == values["best_step"] + SMALL["evaluate_every"]


def test_p2_trains_adapters_only_and_reloads_exactly(run, p2_block, tmp_path):
    out = tmp_path / "adapter/adapter_model.safetensors"
    values, history = phases.adapter_phase(run, p2_block, MODEL, tmp_path / "state", out)
    assert values["final_train_loss"] < values["first_train_loss"]
    assert all("lora_" in name for name in load_arrays(out))
    # what the history says of the kept state is what the published files score
    scored = score_phase(to_score(run, adapter=str(out)), {k: v for k, v in MODEL.items() if k != "seed"})
    assert scored["bits_per_byte"] == pytest.approx(values["best_heldout_bits_per_byte"], abs=1e-6)


def test_p2_is_its_seeds_whatever_the_process_drew_before(run, tmp_path):
    """A new process begins with a random state of its own."""
    made = []
    for i, seed in enumerate((MODEL["seed"], MODEL["seed"], MODEL["seed"] + 1)):
        torch.seed()
        out = tmp_path / f"{i}/adapter_model.safetensors"
        short = block(Adapter, steps=2, dropout=0.2)
        phases.adapter_phase(run, short, MODEL | {"seed": seed}, tmp_path / f"state-{i}", out)
        made.append(out.read_bytes())
    assert made[0] == made[1] != made[2]


def test_p2_names_targets_that_an_architecture_lacks(run, tmp_path):
    settings = block(Adapter, targets=["q_porj"])
    with pytest.raises(UserError, match=r'no linear layer named q_porj.*Did you mean "q_proj"'):
        phases.adapter_phase(run, settings, MODEL, tmp_path / "state", tmp_path / "a/adapter_model.safetensors")


def test_p2_full_trains_the_body_and_leaves_the_rows(run, tmp_path):
    out = tmp_path / "body.safetensors"
    values, _ = phases.adapter_phase(run, block(Adapter, kind="full"), MODEL, tmp_path / "state", out)
    names = load_arrays(out)
    assert any("mlp" in name for name in names) and not any("embed" in name or "lm_head" in name for name in names)
    scored = score_phase(to_score(run, body=str(out)), {k: v for k, v in MODEL.items() if k != "seed"})
    assert scored["bits_per_byte"] == pytest.approx(values["best_heldout_bits_per_byte"], abs=1e-6)


def test_all_phases_learn_on_a_four_bit_base_in_bfloat16(run, tmp_path, capsys):
    """As the study's large bases are trained: rows, then adapters around them, then rows within these."""
    model = MODEL | {"precision": "bfloat16", "quantisation": "nf4"}
    states, values, history = phases.rows_phase("p1", run, block(Rows), model, tmp_path / "p1")
    assert (values["hyperparameters"]["precision"], values["base_dtype"]) == ("bfloat16", "float32")
    assert "precision: bfloat16: the checkpoint's float32 weights are rounded" in capsys.readouterr().err
    losses = [history["heldout_loss"].dropna()]
    save_arrays(tmp_path / "rows.safetensors", states["final"]["rows"])
    assert all(array.dtype == np.float32 for array in states["final"]["rows"].values())
    after = run | {"rows": str(tmp_path / "rows.safetensors")}
    out = tmp_path / "adapter/adapter_model.safetensors"
    _, history = phases.adapter_phase(after, block(Adapter), model, tmp_path / "p2", out)
    losses.append(history["heldout_loss"].dropna())
    last = after | {"adapter": str(out)}
    _, values, history = phases.rows_phase("p3", last, block(Alignment, lambda_morpheme=20.0), model, tmp_path / "p3")
    assert all(phase.iloc[-1] < phase.iloc[0] - 0.01 for phase in losses)
    assert losses[1].iloc[0] == pytest.approx(losses[0].iloc[-1], abs=1e-6), "what P1 published is what P2 begins with"
    assert history["cosine_trained_pairs"].dropna().iloc[-1] > history["cosine_trained_pairs"].dropna().iloc[0] + 0.05


@pytest.mark.parametrize("how", ["decoupled", "loss"])
def test_p3_draws_rows_to_their_parts_and_logs_every_term(run, tmp_path, how):
    strong = block(Alignment, lambda_morpheme=20.0, objective=how)
    states, values, history = phases.rows_phase("p3", run, strong, MODEL, tmp_path / "state")
    without = phases.rows_phase("p3", run, block(Alignment, lambda_morpheme=0.0), MODEL, tmp_path / "without")[1]
    assert without["objective"]["morpheme"]["weight"] == 0 and "measure" in without["objective"]["morpheme"]
    measured = history.dropna(subset=["cosine_trained_pairs"])
    assert measured["cosine_trained_pairs"].iloc[-1] > measured["cosine_trained_pairs"].iloc[0] + 0.05
    judged = values["objective"]["morpheme"]
    assert judged["measure"]["trained"] == pytest.approx(measured["cosine_trained_pairs"].iloc[-1], abs=1e-6)
    assert judged["weight"] == 20.0
    words = {form["word"] for form in read_values(run["injection"])["forms"]}
    out, share = values["held_out_words"], strong["held_out_pairs"]
    assert set(out) < words and out == without["held_out_words"]
    assert len(out) == pytest.approx(share * len(words), abs=2)
    assert set(values["objective"]) == {"morpheme", "norm"}, "repulsion has one word of a kind, and none to be near"
    logged = history.dropna(subset=["loss_morpheme"])
    assert len(logged) >= 2
    columns = {"loss_morpheme", "loss_repulsion", "loss_norm"}
    columns |= (
        {"step_lm", "step_morpheme", "step_repulsion", "step_norm"}
        if how == "decoupled"
        else {"loss_lm", "grad_lm", "grad_morpheme", "grad_repulsion", "grad_norm_term"}
    )
    assert columns == {name for name in history if name.startswith(("loss_", "step_")) or name[:5] == "grad_"} - {
        "grad_norm"
    }
    for name in columns:
        assert np.isfinite(logged[name]).all() and (logged[name] >= 0).all()
    assert (logged["step_morpheme" if how == "decoupled" else "grad_morpheme"] > 0).all()


def test_terms_beside_the_optimizer_leave_its_loss_and_gradients_alone(run, tmp_path, monkeypatch):
    """A step by hand: the optimizer's own, with no term anywhere, and then what the terms add to where it came to."""
    moved, moves = [], objectives.Objective.moves

    def watched(self, new, step, rate):
        found = moves(self, new, step, rate)
        moved.append((new.clone(), rate, *found[:2]))
        return found

    monkeypatch.setattr(objectives.Objective, "moves", watched)
    settings = block(Alignment, steps=1, lambda_morpheme=20.0, warmup=0.0, schedule="constant")
    with_terms, values, history = phases.rows_phase("p3", run, settings, MODEL, tmp_path / "with")
    none = settings | {f"lambda_{name}": 0.0 for name in objectives.TERMS}
    without, _, plain = phases.rows_phase("p3", run, none, MODEL, tmp_path / "without")
    new, rate, needed, move = moved[0]
    assert rate == settings["learning_rate"] and len(needed) > 0 and float(move.norm()) > 0
    np.testing.assert_array_equal(new.numpy(), without["final"]["rows"]["embedding.new"])
    expected = new.index_add(0, torch.from_numpy(needed), move).numpy()
    np.testing.assert_array_equal(with_terms["final"]["rows"]["embedding.new"], expected)
    for column in ("train_loss", "grad_norm"):
        assert history[column].dropna().tolist() == plain[column].dropna().tolist()


def test_what_the_terms_make_is_looked_at_before_it_reaches_the_rows(run, tmp_path, monkeypatch):
    moves = objectives.Objective.moves

    def broken(self, new, step, rate):
        needed, move, *rest = moves(self, new, step, rate)
        move[0, 0] = float("nan") if step == 3 else 0.0
        return needed, move, *rest

    monkeypatch.setattr(objectives.Objective, "moves", broken)
    with pytest.raises(UserError, match="P3 step 4: what the terms of the objective make of the rows is not a number"):
        phases.rows_phase("p3", run, block(Alignment, checkpoint_every=1), MODEL, tmp_path / "state")
    assert sorted(path.name for path in (tmp_path / "state").glob("checkpoint-*"))[-1] == "checkpoint-3"


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_step_of_p3_is_its_batches_mean_and_the_objective_once(run, tmp_path, monkeypatch, pieces):
    """The gradient by hand, on all sequences at once; and the history's lines, of which the last is between two."""
    terms, gradients, losses = [], [], []
    made, start, norm = objectives.Objective.terms, trainer.PhaseTrainer.__init__, trainer.PhaseTrainer._get_grad_norm

    def in_pieces(self, learner, args, texts, settings, progress, parts, **options):
        start(self, learner, args, texts, settings, progress, pieces, **options)

    def counted(self, new, step):
        terms.append((step, made(self, new, step)))
        return terms[-1][1]

    def by_hand(self, model, grad_norm=None):
        rows = [model.causal.get_input_embeddings().new, model.causal.get_output_embeddings().new]
        ids = torch.from_numpy(self.texts.blocks[torch.cat(self.blocks_of_step).numpy()])
        assert ids.shape == (8, 32)
        model.causal.get_input_embeddings().in_place = False  # for `grad`
        hidden = hidden_states(model.causal, ids)[:, :-1].flatten(0, 1)
        loss = cross_entropy(hidden, ids[:, 1:].flatten(), *head_of(model.causal), repeatable=True)
        loss = loss + model.objective.weighted(made(model.objective, rows[0], self.state.global_step))
        gradients.append([(row.grad.clone(), g) for row, g in zip(rows, torch.autograd.grad(loss, rows), strict=True)])
        losses.append(float(loss))
        return norm(self, model, grad_norm)

    monkeypatch.setattr(objectives.Objective, "terms", counted)
    monkeypatch.setattr(trainer.PhaseTrainer, "__init__", in_pieces)
    monkeypatch.setattr(trainer.PhaseTrainer, "_get_grad_norm", by_hand)
    settings = block(Alignment, steps=3, accumulate=4, lambda_morpheme=20.0, max_grad_norm=0.0, objective="loss")
    _, values, history = phases.rows_phase("p3", run, settings, MODEL, tmp_path / "state")
    assert values["batch_in_parts"] == pieces and [step for step, _ in terms] == [0, 1, 2]
    for found, expected in (pair for step in gradients for pair in step):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    logged = history.set_index("step").loc[[2, 3]]
    assert logged["train_loss"].tolist() == pytest.approx([(losses[0] + losses[1]) / 2, losses[2]], rel=1e-5)
    for name in ("morpheme", "repulsion", "norm"):
        assert logged[f"loss_{name}"].tolist() == [float(terms[1][1][name]), float(terms[2][1][name])]


def test_p3_can_train_the_adapters_too(run, p2_block, tmp_path):
    out = tmp_path / "adapter/adapter_model.safetensors"
    phases.adapter_phase(run, p2_block, MODEL, tmp_path / "state2", out)
    with_adapter = run | {"adapter": str(out)}
    states, values, _ = phases.rows_phase(
        "p3", with_adapter, block(Alignment, adapters="train"), MODEL, tmp_path / "state3"
    )
    save_arrays(tmp_path / "rows3.safetensors", states["best"]["rows"])
    save_arrays(tmp_path / "adapter3.safetensors", states["best"]["adapter"])
    files = with_adapter | {"rows": str(tmp_path / "rows3.safetensors"), "body": str(tmp_path / "adapter3.safetensors")}
    scored = score_phase(to_score(files), {k: v for k, v in MODEL.items() if k != "seed"})
    assert scored["bits_per_byte"] == pytest.approx(values["best_heldout_bits_per_byte"], abs=1e-6)


def test_an_empty_lexicon_is_explained_before_training(run, p1_block, tmp_path):
    write_json(run["injection"], "injection", {"base_rows": 420, "forms": [], "lexicon_saw_held_out": False}, {})
    save_arrays(run["rows"], {n: a[:0] for n, a in load_arrays(run["rows"]).items()})
    with pytest.raises(UserError, match="no form of the lexicon got a row"):
        p1(run, p1_block, tmp_path)
