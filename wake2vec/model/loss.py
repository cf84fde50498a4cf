"""Cross-entropy over base and new rows, in chunks, with gradients only where something trains.

    loss = mean over tokens of  logsumexp(z) - z[target],   z = cap( [ h W_baseᵀ ; h W_newᵀ ] )

The logits of a chunk of tokens exist once, in float32; the gradients with respect to the hidden states and to
whichever of the two weight matrices trains are made in the same pass and kept, so that nothing of size tokens x
vocabulary outlives its chunk. `cap` is the final soft-capping of Gemma 2 (cap · tanh(z / cap)), the identity
elsewhere.
"""

import torch

CHUNK_BYTES = 64 * 2**20  # of float32 logits at a time


def _chunks(tokens: int, vocabulary: int):
    size = max(1, min(tokens, CHUNK_BYTES // (4 * max(1, vocabulary))))
    return [slice(start, min(start + size, tokens)) for start in range(0, tokens, size)]


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    """At least float32: half-precision inputs are widened, float64 (gradient checks) stays."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def logits(hidden: torch.Tensor, base: torch.Tensor, new: torch.Tensor | None, cap: float | None) -> torch.Tensor:
    """Logits [tokens, base rows + new rows] in float32 of hidden states [tokens, d].

    The product with the base rows runs in their own precision, the one with the new rows in theirs.
    """
    parts = [_wide(hidden.to(base.dtype) @ base.T)]
    if new is not None:
        parts.append(_wide(hidden.to(new.dtype) @ new.T))
    z = torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]
    return z if cap is None else cap * torch.tanh(z / cap)


@torch.no_grad()
def token_losses(hidden, targets, base, new=None, cap=None) -> torch.Tensor:
    """Negative log-likelihood in nats of each target: [tokens], float32. No gradient."""
    losses = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
    for part in _chunks(len(targets), len(base) + (0 if new is None else len(new))):
        z = logits(hidden[part], base, new, cap)
        losses[part] = torch.logsumexp(z, -1) - z.gather(-1, targets[part, None])[:, 0]
    return losses


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, targets, base, new, cap):
        tokens = len(targets)
        needs_hidden, _, needs_base, needs_new, _ = ctx.needs_input_grad
        grad_hidden = torch.empty_like(hidden) if needs_hidden else None
        grad_base = torch.zeros_like(base, dtype=_wide(base[:0]).dtype) if needs_base else None
        grad_new = torch.zeros_like(new) if needs_new else None
        total = torch.zeros((), dtype=_wide(hidden[:0]).dtype, device=hidden.device)
        for part in _chunks(tokens, len(base) + (0 if new is None else len(new))):
            z = logits(hidden[part], base, new, cap)
            normaliser = torch.logsumexp(z, -1, keepdim=True)
            total += (normaliser - z.gather(-1, targets[part, None])).sum()
            slope = None if cap is None else 1 - (z / cap) ** 2
            # d loss / d z = softmax(z) - onehot(target), made in the place of z
            d = z.sub_(normaliser).exp_()
            d[torch.arange(len(d), device=d.device), targets[part]] -= 1
            d /= tokens
            if slope is not None:
                d *= slope
            d_base, d_new = d[:, : len(base)], d[:, len(base) :]
            if needs_hidden:
                grad = d_base.to(base.dtype) @ base
                if new is not None:
                    grad = _wide(grad) + d_new.to(new.dtype) @ new
                grad_hidden[part] = grad.to(hidden.dtype)
            if needs_base:
                grad_base.addmm_(d_base.T.to(grad_base.dtype), hidden[part].to(grad_base.dtype))
            if needs_new:
                grad_new.addmm_(d_new.T.to(new.dtype), hidden[part].to(new.dtype))
        ctx.save_for_backward(grad_hidden, grad_base, grad_new)
        ctx.base_dtype = base.dtype
        return total / tokens

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        grad_hidden, grad_base, grad_new = (None if g is None else g * grad.to(g.dtype) for g in ctx.saved_tensors)
        return grad_hidden, None, None if grad_base is None else grad_base.to(ctx.base_dtype), grad_new, None


def cross_entropy(hidden, targets, base, new=None, cap: float | None = None) -> torch.Tensor:
    """Mean cross-entropy in nats (scalar) of hidden states [tokens, d] against target ids [tokens].

    `base` [B, d] and `new` [n, d] are the head's rows; id i < B means base row i, id B + j means new row j. Gradients
    flow to `hidden` and to whichever of `base` and `new` requires them; nothing is computed for the others.
    """
    return _CrossEntropy.apply(hidden, targets, base, new, cap)
