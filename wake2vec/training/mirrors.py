"""Copies of a phase's state on other tiers: fetched before training, brought up to date while it goes on. No torch.

What a tier holds, and when it is complete, is in tiers.py. Nothing that happens on a tier stops training: errors are
tried again, then said, and stand in `report()` until a copy gets there.
"""

import errno
import io
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any

from wake2vec.errors import UserError
from wake2vec.storage import atomic_path
from wake2vec.training.checkpoints import FINGERPRINT, MANIFEST, described, newest_checkpoint, steps_of
from wake2vec.training.tiers import (
    SNAPSHOT_NAME,
    SNAPSHOTS,
    Entry,
    Tier,
    Unusable,
    bring,
    checkpoints,
    fetch,
    files_of,
    get,
    json_in,
    list_snapshots,
    manifest_in,
    names,
    open_tier,
    put,
    read,
    said,
    shown,
    snapshots,
    thin_out,
)

LOG, STATUS = "log.jsonl", "status.json"
LOOK = 60.0  # seconds within which a tier has to say what it holds
CHECKPOINT, SMALL = "checkpoint", "small"  # what a tier can be behind with


# Before training ------------------------------------------------------------------------------------------------------


def pull(state: Path, tiers: Mapping[str, str], fingerprint: str, retries: int = 3, wait: float = 2.0) -> str | None:
    """Fetch the newest complete checkpoint of these settings, where a tier has a newer one than the state folder.

    tiers: name → URL of this phase's folder there, best first. Every file is hashed while it arrives, and the
    checkpoint gets its name when all of them have. What is damaged is named and the next one taken: the same step on
    another tier, then an older one. Snapshots up to that step and the log come too where they lack. A tier that does
    not answer is a warning, after `retries` more attempts with pauses from `wait` seconds on, doubling.

    Returns a sentence about what was fetched; None where nothing was. Raises UserError where the state folder's disk
    is full or read-only.
    """
    state = Path(state)
    if not tiers:
        return None
    state.mkdir(parents=True, exist_ok=True)
    tried = partial(_tried, state, retries, wait)
    looks = [tried(name, url, "is not looked at", _look, name, url, state) for name, url in tiers.items()]
    found = [look for look in looks if look is not None]
    candidates = _candidates(found, fingerprint)
    local = newest_checkpoint(state, fingerprint)
    have, source = int(local.name.removeprefix("checkpoint-")) if local else -1, None
    for step, raw, tier in candidates:
        if step <= have:
            break
        print(f"fetching checkpoint-{step} from {_called(tier.name, tier.url)}", file=sys.stderr, flush=True)
        if tried(tier.name, tier.url, f"checkpoint-{step} is not used", fetch, tier, raw, state):
            have, source = step, tier
            break
    if have < 0:
        for tier, _ in found:  # an unmounted drive looks like one that was never written to
            _warn(tier.name, tier.url, "no checkpoint of these settings is there")
        return None
    extras = 0
    for tier in sorted((tier for tier, _ in found), key=lambda tier: tier is not source):  # its log goes with it
        problem = "snapshots and log are not fetched"
        extras += tried(tier.name, tier.url, problem, _fetch_extras, tier, fingerprint, have, state) or 0
    said_of = [f"checkpoint-{have} from {_called(source.name, source.url)}"] if source else []
    said_of += [f"{extras} snapshot{'s' if extras > 1 else ''}"] if extras else []
    return f"fetched {' and '.join(said_of)}" if said_of else None


def _called(name: str, url: str) -> str:
    return f"{name} ({shown(url)})"


def _warn(name: str, url: str, text: str) -> None:
    print(f"{_called(name, url)}: {text}", file=sys.stderr, flush=True)


def _tried(
    state: Path, retries: int, wait: float, name: str, url: str, problem: str, function: Callable[..., Any], *args: Any
) -> Any:
    """A function's value; None, with a warning, where it fails for good. Raises UserError for a full disk here."""
    for attempt in range(retries + 1):
        try:
            return function(*args)
        except Unusable as error:
            return _warn(name, url, f"{problem}, {error}")
        except Exception as error:  # filesystems raise what they like
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):  # nothing is written there
                raise UserError(
                    f"{state}: what {_called(name, url)} holds cannot be fetched to here ({error.strerror}). Free some "
                    "space, or make the folder writable, and run the same command again; that copy is untouched."
                ) from None
            if attempt == retries or not isinstance(error, OSError):
                return _warn(name, url, f"{problem}, {said(error, url)}")
        time.sleep(wait * 2**attempt)


def _look(name: str, url: str, state: Path) -> tuple[Tier, list]:
    """A tier and its checkpoints. Raises Unusable where it does not answer: a dead network drive hangs for good."""
    answers: list[Any] = []

    def look() -> None:
        try:
            tier = open_tier(name, url, state)
            answers.append((tier, checkpoints(tier)))
        except Exception as error:
            answers.append(error)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(LOOK)
    if not answers:
        raise Unusable(f"it has not answered within {LOOK:.0f} s")
    if isinstance(answers[0], Exception):
        raise answers[0]
    return answers[0]


