"""Whether the register battery orders texts whose register is known: mixtures of the testbed's two languages.

The testbed writes one text in a plain and in a coined language, word by word the same but for the coinages. From the
held-out text come groups of pieces of which a known share stands in the coined language and the rest in the plain one;
three more kinds of mixture put a known share of training text, of a loop, or of broken words into every piece:

    language   0 to 1 of a group's pieces are coined
    copied     the first 0 to 1 of each piece's words is a passage of the training text
    looped     the last 0 to 1 of each piece's words repeats the piece's first two words
    scrambled  the first 0 to 1 of each piece's words has its letters in random order, word by word

Half of the held-out passages are mixed, and the Deltas compare with others, as many words of both languages; then the
other way round.
A measure orders a mixture when its mean over groups changes in the expected direction with every step of the share, and
the 95 % interval of the mean rho lies wholly on that side of 0. Rho is Spearman's between share and value inside a
group, whose pieces stay the same from share to share; 0 where the value does not change at all. (Over all groups at
once the same pieces would stand at every share, and rho would grow as groups are fewer.)
The groups share no piece: the interval is Student's over their rhos, with one further group of rho 0 among them, as
Agresti & Coull (1998) add trials to a proportion. Without it groups that all have a rho of 1 would leave no width, and
few of them far too little; with it the coverage is 94 % or more at any noise.
What a measure expects is written down here (EXPECTED); what has no expectation for a kind of mixture is measured and
not judged.

Source: A. Agresti & B. A. Coull, "Approximate is better than 'exact' for interval estimation of binomial proportions",
The American Statistician 52 (1998).
"""

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np
from scipy.stats import rankdata, t

from wake2vec.errors import UserError
from wake2vec.language.register import (
    MEASURES,
    Instrument,
    Words,
    draw_texts,
    half_of,
    measure,
    origins,
    piece_length,
    pieces_of,
    pool,
    read_instrument,
    references,
)
from wake2vec.text.testbed import generate
from wake2vec.text.words import normalise, words

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
EXPECTED = {
    "language": {
        "coinages": 1,
        "quoted": 1,
        "parsed": 1,
        "fused": 1,
        "ratio": 1,
        "burrows_wake": -1,
        "burrows_plain": 1,
        "burrows": 1,
        "cosine_wake": -1,
        "cosine_plain": 1,
        "cosine": 1,
    },
    "copied": {"copied": 1, "longest": 1},
    "looped": {"distinct_1": -1, "distinct_2": -1},
    "scrambled": {"unparsed": 1, "parsed": -1},  # noise is no coining: it breaks up the coinages that are there
}


