"""Planned memory against published sizes, other libraries' counts, and what a real step allocates."""

import copy

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from wake2vec.errors import UserError
from wake2vec.model.memory import CUDA_ALLOWANCE, estimator, nf4_bytes, phase_model
from wake2vec.settings import Model


def llama(vocabulary, hidden, inner, layers, heads, keys, tied=False, kind="Llama", **more):
    import transformers

    return getattr(transformers, f"{kind}Config")(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=keys,
        tie_word_embeddings=tied,
        pad_token_id=None,
        **more,
    )


def gpt2(**more):
    from transformers import GPT2Config

    return GPT2Config(**({"vocab_size": 50257, "n_embd": 768, "n_layer": 6, "n_head": 12} | more))


TINYLLAMA = (32000, 2048, 5632, 22, 32, 4)
QWEN = (152064, 5120, 13824, 48, 40, 8)
PUBLISHED = {  # parameters, as the checkpoints on the hub have them
    "TinyLlama-1.1B": (1_100_048_384, lambda: llama(*TINYLLAMA)),
    "Llama-3.2-1B": (1_235_814_400, lambda: llama(128256, 2048, 8192, 16, 32, 8, tied=True, head_dim=64)),
    "Llama-3.2-3B": (3_212_749_824, lambda: llama(128256, 3072, 8192, 28, 24, 8, tied=True, head_dim=128)),
    "Llama-3.1-8B": (8_030_261_248, lambda: llama(128256, 4096, 14336, 32, 32, 8)),
    "Qwen2.5-14B": (14_770_033_664, lambda: llama(*QWEN, kind="Qwen2")),
    "Mistral-7B-v0.3": (7_248_023_552, lambda: llama(32768, 4096, 14336, 32, 32, 8, kind="Mistral")),
    "Phi-3.5-mini": (3_821_079_552, lambda: llama(32064, 3072, 8192, 32, 32, 32, kind="Phi3")),
    "distilgpt2": (81_912_576, gpt2),
}


def run(**changes):
    """A run's block, with settings of a phase given as p1_batch=2."""
    blocks = {key: value for key, value in changes.items() if key[:3] not in ("p1_", "p2_", "p3_")}
    for key, value in changes.items():
        if key[:3] in ("p1_", "p2_", "p3_"):
            blocks.setdefault(key[:2], {})[key[3:]] = value
    return Model(base="b", corpus="c", **blocks).model_dump(mode="json")


# Parameters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_parameter_counts(name):
    published, config = PUBLISHED[name]
    estimate = estimator(config())
    assert estimate(run(), "p1", 1000)["base"] == 4 * published
    assert estimate(run(precision="bfloat16"), "p1", 1000)["base"] == 2 * published


def test_the_notebooks_trained_5_586_944_and_156_672_000_parameters():
    estimate = estimator(llama(*TINYLLAMA))
    model = run(head="tie_all", p1_train="all", p2_rank=8)  # TinyLlama's, and rank 8 of its LoRA
    assert estimate(model, "p2", 44_500)["trains_adapter"] == 5_586_944
    trained = estimate(model, "p1", 44_500)
    assert trained["trains_new_rows"] + trained["trains_base_rows"] == 156_672_000 == 76_500 * 2048
    assert trained["gradients"] == 4 * 156_672_000 and trained["optimizer"] == 8 * 156_672_000


@pytest.mark.parametrize(
    ("head", "tied", "matrices"),
    [("native", True, 1), ("native", False, 2), ("shared", False, 1), ("tie_all", False, 1)],
)
def test_new_rows_are_float32_and_as_many_as_the_head_needs(head, tied, matrices):
    config = llama(100, 16, 32, 5, 2, 2, tied=tied)
    numbers = estimator(config)(run(head=head, precision="bfloat16"), "p1", 30)
    assert numbers["trains_new_rows"] == matrices * 30 * 16
    assert numbers["new_rows"] == 4 * matrices * 30 * 16
    # the head that `tie_all` takes away is not held either
    whole = estimator(config)(run(precision="bfloat16"), "p1", 30)["base"]
    assert whole - numbers["base"] == (2 * 100 * 16 if head == "tie_all" else 0)


