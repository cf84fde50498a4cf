"""Settings of what is trained: the new vocabulary, its initial rows, and the three phases."""

from typing import Literal

from pydantic import model_validator

from wake2vec.settings.common import Precision, Quantisation, Settings, State, setting


class Vocabulary(Settings):
    match: Literal["word", "substring"] = setting(
        "word",
        "inject whole words; or the notebooks' `add_tokens` of the words that the base's vocabulary lacks, which fires "
        "inside other words too (a word that is an entry already stays one, and is not matched inside others)",
    )
    min_fires: int = setting(2, "a form that fires less often in the training text gets no row; 0 keeps all", ge=0)
    synthetic: bool = setting(
        False,
        "give the synthetic coinages rows as well, in the forms that synthetic.txt has, whatever min_fires is; trained "
        "on with `texts: [train, synthetic]`",
    )


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
    precision: Precision | None = setting(None, "of the base in this phase and its measures; null: the run's")
    quantisation: Quantisation | None = setting(None, "of the base in this phase and its measures; null: the run's")


class Rows(Training):
    """P1: the rows alone."""

    train: Literal["new", "all", "masked"] = setting(
        "new",
        "new rows; all rows; or the notebooks' whole matrix with masked gradients (weight decay reaches base rows)",
    )
    texts: tuple[Literal["train", "synthetic", "lexicon"], ...] = setting(
        ("train",), "what is trained on; `lexicon` appends the word list, as the notebooks did", min_length=1
    )
    rows: Literal["free", "factored", "shuffled", "unshared"] = setting(
        "free",
        "each row by itself; the mean of its parts' vectors, which words share, and a penalised residual; or a "
        "control, which starts alike and is penalised alike, and shares what it learns with words of other parts, or "
        "with none",
    )
    residual_decay: float = setting(
        10.0, "factored: share of a residual that is taken away at each step, times the learning rate", ge=0
    )
    row_precision: Literal["float32", "bfloat16"] = setting(
        "float32", "bfloat16 rounds the rows after every step, as the notebooks' did"
    )
    snapshot_every: int | None = setting(
        None, "rows saved every so many steps, for regimes and later starts; null keeps best and final only", ge=1
    )

    @model_validator(mode="after")
    def _factored_rows_are_plain(self):
        if self.rows != "free":
            if self.row_precision != "float32" or self.weight_decay:
                raise ValueError(
                    f"rows: {self.rows} needs row_precision: float32 and weight_decay: 0 (it has its own penalty)"
                )
            if self.residual_decay * self.learning_rate > 1:
                raise ValueError(
                    f"residual_decay ({self.residual_decay:g}) times learning_rate ({self.learning_rate:g}) must be at "
                    "most 1: a step cannot take away more than the whole residual"
                )
        return self


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
    objective: Literal["decoupled", "loss"] = setting(
        "decoupled",
        "how the terms act: beside the optimizer, each step taking the share λ times the learning rate of a row's way; "
        "or in the loss, as the notebooks had it, where Adam makes rows that no text touches as fast at any λ",
    )
    lambda_morpheme: float = setting(10.0, "weight of the morpheme term; for what it means see “What a λ means”", ge=0)
    lambda_direction: float = setting(
        0.0, "weight of the direction term: words with an affix leave their roots the same way", ge=0
    )
    lambda_device: float = setting(
        0.0, "weight of the device term: words made by the same device lie closer than others", ge=0
    )
    lambda_repulsion: float = setting(0.5, "weight of the repulsion term", ge=0)
    lambda_norm: float = setting(0.1, "weight of the norm term", ge=0)
    morpheme: Literal["cosine", "mse"] = setting(
        "cosine", "1 - cosine to the parts' mean; or the notebooks' mean squared error, whose gradient vanishes"
    )
    devices: str | None = setting(
        None, "CSV file `word,device` for the device term, with labels of yours; the testbed knows its own"
    )
    held_out_pairs: float = setting(0.1, "share of the words kept out of every term, to be measured only", gt=0, lt=1)

    @model_validator(mode="after")
    def _no_term_goes_too_far(self):
        weights = {name: value for name, value in self if name.startswith("lambda_")}
        name = max(weights, key=weights.get)
        if self.objective == "decoupled" and weights[name] * self.learning_rate > 1:
            raise ValueError(
                f"{name} ({weights[name]:g}) times learning_rate ({self.learning_rate:g}) must be at most 1: a step "
                "cannot take a row further than its whole way"
            )
        return self


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
