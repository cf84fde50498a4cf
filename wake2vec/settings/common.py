"""What all settings share: how a key is described, how strict a block is, and the names of phases and states."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from wake2vec.errors import guess

PHASES = ("base", "init", "p1", "p2", "p3")
Phase = Literal["p1", "p2", "p3"]
Precision = Literal["float32", "bfloat16"]
Quantisation = Literal["none", "nf4"]
REGIMES = ("sweet", "plateau", "fried")
STATES = ("kept", "best", "final", *REGIMES)


def setting(default: Any, help: str, **limits: Any) -> Any:
    """A field with its default, its line in the key table and its limits."""
    return Field(default, description=help, **limits)


class Settings(BaseModel):
    """Unknown keys are refused, and infinite numbers; nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _state(value: Any) -> Any:
    """Refuse what is no state, in words: pydantic would complain once for each half of the union."""
    if (isinstance(value, str) and value in STATES) or (type(value) is int and value > 0):
        return value
    accepted = f"Accepted: {', '.join(STATES)}, or a step (a whole number above 0)"
    raise ValueError(f"{guess(value, STATES)} {accepted}".strip())


State = Annotated[
    Literal["kept", "best", "final", "sweet", "plateau", "fried"] | Annotated[int, Field(ge=1)], BeforeValidator(_state)
]