def test_base_rows_that_p1_trained_stay_float32_and_a_trained_body_is_float32():
    estimate = estimator(llama(100, 16, 32, 5, 2, 2, tied=True))
    plain, rows = (estimate(run(precision="bfloat16", p1_train=t), "p2", 30)["base"] for t in ("new", "all"))
    assert rows - plain == 2 * 100 * 16
    full = run(precision="bfloat16", p2_kind="full")
    body = estimate(full, "p2", 30)
    assert body["base"] == 2 * 100 * 16 + 4 * body["trains_body"] == estimate(full, "p3", 30)["base"]


@pytest.mark.parametrize("kind", ["Llama", "Phi3", "GPT2"])
def test_lora_parameters_are_pefts_own_count(kind):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from wake2vec.training.preflight import lora_targets

    sizes = (96, 32, 48, 4, 4, 4)
    config = gpt2(vocab_size=96, n_embd=32, n_layer=4, n_head=4) if kind == "GPT2" else llama(*sizes, kind=kind)
    causal = AutoModelForCausalLM.from_config(copy.deepcopy(config))
    targets = lora_targets(type(causal).__name__, None)
    wrapped = get_peft_model(causal, LoraConfig(r=3, target_modules=targets, task_type="CAUSAL_LM"))
    theirs, _ = wrapped.get_nb_trainable_parameters()
    numbers = estimator(config)(run(p2_rank=3), "p2", 10)
    assert numbers["trains_adapter"] == theirs > 0
    assert numbers["trains_new_rows"] == numbers["trains_body"] == 0


# Bytes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(96, 64), (130, 320), (1000, 77)])
def test_nf4_bytes_are_what_bitsandbytes_stores(shape):
    import bitsandbytes as bnb

    packed, state = bnb.functional.quantize_4bit(torch.randn(shape), quant_type="nf4", compress_statistics=True)
    # beside its bytes: two tables of values that all matrices have in common, and one offset
    assert nf4_bytes(shape[0] * shape[1]) == packed.nbytes + state.absmax.nbytes + state.state2.absmax.nbytes


def test_a_quantised_base_takes_what_is_loaded(base):
    from transformers import AutoConfig

    from wake2vec.model.assemble import load_base

    loaded = load_base(base, "bfloat16", "nf4", device="cpu")
    stored = 0
    for parameter in loaded.parameters():
        state = getattr(parameter, "quant_state", None)
        stored += parameter.nbytes + (state.absmax.nbytes + state.state2.absmax.nbytes if state else 0)
    model = run(precision="bfloat16", quantisation="nf4")
    assert estimator(AutoConfig.from_pretrained(base.parent))(model, "p1", 5)["base"] == stored


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor"])
def test_optimizer_state_is_what_the_optimizer_keeps(optimizer):
    from transformers.optimization import Adafactor

    config, model = llama(100, 16, 32, 3, 2, 2), run(p2_kind="full", p2_optimizer=optimizer)
    learner = real(config, model, "p2", 30)
    trained = [p for p in learner.parameters() if p.requires_grad]
    made = torch.optim.AdamW(trained) if optimizer == "adamw" else Adafactor(trained, relative_step=False, lr=1e-3)
    for parameter in trained:
        parameter.grad = torch.randn_like(parameter)
    made.step()
    tensors = [t for state in made.state.values() for t in state.values() if torch.is_tensor(t) and t.dim()]
    assert estimator(config)(model, "p2", 30)["optimizer"] == sum(t.nbytes for t in tensors)


def real(config, model, phase, rows):
    """The phase's model with memory for its weights, and random ones in it."""
    causal = phase_model(config, model, phase)
    embedding, head = causal.get_input_embeddings(), causal.get_output_embeddings()
    new, made = {id(embedding.new), id(head.new)}, {}
    for module in causal.modules():
        for name, p in module._parameters.items():
            if p is not None and id(p) not in made:
                shape = (rows, *p.shape[1:]) if id(p) in new else p.shape
                made[id(p)] = torch.nn.Parameter(
                    0.02 * torch.randn(shape, dtype=p.dtype), requires_grad=p.requires_grad
                )
            module._parameters[name] = None if p is None else made[id(p)]
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else torch.rand(buffer.shape, dtype=buffer.dtype)
    return causal


