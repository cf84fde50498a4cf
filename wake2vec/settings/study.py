"""Settings of a run, of the figures and plans, and the whole study."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from wake2vec.settings.bases import Base
from wake2vec.settings.common import Phase, Precision, Quantisation, Settings, State, setting
from wake2vec.settings.measures import Evaluation, Generation, Geometry, Register
from wake2vec.settings.texts import Corpus
from wake2vec.settings.training import Adapter, Alignment, Initialisation, Regimes, Rows, Vocabulary


class Start(Settings):
    """Another run's P1 rows instead of initial rows."""

    model: str = setting(..., "the run whose P1 rows this one starts from, a key under `models:`", alias="from")
    at: State = setting("kept", "which state of that P1; `kept` is the one that its `p1.keep` names")


class Model(Settings):
    base: str = setting(..., "a key under `bases:`")
    corpus: str = setting(..., "a key under `corpora:`")
    recipe: str = setting("wake", "a key under `recipes:`: the bundle of settings this run starts from")
    title: str | None = setting(None, "name in the reports; the key otherwise")
    seed: int = setting(42, "of initial rows and training", ge=0)
    phases: tuple[Phase, ...] = setting(("p1", "p2", "p3"), "which phases run, in this order", min_length=1)
    start: Start | None = setting(None, "another run's P1 rows to start from; null makes initial rows")
    precision: Precision = setting(
        "float32", "of the frozen base, and of its products with new rows, which are float32 themselves"
    )
    quantisation: Quantisation = setting("none", "nf4: 4-bit base with double quantisation (bitsandbytes)")
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
    battery: Register = Register()

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
        if "p2" in self.phases and self.p2.kind == "full" and (self.p2.quantisation or self.quantisation) == "nf4":
            raise ValueError("p2.kind: full cannot train 4-bit weights; use kind: lora or quantisation: none")
        if (self.battery.words or 0) > self.generation.tokens:
            raise ValueError(
                f"battery.words: {self.battery.words} is more than generation.tokens ({self.generation.tokens}), so "
                "that every sample would be too short to be measured. Accepted: fewer words, or longer samples"
            )
        return self


class Sweep(Settings):
    """P3 again and again from one start: one term at a time, at several weights, and once with none."""

    model: str = setting(..., "the run whose P3 is repeated on the rows of its P1, a key under `models:`")
    terms: dict[
        Literal["morpheme", "direction", "device", "repulsion", "norm"],
        Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)],
    ] = setting(
        ..., "the λs of each term of P3 (morpheme, direction, device, repulsion, norm); 0 is added", min_length=1
    )


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
    sweeps: dict[str, Sweep] = {}
    figures: Figures = Figures()
    plan: Plan = Plan()
    tiers: Tiers = {}


def held_in(model: Mapping[str, Any], phase: str) -> dict[str, str]:
    """Precision and quantisation of the base at a phase of a run (as plain values): its own where it names one."""
    own = model[phase] if phase in model["phases"] else {}
    return {key: own.get(key) or model[key] for key in ("precision", "quantisation")}


def head_mode(head: str, tied: bool) -> str:
    """Resolve `head: native`: natively tied models share the new rows, untied ones get separate new head rows."""
    return ("shared" if tied else "separate") if head == "native" else head
