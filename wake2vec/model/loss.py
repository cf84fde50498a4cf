"""Cross-entropy over base and new rows, in chunks, with gradients only where something trains.

    loss = mean over tokens of  logsumexp(z) - z[target],   z = cap( [ h W_baseᵀ ; h W_newᵀ ] )

The logits of a chunk of tokens exist once, in float32, and become their own softmax in place; the gradients with
respect to the hidden states and to whichever of the two weight matrices trains are made in the same pass and kept, so
that nothing of size tokens x vocabulary outlives its chunk. `cap` is the final soft-capping of Gemma 2
(cap · tanh(z / cap)), the identity elsewhere.

Logits and the hidden states' gradient are products in the precision of the base rows, with the new rows as well; what
trains stays float32 and so do its gradients: mixed-precision training (Micikevicius et al. 2018, arXiv 1710.03740).
"""

import torch

LEAST_BYTES, MOST_BYTES = 32 * 2**20, 128 * 2**20  # of float32 logits at a time
BLOCK = 2048  # rows at a time, where something is put into another precision


def _chunks(tokens: int, base: torch.Tensor, new: torch.Tensor | None):
    """(slice of the tokens, matrix for their logits) a chunk; the memory is the same for all.

    A quarter of the tokens at a time, or half of them beside a float32 base, whose products are fast with more only;
    or as many as a quarter of the new rows' bytes hold, beside whose gradient and moments that is little; but no fewer
    than LEAST_BYTES hold and no more than MOST_BYTES do. Rows are padded to 64 numbers, since a matrix product into
    rows of odd length is slower by half; the padding holds -inf, whose softmax is 0.
    """
    vocabulary = _vocabulary(base, new)
    columns = -(-vocabulary // 64) * 64
    wide = _wide(base[:0])
    beside = 0 if new is None else new.nbytes // 4
    least, most, beside = (size // (wide.element_size() * columns) for size in (LEAST_BYTES, MOST_BYTES, beside))
    size = max(1, least, min(most, max(beside, tokens * base.element_size() // 8)))
    chunks = max(1, -(-tokens // size))
    size = max(1, min(tokens, -(-tokens // (16 * chunks)) * 16))  # all alike, in sixteens: products are faster so
    memory = torch.empty(size, columns, dtype=wide.dtype, device=base.device)
    for start in range(0, tokens, size):
        part = slice(start, min(start + size, tokens))
        z = memory[: part.stop - part.start]
        z[:, vocabulary:] = -torch.inf
        yield part, z


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    """At least float32: half-precision inputs are widened, float64 (gradient checks) stays."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _vocabulary(base: torch.Tensor, new: torch.Tensor | None) -> int:
    return len(base) + (0 if new is None else len(new))


def _blocks(rows: torch.Tensor, precision: torch.dtype):
    """(slice, those rows in the products' precision): all rows, or BLOCK at a time where numbers are converted."""
    size = max(1, len(rows) if precision.itemsize >= 4 else BLOCK)
    for start in range(0, len(rows), size):
        block = slice(start, start + size)
        yield block, rows[block].to(precision)


def logits(hidden: torch.Tensor, base: torch.Tensor, new: torch.Tensor | None, cap: float | None) -> torch.Tensor:
    """Logits [tokens, base rows + new rows] in float32 of hidden states [tokens, d]."""
    sides, hidden = (base,) if new is None else (base, new), hidden.to(base.dtype)
    products = [hidden @ matrix.T for rows in sides for _, matrix in _blocks(rows, base.dtype)]
    z = _wide(torch.cat(products, dim=-1))
    return z if cap is None else cap * torch.tanh(z / cap)


def _fill_logits(z: torch.Tensor, hidden, base, new, cap) -> None:
    """`logits` without a gradient, written into z [tokens, padded vocabulary]: nothing is joined from two."""
    vocabulary, hidden = _vocabulary(base, new), hidden.to(base.dtype)
    for rows, part in ((base, z[:, : len(base)]), (new, z[:, len(base) : vocabulary])):
        if rows is None:
            continue
        for block, matrix in _blocks(rows, base.dtype):
            if matrix.dtype == z.dtype:
                torch.mm(hidden, matrix.T, out=part[:, block])
            else:
                part[:, block] = hidden @ matrix.T
    if cap is not None:
        z[:, :vocabulary].div_(cap).tanh_().mul_(cap)


def _softmax_losses(z: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """-log softmax(z)[target] in nats: [tokens]. Afterwards z holds its softmax.

    logsumexp(z) = max z - log(max softmax(z)), and the largest probability is never tiny.
    """
    highest, where = z.max(-1)
    right = z.gather(-1, targets[:, None])[:, 0]
    torch.softmax(z, -1, out=z)
    return highest - z.gather(-1, where[:, None])[:, 0].log() - right


@torch.no_grad()
def token_losses(hidden, targets, base, new=None, cap=None) -> torch.Tensor:
    """Negative log-likelihood in nats of each target: [tokens], float32. No gradient."""
    losses = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
    for part, z in _chunks(len(targets), base, new):
        _fill_logits(z, hidden[part], base, new, cap)
        losses[part] = _softmax_losses(z, targets[part])
    return losses


@torch.no_grad()
def token_losses_and_entropies(
    hidden, targets, base, new=None, cap=None, first=None
) -> tuple[torch.Tensor, torch.Tensor]:
    """`token_losses`, and in the same pass the entropy -Σ p log p of the base piece that comes next, in nats.

    first: the base row [new rows] of the piece that each new token's text begins with, to which its probability goes,
    so that the entropy compares with a model that has no new rows; without it every new row is a choice by itself.
    Both [tokens], float32. No gradient; of the logits no more than a chunk is there at a time.
    """
    losses = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
    entropies = torch.empty_like(losses)
    for part, z in _chunks(len(targets), base, new):
        _fill_logits(z, hidden[part], base, new, cap)
        losses[part] = _softmax_losses(z, targets[part])
        if new is not None and first is not None:
            coined = z[:, len(base) : _vocabulary(base, new)]
            z = z[:, : len(base)].scatter_add_(1, first.expand(len(z), -1), coined)
        entropies[part] = torch.special.entr(z, out=z).sum(-1)
    return losses, entropies


def _hidden_gradient(d: torch.Tensor, base: torch.Tensor, new: torch.Tensor | None) -> torch.Tensor:
    """d [tokens, vocabulary] times all rows: [tokens, d], added up in the precision of d."""
    grad = torch.zeros(len(d), base.shape[1], dtype=d.dtype, device=d.device)
    for rows, side in ((base, d[:, : len(base)]), (new, d[:, len(base) :])):
        if rows is None:
            continue
        for block, matrix in _blocks(rows, base.dtype):
            if matrix.dtype == d.dtype:
                grad.addmm_(side[:, block], matrix)
            else:
                grad += side[:, block].to(matrix.dtype) @ matrix
    return grad


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, targets, base, new, cap, repeatable):
        tokens = len(targets)
        needs_hidden, _, needs_base, needs_new = ctx.needs_input_grad[:4]
        grad_hidden = torch.empty_like(hidden) if needs_hidden else None
        grad_base = torch.zeros_like(base, dtype=_wide(base[:0]).dtype) if needs_base else None
        grad_new = torch.zeros_like(new) if needs_new else None
        total = torch.zeros((), dtype=_wide(hidden[:0]).dtype, device=hidden.device)
        vocabulary = _vocabulary(base, new)
        for part, d in _chunks(tokens, base, new):
            _fill_logits(d, hidden[part], base, new, cap)
            slope = None if cap is None else 1 - (d[:, :vocabulary] / cap) ** 2
            total += _softmax_losses(d, targets[part]).sum()
            # d loss / d z = (softmax(z) - onehot(target)) / tokens, made in the place of z; divided in the products
            d[torch.arange(len(d), device=d.device), targets[part]] -= 1
            d = d[:, :vocabulary]
            if slope is not None:
                d *= slope
            if needs_hidden:
                grad_hidden[part] = _hidden_gradient(d, base, new).div_(tokens)
            states = hidden[part].to(d.dtype)
            if needs_base:
                grad_base.addmm_(d[:, : len(base)].T, states, alpha=1 / tokens)
            if needs_new:
                grad_new.addmm_(d[:, len(base) :].T, states, alpha=1 / tokens)
        # not saved by autograd, which would keep a second reference: a gradient that nobody else holds becomes the
        # parameter's `.grad` without a copy, and for the new rows that copy would be the largest thing in memory
        ctx.gradients, ctx.repeatable, ctx.base_dtype = (grad_hidden, grad_base, grad_new), repeatable, base.dtype
        return total / tokens

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        gradients = [None if g is None else g.clone() for g in ctx.gradients] if ctx.repeatable else ctx.gradients
        if gradients is None:
            raise RuntimeError("this loss was made for one backward pass; make it with repeatable=True")
        if not ctx.repeatable:
            ctx.gradients = None
        grad_hidden, grad_base, grad_new = (None if g is None else g.mul_(grad.to(g.dtype)) for g in gradients)
        return grad_hidden, None, None if grad_base is None else grad_base.to(ctx.base_dtype), grad_new, None, None


def cross_entropy(hidden, targets, base, new=None, cap: float | None = None, repeatable: bool = False) -> torch.Tensor:
    """Mean cross-entropy in nats (scalar) of hidden states [tokens, d] against target ids [tokens].

    `base` [B, d] and `new` [n, d] are the head's rows; id i < B means base row i, id B + j means new row j. Gradients
    flow to `hidden` and to whichever of `base` and `new` requires them; nothing is computed for the others.
    `repeatable`: its backward pass may run more than once, for a copy of the gradients each time.
    """
    return _CrossEntropy.apply(hidden, targets, base, new, cap, repeatable)
