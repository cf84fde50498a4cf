"""Split embedding and split head: base rows as they are, new rows beside them in float32.

    E = [ E_base (frozen, the base's own precision) ; E_new (float32) ]

A token id below `base_rows` is a base row, `base_rows + j` is new row j. The base matrix is neither copied nor
resized, so that its rows are bitwise what the checkpoint holds, and nothing is spent on gradients or optimizer state
for them. New rows of the head are the embedding's own (`shared`), or a matrix of their own (`separate`).
"""

import numpy as np
import torch
from torch import nn

from wake2vec.errors import UserError
from wake2vec.model.loss import logits


class SplitEmbedding(nn.Module):
    """Look up ids [...] -> vectors [..., d] in the base's precision."""

    def __init__(self, base: nn.Parameter, new: nn.Parameter, scale: float = 1.0):
        super().__init__()
        self.base, self.new, self.scale = base, new, scale
        self.padding_idx = None

    @property
    def weight(self) -> torch.Tensor:
        """The base matrix: what transformers inspects for device and type."""
        return self.base

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        boundary = len(self.base)
        vectors = nn.functional.embedding(ids.clamp(max=boundary - 1), self.base)
        is_new = ids >= boundary
        if len(self.new):
            new = nn.functional.embedding((ids - boundary).clamp(min=0), self.new).to(vectors.dtype)
            vectors = torch.where(is_new.unsqueeze(-1), new, vectors)
        return vectors if self.scale == 1.0 else vectors * self.scale


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
    """Put a split embedding and a split head into a transformers causal model, in place.

    embedding_rows, head_rows: new rows [n, d], float32; head_rows is None where the head shares the embedding's.
    head: "shared", "separate" or "tie_all" (base head rows are replaced by the embedding's, as the notebooks did).
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
    causal.config.vocab_size = len(inputs.weight) + len(new)
    causal.config.tie_word_embeddings = False  # sharing is by reference here; nothing may re-tie the modules


def _frozen(rows: np.ndarray, device: torch.device) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.array(rows, np.float32)).to(device), requires_grad=False)


def freeze(causal: nn.Module) -> None:
    """No gradient for anything."""
    causal.requires_grad_(False)


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
    `embedding.base` and `head.base` where they train."""
    embedding, head = causal.get_input_embeddings(), causal.get_output_embeddings()
    rows = {"embedding.new": embedding.new}
    if head.new is not embedding.new:
        rows["head.new"] = head.new
    if embedding.base.requires_grad:
        rows["embedding.base"] = embedding.base
    if head.base.requires_grad and head.base is not embedding.base:
        rows["head.base"] = head.base
    return {name: tensor.detach().float().cpu().numpy().copy() for name, tensor in rows.items()}


def hidden_states(causal: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    """Last hidden states [batch, tokens, d], as the head receives them."""
    return causal.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state


def head_of(causal: nn.Module) -> tuple[torch.Tensor, torch.Tensor | None, float | None]:
    """(base rows, new rows or None, soft cap or None) of a model's head, injected or not."""
    head = causal.get_output_embeddings()
    cap = getattr(causal.config, "final_logit_softcapping", None)
    return (head.base, head.new, cap) if isinstance(head, SplitHead) else (head.weight, None, cap)
