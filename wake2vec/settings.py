"""Every setting of a study, as pydantic models: types, limits, defaults and one line of help each.

`config.py` reads and merges config.yaml into these; `config_docs.py` turns them into config/schema.json and the table
in config/README.md. Nothing here imports torch, so that a dry run stays fast.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from wake2vec.errors import guess

PHASES = ("base", "init", "p1", "p2", "p3")
Phase = Literal["p1", "p2", "p3"]
REGIMES = ("sweet", "plateau", "fried")
STATES = ("kept", "best", "final", *REGIMES)


def setting(default: Any, help: str, **limits: Any) -> Any:
    """A field with its default, its line in the key table and its limits."""
    return Field(default, description=help, **limits)


class Settings(BaseModel):
    """Unknown keys are refused, values are not coerced across types, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _state(value: Any) -> Any:
    """Refuse what is no state, in words: pydantic would complain once for each half of the union."""
    if (isinstance(value, str) and value in STATES) or (type(value) is int and value > 0):
        return value
    accepted = f"Accepted: {', '.join(STATES)}, or a step (a whole number above 0)"
    raise ValueError(f"{guess(value, STATES)} {accepted}".strip())


State = Annotated[
    Literal["kept", "best", "final", "sweet", "plateau", "fried"] | Annotated[int, Field(ge=1)], BeforeValidator(_state)
]


# Texts ---------------------------------------------------------------------------------------------------------------


class Split(Settings):
    passage: int = setting(2000, "characters in a passage, about; it ends at a paragraph's or a sentence's end", ge=200)
    held_out: float = setting(0.1, "share of the passages that nothing may learn from", gt=0, lt=1)
    seed: int = setting(42, "which passages are held out", ge=0)


class Lexicon(Settings):
    source: Literal["text", "file"] = setting("text", "count words in the text, or read a user's list")
    path: str | None = setting(None, "the user's list, one word a line (source: file)")
    scope: Literal["training", "whole"] = setting(
        "training", "which text is counted; `whole` sees the held-out text and every score of such a run is marked"
    )
    min_count: int = setting(2, "a word seen less often gets no row", ge=1)
    max_zipf: float = setting(1.0, "a coinage's Zipf frequency in English is at most this (wordfreq)", ge=0, le=9)
    min_length: int = setting(3, "a shorter word is no coinage", ge=1)
    names: Literal["exclude", "keep"] = setting("exclude", "what to do with words that are nearly always capitalised")

    @model_validator(mode="after")
    def _list_needs_a_path(self):
        if (self.source == "file") != (self.path is not None):
            raise ValueError("`source: file` and `path:` go together: give both, or neither")
        return self


class Synthetic(Settings):
    forms: int = setting(200, "synthetic coinages to sample from the lexicon's own prefixes, roots and suffixes", ge=0)
    sentences: int = setting(600, "sentences that hold at least one of them each", ge=0)
    seed: int = setting(42, "which forms and sentences", ge=0)


class Testbed(Settings):
    kind: Literal["testbed"]
    language: Literal["plain", "coined"] = setting("coined", "plain narrative English, or the same with coinages")
    characters: int = setting(500_000, "length of the text", ge=10_000)
    seed: int = setting(1, "which text", ge=0)
    hapax_share: float = setting(0.82, "share of the coined types that occur once", ge=0.5, le=0.95)
    coinage_rate: float = setting(0.06, "share of the running words that are coinages", gt=0, le=0.2)
    split: Split = Split()
    lexicon: Lexicon = Lexicon()
    synthetic: Synthetic = Synthetic()


class Cleaning(Settings):
    gutenberg: bool = setting(True, "cut Project Gutenberg's banners and everything outside them")
    rejoin_hyphens: bool = setting(True, "rejoin words that a line end divides (`passen-` / `core`)")
    page_furniture: bool = setting(True, "drop page numbers, running heads and margin numbers")
    italics: bool = setting(True, "drop the underscores of _italics_")
    verse_width: int = setting(50, "a block whose median line is shorter keeps its lines", ge=0)
    fold_ligatures: bool = setting(True, "typographic ligatures as letters (ﬁ → fi)")


class SourceFile(Settings):
    path: str = setting(..., "plain text (UTF-8) or TEI XML (.xml, .tei), from the project's folder")
    start: str | None = setting(None, "regular expression: the text begins after the line that it matches")
    end: str | None = setting(None, "regular expression: the text ends before the line that it matches")
    furniture: tuple[str, ...] = setting((), "regular expressions: whole lines to drop (running heads, page numbers)")
    encoding: str = setting("utf-8", "of a plain-text file")


