"""One phase's state folder at one place, as plain values, whatever others do to it meanwhile.

A checkpoint is valid by the rule of training/checkpoints.py: its manifest is there, every file that it names has its
size (and its hash, where asked for), and so has the best state beside it. It is only called valid when its manifest is
the same after the look as before it, so what is replaced meanwhile is not.
"""

import os
import re
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from wake2vec.heartbeat.places import (
    PAUSE,
    TRIES,
    Unreadable,
    digest,
    entries,
    folders,
    is_local,
    modified,
    number,
    open_place,
    read,
    size,
)
from wake2vec.training.checkpoints import FINGERPRINT, LOCK, MANIFEST, REJECTED, SUPERSEDED, steps_of
from wake2vec.training.tiers import SNAPSHOT_NAME, SNAPSHOTS, files_of, json_in, manifest_in, said

PHASES = ("p1", "p2", "p3")
STATUS, LOG, STOPPED, TRAINER = "status.json", "log.jsonl", "stopped.json", "trainer_state.json"
CHECKPOINT = re.compile(r"checkpoint-\d{1,12}", re.ASCII)
SLACK = 60.0  # seconds that a process may seem to have begun after its own files

Copy = dict[str, Any]


def read_place(place: str, verify: bool = False, only: set[tuple[str, str]] | None = None) -> dict[str, Any]:
    """All state folders below a place, or those of the (model, phase) pairs in `only`.

    Returns {"place", "error": why it could not be read or None, "copies": [what `read_state` returns]}.
    """
    copies, errors = [], []
    try:
        files, root = open_place(place)
        if entries(files, root) is None:
            errors.append("there is no such folder")
        for model, phase in _pairs(files, root) if only is None else sorted(only):
            try:
                copy = read_state(files, f"{root}/{model}/state/{phase}", verify)
            except Unreadable as error:
                errors.append(f"{model}/state/{phase}: {error}")
                continue
            if copy is not None:
                copies.append({"model": model, "phase": phase, "place": place} | copy)
    except Unreadable as error:
        errors.append(str(error))
    told = said(OSError(0, "; ".join(errors)), place)  # so that nothing secret of the URL is said
    return {"place": place, "error": told if errors else None, "copies": copies}


def _pairs(files: Any, root: str) -> Iterator[tuple[str, str]]:
    for model in folders(files, root):
        there = folders(files, f"{root}/{model}/state")
        yield from ((model, phase) for phase in PHASES if phase in there)


def read_state(files: Any, folder: str, verify: bool = False) -> Copy | None:
    """A state folder as plain values; None where there is nothing in it. Raises Unreadable.

    local: whether it is on a disk of this machine. fingerprint: of settings and inputs. checkpoints: what `look_at`
    returns, newest first. log: entries, in order. snapshots: {"count", "step": the newest's, "time"}. rejected,
    superseded: how many checkpoints. stopped: fingerprint of settings that are refused. status, lock: what the job
    wrote. locked: whether there is a lock file. damaged: names of files that cannot be understood. process: of the job
    that was heard of last, "running", "gone", "elsewhere" or None. seen: when this was read, in Unix seconds.
    """
    names = entries(files, folder)
    if not names:
        return None

    def inside(name: str) -> dict[str, Any]:
        return entries(files, f"{folder}/{name}") or {} if name in names else {}

    mark, stopped = (json_in(read(files, f"{folder}/{name}")) or {} for name in (FINGERPRINT, STOPPED))
    checkpoints = _looked_at(files, folder, [name for _, name in _checkpoints(names)], verify)
    copy: Copy = {
        "local": is_local(files),
        "fingerprint": text(mark.get("fingerprint")),
        "checkpoints": checkpoints,
        "log": _log(files, folder) or _log_of_checkpoint(files, folder, checkpoints),
        "snapshots": _snapshots(files, folder, inside(SNAPSHOTS)),
        "rejected": len(_checkpoints(inside(REJECTED))),
        "superseded": len(_checkpoints(inside(SUPERSEDED))),
        "stopped": text(stopped.get("fingerprint")),
    }
    # Last, so that it is the newest; and once more when its process has gone, which may have written it meanwhile.
    for _ in range(2):
        copy |= _signs(files, folder, LOCK in names)
        if copy["process"] != "gone":
            break
    return copy


def text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _checkpoints(names: Iterable[str]) -> list[tuple[int, str]]:
    return steps_of(name for name in names if CHECKPOINT.fullmatch(name))


def _looked_at(files: Any, folder: str, names: list[str], verify: bool) -> list[dict[str, Any]]:
    """`look_at` of each that is there; twice where one seems faulty, since it may be on its way in or out."""
    found = {name: look_at(files, folder, name, verify) for name in names}
    if faulty := [name for name, checkpoint in found.items() if checkpoint and not checkpoint["valid"]]:
        time.sleep(PAUSE)
        found |= {name: look_at(files, folder, name, verify) for name in faulty}
    return [checkpoint for checkpoint in found.values() if checkpoint]


def look_at(files: Any, folder: str, name: str, verify: bool = False) -> dict[str, Any] | None:
    """A checkpoint as it is now; None when it is gone.

    {"name", "step", "valid", "fault": why not, "time": Unix seconds, "bytes": that it takes, "fingerprint"}.
    """
    try:
        return _look_at(files, folder, name, verify)
    except Unreadable as error:
        return _checkpoint(name, {}, f"it cannot be read ({error})", 0)


