"""A phase's state folder: checkpoints that can be believed, what they were made for, and who is at work. No torch.

    lock                 held by the job that trains
    fingerprint.json     settings and input hashes that everything here belongs to
    checkpoint-{step}/   trained weights, optimizer, random states, data position; manifest.json is written last
    best-{step}.safetensors     the best state by held-out loss that a checkpoint names
    rejected/            checkpoints that were not believed;  superseded/  the state of other settings

A checkpoint is complete when its manifest, with a hash of every file, is there; the manifest is written when all else
has reached the disk, and the folder gets its name last of all.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from wake2vec.errors import UserError
from wake2vec.storage import flush, sha256, write_text

MANIFEST, FINGERPRINT, LOCK = "manifest.json", "fingerprint.json", "lock"
REJECTED, SUPERSEDED = "rejected", "superseded"
Content = Mapping[str, Any]
_held: dict[Path, Any] = {}  # locks of this process, until it ends


# What a state belongs to ----------------------------------------------------------------------------------------------


def begin_state(state: Path, content: Content) -> str:
    """Take a state folder for a phase with these inputs and settings; returns their fingerprint.

    State of other settings is moved to superseded/, with a word on what has changed, and comes back from there when the
    settings do. Raises UserError where the folder cannot be written, or another run trains in it.
    """
    content = json.loads(json.dumps(content, default=str))
    fingerprint = hash_of(content)
    try:
        state.mkdir(parents=True, exist_ok=True)
        _hold(state)
        earlier, aside = _read_json(state / FINGERPRINT), state / SUPERSEDED
        if earlier and earlier.get("fingerprint") != fingerprint:
            says = "; ".join(differences(earlier.get("content", {}), content)) or "the record of them was damaged"
            back = (_read_json(aside / FINGERPRINT) or {}).get("fingerprint") == fingerprint
            how = "going on with the state that belongs to these settings" if back else "starting afresh"
            print(f"{state}: {says}; {how}", file=sys.stderr, flush=True)
            _swap(state, aside, back)
        for leftover in state.glob(".*.tmp"):  # of a killed process: this one alone is at work here
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        write_text(
            state / FINGERPRINT, json.dumps({"fingerprint": fingerprint, "content": content}, indent=1, sort_keys=True)
        )
    except OSError as error:
        raise UserError(
            f"{state} cannot be written ({error.strerror or error}). Training keeps its checkpoints there: make the "
            "folder writable or free some space, and run the same command again. Nothing that was finished is touched."
        ) from None
    return fingerprint


def differences(before: Content, after: Content) -> list[str]:
    """What differs between two nested mappings, a phrase each: "settings.learning_rate was 0.1 and is 0.2"."""
    old, new = _flat(before), _flat(after)
    said = []
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            if key.startswith("inputs."):
                said.append(f"input {key.removeprefix('inputs.')} has changed")
            else:
                said.append(f"{key} was {old.get(key, 'unset')} and is {new.get(key, 'unset')}")
    return said


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {key: value}
    return {k: v for name, item in value.items() for k, v in _flat(item, f"{key}.{name}" if key else name).items()}


def hash_of(content: Any) -> str:
    """SHA-256 of plain values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()


def _swap(state: Path, aside: Path, back: bool) -> None:
    """Move the state aside; with `back`, what was aside takes its place. One state at most is aside."""
    middle = state / f".{SUPERSEDED}.tmp"
    shutil.rmtree(middle, ignore_errors=True)
    if aside.exists():
        aside.rename(middle)
    aside.mkdir()
    for path in list(state.iterdir()):
        if path.name not in (LOCK, aside.name, middle.name):
            path.rename(aside / path.name)
    if back:
        for path in list(middle.iterdir()):
            path.rename(state / path.name)
    shutil.rmtree(middle, ignore_errors=True)


def _hold(state: Path) -> None:
    """Lock a state folder until this process ends. Where the filesystem has no locks, say so and go on."""
    path = (state / LOCK).resolve()
    if path in _held:
        return
    file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  (open as long as the process lives)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = _parsed(file.read()) or {}
        raise UserError(
            f"{state}: another run trains here (process {holder.get('pid', '?')} on {holder.get('host', '?')}). "
            "Wait for it to end, or stop it first."
        ) from None
    except OSError as error:
        print(f"{path}: no lock can be had here ({error}); two runs at once would disturb each other", file=sys.stderr)
    file.truncate(0)
    file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}))
    file.flush()
    _held[path] = file


