"""Split embedding and split head: base rows as they are, new rows beside them in float32.

    E = [ E_base (frozen, the base's own precision) ; E_new (float32) ]

A token id below `base_rows` is a base row, `base_rows + j` is new row j. The base matrix is neither copied nor
resized, so that its rows are bitwise what the checkpoint holds, and nothing is spent on gradients or optimizer state
for them. New rows of the head are the embedding's own (`shared`), or a matrix of their own (`separate`).
"""

from functools import partial

import numpy as np
import torch
from torch import nn

from wake2vec.errors import UserError
from wake2vec.model.loss import logits


class SplitEmbedding(nn.Module):
    """Look up ids [...] -> vectors [..., d] in the base's precision, multiplied by `scale` (Gemma's sqrt(d))."""

    def __init__(self, base: nn.Parameter, new: nn.Parameter, scale: float = 1.0):
        super().__init__()
        self.base, self.new = base, new
        # as Gemma rounds it: 59.87 is 60 in bfloat16
        self.scale = float(torch.tensor(scale, dtype=base.dtype, device="cpu"))
        self.precision = base.dtype  # of the vectors; base rows that train are float32, whatever the transformer's is
        self.padding_idx = None
        self.in_place = True  # add to the new rows' gradient in place; False for `torch.autograd.grad`

    @property
    def weight(self) -> torch.Tensor:
        """The base matrix: what transformers inspects for device and type."""
        return self.base

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        boundary = len(self.base)
        vectors = nn.functional.embedding(ids.clamp(max=boundary - 1), self.base).to(self.precision)
        is_new = ids >= boundary
        if len(self.new):
            places = (ids - boundary).clamp(min=0)
            vectors = torch.where(is_new.unsqueeze(-1), self._look_up(places).to(self.precision), vectors)
        return vectors if self.scale == 1.0 else vectors * self.scale

    def _look_up(self, places: torch.Tensor) -> torch.Tensor:
        """New rows [..., d] whose gradient reaches `new`."""
        if not (self.in_place and self.new.requires_grad and torch.is_grad_enabled()):
            return nn.functional.embedding(places, self.new)
        # the gradient, which a tied head's may be in already, is a matrix of all rows; autograd would make a second
        # one to add these few to it
        vectors = nn.functional.embedding(places, self.new.detach()).requires_grad_()
        vectors.register_hook(partial(self._add_gradient, places))
        return vectors

    @torch.no_grad()
    def _add_gradient(self, places: torch.Tensor, gradient: torch.Tensor) -> None:
        if self.new.grad is None:
            self.new.grad = torch.zeros_like(self.new)
        # what adds in the same order each time is another function on another device
        if self.new.device.type == "cpu":
            self.new.grad.index_add_(0, places.flatten(), gradient.flatten(0, -2))
        else:
            self.new.grad.index_put_((places,), gradient, accumulate=True)


class SplitHead(nn.Module):
    """Hidden states [..., d] -> logits [..., base rows + new rows], float32."""

    def __init__(self, base: nn.Parameter, new: nn.Parameter):
        super().__init__()
        self.base, self.new = base, new

    @property
    def weight(self) -> torch.Tensor:
        """The base matrix: what transformers inspects for device and type."""
        return self.base

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return logits(hidden, self.base, self.new, cap=None)


def inject(causal: nn.Module, embedding_rows: np.ndarray, head_rows: np.ndarray | None, head: str) -> None:
    """Put a split embedding and a split head into a transformers causal model in eval mode, in place.

    embedding_rows, head_rows: new rows [n, d], float32; head_rows is None where the head shares the embedding's.
    head: "shared", "separate" or "tie_all" (base head rows are replaced by the embedding's, as the notebooks did).
    Raises UserError for an architecture whose embedding or head does more than look up, scale, multiply and cap.
    """
    inputs, outputs = causal.get_input_embeddings(), causal.get_output_embeddings()
    if outputs is None or getattr(outputs, "bias", None) is not None:
        raise UserError(f"{type(causal).__name__}: heads without a weight, or with a bias, are not supported.")
    if (head_rows is None) != (head != "separate"):
        raise UserError(
            f"rows.safetensors does not fit `head: {head}`: new head rows belong to `separate` and only to it."
        )
    device = inputs.weight.device
    new = _frozen(embedding_rows, device)
    new_head = new if head_rows is None else _frozen(head_rows, device)
    base_head = inputs.weight if head == "tie_all" else outputs.weight
    # Gemma's embedding multiplies by sqrt(d) inside its own module; the split one has to do the same
    scale = float(getattr(inputs, "scalar_embed_scale", 1.0))
    causal.set_input_embeddings(SplitEmbedding(inputs.weight, new, scale))
    causal.set_output_embeddings(SplitHead(base_head, new_head))
    _configure(causal, len(inputs.weight) + len(new), tied=False)  # shared by reference; nothing may re-tie the modules
    _check_nothing_is_missing(causal, inputs)


