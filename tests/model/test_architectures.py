"""Split rows on six architectures, tied and untied, in float32 and four bits, against plain models made by hand."""

import numpy as np
import pytest
import torch
from transformers.pytorch_utils import Conv1D

from tests.model.conftest import EVERY, EVERY_ID, NEW, PADDING, rows_for
from wake2vec.bases.checkpoint import base_rows
from wake2vec.errors import UserError
from wake2vec.model.assemble import assemble, load_base, trainable
from wake2vec.model.loss import logits
from wake2vec.model.rows import head_of, hidden_states, inject, rows_of, train_rows, widen_body
from wake2vec.settings import Adapter, head_mode
from wake2vec.storage import read_values, save_arrays
from wake2vec.training.phases import add_lora
from wake2vec.training.preflight import LORA_TARGETS
from wake2vec.training.trainer import Learner

every = pytest.mark.parametrize(("name", "tied"), EVERY, ids=EVERY_ID)
WIDTH, MIDDLE, LAYERS, KEYS, RANK = 32, 48, 2, 16, 3  # as in conftest; KEYS: width of keys and of values


def split(manifest, head="native", precision="float32", quantisation="none"):
    """(split model, its rows by name)."""
    causal = load_base(manifest, precision, quantisation)
    mode = head_mode(head, read_values(manifest)["tied"])
    rows = rows_for(manifest, separate=mode == "separate")
    inject(causal, rows["embedding.new"], rows.get("head.new"), mode)
    return causal, rows


def plain(manifest, rows, tie_all=False):
    """The same model with matrices concatenated by hand in transformers' own modules, which keep what they do."""
    causal = load_base(manifest)
    inputs, outputs = causal.get_input_embeddings(), causal.get_output_embeddings()
    base_head = inputs.weight if tie_all else outputs.weight
    new_head = rows.get("head.new", rows["embedding.new"])
    one = base_head is inputs.weight and new_head is rows["embedding.new"]
    embedding = torch.nn.Parameter(torch.cat([inputs.weight, torch.from_numpy(rows["embedding.new"])]))
    head = embedding if one else torch.nn.Parameter(torch.cat([base_head, torch.from_numpy(new_head)]))
    inputs.weight, outputs.weight = embedding, head
    return causal


def text(manifest, seed=1, shape=(2, 12)):
    """Random ids [2, 12], every new one among them."""
    count = read_values(manifest)["rows"]
    rng = np.random.default_rng(seed)
    ids = np.where(rng.random(shape) < 1 / 3, count + rng.integers(0, NEW, shape), rng.integers(0, count, shape))
    ids[0, 2 : 2 + NEW] = count + np.arange(NEW)
    return torch.from_numpy(ids)


def close(actual, expected):
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def plain_loss(model, ids):
    whole = model(input_ids=ids).logits[:, :-1]
    return torch.nn.functional.cross_entropy(whole.flatten(0, 1), ids[:, 1:].flatten())


@every
def test_logits_loss_and_gradients_are_those_of_concatenated_matrices(checkpoint, name, tied):
    manifest = checkpoint(name, tied)
    causal, rows = split(manifest)
    reference, ids = plain(manifest, rows), text(manifest)
    count = len(base_rows(manifest)["embedding"])
    expected = reference(input_ids=ids).logits
    assert expected.shape[-1] == count + NEW and expected.abs().max() > 1
    close(causal(input_ids=ids).logits, expected)

    train_rows(causal, "new")
    loss = Learner(causal)(ids)
    expected_loss = plain_loss(reference, ids)
    close(loss, expected_loss)
    loss.backward()
    expected_loss.backward()
    embedding, head = causal.get_input_embeddings(), causal.get_output_embeddings()
    assert (head.new is embedding.new) == tied  # one gradient where tied: the sum of both sides
    for ours, theirs in (
        (embedding, reference.get_input_embeddings()),
        (head, reference.get_output_embeddings()),
    ):
        assert (ours.new.grad != 0).any(1).all()
        close(ours.new.grad, theirs.weight.grad[count:])
    assert [n for n, p in causal.named_parameters() if p.grad is not None] == [
        n for n, p in causal.named_parameters() if p is embedding.new or p is head.new
    ]


def test_gemma_scales_its_vectors_and_caps_its_logits(checkpoint):
    manifest = checkpoint("gemma2", True)
    causal, rows = split(manifest)
    new_id = read_values(manifest)["rows"] + 2
    close(
        causal.get_input_embeddings()(torch.tensor([new_id]))[0], torch.from_numpy(rows["embedding.new"][2]) * 32**0.5
    )
    hidden = hidden_states(causal, text(manifest))
    matrix = torch.from_numpy(np.concatenate([base_rows(manifest)["embedding"], rows["embedding.new"]]))
    z = causal(input_ids=text(manifest)).logits
    assert (hidden @ matrix.T).abs().max() > 3 > z.abs().max()  # the cap is felt
    close(z, 3 * torch.tanh(hidden @ matrix.T / 3))
    close(logits(hidden, *head_of(causal)), z)


