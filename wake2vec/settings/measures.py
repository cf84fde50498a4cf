"""Settings of what is measured: held-out scoring, geometry, generation, register."""

from typing import Annotated

from pydantic import Field, model_validator

from wake2vec.settings.common import Settings, setting


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
    map_neighbours: int = setting(5, "nearest base tokens, and nearest new words, in the neighbour map", ge=1, le=50)
    seed: int = setting(0, "samples, nulls and intervals", ge=0)


class Generation(Settings):
    temperatures: tuple[float, ...] = setting((0.5, 0.8, 1.0, 1.2), "of sampling", min_length=1)
    tokens: int = setting(60, "length of a sample", ge=1)
    prompts: int = setting(4, "words to prompt with that the first trained rows turned most, and as many least", ge=1)
    own: tuple[Annotated[str, Field(min_length=1)], ...] = setting((), "prompts of yours, word for word")
    seeds: int = setting(3, "samples of each prompt at each temperature", ge=1)
    top_p: float = setting(1.0, "nucleus; 1: the whole distribution", gt=0, le=1)
    seed: int = setting(0, "of sampling", ge=0)

    @model_validator(mode="after")
    def _temperatures_are_positive(self):
        if min(self.temperatures) <= 0:
            raise ValueError("temperatures must be above 0")
        if len(set(self.temperatures)) < len(self.temperatures) or len(set(self.own)) < len(self.own):
            raise ValueError("temperatures and own prompts must be given once each")
        return self


class Register(Settings):
    """The register battery: samples against held-out Wake and plain English."""

    plain: str | None = setting(
        None,
        "plain English to compare with, a key under `corpora:`; null: what a built-in base was trained on, for others "
        "the testbed's plain text",
    )
    words: int | None = setting(
        None, "words of a sample that are measured; shorter ones are left out; null: half of generation.tokens", ge=2
    )
    frequent: int = setting(1000, "most frequent words that the Deltas compare", ge=10)
    seed: int = setting(0, "draws of the landmarks, and intervals", ge=0)