SMALL = llama(2000, 128, 352, 3, 4, 4)
GROUPED = llama(2000, 128, 352, 3, 4, 2)  # two heads share their keys
GPT2 = gpt2(vocab_size=2000, n_embd=128, n_layer=3, n_head=4, attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0)
STEP = {f"{phase}_{key}": value for phase in ("p1", "p2", "p3") for key, value in (("batch", 8), ("sequence", 128))}
STEP |= {"p2_dropout": 0.0}  # a CPU's dropout keeps floats where a GPU's keeps bytes


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("phase", ["p1", "p2"])
@pytest.mark.parametrize("config", [SMALL, GPT2], ids=["llama", "gpt2"])
def test_activations_are_what_autograd_keeps_in_a_real_forward_pass(config, phase, precision):
    from wake2vec.model.rows import hidden_states

    model = run(**STEP, precision=precision)
    causal, kept = real(config, model, phase, 50), {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor  # the tensor too, so that its memory is not given again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden_states(causal, torch.randint(2050, (8, 128)))
    parameters = {p.untyped_storage().data_ptr() for p in causal.parameters()}
    found = sum(t.untyped_storage().nbytes() for address, t in kept.items() if address not in parameters)
    assert estimator(config)(model, phase, 50)["activations"] == pytest.approx(found, rel=0.02)


def highest(work):
    """Bytes at the highest point of `work()` above where it began, by the allocator's own account."""
    cpu = torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[cpu], profile_memory=True) as profile:
        work()
    events = profile.profiler.kineto_results.events()
    steps = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return max(np.cumsum([size for _, size in steps]))


WIDE = llama(100, 64, 64, 1, 4, 4, tied=True)
FEW, IN_LOSS = {"p3_sequence": 16}, {"p3_objective": "loss"}
EVERY = {"p3_lambda_direction": 1.0, "p3_lambda_device": 1.0}
CASES = {
    "P1": (SMALL, "p1", {}, 1500),
    "P1, whole matrices": (SMALL, "p1", {"p1_train": "masked", "p1_accumulate": 2}, 1500),
    "P1, logits in chunks": (llama(30000, 64, 128, 2, 4, 4), "p1", {"precision": "bfloat16"}, 2000),
    "P1, shared keys in float32": (GROUPED, "p1", {}, 1500),
    "P2, shared keys and flash attention": (GROUPED, "p2", {"precision": "bfloat16"}, 1500),
    "P2, shared keys without it": (GROUPED, "p2", {"precision": "bfloat16"}, 1500),
    "P2, keys of their own in bfloat16, without it": (SMALL, "p2", {"precision": "bfloat16"}, 1500),
    "P2, GPT-2, two passes": (GPT2, "p2", {"p2_accumulate": 2}, 1500),
    "P2, every weight": (SMALL, "p2", {"p2_kind": "full"}, 1500),
    "P3": (SMALL, "p3", {}, 1500),
    "P3, many rows": (WIDE, "p3", FEW, 20000),
    "P3, every term": (WIDE, "p3", FEW | EVERY, 20000),
    "P3, terms in the loss": (SMALL, "p3", IN_LOSS, 1500),
    "P3, in the loss, many rows": (WIDE, "p3", FEW | IN_LOSS, 20000),
    "P3, in the loss, every term": (WIDE, "p3", FEW | IN_LOSS | EVERY, 20000),
    "P3, in the loss, many rows, mse": (WIDE, "p3", FEW | IN_LOSS | {"p3_morpheme": "mse"}, 20000),
    "the optimizer's step": (WIDE, "p1", {"p1_batch": 1, "p1_sequence": 16, "p1_optimizer": "adafactor"}, 20000),
}


def all_terms(rows, width, settings):
    """P3's objective on words that every term is about."""
    from wake2vec.training.objective_pairs import assemble
    from wake2vec.training.objectives import Objective

    targets = dict(zip(map(str, range(rows)), torch.randn(rows, width).numpy(), strict=True))
    affixes = {word: [f"-{i % 9}"] for i, word in enumerate(targets)}
    devices = {word: str(i % 3) for i, word in enumerate(targets)}
    material = assemble(list(targets), (targets, None), (targets, None), affixes, devices, share=1e-6, seed=0)
    return Objective(material, settings, 0)


