"""The one exception that is shown to a person without a traceback."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something the user can put right: a setting, a file, a word list.

    The message says what is wrong, where, what was found, what is accepted and what to do.
    """


class Interrupted(Exception):
    """A scheduler asked the process to stop; its work is saved, and the same command goes on from there."""


def out_of_memory(error: RuntimeError) -> bool:
    """Whether a device's memory was too small, in any of the wordings that torch, CUDA and cuBLAS have for it."""
    said = str(error)
    return type(error).__name__ == "OutOfMemoryError" or any(
        wording in said for wording in ("can't allocate memory", "out of memory", "ALLOC_FAILED")
    )


def guess(word: str, accepted: Iterable[str]) -> str:
    """' Did you mean "x"?' when an accepted word is close to `word`, else an empty string."""
    close = get_close_matches(str(word), [str(a) for a in accepted], n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ""
