"""Settings of a checkpoint to start from: made here, from the hub, or from a folder."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wake2vec.settings.common import Settings, setting


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
