"""Words for P3's terms to be about, and objectives on them."""

import numpy as np
import torch

from wake2vec.training.objective_pairs import assemble
from wake2vec.training.objectives import TERMS, Objective

OFF = {f"lambda_{name}": 0.0 for name in TERMS} | {"morpheme": "cosine", "objective": "decoupled"}


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def objective(material, seed=1, **weights):
    return Objective(material, OFF | {f"lambda_{name}": value for name, value in weights.items()}, seed)


def words_of(count):
    return [f"w{i:04d}" for i in range(count)]


def affixed(count=60, d=16, affixes=("-ness", "over-"), share=0.25, seed=0, forms=1):
    """Words with a root, an affix and a device each; roots and targets are random."""
    rng = np.random.default_rng(seed)
    words = [word for word in words_of(count) for _ in range(forms)]
    named = list(dict.fromkeys(words))
    random = [{w: rng.normal(size=d).astype(np.float32) for w in named} for _ in range(4)]
    return assemble(
        words,
        (random[0], random[1]),
        (random[2], random[3]),
        {w: [affixes[i % len(affixes)]] for i, w in enumerate(named)},
        {w: "AB"[i % 2] for i, w in enumerate(named)},
        share=share,
        seed=seed,
        base_sample=rng.normal(size=(50, d)).astype(np.float32),
    )