def _candidates(found: list[tuple[Tier, list]], fingerprint: str) -> list[tuple[int, bytes, Tier]]:
    """(step, manifest's bytes, tier) of these settings' checkpoints, newest first and then in the tiers' order."""
    candidates = []
    for tier, there in found:
        for name, raw, manifest in there:
            if manifest is None:
                reason = "it was not finished" if raw is None else f"its {MANIFEST} is damaged"
                _warn(tier.name, tier.url, f"{name} is not used, {reason}")
            elif manifest["fingerprint"] == fingerprint:
                candidates.append((manifest["step"], raw, tier))
    return sorted(candidates, key=lambda candidate: -candidate[0])


def _fetch_extras(tier: Tier, fingerprint: str, step: int, state: Path) -> int:
    """Bring the snapshots up to a step, and the log, where the state folder lacks them; returns how many snapshots."""
    fetched = 0
    for name, entry in snapshots(tier, fingerprint).items():
        target = state / SNAPSHOTS / name
        if int(SNAPSHOT_NAME.fullmatch(name)[1]) > step or target.exists():
            continue
        try:
            with atomic_path(target) as temporary:
                get(tier, f"{SNAPSHOTS}/{name}", temporary, entry)
            fetched += 1
        except Unusable as error:
            _warn(tier.name, tier.url, f"a snapshot is not fetched, {error}")
    owner = (json_in(read(tier, FINGERPRINT)) or {}).get("fingerprint")
    if not (state / LOG).exists() and owner == fingerprint and (log := read(tier, LOG)):
        with atomic_path(state / LOG) as temporary:
            temporary.write_bytes(log)
    return fetched


# While training goes on -----------------------------------------------------------------------------------------------


class Mirrors:
    """Keeps tiers up to date with a state folder in the background, a thread for each: one that hangs delays no other.

    tiers: name → URL of this phase's folder there. keep: complete checkpoints that stay on a tier. After an error there
    are `retries` more attempts, the first `wait` seconds later and each pause twice the last; then the next push tries.
    No method raises, and none but `finish` waits.
    """

    def __init__(self, state: Path, tiers: Mapping[str, str], keep: int = 2, retries: int = 3, wait: float = 5.0):
        self.state = Path(state)
        self.copiers = {n: _Copier(self.state, n, url, keep, retries, wait) for n, url in tiers.items()}

    def push(self) -> None:
        """Schedule a copy of the newest complete checkpoint, its best state, new snapshots, status and log."""
        for copier in self.copiers.values():
            copier.ask(CHECKPOINT, SMALL)

    def touch(self) -> None:
        """Schedule a copy of status and log alone."""
        for copier in self.copiers.values():
            copier.ask(SMALL)

    def report(self) -> dict[str, dict[str, Any]]:
        """Tier → url (without secrets), step: newest checkpoint verified there, time (unix s) of that, behind (steps;
        None where nothing is there yet), error: the last one, until a copy gets there."""
        here = _newest_step(self.state)
        return {name: copier.report(here) for name, copier in self.copiers.items()}

    def finish(self, timeout: float) -> None:
        """Push once more, wait at most `timeout` seconds for it, end the threads, and name what did not get there."""
        deadline = time.monotonic() + timeout
        for copier in self.copiers.values():
            copier.ask(CHECKPOINT, SMALL, last=True)
        for copier in self.copiers.values():
            copier.thread.join(max(0.0, deadline - time.monotonic()))
        here = _newest_step(self.state)
        for name, report in self.report().items():
            copier = self.copiers[name]
            busy = f"still copying after {timeout:.0f} s" if copier.thread.is_alive() else None
            if why := busy or report["error"]:
                steps = f"there {report['step']}, here {here}".replace("None", "none")
                _warn(name, copier.url, f"not all is copied: {why}. Newest checkpoint: {steps}")


def _newest_step(state: Path) -> int | None:
    try:
        return next((step for step, _ in steps_of(os.listdir(state))), None)
    except OSError:
        return None


