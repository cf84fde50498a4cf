"""How much memory a phase takes on the device, from a base's config.json alone.

The base is built on torch's `meta` device, where tensors have shapes and no contents, and given rows and adapters by
the functions that the phases use; so parameters are counted, and activations are those of a forward pass. All numbers
are bytes or parameters.

    peak      = CUDA_ALLOWANCE + held + max(backward, step, evaluation)
    held      = base + new rows + adapter + optimizer
    backward  = activations + loss + objective (+ gradients of earlier forward passes, where `accumulate` > 1)
    step      = gradients + temporaries as the optimizer steps, or P3's moves then; activations are gone by then

Gradients come as activations go, layer by layer, so that a training step is highest at one of these two ends.

base          in the run's precision; base rows and a body that train are float32. In NF4 with double quantisation
              (Dettmers et al. 2023, QLoRA; bitsandbytes) a weight matrix of the body with n entries has 4 bits an
              entry, an 8-bit scale for each block of 64, and a float32 scale for each 256 of those:
              n/2 + n/64 + 4n/(64·256). Embedding, head, norms and biases stay in the run's precision
new rows      float32, as the adapter, whether they train or not
optimizer     AdamW: two float32 moments a parameter. Adafactor without a first moment (transformers'): a matrix [r, c]
              has r + c second moments, a vector one an entry
gradients     float32, one for each parameter that trains
temporaries   of AdamW none, as it is fused; of Adafactor two of its largest matrix
activations   what autograd keeps for the backward pass, caught by `saved_tensors_hooks`: each storage once, parameters
              left out. Dropout keeps a mask of one byte an entry and fused attention its inputs, its output and one
              number a row, as their CUDA kernels do
loss          last hidden states, and the most of: model/loss.py, forward and backward, as torch's MemTracker sees it;
              the gradients that it leaves beside the backward pass of the last layer, which has three tensors as large
              as its widest activation and a dequantised weight
objective     what P3's terms keep of their batches and make on their way back: in the loss, beyond its highest point;
              beside the optimizer (`moves`), after its step. Their targets are in the host's memory
evaluation    BATCH_TOKENS tokens through the widest layer, without gradients, or their loss
"""

import copy
import functools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from wake2vec.errors import UserError
from wake2vec.language.likelihood import BATCH_TOKENS
from wake2vec.settings import head_mode, held_in

CUDA_ALLOWANCE = 2**30  # not derived: CUDA's context, cuBLAS's workspace, and what the allocator's rounding wastes
# of P3, at a step that logs the terms; read off torch's profiler, and held to it by a test
OBJECTIVE_GRADIENTS = 2  # [new rows, d]: a term's gradient and the one before it
OBJECTIVE_TENSORS = {"cosine": 2.6, "mse": 1.6}  # [batch of a term, d]
DIRECTION_TENSORS = 3.7  # [batch of a term, d], with the device term's smaller batch
REPULSION_TENSORS = 9.7  # [REPULSION_PAIRS, d]: both sides' rows, as they are and at length 1, and the way back
# … beside the optimizer: a term by itself, and what is added to the rows of all terms
MOVES_TENSORS = {"cosine": 7.1, "mse": 6.0, "direction": 8.1}  # [batch of a term, d]
MOVES_PAIRS = 8.9  # [REPULSION_PAIRS, d]
MOVES_CONTRAST = 6  # [CONTRAST_ROWS, CONTRAST_ROWS]
_NO_SHAPE = ("batch", "accumulate", "sequence", "optimizer", "quantisation", "vocabulary")  # settings of no module

Estimate = Callable[[Mapping[str, Any], str, int], dict[str, int]]


def estimator(config: Any, trust_remote_code: bool = False) -> Estimate:
    """A function (model block, phase, new rows of the embedding) -> numbers, for a base with this configuration.

    The numbers: `trains_new_rows`, `trains_base_rows`, `trains_adapter`, `trains_body` in parameters; and in bytes
    `base`, `new_rows`, `adapter`, `optimizer`, `gradients`, `temporaries`, `activations`, `loss`, `objective`,
    `moves`, `earlier_gradients`, `backward`, `step`, `evaluation`, `peak`. `activations_unfused` and
    `peak_unfused` are those of a GPU older than Ampere, without flash attention. config: of transformers.
    Raises UserError for a model that cannot be followed.
    """
    depth = config.get_text_config().num_hidden_layers
    first, second, whole = (_parameters(config, layers, trust_remote_code) for layers in (1, 2, depth))
    # alike layers make every number linear in depth: two small models tell a large one's
    alike = depth > 2 and whole == first + (depth - 1) * (second - first)

    @functools.cache
    def built(layers: int, shape: str, phase: str) -> Any:
        return phase_model(_with_layers(config, layers), json.loads(shape), phase, trust_remote_code)

    @functools.cache
    def activations(layers: int, shape: str, phase: str, sequence: int, flash: bool) -> int:
        return saved_bytes(built(layers, shape, phase), sequence, flash)

    def count(layers: int, model: Mapping[str, Any], phase: str, rows: int) -> dict[str, int]:
        shape, settings = _shape(model), model[phase]
        numbers = _count(built(layers, shape, phase), model, phase, rows)
        for name, flash in (("activations", True), ("activations_unfused", False)):
            # flash attention is for half precision
            kept = activations(layers, shape, phase, settings["sequence"], flash and model["precision"] != "float32")
            numbers[name] = settings["batch"] * kept
        return numbers

    def estimate(model: Mapping[str, Any], phase: str, rows: int) -> dict[str, int]:
        model = {**model, **held_in(model, phase)}
        if not alike:
            return _totals(count(depth, model, phase, rows))
        one, two = (count(layers, model, phase, rows) for layers in (1, 2))
        return _totals({name: one[name] + (depth - 1) * (two[name] - one[name]) for name in one})

    return estimate