class FileCorpus(Settings):
    kind: Literal["file"]
    files: tuple[SourceFile, ...] = setting(..., "one file or several, in order", min_length=1)
    cleaning: Cleaning = Cleaning()
    split: Split = Split()
    lexicon: Lexicon = Lexicon()
    synthetic: Synthetic = Synthetic()


Corpus = Annotated[Testbed | FileCorpus, Field(discriminator="kind")]

# Checkpoints to start from -------------------------------------------------------------------------------------------


class Pretrain(Settings):
    kind: Literal["pretrain"]
    corpus: str = setting(..., "the plain text to learn from, a key under `corpora:`")
    vocabulary: int = setting(2300, "pieces of its BPE tokenizer", ge=300)
    hidden: int = setting(128, "width of the transformer", ge=8)
    layers: int = setting(4, "its depth", ge=1)
    heads: int = setting(4, "attention heads", ge=1)
    tied: bool = setting(False, "share the embedding with the head")
    steps: int = setting(500, "optimizer steps", ge=1)
    batch: int = setting(16, "sequences in a step", ge=1)
    sequence: int = setting(128, "tokens in a sequence", ge=8)
    learning_rate: float = setting(3e-3, "highest, after 5 % warm-up; then cosine", gt=0)
    seed: int = setting(42, "initial weights and order of the text", ge=0)

    @model_validator(mode="after")
    def _heads_divide(self):
        if self.hidden % (2 * self.heads):
            raise ValueError(f"hidden ({self.hidden}) must be a multiple of twice heads ({self.heads})")
        return self


class Hub(Settings):
    kind: Literal["hub"]
    repo: str = setting(..., "repository on the Hugging Face hub, as owner/name")
    revision: str = setting(..., "commit hash or tag; a hash keeps a study repeatable")
    trust_remote_code: bool = setting(False, "run code that the repository brings; off unless you have read it")


class Local(Settings):
    kind: Literal["path"]
    path: str = setting(..., "folder with a checkpoint and its tokenizer")


Base = Annotated[Pretrain | Hub | Local, Field(discriminator="kind")]

# A run ---------------------------------------------------------------------------------------------------------------


class Vocabulary(Settings):
    match: Literal["word", "substring"] = setting(
        "word", "inject whole words, or the notebooks' `add_tokens`, which fires inside other words too"
    )
    min_fires: int = setting(2, "a form that fires less often in the training text gets no row; 0 keeps all", ge=0)
    synthetic: bool = setting(False, "give the synthetic coinages rows as well")


class Initialisation(Settings):
    method: Literal["compositional", "spherical", "gaussian", "subtoken_mean"] = setting(
        "compositional", "how a new row starts"
    )
    alpha: float = setting(
        0.25, "compositional: weight of prefix and of suffix; the root has 1 - 2 alpha", ge=0, le=0.5
    )
    fallback: Literal["subtoken_mean", "random"] = setting(
        "subtoken_mean", "compositional: for a word without parts; `random` is a small vector of the base's deviation"
    )
    noise: float = setting(0.05, "compositional: noise, in standard deviations of the base rows", ge=0)
    radius: float = setting(1.5, "spherical: radius, in base radii (standard deviation x sqrt(dimension))", gt=0)
    spread: float = setting(0.1, "gaussian: standard deviation around the base mean, in base standard deviations", ge=0)


class Training(Settings):
    """What every phase has."""

    steps: int = setting(400, "optimizer steps at most", ge=1)
    learning_rate: float = setting(1e-3, "highest, after the warm-up", gt=0)
    warmup: float = setting(0.05, "share of the steps", ge=0, lt=1)
    schedule: Literal["cosine", "linear", "constant"] = setting("cosine", "of the learning rate after the warm-up")
    optimizer: Literal["adamw", "adafactor"] = setting("adamw", "as in transformers' Trainer")
    weight_decay: float = setting(0.0, "AdamW's; on free rows it only shrinks what is rarely seen", ge=0)
    batch: int = setting(8, "sequences in one forward pass", ge=1)
    accumulate: int = setting(1, "forward passes in one optimizer step", ge=1)
    sequence: int = setting(128, "tokens in a sequence", ge=8)
    max_grad_norm: float = setting(1.0, "gradients are scaled down to this norm; 0 leaves them", ge=0)
    log_every: int = setting(10, "steps between two lines of training loss", ge=1)
    evaluate_every: int = setting(50, "steps between two held-out evaluations", ge=1)
    checkpoint_every: int = setting(100, "steps between two checkpoints", ge=1)
    keep_checkpoints: int = setting(2, "complete checkpoints that stay, besides the best state", ge=1)
    patience: int | None = setting(
        None, "stop after this many evaluations without a better one; null never stops", ge=1
    )
    max_gap: float | None = setting(
        None,
        "stop when held-out loss exceeds the training sample's by more than this, in nats per token; null never stops",
        gt=0,
    )
    keep: Literal["best", "final"] = setting("best", "which state later phases use: lowest held-out loss, or the last")