@pytest.mark.parametrize("changes", [{}, EVERY, {"p3_lambda_repulsion": 0.0, "p3_lambda_norm": 0.0}])
@pytest.mark.parametrize("rows", [1500, 20000])
def test_terms_beside_the_optimizer_are_as_high_as_planned(rows, changes):
    from types import SimpleNamespace

    from wake2vec.training.decoupled import Decoupled
    from wake2vec.training.trainer import Learner

    model = run(**STEP | changes)
    learner = Learner(real(WIDE, model, "p3", rows), all_terms(rows, WIDE.hidden_size, model["p3"]))
    callback, optimizer = Decoupled(learner), SimpleNamespace(param_groups=[{"lr": 1e-3}])
    learner.record = True  # as at a step that is logged

    def step():
        callback.on_pre_optimizer_step(None, None, None)
        callback.on_optimizer_step(None, SimpleNamespace(global_step=1), None, optimizer=optimizer)

    step()
    planned, found = estimator(WIDE)(model, "p3", rows)["moves"], highest(step)
    assert 0.97 * found < planned < 1.15 * found  # autograd lets go of its last tensor a little sooner or later


@pytest.mark.parametrize("case", CASES)
def test_a_training_step_is_as_high_as_planned(case):
    """A real step of the real learner: all but what is held throughout, and CUDA."""
    from transformers.optimization import Adafactor

    from wake2vec.training.fit import OPTIMIZERS
    from wake2vec.training.trainer import Learner

    config, phase, changes, rows = CASES[case]
    model = run(**STEP | changes)
    numbers, settings = estimator(config)(model, phase, rows), model[phase]
    unfused = case.endswith(("without it", "in float32"))
    passing = numbers["loss"] + numbers["objective"] + numbers["earlier_gradients"]
    passing += numbers["activations_unfused" if unfused else "activations"]
    planned = max(passing, numbers["gradients"] + numbers["temporaries"])
    causal = real(config, model, phase, rows)
    learner = Learner(causal, all_terms(rows, config.hidden_size, settings) if phase == "p3" else None).train()
    learner.record = True
    trained = [p for p in learner.parameters() if p.requires_grad]
    if settings["optimizer"] == "adamw":
        assert OPTIMIZERS["adamw"] == "adamw_torch_fused"  # the others need more as they step
        optimizer = torch.optim.AdamW(trained, fused=True)
    else:
        optimizer = Adafactor(trained, lr=1e-3, scale_parameter=False, relative_step=False)

    def step():
        for _ in range(settings["accumulate"]):
            learner(torch.randint(config.vocab_size + rows, (settings["batch"], settings["sequence"]))).backward()
        optimizer.step()
        optimizer.zero_grad()

    with sdpa_kernel(SDPBackend.MATH if unfused else SDPBackend.FLASH_ATTENTION):
        step()
        assert planned == pytest.approx(highest(step), rel=0.03)


def test_an_evaluation_is_as_high_as_planned():
    from wake2vec.language.likelihood import token_nats
    from wake2vec.text.encoding import Encoded

    model = run(**STEP)
    numbers = estimator(SMALL)(model, "p1", 1500)
    held = sum(numbers[name] for name in ("base", "new_rows", "adapter", "optimizer"))
    planned = numbers["evaluation"] - held - CUDA_ALLOWANCE
    causal = real(SMALL, model, "p1", 1500)
    encoded = Encoded([np.random.randint(0, 2000, 500) for _ in range(12)], np.ones(12))
    found = highest(lambda: token_nats(causal, encoded, 1, **model["evaluation"]))
    assert planned == pytest.approx(found, rel=0.1)


def test_two_layers_tell_what_all_of_them_need():
    """What is extrapolated from one and two layers is what a model of full depth has, sliding windows or not."""
    from transformers import Gemma2Config

    from wake2vec.model.memory import saved_bytes

    gemma = Gemma2Config(
        vocab_size=90, hidden_size=32, intermediate_size=48, num_hidden_layers=7, num_attention_heads=4, head_dim=8
    )
    for config in (gemma, llama(90, 32, 48, 7, 4, 2, kind="Qwen2")):
        for phase in ("p1", "p2"):
            model = run(precision="bfloat16")
            whole = phase_model(config, model, phase)
            numbers = estimator(config)(model, phase, 1)
            assert numbers["activations"] == 8 * saved_bytes(whole, 128)
            assert sum(p.nbytes for p in whole.parameters()) == sum(
                numbers[name] for name in ("base", "new_rows", "adapter")
            )


def test_a_model_whose_course_depends_on_its_numbers_is_refused():
    config = llama(90, 32, 48, 2, 4, 2, kind="Mixtral")
    with pytest.raises(UserError, match="MixtralForCausalLM.*without its weights"):
        estimator(config)(run(), "p1", 5)
