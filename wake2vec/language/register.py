"""The register battery: how near what a model writes stands to the Wake, in measures that a reader's ear mixes up.

Every text is measured in pieces of equal length (L words), since distinct-n, copied runs and Delta all depend on how
long a text is: a sample is cut to its first L whole words, and what is shorter is left out and counted. Shares and
ratios are means over pieces. The Deltas of a group are those of all its n pieces together, since frequencies in a text
so short are mostly noise; a single sample's own stand beside its other measures, and are read against single pieces.

The landmarks (real held-out Wake, plain English, held-out Wake with its words shuffled) are measured in the same way,
in as many pieces of as many words: their mean, and the range of 95 % of such draws, is what a group is read against.
The mean of m of N pieces, drawn without replacement, has a variance of S² (1/m - 1/N); that of m pieces of another text
lies from it with S² (1/m + 1/N), to which the ranges of means are widened, by Student's t since N may be few. The
Deltas' have it from references that differ.

Nothing is compared with itself: the letter models and the scale of z-scores are learned from the training texts. What
the Deltas compare with is random passages of the held-out texts, each time others, and in both languages of as many
words, half of the shorter text's: a longer text is nearer to everything. A landmark is drawn from the other passages,
since pieces of one share its topic. A group of samples is compared with as many such references.

Intervals are those of a bootstrap over samples (Efron & Tibshirani 1993), widened where they are few (intervals.py).
Resampling makes frequencies noisier and so every distance larger: of the Deltas' draws the spread is taken, around the
value that was measured.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wake2vec.intervals import bootstrap_interval, t_over_normal
from wake2vec.language import register_delta as delta
from wake2vec.language.register_coinages import COINED, judge, parsing, rates
from wake2vec.language.register_copying import COPIED, copying, distinct
from wake2vec.language.register_ratio import Model, fit_pair, ratio
from wake2vec.storage import read_text, read_values
from wake2vec.text.corpus import passages_of
from wake2vec.text.lexicon import names_of, read_lexicon
from wake2vec.text.words import WORD, normalise, words

OF_PIECES = (*COINED, "copied", "longest", "distinct_1", "distinct_2", "ratio")
OF_POOLS = ("burrows_wake", "burrows_plain", "burrows", "cosine_wake", "cosine_plain", "cosine")
MEASURES = OF_PIECES + OF_POOLS
SHARES = (*COINED, "copied", "distinct_1", "distinct_2")  # of 0 to 1
LANDMARKS = ("held_out", "plain", "shuffled")
DRAWS = 1000
BUILT_IN = {"language": "plain", "characters": 400_000, "seed": 0}  # the testbed's plain text, where no other is named
EVERY = "all"  # the kind of a group of all prompts

Words = list[str]


@dataclass(frozen=True)
class Instrument:
    """What pieces are measured with: made once, from the training texts and the held-out ones."""

    kind: Callable[[str], str]
    parse: Callable[[str], str]
    training: list[Words]
    scale: delta.Scale
    letters: tuple[Model, Model]  # of the Wake, and of plain English
    held_out: Mapping[str, list[Words]]  # passages, by language: wake and plain


@dataclass(frozen=True)
class Measured:
    """Pieces of `words` words each: their OF_PIECES (pieces, measures), and counts of the scale's words."""

    words: int
    values: np.ndarray
    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def only(self, places: Sequence[int]) -> "Measured":
        """Some of the pieces."""
        return Measured(self.words, self.values[places], self.counts[places])


# Texts ---------------------------------------------------------------------------------------------------------------


def word_lists(text: str) -> list[Words]:
    """The passages of a corpus file as lists of normalised words."""
    return [[normalise(word) for word in words(passage)] for passage in passages_of(text)]


def sample_words(prompt: str, text: str) -> Words:
    """The whole words that a model wrote after a prompt, normalised.

    A word that the prompt began is not the model's own, and one at the very end may have been cut off: both are left
    out.

    >>> sample_words("the river", "s ran, past Eve and Ada")
    ['ran', 'past', 'eve', 'and']
    """
    whole = prompt + text
    found = (word for word in WORD.finditer(whole) if word.start() >= len(prompt) and word.end() < len(whole))
    return [normalise(word[0]) for word in found]