# Checkpoints ----------------------------------------------------------------------------------------------------------


def save_checkpoint(
    state: Path, step: int, write: Callable[[Path], None], fingerprint: str, best: Mapping[str, Any] | None
) -> Path:
    """Make `state`/checkpoint-{step} from what `write` puts into the folder that it is given; whole or not at all.

    best: {"step", "file", "sha256", "bytes"} of the best state so far, which lies beside it. Raises OSError.
    """
    folder, temporary = state / f"checkpoint-{step}", state / f".checkpoint-{step}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        write(temporary)
        files = {}
        for path in sorted(temporary.iterdir()):
            flush(path)
            files[path.name] = described(path)
        manifest = {
            "schema": "checkpoint/1",
            "step": step,
            "time": time.time(),
            "fingerprint": fingerprint,
            "files": files,
            "best": best,
        }
        write_text(temporary / MANIFEST, json.dumps(manifest, indent=1))
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
        flush(state)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def described(path: Path) -> dict[str, Any]:
    """A file as manifests name it."""
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """A checkpoint's manifest; None where there is none to read."""
    return _read_json(folder / MANIFEST)


def fault(folder: Path, fingerprint: str | None = None, deep: bool = True) -> str | None:
    """Why a checkpoint cannot be believed, in a few words; None when it can.

    With `deep` every file is hashed, otherwise presence and sizes are looked at.
    """
    if not (folder / MANIFEST).exists():
        return f"{MANIFEST} is missing: it was not finished"
    manifest = manifest_of(folder)
    try:
        if manifest["schema"] != "checkpoint/1" or f"checkpoint-{manifest['step']}" != folder.name:
            return f"{MANIFEST} is that of {manifest['schema']} at step {manifest['step']}"
        if fingerprint is not None and manifest["fingerprint"] != fingerprint:
            return "it belongs to other settings or inputs"
        files = {folder / name: entry for name, entry in manifest["files"].items()}
        if not files:
            return f"{MANIFEST} names no file"
        if best := manifest["best"]:
            files[folder.parent / best["file"]] = best
        for path, entry in files.items():
            if reason := _file_fault(path, entry, deep):
                return f"{path.name} {reason}"
    except (KeyError, TypeError, AttributeError, ValueError):
        return f"{MANIFEST} is damaged"
    return None


def _file_fault(path: Path, entry: Mapping[str, Any], deep: bool) -> str | None:
    try:
        size = path.stat().st_size
        if size != entry["bytes"]:
            return f"has {size:,} of {int(entry['bytes']):,} bytes"
        return "is not what was written" if deep and sha256(path) != entry["sha256"] else None
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def steps_of(names: Iterable[str]) -> list[tuple[int, str]]:
    """(step, name) of the names of checkpoints among `names`, newest first: by step, since clocks jump."""
    found = ((match, name) for name in names if (match := re.fullmatch("checkpoint-([0-9]+)", name)))
    return sorted(((int(match[1]), name) for match, name in found), reverse=True)


def checkpoints_of(state: Path) -> list[Path]:
    """The folders that are called checkpoints, newest first."""
    return [state / name for _, name in steps_of(path.name for path in state.glob("checkpoint-*"))]


def newest_checkpoint(state: Path, fingerprint: str) -> Path | None:
    """The newest checkpoint that can be believed. Newer ones that cannot are named and moved to rejected/."""
    for folder in checkpoints_of(state):
        reason = fault(folder, fingerprint)
        if reason is None:
            return folder
        print(f"{folder}: not used, {reason}", file=sys.stderr, flush=True)
        rejected = state / REJECTED / folder.name
        rejected.parent.mkdir(exist_ok=True)
        shutil.rmtree(rejected, ignore_errors=True)
        folder.rename(rejected)
    return None


def thin_out(state: Path, keep: int, best: Mapping[str, Any] | None = None) -> None:
    """Delete all but the `keep` newest checkpoints, and best states that neither they nor `best` name."""
    folders = checkpoints_of(state)
    for folder in folders[keep:]:
        folder.rename(gone := state / f".{folder.name}.tmp")  # so that nothing is ever half deleted under its name
        shutil.rmtree(gone)
    bests = [best, *((manifest_of(folder) or {}).get("best") for folder in folders[:keep])]
    named = {entry["file"] for entry in bests if entry}
    for path in state.glob("best-*.safetensors"):
        if path.name not in named:
            path.unlink()


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return _parsed(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