class _Copier:
    """The thread that copies to one tier."""

    def __init__(self, state: Path, name: str, url: str, keep: int, retries: int, wait: float):
        self.state, self.name, self.url = state, name, url
        self.keep, self.retries, self.wait = keep, retries, wait
        self.tier: Tier | None = None
        self.verified: bytes | None = None  # the manifest that this process has seen to be true there
        self.step: int | None = None
        self.time: float | None = None
        self.errors: dict[str, str] = {}
        self.failures: Counter[str] = Counter()
        self.warned: set[tuple] = set()
        self.unsound: set[bytes] = set()  # manifests of local checkpoints that are not what they say
        self.snapshots: dict[tuple, Entry] = {}
        self.wanted: set[str] = set()
        self.last = False
        self.change = threading.Condition()
        self.thread = threading.Thread(target=self._run, name=f"copies to {name}", daemon=True)
        self.thread.start()

    def ask(self, *parts: str, last: bool = False) -> None:
        with self.change:
            if not self.last:
                self.wanted.update(parts)
                self.last = last
                self.change.notify_all()

    def report(self, here: int | None) -> dict[str, Any]:
        step = self.step
        behind = max(0, here - step) if here is not None and step is not None else None
        error = self.errors.get(CHECKPOINT) or self.errors.get(SMALL)
        return {"url": shown(self.url), "step": step, "time": self.time, "behind": behind, "error": error}

    def _run(self) -> None:
        while True:
            with self.change:
                self.change.wait_for(lambda: self.wanted or self.last)
                wanted, self.wanted = self.wanted, set()
            if not wanted:
                return
            for part, copy in ((SMALL, self._copy_small), (CHECKPOINT, self._copy_checkpoint)):
                if part in wanted:
                    self._persist(part, copy)

    def _persist(self, part: str, copy: Callable[[Tier], None]) -> None:
        """Copy, and again after an error, until it works, has failed too often, or there is something newer to copy."""
        while True:
            try:
                self.tier = self.tier or open_tier(self.name, self.url, self.state)
                self.tier.fs.invalidate_cache()
                copy(self.tier)
                self.failures[part] = 0
                self.errors.pop(part, None)
                return
            except BaseException as error:  # filesystems raise what they like, and the thread must live on
                self.tier = None
                self.failures[part] += 1
                self.errors[part] = said(error, self.url)
                if self.failures[part] > self.retries:
                    self._warn_once((part, type(error), getattr(error, "errno", None)), self.errors[part])
                    return
            with self.change:
                pause = self.wait * 2 ** (self.failures[part] - 1)
                if self.change.wait_for(lambda: CHECKPOINT in self.wanted, pause):
                    return

    def _warn_once(self, kind: tuple, text: str) -> None:
        if kind not in self.warned:
            self.warned.add(kind)
            _warn(self.name, self.url, f"no copy gets there: {text}. Training goes on; later copies are tried again")

    def _copy_small(self, tier: Tier) -> None:
        for name in (FINGERPRINT, STATUS, LOG):
            try:
                here = (self.state / name).read_bytes()
            except FileNotFoundError:
                continue
            if read(tier, name) != here:
                put(tier, name, io.BytesIO(here))

    def _copy_checkpoint(self, tier: Tier) -> None:
        while found := _opened_newest(self.state, self.unsound):
            raw, manifest, files, opened = found
            with opened:
                failed = self._copied_snapshots(tier, manifest["fingerprint"])
                try:
                    bring(tier, raw, files, deep=raw != self.verified, between=lambda: self._copy_small_if_due(tier))
                except Unusable as error:  # another attempt would be no better; the next older one may be sound
                    self.unsound.add(raw)
                    step = manifest["step"]
                    print(f"{self.state}/checkpoint-{step}: not copied, {error}", file=sys.stderr, flush=True)
                    continue
            self.verified, self.step, self.time = raw, manifest["step"], time.time()
            thin_out(tier, manifest, self.keep)
            if failed:
                raise failed
            return

    def _copy_small_if_due(self, tier: Tier) -> None:
        """Between files: status and log must not look stale while gigabytes crawl."""
        with self.change:
            due = SMALL in self.wanted
            self.wanted.discard(SMALL)
        if due:
            self._copy_small(tier)

    def _copied_snapshots(self, tier: Tier, fingerprint: str) -> Exception | None:
        """Copy new snapshots: before the checkpoint, since training that goes on from it does not make them again.

        Returns what went wrong, to be raised when the checkpoint, which matters more, has had its turn.
        """
        try:
            listed, there = snapshots(tier, fingerprint), names(tier, SNAPSHOTS)
            for path in sorted((self.state / SNAPSHOTS).glob("step-*.safetensors")):
                entry = self._described(path)
                if listed.get(path.name) == entry and there.get(path.name) == entry["bytes"]:
                    continue
                with open(path, "rb") as file:
                    put(tier, f"{SNAPSHOTS}/{path.name}", file, entry)
                listed[path.name] = entry
                list_snapshots(tier, fingerprint, listed)
        except Exception as error:
            return error
        return None

    def _described(self, path: Path) -> Entry:
        """A local file's size and hash, computed once as long as it stays as it is."""
        status = path.stat()
        key = (path, status.st_size, status.st_mtime_ns)
        if key not in self.snapshots:
            self.snapshots[key] = described(path)
        return self.snapshots[key]


def _opened_newest(
    state: Path, unsound: set[bytes]
) -> tuple[bytes, dict[str, Any], dict[str, IO[bytes]], ExitStack] | None:
    """(manifest's bytes, manifest, path → open file, what closes them) of the newest checkpoint here; None without.

    All its files are open before the first is copied: it can be copied whole when training deletes it meanwhile.
    """
    for _, name in steps_of(os.listdir(state)):
        with ExitStack() as stack:
            try:
                raw = (state / name / MANIFEST).read_bytes()
                manifest = manifest_in(raw, name)
                if manifest is None or raw in unsound:
                    continue
                files = {path: stack.enter_context(open(state / path, "rb")) for path in files_of(manifest)}
            except FileNotFoundError:  # deleted since it was listed
                continue
            return raw, manifest, files, stack.pop_all()
    return None