class Rows(Training):
    """P1: the rows alone."""

    train: Literal["new", "all", "masked"] = setting(
        "new",
        "new rows; all rows; or the notebooks' whole matrix with masked gradients (weight decay reaches base rows)",
    )
    texts: tuple[Literal["train", "synthetic", "lexicon"], ...] = setting(
        ("train",), "what is trained on; `lexicon` appends the word list, as the notebooks did", min_length=1
    )
    row_precision: Literal["float32", "bfloat16"] = setting(
        "float32", "bfloat16 rounds the rows after every step, as the notebooks' did"
    )
    snapshot_every: int | None = setting(
        None, "rows saved every so many steps, for regimes and later starts; null keeps best and final only", ge=1
    )


class Adapter(Training):
    """P2: the transformer, the rows frozen."""

    start: State = setting(
        "kept", "which state of P1's rows this phase and what follows stand on; `kept` takes the rows as they stand"
    )
    kind: Literal["lora", "full"] = setting("lora", "LoRA adapters, or every weight of the transformer")
    rank: int = setting(8, "LoRA: rank", ge=1)
    alpha: float = setting(16, "LoRA: scale", gt=0)
    dropout: float = setting(0.1, "LoRA: dropout", ge=0, lt=1)
    targets: tuple[str, ...] | None = setting(
        None, "LoRA: module names; null takes q k v gate up down, under the architecture's own names"
    )


class Alignment(Rows):
    """P3: the rows again, drawn towards their parts."""

    keep: Literal["best", "final"] = setting(
        "final", "which state is used afterwards; the best by held-out loss may be the one before any alignment"
    )
    adapters: Literal["frozen", "train"] = setting("frozen", "P2's LoRA adapters in this phase")
    lambda_morpheme: float = setting(1.0, "weight of the morpheme term", ge=0)
    lambda_repulsion: float = setting(0.05, "weight of the repulsion term", ge=0)
    lambda_norm: float = setting(0.01, "weight of the norm term", ge=0)
    morpheme: Literal["cosine", "mse"] = setting(
        "cosine", "1 - cosine to the parts' mean; or the notebooks' mean squared error, whose gradient vanishes"
    )
    held_out_pairs: float = setting(0.1, "share of the word-parts pairs kept out of the loss", gt=0, lt=1)


class Evaluation(Settings):
    context: int = setting(128, "tokens in a scoring window", ge=8)
    stride: int = setting(64, "tokens that each window scores; the rest is context", ge=1)

    @model_validator(mode="after")
    def _stride_fits(self):
        if self.stride > self.context:
            raise ValueError(f"stride ({self.stride}) must not be larger than context ({self.context})")
        return self


class Geometry(Settings):
    sample: int = setting(5000, "rows sampled for quadratic measures", ge=100)
    neighbours: int = setting(10, "k of the neighbour overlap", ge=1)
    seed: int = setting(0, "samples, nulls and intervals", ge=0)


class Generation(Settings):
    temperatures: tuple[float, ...] = setting((0.8,), "of sampling", min_length=1)
    tokens: int = setting(60, "length of a sample", ge=1)
    prompts: int = setting(4, "prompts seeded with high-drift and as many with low-drift words", ge=1)
    top_p: float = setting(0.95, "nucleus", gt=0, le=1)
    seed: int = setting(0, "of sampling", ge=0)

    @model_validator(mode="after")
    def _temperatures_are_positive(self):
        if min(self.temperatures) <= 0:
            raise ValueError("temperatures must be above 0")
        return self


