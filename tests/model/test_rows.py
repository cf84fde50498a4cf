"""Split embedding and head against one resized model of transformers' own, tied and untied."""

import numpy as np
import pytest
import torch

from wake2vec.bases.checkpoint import base_rows
from wake2vec.errors import UserError
from wake2vec.model.assemble import assemble, load_base
from wake2vec.model.rows import inject, rows_of, train_rows
from wake2vec.settings import head_mode
from wake2vec.storage import save_arrays

NEW = 5


def new_rows(manifest, seed):
    width = base_rows(manifest)["embedding"].shape[1]
    return np.random.default_rng(seed).normal(0, 0.1, (NEW, width)).astype(np.float32)


def resized(manifest, embedding, head):
    """The same model with one plain matrix on each side."""
    model = load_base(manifest)
    old_embedding, old_head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    model.config.tie_word_embeddings = False
    for module, old, new in ((model.model, old_embedding, embedding), (model, old_head, head)):
        matrix = torch.nn.Parameter(torch.cat([old.detach(), torch.from_numpy(new)]))
        if module is model:
            model.lm_head = torch.nn.Linear(matrix.shape[1], matrix.shape[0], bias=False)
            model.lm_head.weight = matrix
        else:
            module.embed_tokens = torch.nn.Embedding(*matrix.shape)
            module.embed_tokens.weight = matrix
    return model.eval()


@pytest.mark.parametrize("which", ["base", "tied_base"])
def test_logits_are_those_of_a_resized_model(which, request):
    manifest = request.getfixturevalue(which)
    embedding = new_rows(manifest, 0)
    head = None if which == "tied_base" else new_rows(manifest, 1)
    split = load_base(manifest)
    inject(split, embedding, head, "shared" if head is None else "separate")
    plain = resized(manifest, embedding, embedding if head is None else head)
    count = len(base_rows(manifest)["embedding"])
    ids = torch.tensor([[1, count, 7, count + NEW - 1, 9, count + 2]])
    torch.testing.assert_close(split(input_ids=ids).logits, plain(input_ids=ids).logits, atol=1e-5, rtol=1e-5)


def test_the_base_matrix_is_not_copied(base):
    model = load_base(base)
    before = model.get_input_embeddings().weight.data_ptr()
    inject(model, new_rows(base, 0), new_rows(base, 1), "separate")
    assert model.get_input_embeddings().base.data_ptr() == before
    assert not any(p.requires_grad for p in model.parameters())


def test_an_untied_head_stays_untied_and_tie_all_overwrites_it(base):
    separate, tied = load_base(base), load_base(base)
    inject(separate, new_rows(base, 0), new_rows(base, 1), "separate")
    assert separate.get_output_embeddings().base is not separate.get_input_embeddings().base
    inject(tied, new_rows(base, 0), None, "tie_all")
    ids = torch.tensor([[1, 5, 9]])
    hidden = tied.get_decoder()(input_ids=ids).last_hidden_state
    embedding = tied.get_input_embeddings()
    expected = hidden @ torch.cat([embedding.base, embedding.new]).T
    torch.testing.assert_close(tied(input_ids=ids).logits, expected)


def test_native_heads():
    assert head_mode("native", tied=True) == "shared" and head_mode("native", tied=False) == "separate"
    assert head_mode("tie_all", tied=False) == "tie_all"


def test_rows_that_do_not_fit_the_head_are_refused(base):
    with pytest.raises(UserError, match="does not fit `head: separate`"):
        inject(load_base(base), new_rows(base, 0), None, "separate")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_master_rows_are_float32_whatever_the_base(base, precision):
    model = load_base(base, precision)
    inject(model, new_rows(base, 0), new_rows(base, 1), "separate")
    train_rows(model, "new")
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert model.get_input_embeddings()(torch.tensor([[1]])).dtype == getattr(torch, precision)


def test_shared_rows_gather_the_gradients_of_lookups_and_of_the_head_over_passes(tied_base):
    model = load_base(tied_base)
    inject(model, new_rows(tied_base, 0), None, "shared")
    train_rows(model, "new")
    embedding, count = model.get_input_embeddings(), len(base_rows(tied_base)["embedding"])
    ids = torch.tensor([[1, count + 3, 7, count + 3, count]])
    (3 * embedding(ids)).sum().backward()  # each vector's gradient is three times `scale` in every place
    lookups = torch.tensor([1.0, 0, 0, 2, 0])[:, None] * 3 * embedding.scale
    torch.testing.assert_close(embedding.new.grad, lookups.expand(NEW, embedding.new.shape[1]))
    (embedding(ids).sum() + (embedding.new * 5).sum()).backward()
    torch.testing.assert_close(embedding.new.grad, (lookups * 4 / 3 + 5).expand_as(embedding.new))


class Small(torch.nn.Module):
    """An objective of one term, as a learner calls it."""

    weights, decoupled = {"norm": 0.5}, False

    def terms(self, new, step):
        return {"norm": new.square().sum()}

    def weighted(self, terms):
        return 0.5 * terms["norm"]


def test_a_recorded_gradient_of_shared_rows_has_the_lookups_in_it(tied_base):
    from wake2vec.training.trainer import Learner

    model = load_base(tied_base)
    inject(model, new_rows(tied_base, 0), None, "shared")
    train_rows(model, "new")
    new, count = model.get_input_embeddings().new, len(base_rows(tied_base)["embedding"])
    ids = torch.tensor([[1, count + 3, 7, count + 3, count, 9]])
    Learner(model)(ids).backward()
    of_the_loss, new.grad = new.grad, None
    learner = Learner(model, Small()).train()
    for recording in (True, False, True):
        learner.record, new.grad = recording, None
        learner(ids).backward()
        torch.testing.assert_close(new.grad, of_the_loss + new.detach())
        assert learner.recorded["grad_lm"] == pytest.approx(float(of_the_loss.norm()), rel=1e-5)
        assert learner.recorded["grad_norm_term"] == pytest.approx(float(new.detach().norm()), rel=1e-5)


def test_four_bit_bases_train_their_new_rows(base):
    model = load_base(base, "float32", "nf4")
    inject(model, new_rows(base, 0), new_rows(base, 1), "separate")
    train_rows(model, "new")
    from wake2vec.training.trainer import Learner

    Learner(model)(torch.tensor([[1, 5, len(model.get_input_embeddings().base) + 1, 9]])).backward()
    assert model.get_input_embeddings().new.grad.abs().sum() > 0
    assert model.get_output_embeddings().new.grad.abs().sum() > 0


def test_rows_are_saved_and_come_back_bitwise(base, tmp_path):
    model = load_base(base)
    inject(model, new_rows(base, 0), new_rows(base, 1), "separate")
    save_arrays(tmp_path / "rows.safetensors", rows_of(model))
    again = rows_of(assemble(base, rows=tmp_path / "rows.safetensors"))
    assert all(np.array_equal(again[name], array) for name, array in rows_of(model).items())


def test_transformers_own_generation_writes_new_tokens(base):
    model = load_base(base)
    loud = 50 * new_rows(base, 1)  # a new head row that always wins
    inject(model, new_rows(base, 0), loud, "separate")
    written = model.generate(torch.tensor([[1, 5]]), max_new_tokens=6, do_sample=False, pad_token_id=1)
    assert (written[0, 2:] >= len(model.get_input_embeddings().base)).any()