def spearman(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation along the last axis, ties at their mean rank; NaN where one side is constant."""
    ranks = [rankdata(side, axis=-1) for side in (one, other)]
    ranks = [side - side.mean(-1, keepdims=True) for side in ranks]
    lengths = np.sqrt((ranks[0] ** 2).sum(-1) * (ranks[1] ** 2).sum(-1))
    return (ranks[0] * ranks[1]).sum(-1) / np.where(lengths, lengths, np.nan)


def mean_interval(rhos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the 95 % interval of the mean rho, from the rhos of groups (…, groups).

    >>> [round(float(end), 2) for end in mean_interval(np.ones(11))]
    [0.73, 1.0]
    """
    rhos = np.concatenate([rhos, np.zeros((*rhos.shape[:-1], 1))], -1)
    groups, mean = rhos.shape[-1], rhos.mean(-1)
    reach = t.ppf(0.975, groups - 1) * rhos.std(-1, ddof=1) / groups**0.5
    return np.maximum(mean - reach, -1.0), np.minimum(mean + reach, 1.0)


def judge_order(values: np.ndarray, expected: int | None) -> dict[str, Any]:
    """What a measure makes of mixtures: values (groups, shares) of SHARES.

    {"rho": mean over groups, "interval", "by_share": mean and standard deviation over groups, "expected", "orders"};
    `orders` is None where nothing is expected.
    """
    constant = np.ptp(values, axis=1) == 0
    rhos = np.where(constant, 0.0, spearman(np.broadcast_to(SHARES, values.shape), values))
    low, high = map(float, mean_interval(rhos))
    means = values.mean(0)
    orders = None
    if expected is not None:
        orders = bool((expected * np.diff(means) > 0).all() and min(expected * low, expected * high) > 0)
    by_share = [
        {"share": share, "mean": float(mean), "sd": float(sd)}
        for share, mean, sd in zip(SHARES, means, values.std(0), strict=True)
    ]
    return {"rho": float(rhos.mean()), "interval": [low, high], "expected": expected, "orders": orders} | {
        "by_share": by_share
    }


Against = Mapping[str, np.ndarray]


def mix_languages(
    instrument: Instrument, coined: Sequence[Words], plain: Sequence[Words], groups: np.ndarray, against: Against
) -> dict[str, np.ndarray]:
    """Every measure (groups, shares) of mixtures of the same pieces in both languages. groups: (groups, pieces)."""
    measured = measure(instrument, [*coined, *plain])
    size = groups.shape[1]
    found = []
    for share in SHARES:
        in_plain = np.arange(size) >= round(share * size)
        found.append(pool(instrument, measured, groups + in_plain * len(coined), against))
    return {name: np.stack([values[name] for values in found], 1) for name in MEASURES}


def mix_pieces(
    instrument: Instrument, made: Sequence[Sequence[Words]], groups: np.ndarray, against: Against
) -> dict[str, np.ndarray]:
    """Every measure (groups, shares) of groups of pieces that hold a share each: made has pieces by share."""
    found = [pool(instrument, measure(instrument, pieces), groups, against) for pieces in made]
    return {name: np.stack([values[name] for values in found], 1) for name in MEASURES}


def with_copies(pieces: Sequence[Words], source: Sequence[Words], share: float) -> list[Words]:
    """Pieces whose first words are those of a piece of the source, as many as the share says."""
    sizes = [round(share * len(piece)) for piece in pieces]
    return [other[:size] + piece[size:] for piece, other, size in zip(pieces, source, sizes, strict=True)]


def with_loops(pieces: Sequence[Words], share: float) -> list[Words]:
    """Pieces whose last words repeat their first two, as many as the share says."""
    kept = [max(2, len(piece) - round(share * len(piece))) for piece in pieces]
    return [piece[:n] + list(islice(cycle(piece[:2]), len(piece) - n)) for piece, n in zip(pieces, kept, strict=True)]


def scrambled(pieces: Sequence[Words], rng: np.random.Generator) -> list[Words]:
    """Pieces, each word with its letters in random order."""
    return [["".join(rng.permutation(list(word))) for word in piece] for piece in pieces]


def twins(passages: Sequence[Words], text: Mapping[str, Any]) -> list[Words]:
    """The plain passages that stand in the place of these held-out ones.

    text: the testbed corpus's settings. Raises UserError where the text is not the one that the settings make.
    """
    source = {key: text[key] for key in ("characters", "seed", "hapax_share", "coinage_rate")}
    plain = [[normalise(word) for word in words(passage)] for passage in generate("plain", **source)[0]]
    order = np.random.default_rng(text["split"]["seed"]).permutation(len(plain))  # as `corpus.split` draws them
    found = [plain[i] for i in sorted(order[: len(passages)])]
    if [len(passage) for passage in found] != [len(passage) for passage in passages]:
        raise UserError("The held-out text is not the one that its settings make. Delete it and run the command again.")
    return found


def validate(instrument: Instrument, plain: Sequence[Words], size: int, pieces: int, seed: int) -> dict[str, Any]:
    """Judge every measure on mixtures of the held-out text.

    plain: the held-out passages in the plain language. size: words in a piece; pieces: how many a group has, at most
    half of what half of the passages make. Raises UserError where the text is too short for that.
    """
    rng = np.random.default_rng(seed)
    wake = instrument.held_out["wake"]
    groups, against = disjoint_groups(instrument, plain, size, pieces, rng)
    coined, plain = pieces_of(wake, size), pieces_of(plain, size)
    source = pieces_of(instrument.training, size)
    source = [source[i] for i in rng.choice(len(source), len(coined))]
    broken = scrambled(coined, rng)
    copies = [with_copies(coined, source, share) for share in SHARES]
    loops = [with_loops(coined, share) for share in SHARES]
    noise = [with_copies(coined, broken, share) for share in SHARES]
    mixed = {
        "language": mix_languages(instrument, coined, plain, groups, against),
        "copied": mix_pieces(instrument, copies, groups, against),
        "looped": mix_pieces(instrument, loops, groups, against),
        "scrambled": mix_pieces(instrument, noise, groups, against),
    }
    judged = {
        kind: {name: judge_order(values[name], EXPECTED[kind].get(name)) for name in MEASURES}
        for kind, values in mixed.items()
    }
    return {"words": size, "pieces": groups.shape[1], "groups": len(groups), "shares": SHARES, "mixtures": judged}


def disjoint_groups(
    instrument: Instrument, plain: Sequence[Words], size: int, pieces: int, rng: np.random.Generator
) -> tuple[np.ndarray, Against]:
    """Groups (groups, pieces in one) of held-out pieces, none in two, and what each is compared with: no passage of its
    own, nor of its own in the plain language, which is what a plain corpus of the same seed has held out.
    """
    wake = instrument.held_out["wake"]
    half = draw_texts(wake, half_of([wake]), 1, rng)[0]
    sides = [rng.permutation(np.flatnonzero(side[origins(wake, size)])) for side in (half, ~half)]
    pieces = min(pieces, *(len(side) // 2 for side in sides))
    if not pieces:
        raise UserError(
            f"The held-out text is too short to try the register battery on pieces of {size} words. "
            "Hold out more (split.held_out) or lower battery.words."
        )
    groups = [side[: len(side) // pieces * pieces].reshape(-1, pieces) for side in sides]
    inside = np.concatenate([np.tile(side, (len(group), 1)) for side, group in zip((half, ~half), groups, strict=True)])
    size = half_of(instrument.held_out.values())
    others = instrument.held_out["plain"]
    own = [[passage in [plain[i] for i in np.flatnonzero(side)] for passage in others] for side in (half, ~half)]
    own = np.repeat(np.array(own, bool).reshape(2, -1), [len(group) for group in groups], axis=0)
    chosen = {
        "wake": draw_texts(wake, size, len(inside), rng, inside),
        "plain": draw_texts(others, size, len(own), rng, own),
    }
    return np.concatenate(groups), references(instrument, chosen)


def validate_testbed(paths: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The values of register_validation.json.

    paths: what `read_instrument` takes. settings: those of `measure_phase`, `pieces` (samples in a group) and `text`
    (the testbed corpus's settings, of the coined language).
    """
    instrument = read_instrument(paths, settings)
    plain = twins(instrument.held_out["wake"], settings["text"])
    return validate(instrument, plain, piece_length(settings), settings["pieces"], settings["seed"])