class Start(Settings):
    """Another run's P1 rows instead of initial rows."""

    model: str = setting(..., "the run whose P1 rows this one starts from, a key under `models:`", alias="from")
    at: State = setting("kept", "which state of that P1; `kept` is the one that its `p1.keep` names")


class Regimes(Settings):
    """Thresholds of wake2vec/training/regimes.py, where the rules are stated."""

    plateau: float = setting(
        0.01,
        "plateau: no later evaluation betters held-out loss by more than this share of its whole fall",
        ge=0,
        lt=1,
    )
    fried_gap: float = setting(
        0.5, "fried: the train/held-out gap has grown by more than this since sweet, in nats per token", ge=0
    )
    fried_rise: float = setting(
        0.02, "fried: at the same step, held-out loss is above its lowest by more than this, in nats per token", ge=0
    )


class Model(Settings):
    base: str = setting(..., "a key under `bases:`")
    corpus: str = setting(..., "a key under `corpora:`")
    recipe: str = setting("wake", "a key under `recipes:`: the bundle of settings this run starts from")
    title: str | None = setting(None, "name in the reports; the key otherwise")
    seed: int = setting(42, "of initial rows and training", ge=0)
    phases: tuple[Phase, ...] = setting(("p1", "p2", "p3"), "which phases run, in this order", min_length=1)
    start: Start | None = setting(None, "another run's P1 rows to start from; null makes initial rows")
    precision: Literal["float32", "bfloat16", "float16"] = setting(
        "float32", "of the frozen base; new rows are float32"
    )
    quantisation: Literal["none", "nf4"] = setting("none", "nf4: 4-bit base with double quantisation (bitsandbytes)")
    head: Literal["native", "shared", "separate", "tie_all"] = setting(
        "native",
        "new rows of the head: `native` shares them where the base ties and separates them where it does not; "
        "`tie_all` overwrites an untied head, as the notebooks did",
    )
    vocabulary: Vocabulary = Vocabulary()
    initialisation: Initialisation = Initialisation()
    p1: Rows = Rows()
    p2: Adapter = Adapter()
    p3: Alignment = Alignment()
    evaluation: Evaluation = Evaluation()
    regimes: Regimes = Regimes()
    geometry: Geometry = Geometry()
    generation: Generation = Generation()

    @model_validator(mode="after")
    def _phases_fit_together(self):
        if list(self.phases) != sorted(set(self.phases)):
            raise ValueError(f"phases must be in order and once each, of p1, p2, p3; found {list(self.phases)}")
        if "p2" in self.phases and self.p2.start != "kept" and "p1" not in self.phases and self.start is None:
            raise ValueError(
                f"p2.start: {self.p2.start!r} is a state of P1, which this run has not. Add p1 to `phases`, or name "
                "another run's P1 with `start: {from: …}`"
            )
        if "p3" in self.phases and self.p3.adapters == "train":
            if "p2" not in self.phases or self.p2.kind != "lora":
                raise ValueError("p3.adapters: train needs a P2 with kind: lora")
        if self.quantisation == "nf4" and "p2" in self.phases and self.p2.kind == "full":
            raise ValueError("p2.kind: full cannot train 4-bit weights; use kind: lora or quantisation: none")
        return self


class Figures(Settings):
    width: float = setting(7.0, "inches", ge=3, le=20)
    font_size: float = setting(12.0, "points; at most twice the width, or nothing fits", ge=5, le=24)

    @model_validator(mode="after")
    def _text_fits(self):
        if self.font_size > 2 * self.width:
            raise ValueError(f"font_size ({self.font_size}) must be at most twice the width ({self.width})")
        return self


class Plan(Settings):
    gpus: dict[str, Annotated[float, Field(gt=0)]] = setting(
        {"T4": 15.0, "L4": 22.5, "A100-40GB": 39.5, "H100": 79.0},
        "graphics cards that a plan is held against: name and usable memory in GiB",
    )


Tiers = dict[str, Annotated[str, Field(min_length=1)] | None]


class Study(Settings):
    """The whole of config.yaml, resolved: each model with its defaults, recipe and parents merged in."""

    corpora: dict[str, Corpus] = {}
    bases: dict[str, Base] = {}
    models: dict[str, Model] = {}
    figures: Figures = Figures()
    plan: Plan = Plan()
    tiers: Tiers = {}


def head_mode(head: str, tied: bool) -> str:
    """Resolve `head: native`: natively tied models share the new rows, untied ones get separate new head rows."""
    return ("shared" if tied else "separate") if head == "native" else head
