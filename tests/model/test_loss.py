"""The chunked loss against torch's own, in value and in gradient."""

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


@pytest.mark.parametrize("cap", [None, 2.5])
@pytest.mark.parametrize("chunk_bytes", [64 * 2**20, 4 * 16 * 2])  # one chunk; two tokens a chunk
def test_value_and_gradients_are_torchs(cap, chunk_bytes, monkeypatch):
    monkeypatch.setattr(loss, "CHUNK_BYTES", chunk_bytes)
    inputs = problem()
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
    monkeypatch.setattr(loss, "CHUNK_BYTES", 4 * 16 * 3)
    inputs = problem(dtype=torch.float32)
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
    monkeypatch.setattr(loss, "CHUNK_BYTES", 4 * 64 * 16)  # 16 of 37 tokens a chunk: the last is not full
    hidden, targets, base, new = problem(tokens=37, base=50, new=23, d=8, dtype=torch.float32)
    losses, entropies = loss.token_losses_and_entropies(scale * hidden, targets, base, new, cap)
    torch.testing.assert_close(losses, loss.token_losses(scale * hidden, targets, base, new, cap), atol=0, rtol=0)
    z = (scale * hidden.double()) @ torch.cat([base, new]).double().T
    z = z if cap is None else cap * torch.tanh(z / cap)
    theirs = torch.distributions.Categorical(logits=z).entropy()
    torch.testing.assert_close(entropies.double(), theirs, atol=1e-5, rtol=0)
    assert not entropies.requires_grad


def test_the_entropy_of_no_preference_is_that_of_all_rows():
    _, entropies = loss.token_losses_and_entropies(torch.zeros(3, 4), torch.zeros(3, dtype=int), torch.randn(100, 4))
    torch.testing.assert_close(entropies, torch.full((3,), 100.0).log())