def _shape(model: Mapping[str, Any]) -> str:
    """The settings that decide what modules a model has, as a key."""
    blocks = {key: value for key, value in model.items() if key not in _NO_SHAPE}
    for key, value in blocks.items():
        if isinstance(value, Mapping):
            blocks[key] = {name: setting for name, setting in value.items() if name not in _NO_SHAPE}
    return json.dumps(blocks, sort_keys=True)


def _totals(numbers: dict[str, int]) -> dict[str, int]:
    held = sum(numbers[name] for name in ("base", "new_rows", "adapter", "optimizer"))
    rest = numbers["loss"] + numbers["objective"] + numbers["earlier_gradients"]
    made = {
        "backward": numbers["activations"] + rest,
        "step": numbers["gradients"] + max(numbers["temporaries"], numbers["moves"]),
        "evaluation": numbers["evaluation"],
    }
    unfused = made | {"backward": numbers["activations_unfused"] + rest}
    peaks = {"peak": max(made.values()), "peak_unfused": max(unfused.values())}
    return numbers | {name: CUDA_ALLOWANCE + held + most for name, most in (made | peaks).items()}


def phase_model(config: Any, model: Mapping[str, Any], phase: str, trust_remote_code: bool = False) -> Any:
    """The causal model as a phase trains it, on the meta device, with one new row; gradients required where they are.

    One row stands for all of them: how many there are changes no activation, and what trains is counted with theirs.
    """
    import torch

    from wake2vec.model.rows import SplitEmbedding, SplitHead, freeze, train_rows, widen_body
    from wake2vec.training.phases import add_lora

    causal = skeleton(config, model["precision"], trust_remote_code)
    inputs, outputs = causal.get_input_embeddings(), causal.get_output_embeddings()
    head = head_mode(model["head"], outputs.weight is inputs.weight)
    new, own = (torch.nn.Parameter(torch.empty(1, inputs.weight.shape[1], device="meta")) for _ in range(2))
    base_head = inputs.weight if head == "tie_all" else outputs.weight
    causal.set_input_embeddings(SplitEmbedding(inputs.weight, new, getattr(inputs, "scalar_embed_scale", 1.0)))
    causal.set_output_embeddings(SplitHead(base_head, own if head == "separate" else new))
    freeze(causal)
    body = []
    earlier = model["phases"][: model["phases"].index(phase)]
    if "p1" in earlier:
        train_rows(causal, model["p1"]["train"])  # base rows that P1 trained stay float32
    if "p2" in (*earlier, phase):
        if model["p2"]["kind"] == "lora":
            add_lora(causal, model["p2"], seed=0)
        else:
            body = widen_body(causal)
    freeze(causal)
    if phase == "p2":
        trained = body or _adapter(causal)
    else:
        train_rows(causal, model[phase]["train"])
        trained = _adapter(causal) if model[phase].get("adapters") == "train" else []
    for parameter in trained:
        parameter.requires_grad_(True)
    return causal.train()


def _adapter(causal: Any) -> list[Any]:
    return [parameter for name, parameter in causal.named_parameters() if "lora_" in name]


def saved_bytes(causal: Any, sequence: int, flash: bool = True) -> int:
    """Bytes that autograd keeps for one sequence of this many tokens between a forward and its backward pass.

    flash: whether the GPU has flash attention. Raises UserError for a model whose course depends on its numbers.
    """
    import torch

    from wake2vec.model.rows import hidden_states

    kept: dict[int, Any] = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage  # held, so that no other one gets its address
        return tensor

    ids = torch.zeros((1, sequence), dtype=torch.long, device=causal.get_input_embeddings().base.device)
    try:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), like_cuda(flash):
            hidden_states(causal, ids)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise UserError(
            f"{type(causal).__name__} cannot be followed without its weights ({type(error).__name__}), so that nothing "
            "can be planned for it. Its training does not depend on a plan: ask for the report instead."
        ) from error
    parameters = {parameter.untyped_storage()._cdata for parameter in causal.parameters()}
    return sum(storage.nbytes() for address, storage in kept.items() if address not in parameters)