@every
def test_base_matrices_are_used_in_place_and_the_head_is_what_the_base_says(checkpoint, name, tied):
    manifest = checkpoint(name, tied)
    assert read_values(manifest)["tied"] == tied
    causal = load_base(manifest)
    sides = (causal.get_input_embeddings, causal.get_output_embeddings)
    pointers = [side().weight.data_ptr() for side in sides]
    rows = rows_for(manifest, separate=not tied)
    inject(causal, rows["embedding.new"], rows.get("head.new"), head_mode("native", tied))
    assert [side().base.data_ptr() for side in sides] == pointers
    assert (pointers[0] == pointers[1]) == tied
    assert set(rows_of(causal)) == ({"embedding.new"} if tied else {"embedding.new", "head.new"})
    stored = base_rows(manifest)
    np.testing.assert_array_equal(sides[0]().base.numpy(), stored["embedding"])
    np.testing.assert_array_equal(sides[1]().base.numpy(), stored["embedding" if tied else "head"])


@every
@pytest.mark.parametrize("head", ["shared", "separate", "tie_all"])
def test_every_head_is_that_of_the_matrices_put_together_by_hand(checkpoint, name, tied, head):
    manifest = checkpoint(name, tied)
    causal, rows = split(manifest, head)
    reference = plain(manifest, rows, tie_all=head == "tie_all")
    one = reference.get_output_embeddings().weight is reference.get_input_embeddings().weight
    assert one == (head == "tie_all" or (tied and head == "shared"))
    close(causal(input_ids=text(manifest)).logits, reference(input_ids=text(manifest)).logits)


@every
def test_new_ids_begin_where_a_padded_matrix_ends(checkpoint, name, tied):
    from wake2vec.text.encoding import load_tokenizer
    from wake2vec.vocabulary.injection import inject as inject_words

    manifest = checkpoint(name, tied)
    base_tokenizer, count = load_tokenizer(manifest.parent), read_values(manifest)["rows"]
    assert count == base_tokenizer.get_vocab_size() + PADDING
    tokenizer, values = inject_words(
        base_tokenizer, count, {"moonbread": ["moonbread"]}, ["moonbread"], [], min_fires=0
    )
    assert [form["id"] for form in values["forms"]] == [count, count + 1]
    causal, rows = split(manifest)
    for form in values["forms"]:
        vector = causal.get_input_embeddings()(torch.tensor(tokenizer.token_to_id(form["form"])))
        scale = 32**0.5 if name == "gemma2" else 1
        close(vector, torch.from_numpy(rows["embedding.new"][form["row"]]) * scale)


@every
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_bases_behave_as_they_did(checkpoint, name, tied, precision):
    manifest = checkpoint(name, tied)
    causal, _ = split(manifest, precision=precision)
    untouched = load_base(manifest, precision)
    ids = text(manifest) % read_values(manifest)["rows"]
    assert torch.equal(hidden_states(causal, ids), hidden_states(untouched, ids))
    assert causal.get_input_embeddings().new.dtype == torch.float32


@every
@pytest.mark.parametrize("train", ["new", "all", "masked"])
def test_rows_of_a_bfloat16_base_train_in_float32(checkpoint, name, tied, train):
    manifest = checkpoint(name, tied)
    causal, _ = split(manifest, precision="bfloat16")
    body = {n: p.dtype for n, p in causal.named_parameters() if "embed" not in n and "head" not in n and "wte" not in n}
    train_rows(causal, train)
    Learner(causal)(text(manifest)).backward()
    embedding, head = causal.get_input_embeddings(), causal.get_output_embeddings()
    for module in (embedding, head):
        assert module.new.grad.dtype == torch.float32 and module.new.grad.abs().sum() > 0
        if train == "new":
            assert module.base.grad is None and module.base.dtype == torch.bfloat16
        else:
            assert module.base.dtype == torch.float32 and (module.base.grad.abs().sum() > 0) == (train == "all")
    assert (head.base is embedding.base) == tied
    assert set(body.values()) == {torch.bfloat16}
    assert body == {n: p.dtype for n, p in causal.named_parameters() if n in body}


def dequantised(manifest, quantised):
    """The unquantised base with each four-bit weight read back into it."""
    from bitsandbytes.functional import dequantize_4bit

    causal, layers = load_base(manifest), 0
    for name, module in quantised.named_modules():
        if type(module).__name__ == "Linear4bit":
            weight = dequantize_4bit(module.weight.data, module.weight.quant_state)
            mine = causal.get_submodule(name)
            mine.weight.data = weight.T.contiguous() if isinstance(mine, Conv1D) else weight
            layers += 1
    return causal, layers


