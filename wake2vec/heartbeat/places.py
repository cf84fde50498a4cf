"""Reads folders that others write to: any local path or fsspec URL. Nothing is ever written.

What vanishes while it is looked at is not there; what fails for another reason is tried again, then `Unreadable`.
"""

import hashlib
import math
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from fsspec.core import url_to_fs

from wake2vec.training.tiers import said

TRIES, PAUSE = 3, 0.05  # seconds


class Unreadable(Exception):
    """A place, folder or file that is there (as far as can be told) and cannot be read; the message says why."""


def open_place(place: str) -> tuple[Any, str]:
    """A filesystem and the path in it. Raises Unreadable."""
    try:
        # not a cached one: a connection that has died would come back with it
        files, root = url_to_fs(place, skip_instance_cache=True)
    except Exception as error:  # each kind of storage has its own
        raise Unreadable(said(error, place)) from None
    return files, root.rstrip("/")


def address(place: str) -> str:
    """A place with its protocol and whole path, by which two spellings of it can be known as one."""
    try:
        files, root = open_place(place)
        return files.unstrip_protocol(root)
    except Exception:  # as above
        return place


def is_local(files: Any) -> bool:
    return bool(getattr(files, "local_file", False))


def entries(files: Any, path: str) -> dict[str, dict[str, Any]] | None:
    """What lies in a folder: name -> fsspec's info. None where there is no such folder. Raises Unreadable."""

    def listed() -> dict[str, dict[str, Any]]:
        files.invalidate_cache()
        infos = {str(info["name"]).rstrip("/"): info for info in files.ls(path or "/", detail=True)}
        return {name.rsplit("/", 1)[-1]: i for name, i in infos.items() if name.strip("/") != path.strip("/")}

    return _tried(listed)


def folders(files: Any, path: str) -> list[str]:
    """Names of what may be folders (symbolic links too) in a folder, in order, hidden ones left out."""
    found = entries(files, path) or {}
    return sorted(name for name, info in found.items() if info.get("type") != "file" and not name.startswith("."))


def read(files: Any, path: str) -> bytes | None:
    """A file's bytes, None where there is no such file. Raises Unreadable."""
    return _tried(lambda: files.cat_file(path))


def size(files: Any, path: str) -> int | None:
    """A file's size in bytes, None where there is no such file. Raises Unreadable."""

    def told() -> int:
        files.invalidate_cache()
        return files.info(path)["size"]

    return _tried(told)


def digest(files: Any, path: str) -> str | None:
    """A file's SHA-256 in hexadecimal, None where there is no such file. Raises Unreadable."""

    def hashed() -> str:
        value = hashlib.sha256()
        with files.open(path, "rb") as file:
            while block := file.read(1 << 22):
                value.update(block)
        return value.hexdigest()

    return _tried(hashed)


def _tried(action: Callable[[], Any]) -> Any:
    for attempt in range(TRIES):
        try:
            return action()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except Exception as error:  # each kind of storage has its own, and may be changing under our eyes
            failure = error
        if attempt < TRIES - 1:
            time.sleep(PAUSE)
    raise Unreadable(said(failure, ""))


def modified(info: dict[str, Any]) -> float | None:
    """When a file was written, in Unix seconds, as far as its storage tells."""
    for key in ("mtime", "LastModified", "last_modified", "updated", "created"):
        value = info.get(key)
        try:
            value = datetime.fromisoformat(value) if isinstance(value, str) else value
            value = value.timestamp() if isinstance(value, datetime) else value
        except (ValueError, OverflowError):
            continue
        if (seconds := number(value)) is not None:
            return seconds
    return None


def number(value: Any) -> float | int | None:
    """A finite number, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None