@contextmanager
def like_cuda(flash: bool) -> Iterator[None]:
    """Within, dropout and attention keep what their CUDA kernels keep, and a meta tensor answers a question."""
    import torch
    from torch.nn.functional import dropout, scaled_dot_product_attention
    from torch.overrides import TorchFunctionMode

    def masked(input, p=0.5, training=True, inplace=False):
        return torch.native_dropout(input, p, True)[0] if p and training else input

    class LikeCuda(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            if function is dropout:
                return masked(*args, **kwargs)
            if function is scaled_dot_product_attention:
                # Flash attention needs half precision and Ampere. PyTorch's other fused kernel refuses heads that
                # share keys, and before Ampere bfloat16; what is left keeps weights [heads, sequence, sequence]
                half = args[0].dtype in (torch.bfloat16, torch.float16)
                other = not kwargs.get("enable_gqa") and (flash or args[0].dtype != torch.bfloat16)
                if (flash and half) or other:
                    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
                    return fused(*args[:3], 0.0, kwargs.get("is_causal", False))[0]
            if function is torch.Tensor.__bool__ and args[0].is_meta:
                return True  # transformers asks whether positions count up without a gap
            return function(*args, **kwargs)

    with LikeCuda():
        yield


def nf4_bytes(entries: int) -> int:
    """Bytes of a weight matrix in NF4 with double quantisation."""
    blocks = math.ceil(entries / 64)
    return math.ceil(entries / 2) + blocks + 4 * math.ceil(blocks / 256)


def skeleton(config: Any, precision: str, trust_remote_code: bool) -> Any:
    """The causal model of a configuration on the meta device: shapes and names, no contents."""
    import torch
    from transformers import AutoModelForCausalLM

    options = {"dtype": getattr(torch, precision), "trust_remote_code": trust_remote_code}
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(copy.deepcopy(config), **options)


def _parameters(config: Any, layers: int, trust_remote_code: bool) -> int:
    causal = skeleton(_with_layers(config, layers), "float32", trust_remote_code)
    return sum(parameter.numel() for parameter in causal.parameters())


def _with_layers(config: Any, layers: int) -> Any:
    """A configuration of another depth; its lists with an entry for each layer are cut."""
    changed = copy.deepcopy(config)
    text = changed.get_text_config()
    for name, value in list(vars(text).items()):
        if isinstance(value, list) and len(value) == text.num_hidden_layers:
            setattr(text, name, value[:layers])
    text.num_hidden_layers = layers
    return changed


def _count(causal: Any, model: Mapping[str, Any], phase: str, rows: int) -> dict[str, int]:
    """The numbers of `estimator` but activations and totals."""
    settings, embedding, head = model[phase], causal.get_input_embeddings(), causal.get_output_embeddings()
    new, old = ({id(getattr(side, part)) for side in (embedding, head)} for part in ("new", "base"))
    matrices = _matrices(causal)
    nf4 = {id(matrix) for matrix in matrices} if model["quantisation"] == "nf4" else set()
    names = ("base", "new_rows", "adapter")
    numbers = dict.fromkeys((*names, *(f"trains_{part}" for part in ("new_rows", "base_rows", "adapter", "body"))), 0)
    trained = []
    for name, parameter in causal.named_parameters():
        me, shape = id(parameter), (rows if id(parameter) in new else len(parameter), *parameter.shape[1:])
        entries = math.prod(shape)
        kind = "new_rows" if me in new else "adapter" if "lora_" in name else "base"
        numbers[kind] += nf4_bytes(entries) if me in nf4 else entries * parameter.element_size()
        if parameter.requires_grad:
            trained.append(shape)
            part = kind if kind != "base" else "base_rows" if me in old else "body"
            numbers[f"trains_{part}"] += entries
    sizes = [math.prod(shape) for shape in trained]
    numbers["gradients"] = 4 * sum(sizes)
    numbers["earlier_gradients"] = numbers["gradients"] if settings["accumulate"] > 1 else 0
    if settings["optimizer"] == "adamw":
        numbers["optimizer"], numbers["temporaries"] = 8 * sum(sizes), 0
    else:
        moments = (sum(shape) if len(shape) == 2 else math.prod(shape) for shape in trained)
        numbers["optimizer"], numbers["temporaries"] = 4 * sum(moments), 8 * max(sizes, default=0)
    widest = max(max(matrix.shape) for matrix in matrices)
    dequantised = max(matrix.numel() * matrix.element_size() for matrix in matrices) if nf4 else 0
    return numbers | _passing(causal, settings, model["evaluation"], rows, widest, dequantised)


def _matrices(causal: Any) -> list[Any]:
    """The weight matrices of the body, which bitsandbytes quantises."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    modules = causal.named_modules()
    return [m.weight for name, m in modules if isinstance(m, nn.Linear | Conv1D) and "lora_" not in name]


def _passing(causal, settings, evaluation, rows: int, widest: int, dequantised: int) -> dict[str, int]:
    """What comes and goes: `loss`, `objective`, `moves`, `evaluation`."""
    from wake2vec.model.rows import head_of
    from wake2vec.training.objectives import BATCH, REPULSION_PAIRS

    base, new, cap = head_of(causal)
    d, precision = base.shape[1], causal.get_input_embeddings().precision
    aligning = settings.get("objective")
    row = 4 * d

    def layer(tokens: int) -> int:
        return 3 * precision.itemsize * tokens * widest + dequantised

    def logits(tokens: int, training: bool) -> int:
        trained = (training and base.requires_grad, training and new.requires_grad)
        types, in_loss = (precision, base.dtype), aligning == "loss"
        return _loss_bytes(tokens, len(base), rows, d, types, trained, cap, training, in_loss)

    tokens = settings["batch"] * (settings["sequence"] - 1)
    hidden = precision.itemsize * tokens * d
    gradients = hidden + row * (len(base) * base.requires_grad + rows * new.requires_grad)
    loss = max(logits(tokens, training=True), gradients + layer(tokens))
    objective = moves = 0
    if aligning == "loss":
        tensors = OBJECTIVE_TENSORS[settings["morpheme"]]
        if settings["lambda_direction"] or settings["lambda_device"]:
            tensors += DIRECTION_TENSORS
        terms = OBJECTIVE_GRADIENTS * rows + tensors * min(rows, BATCH) + REPULSION_TENSORS * REPULSION_PAIRS
        objective = max(0, gradients + int(row * terms) - loss)
    elif aligning:
        moves = _moves_bytes(settings, rows, d)
    scored = max(1, BATCH_TOKENS // evaluation["context"]) * evaluation["context"]
    passing = 2 * precision.itemsize * scored * d + max(logits(scored, training=False), layer(scored))
    return {"loss": hidden + loss, "objective": objective, "moves": moves, "evaluation": passing}


def _moves_bytes(settings: Mapping[str, Any], rows: int, d: int) -> int:
    """Bytes of P3's terms where they act beside the optimizer."""
    from wake2vec.training.objectives import BATCH, CONTRAST_ROWS, REPULSION_PAIRS, TERMS

    on = {name for name in TERMS if settings[f"lambda_{name}"]}
    batches = {"device": CONTRAST_ROWS, "repulsion": 2 * REPULSION_PAIRS}
    absent = math.prod(1 - min(1, batches.get(name, BATCH) / max(1, rows)) for name in on)  # share that no term draws
    form = "direction" if "direction" in on else settings["morpheme"] if "morpheme" in on else "mse"
    words = MOVES_TENSORS[form] * min(rows, BATCH) * bool(on - {"device", "repulsion"})
    pairs = MOVES_PAIRS * REPULSION_PAIRS * ("repulsion" in on)
    contrast = MOVES_CONTRAST * CONTRAST_ROWS**2 / d * ("device" in on)
    return int(4 * d * (rows * (1 - absent) + max(words, pairs, contrast)))


@functools.cache
def _loss_bytes(tokens, base_rows, new_rows, d, precisions, trained, cap, training, repeatable) -> int:
    """Bytes at the highest point of the loss on the meta device, and of its backward pass, beyond its inputs."""
    import torch
    from torch.distributed._tools.mem_tracker import MemTracker

    from wake2vec.model.loss import cross_entropy, token_losses

    hidden = torch.empty((tokens, d), dtype=precisions[0], device="meta", requires_grad=training)
    base = torch.empty((base_rows, d), dtype=precisions[1], device="meta", requires_grad=trained[0])
    new = torch.empty((new_rows, d), device="meta", requires_grad=trained[1])
    ids = torch.empty(tokens, dtype=torch.long, device="meta")
    tracker = MemTracker()
    tracker.track_external(hidden, base, new, ids)
    with tracker:
        if training:
            cross_entropy(hidden, ids, base, new, cap, repeatable=repeatable).backward()
        else:
            token_losses(hidden, ids, base, new, cap)
    (highest,) = tracker.get_tracker_snapshot("peak").values()
    return highest["Total"] - sum(tensor.nbytes for tensor in (hidden, base, new, ids))