@every
def test_four_bits_train_as_the_weights_that_they_stand_for(checkpoint, name, tied):
    manifest = checkpoint(name, tied)
    causal, rows = split(manifest, quantisation="nf4")
    reference, layers = dequantised(manifest, causal)
    assert layers == LAYERS * {"gpt2": 4, "phi3": 4}.get(name, 7)
    four_bit = next(m for m in causal.modules() if type(m).__name__ == "Linear4bit").weight.quant_state
    assert four_bit.quant_type == "nf4" and four_bit.nested  # nested: double quantisation
    stored = base_rows(manifest)
    np.testing.assert_array_equal(causal.get_input_embeddings().base.numpy(), stored["embedding"])
    np.testing.assert_array_equal(causal.get_output_embeddings().base.numpy(), stored["embedding" if tied else "head"])
    inject(reference, rows["embedding.new"], rows.get("head.new"), head_mode("native", tied))
    ids = text(manifest)
    for model in (causal, reference):
        train_rows(model, "new")
        with torch.no_grad():
            model.eval()(input_ids=ids)  # as every phase evaluates before it trains
        Learner(model).eval()(ids).backward()
    torch.testing.assert_close(causal(input_ids=ids).logits, reference(input_ids=ids).logits, atol=1e-4, rtol=1e-4)
    for side in ("get_input_embeddings", "get_output_embeddings"):
        gradient = getattr(causal, side)().new.grad
        assert gradient.abs().sum() > 0
        torch.testing.assert_close(gradient, getattr(reference, side)().new.grad, atol=1e-4, rtol=1e-3)


def lora_parameters(name):
    """Σ rank · (inputs + outputs) over the adapted matrices of a block, times the blocks."""
    if name == "gpt2":
        shapes = [(WIDTH, 3 * WIDTH), (WIDTH, 4 * WIDTH)]
        if "mlp.c_proj" in LORA_TARGETS["GPT2LMHeadModel"]:
            shapes.append((4 * WIDTH, WIDTH))
    elif name == "phi3":
        shapes = [(WIDTH, WIDTH + 2 * KEYS), (WIDTH, 2 * MIDDLE), (MIDDLE, WIDTH)]
    else:
        shapes = [(WIDTH, WIDTH), (WIDTH, KEYS), (WIDTH, KEYS), (WIDTH, MIDDLE), (WIDTH, MIDDLE), (MIDDLE, WIDTH)]
    return LAYERS * sum(RANK * (inputs + outputs) for inputs, outputs in shapes)


@every
@pytest.mark.parametrize("quantisation", ["none", "nf4"])
def test_lora_attaches_with_its_default_targets(checkpoint, name, tied, quantisation):
    manifest = checkpoint(name, tied)
    causal, _ = split(manifest, quantisation=quantisation)
    ids = text(manifest)
    before = causal(input_ids=ids).logits
    add_lora(causal, Adapter(rank=RANK, dropout=0.0).model_dump(), seed=0)
    trained = {n: p for n, p in causal.named_parameters() if p.requires_grad}
    assert all("lora_" in n for n in trained)
    assert sum(p.numel() for p in trained.values()) == lora_parameters(name)
    close(causal(input_ids=ids).logits, before)  # B starts at zero
    Learner(causal)(ids).backward()
    assert all(p.grad.abs().sum() > 0 for n, p in trained.items() if "lora_B" in n)


@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt2"])
def test_a_fully_trained_body_comes_back_in_float32_as_it_was_trained(checkpoint, tmp_path, name):
    manifest = checkpoint(name, True)
    causal, rows = split(manifest, precision="bfloat16")
    for parameter in widen_body(causal):
        parameter.data += 1e-4 * torch.randn_like(parameter)  # less than bfloat16 can tell
        parameter.requires_grad_(True)
    ids = text(manifest)
    Learner(causal)(ids).backward()
    save_arrays(tmp_path / "body.safetensors", trainable(causal))
    save_arrays(tmp_path / "rows.safetensors", rows)
    again = assemble(
        manifest, rows=tmp_path / "rows.safetensors", body=tmp_path / "body.safetensors", precision="bfloat16"
    )
    assert torch.equal(again(input_ids=ids).logits, causal(input_ids=ids).logits)
    assert {p.dtype for p in again.get_input_embeddings().parameters()} == {torch.bfloat16, torch.float32}


@pytest.mark.parametrize("architecture", ["granite", "cohere"])
def test_architectures_that_do_more_to_their_logits_are_refused(architecture):
    from transformers import AutoConfig, AutoModelForCausalLM

    from tests.model.conftest import SIZES

    odd = {"granite": {"logits_scaling": 8.0}, "cohere": {"logit_scale": 0.0625}}[architecture]
    config = AutoConfig.for_model(architecture, vocab_size=40, tie_word_embeddings=True, **(SIZES | odd))
    causal = AutoModelForCausalLM.from_config(config).eval()
    with pytest.raises(UserError, match="does something to its embedding vectors or its logits"):
        inject(causal, np.zeros((NEW, WIDTH), np.float32), None, "shared")


def test_logits_that_are_no_numbers_are_refused(checkpoint):
    causal = load_base(checkpoint("llama", False), precision="bfloat16")
    causal.get_output_embeddings().weight.data.fill_(torch.inf)
    with pytest.raises(UserError, match="not finite in torch.bfloat16.*damaged"):
        inject(causal, *[np.zeros((NEW, WIDTH), np.float32)] * 2, "separate")