def _look_at(files: Any, folder: str, name: str, verify: bool) -> dict[str, Any] | None:
    path = f"{folder}/{name}"
    before = read(files, f"{path}/{MANIFEST}")
    there = entries(files, path)
    if there is None:
        return None
    taken = sum(number(entry.get("size")) or 0 for entry in there.values())
    if before is None:
        return _checkpoint(name, {}, f"{MANIFEST} is missing: it was not finished", taken)
    manifest = manifest_in(before, name)
    if manifest is None:
        return _checkpoint(name, {}, f"{MANIFEST} is damaged", taken)
    sizes = {f"{name}/{file}": entry.get("size") for file, entry in there.items()}
    fault = _fault(files, folder, sizes, files_of(manifest), verify)
    if fault is None and read(files, f"{path}/{MANIFEST}") != before:
        fault = "it is being replaced"
    return _checkpoint(name, manifest, fault, taken)


def _fault(files: Any, folder: str, sizes: dict[str, Any], named: Mapping[str, Any], verify: bool) -> str | None:
    """What is wrong with the files that a manifest names, path -> {"sha256", "bytes"}. sizes: of those beside it."""
    for path, entry in named.items():
        name, found = path.rsplit("/", 1)[-1], sizes.get(path) if "/" in path else size(files, f"{folder}/{path}")
        if found is None:
            return f"{name} is missing"
        if found != entry["bytes"]:
            return f"{name} has {found:,} of {entry['bytes']:,} bytes"
        if verify and digest(files, f"{folder}/{path}") != entry["sha256"]:
            return f"{name} is not what was written"
    return None


def _checkpoint(name: str, manifest: dict[str, Any], fault: str | None, taken: float) -> dict[str, Any]:
    return {
        "name": name,
        "step": steps_of([name])[0][0],
        "valid": fault is None,
        "fault": fault,
        "time": number(manifest.get("time")),
        "bytes": taken,
        "fingerprint": manifest.get("fingerprint"),
    }


def _snapshots(files: Any, folder: str, there: dict[str, Any]) -> dict[str, Any]:
    """Of the snapshots in a folder; a tier lists those that are of these settings and whole."""
    whole = {int(match[1]): (name, info) for name, info in there.items() if (match := SNAPSHOT_NAME.fullmatch(name))}
    if MANIFEST in there:
        listed = (json_in(read(files, f"{folder}/{SNAPSHOTS}/{MANIFEST}")) or {}).get("files")
        listed = listed if isinstance(listed, dict) else {}
        whole = {step: (name, info) for step, (name, info) in whole.items() if name in listed}
    newest = max(whole, default=None)
    return {"count": len(whole), "step": newest, "time": None if newest is None else modified(whole[newest][1])}


def _log(files: Any, folder: str) -> list[dict[str, Any]]:
    lines = (read(files, f"{folder}/{LOG}") or b"").splitlines()
    return _entries(json_in(line) for line in lines)  # half a line is no JSON object


def _log_of_checkpoint(files: Any, folder: str, checkpoints: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A place without a log of its own has the Trainer's, up to its newest checkpoint."""
    for checkpoint in checkpoints:
        if checkpoint["valid"]:
            kept = json_in(read(files, f"{folder}/{checkpoint['name']}/{TRAINER}")) or {}
            history = kept.get("log_history")
            checkpoint["steps"] = number(kept.get("max_steps"))
            return _entries(history if isinstance(history, list) else [])
    return []


def _entries(found: Any) -> list[dict[str, Any]]:
    return [entry for entry in found if isinstance(entry, dict) and number(entry.get("step")) is not None]


# Signs of life --------------------------------------------------------------------------------------------------------


def _signs(files: Any, folder: str, locked: bool) -> Copy:
    """What the job says of itself, and whether its process is here. The lock file is read, never taken."""
    lock = json_in(read(files, f"{folder}/{LOCK}")) if locked else None
    status, damaged = _status(files, folder)
    who = newest_sign(status, lock)
    return {
        "status": status,
        "lock": lock,
        "locked": locked,
        "damaged": damaged,
        "process": _process(who) if who else None,
        "seen": time.time(),
    }


def _status(files: Any, folder: str) -> tuple[dict[str, Any] | None, list[str]]:
    for attempt in range(TRIES):
        data = read(files, f"{folder}/{STATUS}")
        status = json_in(data)
        if status is not None or data is None:
            return status, []
        if attempt < TRIES - 1:
            time.sleep(PAUSE)  # it may be on its way in
    return None, [STATUS]


def newest_sign(status: dict[str, Any] | None, lock: dict[str, Any] | None) -> dict[str, Any] | None:
    """{"pid", "host", "time", "lock": bool} of the job that was heard of last.

    By its status, or by its lock alone when it has begun since and not written a status yet.
    """
    status, lock = status or {}, lock or {}
    spoke, began = number(status.get("updated")), number(lock.get("since"))
    if began is not None and (spoke is None or began > spoke):
        return {"pid": number(lock.get("pid")), "host": text(lock.get("host")), "time": began, "lock": True}
    if status:
        return {"pid": number(status.get("pid")), "host": text(status.get("host")), "time": spoke, "lock": False}
    return None


def _process(who: dict[str, Any]) -> str | None:
    if not isinstance(who["pid"], int) or who["pid"] <= 0 or who["host"] is None:
        return None
    if who["host"] != socket.gethostname():
        return "elsewhere"
    return "running" if alive(who["pid"], who["time"]) else "gone"


def alive(pid: int, before: float | None) -> bool:
    """Whether a process runs on this machine that began `before` then (Unix seconds): numbers are given out again."""
    try:
        os.kill(pid, 0)  # sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # it is another user's
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        with open("/proc/stat", encoding="utf-8") as file:
            booted = next(float(line.split()[1]) for line in file if line.startswith("btime"))
        began = booted + float(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError, StopIteration):
        return True  # not Linux: it exists, and more cannot be told
    return fields[0] not in "ZX" and (before is None or began <= before + SLACK)
