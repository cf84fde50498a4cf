"""The chunked loss against torch's own, in value and in gradient."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy as reference

from wake2vec.model import loss


def problem(tokens=7, base=11, new=5, d=3, dtype=torch.float64, seed=0):
    g = torch.Generator().manual_seed(seed)
    hidden = torch.randn(tokens, d, generator=g, dtype=dtype, requires_grad=True)
    w_base = torch.randn(base, d, generator=g, dtype=dtype, requires_grad=True)
    w_new = torch.randn(new, d, generator=g, dtype=dtype, requires_grad=True)
    return hidden, torch.randint(base + new, (tokens,), generator=g), w_base, w_new


def plain(hidden, targets, base, new, cap):
    z = hidden @ torch.cat([base, new]).T
    return reference(z if cap is None else cap * torch.tanh(z / cap), targets)


def chunks_of(tokens, base, new, d=1, precision=torch.float32):
    """Tokens of each chunk, and bytes of the memory that is held for all of them."""
    sides = [torch.empty(1, dtype=precision).expand(base, d), torch.empty(1).expand(new, d) if new else None]
    found = [(len(z), z.untyped_storage().nbytes()) for _, z in loss._chunks(tokens, *sides)]
    return [size for size, _ in found], max((held for _, held in found), default=0)


def in_chunks(sizes, monkeypatch):
    """37 tokens at a time, or 16 where one would be too much for the bytes that there are."""
    if len(sizes) > 1:
        monkeypatch.setattr(loss, "LEAST_BYTES", 1)
        monkeypatch.setattr(loss, "MOST_BYTES", 1)
    assert chunks_of(37, 20, 5)[0] == sizes


@pytest.mark.parametrize(
    ("tokens", "rows", "d", "precision", "sizes"),
    [
        (0, (1_000, None), 4, torch.float32, []),
        (5, (1_000, None), 4, torch.float32, [5]),
        (1_024, (5_000, None), 4, torch.bfloat16, [1_024]),  # no fewer than 32 MiB, 1,677 tokens here: all at once
        (256, (128_256, 44_195), 512, torch.bfloat16, [64] * 4),  # a quarter
        (256, (128_256, 44_195), 512, torch.float32, [128] * 2),  # a half
        (256, (128_256, 44_195), 2_048, torch.bfloat16, [128] * 2),  # a quarter of 362 MB holds 131 tokens
        (256, (172_451, None), 2_048, torch.bfloat16, [64] * 4),
        (1_024, (128_256, 44_195), 2_048, torch.bfloat16, [176] * 5 + [144]),  # 128 MiB hold 194 tokens
        (1_024, (128_256, 44_195), 8_192, torch.bfloat16, [176] * 5 + [144]),
    ],
)
def test_chunks_are_alike_and_as_large_as_is_fast_but_bounded(tokens, rows, d, precision, sizes):
    found, held = chunks_of(tokens, *rows, d, precision)
    assert found == sizes and held <= loss.MOST_BYTES


@pytest.mark.parametrize("cap", [None, 2.5])
@pytest.mark.parametrize("chunks", [[37], [16, 16, 5]])
def test_value_and_gradients_are_torchs(cap, chunks, monkeypatch):
    in_chunks(chunks, monkeypatch)
    inputs = problem(tokens=37)
    ours = loss.cross_entropy(*inputs, cap)
    theirs = plain(*inputs, cap)
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-12)
    trained = [inputs[0], inputs[2], inputs[3]]
    for a, b in zip(torch.autograd.grad(3 * ours, trained), torch.autograd.grad(3 * theirs, trained), strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-10)


def test_gradcheck():
    hidden, targets, base, new = problem()
    assert torch.autograd.gradcheck(
        lambda h, b, n: loss.cross_entropy(h, targets, b, n, None, True), (hidden, base, new)
    )


def test_frozen_base_rows_get_no_gradient_and_new_rows_the_right_one():
    hidden, targets, base, new = problem(dtype=torch.float32)
    hidden, base = hidden.detach(), base.detach()
    (ours,) = torch.autograd.grad(loss.cross_entropy(hidden, targets, base, new), [new])
    (theirs,) = torch.autograd.grad(plain(hidden, targets, base, new, None), [new])
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("block", [2, 4096])
def test_a_base_in_bfloat16_rounds_products_and_leaves_the_new_rows_gradient_in_float32(block, monkeypatch):
    monkeypatch.setattr(loss, "BLOCK", block)
    hidden, targets, base, new = problem(dtype=torch.float32)
    half, base_half = hidden.detach().bfloat16().requires_grad_(), base.detach().bfloat16()
    ours = loss.cross_entropy(half, targets, base_half, new)
    assert ours.dtype == torch.float32 and ours.item() == loss.token_losses(half, targets, base_half, new).mean().item()
    rounded = [half.detach().float().requires_grad_(), new.detach().bfloat16().float().requires_grad_()]
    theirs = plain(rounded[0], targets, base_half.float(), rounded[1], None)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-2)
    found, expected = torch.autograd.grad(ours, [half, new]), torch.autograd.grad(theirs, rounded)
    assert [gradient.dtype for gradient in found] == [torch.bfloat16, torch.float32]
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.float(), b, atol=0.01 * float(b.abs().max()), rtol=0.02)


def test_token_losses_average_to_the_loss(monkeypatch):
    in_chunks([16, 16, 5], monkeypatch)
    inputs = problem(tokens=37, dtype=torch.float32)
    losses = loss.token_losses(*inputs)
    torch.testing.assert_close(losses.mean(), plain(*inputs, None).float())
    assert not losses.requires_grad


def test_without_new_rows_it_is_the_plain_head():
    hidden, targets, base, _ = problem()
    targets = targets % len(base)
    torch.testing.assert_close(loss.cross_entropy(hidden, targets, base), reference(hidden @ base.T, targets))


@pytest.mark.parametrize("cap", [None, 2.5])
@pytest.mark.parametrize("scale", [1.0, 40.0])  # spread out, and all but certain
def test_entropies_are_torchs(cap, scale, monkeypatch):
    in_chunks([16, 16, 5], monkeypatch)
    hidden, targets, base, new = problem(tokens=37, base=50, new=23, d=8, dtype=torch.float32)
    losses, entropies = loss.token_losses_and_entropies(scale * hidden, targets, base, new, cap)
    torch.testing.assert_close(losses, loss.token_losses(scale * hidden, targets, base, new, cap), atol=0, rtol=0)
    z = (scale * hidden.double()) @ torch.cat([base, new]).double().T
    z = z if cap is None else cap * torch.tanh(z / cap)
    theirs = torch.distributions.Categorical(logits=z).entropy()
    torch.testing.assert_close(entropies.double(), theirs, atol=1e-5, rtol=0)
    assert not entropies.requires_grad


def test_a_new_rows_probability_goes_to_the_piece_that_it_begins_with(monkeypatch):
    in_chunks([16, 16, 5], monkeypatch)
    hidden, targets, base, new = problem(tokens=37, base=50, new=23, d=8, dtype=torch.float32)
    first = torch.arange(23) % 7  # pieces that several begin with, and pieces that none does
    _, entropies = loss.token_losses_and_entropies(hidden, targets, base, new, None, first)
    p = torch.softmax(hidden.double() @ torch.cat([base, new]).double().T, -1)
    merged = torch.stack([p[:, b] + p[:, 50:][:, first == b].sum(-1) for b in range(50)], -1)
    torch.testing.assert_close(entropies.double(), -(merged * merged.log()).sum(-1), atol=1e-5, rtol=0)


def test_more_ways_to_go_on_from_one_piece_are_no_more_entropy():
    """Rows that are copies of their first piece's take probability from all, and leave the choice of a piece as it is
    where every piece has as many.
    """
    hidden, targets, base, _ = problem(tokens=9, base=50, new=1, d=8, dtype=torch.float32)
    targets, first = targets % 50, torch.arange(50).repeat(3)
    alone = loss.token_losses_and_entropies(hidden, targets, base)[1]
    merged = loss.token_losses_and_entropies(hidden, targets, base, base[first], None, first)[1]
    torch.testing.assert_close(merged, alone)
    apart = loss.token_losses_and_entropies(hidden, targets, base, base[first])[1]
    torch.testing.assert_close(apart, alone + np.log(4))


def test_the_entropy_of_no_preference_is_that_of_all_rows():
    _, entropies = loss.token_losses_and_entropies(torch.zeros(3, 4), torch.zeros(3, dtype=int), torch.randn(100, 4))
    torch.testing.assert_close(entropies, torch.full((3,), 100.0).log())
