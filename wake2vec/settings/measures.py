"""Settings of what is measured: held-out scoring, geometry, generation."""

from pydantic import model_validator

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