def pieces_of(texts: Sequence[Words], size: int) -> list[Words]:
    """Pieces of `size` words, one after the other, none across two texts; what is left at a text's end is dropped."""
    return [text[i : i + size] for text in texts for i in range(0, len(text) - size + 1, size)]


def origins(texts: Sequence[Words], size: int) -> np.ndarray:
    """The number of the text that each piece of `pieces_of` was cut from."""
    return np.repeat(np.arange(len(texts)), [len(text) // size for text in texts])


def shuffled(texts: Sequence[Words], rng: np.random.Generator) -> list[Words]:
    """The texts, each with its words in random order."""
    return [[text[i] for i in rng.permutation(len(text))] for text in texts]


def built_in_plain() -> tuple[list[Words], list[Words]]:
    """The testbed's plain text, made on the spot: four passages of five to learn from, the fifth held out."""
    from wake2vec.text.testbed import generate

    passages = [[normalise(word) for word in words(passage)] for passage in generate(**BUILT_IN)[0]]
    return [p for i, p in enumerate(passages) if i % 5], passages[::5]


# The instrument ------------------------------------------------------------------------------------------------------


def make_instrument(
    wake: tuple[list[Words], list[Words]],
    plain: tuple[list[Words], list[Words]],
    kind: Callable[[str], str],
    parse: Callable[[str], str],
    frequent: int,
) -> Instrument:
    """An instrument from (training, held-out) passages of the Wake and of plain English."""
    scale = delta.fit_scale(wake[0], plain[0], frequent)
    held_out = {"wake": wake[1], "plain": plain[1]}
    return Instrument(kind, parse, wake[0], scale, fit_pair(wake[0], plain[0]), held_out)


def read_instrument(paths: Mapping[str, str], settings: Mapping[str, Any]) -> Instrument:
    """An instrument from files.

    paths: train, valid, lexicon, morphemes, blocklist and, where plain English is a corpus, plain_train and
    plain_valid. settings: max_zipf, min_length, names, frequent.
    """
    train = read_text(paths["train"])
    wake = word_lists(train), word_lists(read_text(paths["valid"]))
    plain = built_in_plain()
    if "plain_train" in paths:
        plain = word_lists(read_text(paths["plain_train"])), word_lists(read_text(paths["plain_valid"]))
    lexicon = read_lexicon(paths["lexicon"])
    limits = {name: settings[name] for name in ("max_zipf", "min_length")}
    names = names_of(train) if settings["names"] == "exclude" else frozenset()
    kind = judge(lexicon, frozenset(word for text in wake[0] for word in text), names, **limits)
    parse = parsing(lexicon, paths["morphemes"], paths["blocklist"])
    return make_instrument(wake, plain, kind, parse, settings["frequent"])


def measure(instrument: Instrument, pieces: Sequence[Words]) -> Measured:
    """Measure pieces, all of equally many words."""
    columns: dict[str, Any] = copying(pieces, instrument.training)
    found = [rates(piece, instrument.kind, instrument.parse) for piece in pieces]
    columns |= {name: [rate[name] for rate in found] for name in COINED}
    columns |= {f"distinct_{n}": [distinct(piece, n) for piece in pieces] for n in (1, 2)}
    columns["ratio"] = ratio(*instrument.letters, pieces)
    values = np.array([columns[name] for name in OF_PIECES], float).reshape(len(OF_PIECES), len(pieces)).T
    return Measured(len(pieces[0]) if pieces else 0, values, delta.counts(pieces, instrument.scale.words))


def half_of(texts: Iterable[Sequence[Words]]) -> float:
    """Words in half of the shortest of several collections of texts."""
    return min(sum(map(len, collection)) for collection in texts) / 2


def draw_texts(
    texts: Sequence[Words], size: float, draws: int, rng: np.random.Generator, never: np.ndarray | bool = False
) -> np.ndarray:
    """Random texts of `size` words together, as near as whole texts come to it, (draws, texts): which ones each draw
    has.

    never: (draws, texts), those that a draw may not have: where the others are too few, it is shorter. However long it
    is, the first that may be had is taken; but not the only text there is, or nothing were left to compare with it.
    """
    order = (rng.random((draws, len(texts))) + never).argsort(1)
    lengths = np.array([len(text) for text in texts], float)[order]
    taken = np.zeros(order.shape, bool)
    fit = lengths.cumsum(1) - lengths / 2 < size
    fit[:, 0] |= len(texts) > 1
    np.put_along_axis(taken, order, fit, 1)
    return taken & ~np.asarray(never, bool)


def references(instrument: Instrument, chosen: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """z-scores (draws, k) of the held-out passages that were chosen, (draws, passages), in each language."""
    found = {}
    for language, texts in instrument.held_out.items():
        taken = chosen[language].astype(float)
        counts = taken @ delta.counts(texts, instrument.scale.words)
        found[language] = delta.standardise(counts, taken @ [len(text) for text in texts], instrument.scale)
    return found


def pool(
    instrument: Instrument, measured: Measured, picks: np.ndarray, against: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Every measure of groups of pieces: picks (groups, pieces in one) number them.

    against: z-scores of what each group is compared with, (groups, k), by language, as `references` gives them.
    """
    weights = np.zeros((len(picks), len(measured)))
    np.add.at(weights, (np.arange(len(picks))[:, None], picks), 1)
    size, length = picks.shape[1], picks.shape[1] * measured.words
    values = dict(zip(OF_PIECES, (weights @ measured.values / size).T, strict=True))
    own = delta.standardise(weights @ measured.counts, np.full(len(picks), length), instrument.scale)
    for language, other in against.items():
        values[f"burrows_{language}"], values[f"cosine_{language}"] = (
            delta.burrows(own, other),
            delta.cosine(own, other),
        )
    for name in ("burrows", "cosine"):
        values[name] = values[f"{name}_plain"] - values[f"{name}_wake"]
    return {name: values[name] for name in MEASURES}


# A phase -------------------------------------------------------------------------------------------------------------


def measure_group(
    instrument: Instrument,
    measured: Measured,
    against: Mapping[str, np.ndarray],
    rng: np.random.Generator,
) -> dict[str, dict[str, Any]]:
    """Every measure of a group of samples: {"value", "interval"}; no interval for a single sample.

    The value is the mean over all that the group is compared with; the interval takes one of these with each draw.
    """
    size, draws = len(measured), len(against["wake"])
    values = pool(instrument, measured, np.tile(np.arange(size), (draws, 1)), against)
    drawn = pool(instrument, measured, rng.integers(0, size, (draws, size)), against)
    found = {}
    for name, compared in values.items():
        value = compared.mean()
        shift = value - drawn[name].mean() if name in OF_POOLS else 0.0
        bounds = None
        if size > 1:
            bounds = possible(name, np.array(bootstrap_interval(value, drawn[name] + shift, size))).tolist()
        found[name] = {"value": float(value), "interval": bounds}
    return found


def possible(name: str, bounds: np.ndarray) -> np.ndarray:
    """A measure's range without what it cannot be: a share is 0 to 1, a length or a distance not below 0."""
    if name in SHARES:
        return bounds.clip(0, 1)
    return bounds if name in ("ratio", "burrows", "cosine") else bounds.clip(0)


def single_deltas(
    instrument: Instrument, measured: Measured, against: Mapping[str, np.ndarray]
) -> list[dict[str, float]]:
    """The Deltas of every piece by itself, the mean over all that it is compared with."""
    itself, found = np.zeros((len(against["wake"]), 1), int), []
    for i in range(len(measured)):
        compared = pool(instrument, measured.only([i]), itself, against)
        found.append({name: float(compared[name].mean()) for name in OF_POOLS})
    return found


def landmark_texts(instrument: Instrument, rng: np.random.Generator) -> dict[str, tuple[str, list[Words]]]:
    """The landmarks, each with the language that its passages were held out from."""
    wake, plain = instrument.held_out["wake"], instrument.held_out["plain"]
    return {"held_out": ("wake", wake), "plain": ("plain", plain), "shuffled": ("wake", shuffled(wake, rng))}


def outside(chosen: np.ndarray, origin: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """For each draw `size` random pieces, (draws, size), none from a passage that the draw has chosen.

    origin: the passage of each piece. Where a draw leaves fewer pieces, all draws take only so many.
    """
    free = ~chosen[:, origin]
    size = min(size, int(free.sum(1).min()))
    return np.where(free, rng.random(free.shape), 2.0).argsort(1)[:, :size]


def measure_landmark(
    instrument: Instrument,
    measured: Measured,
    picks: np.ndarray,
    against: Mapping[str, np.ndarray],
    samples: int,
) -> dict[str, Any]:
    """What groups of pieces drawn from a landmark give: {"pieces", measure: {"mean", "low", "high"}}.

    samples: in the group that is read against it. Of fewer pieces than that the Deltas do not compare and are None.
    """
    size = picks.shape[1]
    found = pool(instrument, measured, picks, against) if 0 < size < len(measured) else {}
    found = {name: values for name, values in found.items() if size >= samples or name in OF_PIECES}
    ranges: dict[str, Any] = {}
    for name, values in found.items():
        mean, bounds = values.mean(), np.quantile(values, [0.025, 0.975])
        if name in OF_PIECES:
            among = len(measured)
            wider = t_over_normal(among) * ((among + size) / (among - size)) ** 0.5
            bounds = possible(name, mean + (bounds - mean) * wider)
        ranges[name] = {"mean": float(mean), "low": float(bounds[0]), "high": float(bounds[1])}
    return {"pieces": size, **dict.fromkeys(MEASURES)} | ranges


def piece_length(settings: Mapping[str, Any]) -> int:
    """Words in a piece: the setting, or half as many as a sample has tokens, which nearly all reach; 2 at least."""
    return settings["words"] or max(2, settings["tokens"] // 2)


def measure_phase(paths: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The values of register.json.

    paths: generation, and what `read_instrument` takes. settings: the `register` block (words, frequent, seed), tokens
    (of a sample), max_zipf, min_length and names (of the lexicon), plain (the corpus of plain English; None: built in).
    """
    instrument, rng = read_instrument(paths, settings), np.random.default_rng(settings["seed"])
    size = piece_length(settings)
    half = half_of(instrument.held_out.values())
    chosen = {language: draw_texts(texts, half, DRAWS, rng) for language, texts in instrument.held_out.items()}
    against = references(instrument, chosen)
    samples = read_values(paths["generation"])["samples"]
    written = [sample_words(sample["prompt"], sample["text"]) for sample in samples]
    long = [i for i, text in enumerate(written) if len(text) >= size]
    measured = measure(instrument, [written[i][:size] for i in long])
    groups = []
    for key, members in group_samples([samples[i] for i in long]).items():
        values = measure_group(instrument, measured.only(members), against, rng)
        groups.append({"temperature": key[0], "kind": key[1], "samples": len(members), "values": values})
    sizes = {1, *(group["samples"] for group in groups)} if groups else set()
    landmarks: dict[int, dict[str, Any]] = {number: {} for number in sorted(sizes)}
    for name, (language, texts) in landmark_texts(instrument, rng).items():
        pieces, origin = measure(instrument, pieces_of(texts, size)), origins(texts, size)
        for number, found in landmarks.items():
            picks = outside(chosen[language], origin, number, rng)
            found[name] = measure_landmark(instrument, pieces, picks, against, number)
    return {
        "words": size,
        "copied_run": COPIED,
        "frequent": len(instrument.scale.words),
        "plain": settings["plain"],
        "single": [language for language, texts in instrument.held_out.items() if len(texts) == 1],
        "short": len(samples) - len(long),
        "groups": groups,
        "landmarks": [{"samples": number} | found for number, found in landmarks.items()],
        "samples": [
            {"sample": i, "words": len(written[i]), **dict(zip(OF_PIECES, row.tolist(), strict=True)), **deltas}
            for i, row, deltas in zip(long, measured.values, single_deltas(instrument, measured, against), strict=True)
        ],
    }


def group_samples(samples: Sequence[Mapping[str, Any]]) -> dict[tuple[float, str], list[int]]:
    """The places of the samples of each temperature, of all prompts and of each kind of prompt."""
    groups: dict[tuple[float, str], list[int]] = {}
    for i, sample in enumerate(samples):
        for kind in (EVERY, sample["seeded_with"]):
            groups.setdefault((sample["temperature"], kind), []).append(i)
    return dict(sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] != EVERY)))


def of_every_prompt(register: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The groups of all prompts of a register.json, by temperature."""
    return [group for group in register.get("groups") or [] if group["kind"] == EVERY]
