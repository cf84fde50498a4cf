"""The three ways to train new rows that p1_step.py compares, each on the same random Llama.

Each maker takes the frozen base and the cell's shape, and returns (function from ids to the loss, function that gives
the new rows' gradients [n, d], embedding first, optimizer).
"""

import tempfile
from typing import Any

LENGTH = 256  # tokens in a sequence
LAYERS = 2


def dtype_of(cell: dict[str, Any]) -> Any:
    """Of embedding, head and computation: the study's 4-bit runs have bfloat16."""
    import torch

    return torch.bfloat16 if cell["precision"] == "nf4" else torch.float32


def base_model(cell: dict[str, Any]) -> Any:
    """A frozen random Llama; for nf4 its body in 4 bits with double quantisation, as `load_base` asks for."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    hidden = cell["hidden"]
    config = LlamaConfig(
        vocab_size=cell["vocabulary"][0],
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=LAYERS,
        num_attention_heads=max(1, hidden // 64),
        max_position_embeddings=LENGTH,
        tie_word_embeddings=cell["tied"],
        pad_token_id=None,
        dtype=dtype_of(cell),
        use_cache=False,
    )
    torch.set_default_dtype(dtype_of(cell))
    causal = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    if cell["precision"] == "nf4":
        _quantise(causal.get_decoder())
    return causal.requires_grad_(False).eval()


def _quantise(body: Any) -> None:
    import torch
    from bitsandbytes.nn import Linear4bit, Params4bit

    for module in list(body.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, torch.nn.Linear):
                options = {"bias": False, "compute_dtype": child.weight.dtype, "quant_type": "nf4", "device": "meta"}
                layer = Linear4bit(child.in_features, child.out_features, **options)
                weight = Params4bit(child.weight.data, requires_grad=False, quant_type="nf4", module=layer)
                layer.weight = weight.to("cpu")  # which is when it quantises
                layer.support_avx512bf16_for_cpu = False  # as `load_base`: a repacked layer has no gradient
                setattr(module, name, layer)


def new_rows(cell: dict[str, Any]) -> list[Any]:
    """Embedding's, and where it is not tied the head's: [n, d] float32, of values that bfloat16 holds too."""
    import torch

    generator = torch.Generator().manual_seed(2)
    shape = (cell["vocabulary"][1], cell["hidden"])
    sides = 1 if cell["tied"] else 2
    return [(0.02 * torch.randn(shape, generator=generator)).bfloat16().float() for _ in range(sides)]


def _adamw(parameters: list[Any]) -> Any:
    """AdamW as transformers' Trainer makes it: fused, which is faster and has no temporaries as large as a matrix."""
    from transformers import Trainer, TrainingArguments

    from wake2vec.training.fit import OPTIMIZERS

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(folder, optim=OPTIMIZERS["adamw"], learning_rate=1e-3, report_to=[])
    kind, options = Trainer.get_optimizer_cls_and_kwargs(arguments)
    return kind(parameters, weight_decay=0.0, **options)


def _wake2vec(causal: Any, cell: dict[str, Any]):
    from wake2vec.model.rows import inject, train_rows
    from wake2vec.training.trainer import Learner

    embedding, *head = (rows.numpy() for rows in new_rows(cell))
    inject(causal, embedding, head[0] if head else None, "shared" if cell["tied"] else "separate")
    train_rows(causal, "new")
    learner = Learner(causal).train()
    parameters = [p for p in learner.parameters() if p.requires_grad]
    return learner, lambda: [p.grad for p in parameters], _adamw(parameters)


def _resized(causal: Any, cell: dict[str, Any]) -> None:
    """Base matrices with the new rows behind them."""
    base = cell["vocabulary"][0]
    causal.resize_token_embeddings(sum(cell["vocabulary"]), mean_resizing=False)
    sides = (causal.get_input_embeddings(), causal.get_output_embeddings())
    for side, rows in zip(sides, new_rows(cell), strict=False):
        side.weight.data[base:] = rows


def _transformers_loss(causal: Any):
    causal.train()
    return lambda ids: causal(input_ids=ids, labels=ids, use_cache=False).loss


def _notebooks(causal: Any, cell: dict[str, Any]):
    base = cell["vocabulary"][0]
    _resized(causal, cell)
    sides = {id(m.weight): m.weight for m in (causal.get_input_embeddings(), causal.get_output_embeddings())}

    def masked(gradient):
        gradient[:base] = 0
        return gradient

    for weight in sides.values():
        weight.requires_grad_(True)
        weight.register_hook(masked)
    weights = list(sides.values())
    return _transformers_loss(causal), lambda: [weight.grad[base:] for weight in weights], _adamw(weights)


def _peft(causal: Any, cell: dict[str, Any]):
    from peft import TrainableTokensConfig, get_peft_model

    _resized(causal, cell)
    base = cell["vocabulary"][0]
    modules = ["embed_tokens"] if cell["tied"] else ["embed_tokens", "lm_head"]  # a tied head follows by itself
    config = TrainableTokensConfig(token_indices=list(range(base, sum(cell["vocabulary"]))), target_modules=modules)
    model = get_peft_model(causal, config)
    parameters = [p for p in model.parameters() if p.requires_grad]
    return _transformers_loss(model), lambda: [p.grad for p in parameters], _adamw(parameters)


MAKERS = {"wake2vec": _wake2vec, "notebooks": _notebooks, "PEFT": _peft}