@torch.no_grad()
def _check_nothing_is_missing(causal: nn.Module, inputs: nn.Module) -> None:
    """Base vectors are the original module's, and the logits that the loss is made of are the model's own (Cohere and
    Granite, for example, scale theirs in between).
    """
    ids = torch.arange(min(8, len(inputs.weight)), device=inputs.weight.device)[None]
    whole, ours = causal(input_ids=ids, use_cache=False).logits, logits(hidden_states(causal, ids), *head_of(causal))
    if not (whole.isfinite().all() and ours.isfinite().all()):
        raise UserError(
            f"{type(causal).__name__}: its logits are not finite in {causal.dtype}. Its checkpoint may be damaged; if "
            "not, try `precision: float32`."
        )
    alike = torch.allclose(ours, whole.float(), rtol=1e-2, atol=1e-2 * float(ours.abs().max()))
    if not alike or not torch.equal(causal.get_input_embeddings()(ids), inputs(ids)):
        raise UserError(
            f"{type(causal).__name__} does something to its embedding vectors or its logits that wake2vec does not "
            "know. Architectures that work: Llama, Mistral, Qwen2, Phi3, Gemma2, GPT-2, and those built like them."
        )


def _frozen(rows: np.ndarray, device: torch.device) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.array(rows, np.float32)).to(device), requires_grad=False)


def freeze(causal: nn.Module) -> None:
    """No gradient for anything."""
    causal.requires_grad_(False)


def widen_body(causal: nn.Module) -> list[nn.Parameter]:
    """Put everything but the rows into float32, and what the embedding hands on with it; returns those parameters."""
    embedding, head = causal.get_input_embeddings(), causal.get_output_embeddings()
    rows = {id(parameter) for module in (embedding, head) for parameter in module.parameters()}
    body = [parameter for parameter in causal.parameters() if id(parameter) not in rows]
    for parameter in body:
        parameter.data = parameter.data.float()
    embedding.precision = torch.float32
    return body


def train_rows(causal: nn.Module, train: str) -> None:
    """Unfreeze rows: "new", "all", or "masked" (the notebooks': the whole matrix trains, base gradients are set to
    zero, and only the optimizer's weight decay moves base rows).
    """
    for module in (causal.get_input_embeddings(), causal.get_output_embeddings()):
        module.new.requires_grad_(True)
        if train != "new" and not module.base.requires_grad:
            # master rows are float32, whatever the base's precision; `set_` keeps the tying of embedding and head
            module.base.data = module.base.data.float()
            module.base.requires_grad_(True)
            if train == "masked":
                module.base.register_hook(torch.zeros_like)


def rows_of(causal: nn.Module) -> dict[str, np.ndarray]:
    """The rows as a rows.safetensors file holds them: `embedding.new`, with `head.new` where it is separate, and
    `embedding.base` and `head.base` where they train, and `….parts` where rows share their parts (`….shuffled_parts` in
    the control)."""
    embedding, head = causal.get_input_embeddings(), causal.get_output_embeddings()
    rows = {"embedding.new": embedding.new}
    if head.new is not embedding.new:
        rows["head.new"] = head.new
    if embedding.base.requires_grad:
        rows["embedding.base"] = embedding.base
    if head.base.requires_grad and head.base is not embedding.base:
        rows["head.base"] = head.base
    sharing = [(side, m) for side, m in (("embedding", embedding), ("head", head)) if hasattr(m, "parts")]
    rows |= {f"{side}.{module.parts_name}": module.parts for side, module in sharing}
    return {name: tensor.detach().float().cpu().numpy().copy() for name, tensor in rows.items()}


def join(causal: nn.Module) -> bool:
    """Undo the split of a float32 model, in place, to save it as a plain one: on each side one matrix of base rows and
    then new rows. Returns whether the two sides are one matrix, which the configuration then says.

    One matrix more than the model has is in memory at a time. The modules are plain ones: the model is for saving, not
    for running (Gemma's embedding has lost its scale, which is not among the weights).
    """
    embedding, head = causal.get_input_embeddings(), causal.get_output_embeddings()
    tied = head.base is embedding.base and head.new is embedding.new
    rows = nn.Parameter(torch.cat([embedding.base, embedding.new]), requires_grad=False)
    causal.set_input_embeddings(nn.Embedding(*rows.shape, device="meta"))
    causal.get_input_embeddings().weight = rows
    del embedding
    if not tied:
        rows = nn.Parameter(torch.cat([head.base, head.new]), requires_grad=False)
    causal.set_output_embeddings(nn.Linear(*reversed(rows.shape), bias=False, device="meta"))
    causal.get_output_embeddings().weight = rows
    _configure(causal, len(rows), tied)
    return tied


def _configure(causal: nn.Module, rows: int, tied: bool) -> None:
    """Rows and tying in the configuration, and in the text model's own where that is a part of it (Gemma 3)."""
    for config in (causal.config, causal.config.get_text_config()):
        config.vocab_size, config.tie_word_embeddings = rows, tied


def hidden_states(causal: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    """Last hidden states [batch, tokens, d], as the head receives them."""
    return causal.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state


def head_of(causal: nn.Module) -> tuple[torch.Tensor, torch.Tensor | None, float | None]:
    """(base rows, new rows or None, soft cap or None) of a model's head, injected or not."""
    head = causal.get_output_embeddings()
    # of the model's own configuration: a text model's inside of it is not applied (Gemma 3 that sees as well)
    cap = getattr(causal.config, "final_logit_softcapping", None)
    return (head.base, head.new, cap) if isinstance(head, SplitHead) else (head.weight, None, cap)
