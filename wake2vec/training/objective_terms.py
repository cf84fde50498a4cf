"""The terms of P3's objective as functions of rows, each a mean over what it is given, each free of the rows' scale.

    component    mean of 1 - cos(E(w), t(w)),             t(w) the mean of w's part vectors
    direction    mean of 1 - cos(E(w) - r(w) - c, u(a)),  r(w) w's root, u(a) the direction of its affix
    repulsion    mean of cos(E(v), E(w))² over pairs of words
    norm         mean of (‖E(w)‖ / mean base norm - 1)²
    contrast     supervised contrastive loss over words with a label (Khosla et al. 2020, equation 2)

Where they act beside the optimizer (objectives.py), a gradient is multiplied by a scale, so that a step of size 1 goes,
at most, the whole way:

    component    ‖E(w)‖²: along the sphere, sin φ of its radius; of "mse", d/2: straight to the target
    direction    ‖E(w) - r(w) - c‖²: the same, around the root
    repulsion    ‖E(w)‖² / 2, since a pair is of two words: sin 2φ / 2
    norm         (mean base norm)² / 2: straight to the base's length
    contrast     τ ‖E(w)‖²

A row that is compared with something is compared by its angle, so that a weight means the same for any model width. The
targets are given, and no gradient flows into them.
"""

import torch
from torch.nn.functional import cosine_similarity, normalize

TEMPERATURE = 0.1  # Khosla et al.'s


def component(rows: torch.Tensor, targets: torch.Tensor, form: str = "cosine") -> torch.Tensor:
    """Rows [b, d] towards targets [b, d]. form "mse" is the published one, (E - t)² averaged over the dimensions too:
    its gradient at λ = 0.1 lies below Adam's epsilon.
    """
    if form == "mse":
        return (rows - targets).square().mean()
    return (1 - cosine_similarity(rows, targets)).mean()


def direction(rows: torch.Tensor, origins: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """The way from origins [b, d] to rows [b, d] towards directions [b, d]."""
    return (1 - cosine_similarity(rows - origins, directions)).mean()


def repulsion(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Pairs of rows [b, d] towards right angles."""
    return cosine_similarity(left, right).square().mean()


def norm(rows: torch.Tensor, base_norm: float) -> torch.Tensor:
    """Lengths of rows [b, d] towards the base's."""
    return (rows.norm(dim=1) / base_norm - 1).square().mean()


def contrast(rows: torch.Tensor, labels: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """Rows [b, d] of one label towards each other, against those of other labels:

        mean over i of  -1/|P(i)| Σ_{p in P(i)} ln( exp(z_i·z_p/τ) / Σ_{a in A(i)} exp(z_i·z_a/τ) )

    z are rows of length 1, A(i) the rows of other words than i's, P(i) those of them with i's label. Rows without a P,
    or with nothing but P, say nothing; 0 where all are such.
    """
    unit = normalize(rows, dim=1)
    others = words[:, None] != words[None]
    alike = others & (labels[:, None] == labels[None])
    counts = alike.sum(1)
    telling = (counts > 0) & (counts < others.sum(1))
    if not telling.any():
        return rows.new_zeros(())
    logits = (unit @ unit.T / TEMPERATURE).masked_fill(~others, -torch.inf)[telling]
    alike, counts = alike[telling], counts[telling]
    logs = logits - logits.logsumexp(1, keepdim=True)
    return -(logs.masked_fill(~alike, 0.0).sum(1) / counts).mean()
