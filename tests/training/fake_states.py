"""State folders of random bytes with true manifests, and a filesystem that can be slow, fail or hang."""

import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from wake2vec.training.checkpoints import fault
from wake2vec.training.mirrors import Mirrors

ROOT = Path(__file__).parents[2]
FILES = ("optimizer.safetensors", "random.safetensors", "scalars.json", "trainable.safetensors", "trainer_state.json")
OURS, THEIRS = "a" * 64, "b" * 64


def noise(size: int, *seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def entry(data: bytes) -> dict:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def write_checkpoint(
    state: Path,
    step: int,
    fingerprint: str = OURS,
    size: int = 3000,
    best: int | None = None,
    when: float | None = None,
) -> Path:
    """A complete checkpoint of five files of `size` bytes, with the best state of step `best` beside it."""
    folder, described = state / f"checkpoint-{step}", None
    folder.mkdir(parents=True)
    files = {name: noise(size, step, number, ord(fingerprint[0])) for number, name in enumerate(FILES)}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    if best is not None:
        data = noise(size, best, 99, ord(fingerprint[0]))
        described = {"step": best, "file": f"best-{best}.safetensors"} | entry(data)
        (state / described["file"]).write_bytes(data)
    manifest = {
        "schema": "checkpoint/1",
        "step": step,
        "time": float(step) if when is None else when,
        "fingerprint": fingerprint,
        "files": {name: entry(data) for name, data in files.items()},
        "best": described,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    (state / "fingerprint.json").write_text(json.dumps({"fingerprint": fingerprint, "content": {}}))
    return folder


def write_extras(state: Path, *snapshots: int) -> None:
    """Status, log and snapshots."""
    (state / "status.json").write_text('{"step": 7}')
    (state / "log.jsonl").write_text('{"step": 7, "loss": 3.5}\n{"st')
    (state / "snapshots").mkdir(exist_ok=True)
    for step in snapshots:
        (state / "snapshots" / f"step-{step:06d}.safetensors").write_bytes(noise(900, step))


def tree(url: str | Path) -> dict[str, bytes]:
    """Path → bytes of all files below a folder, local or on a filesystem of fsspec."""
    fs, root = fsspec.core.url_to_fs(str(url))
    return {path.removeprefix(f"{root}/"): fs.cat_file(path) for path in fs.find(root)} if fs.exists(root) else {}


def sound(folder: Path) -> list[str]:
    """Names of the checkpoints in a local folder that claim to be complete; each must be so, by every hash."""
    claiming = sorted(path.parent for path in folder.glob("checkpoint-*/manifest.json"))
    assert [fault(path, deep=True) for path in claiming] == [None] * len(claiming)
    return [path.name for path in claiming]


def mirrored(state: Path, tiers: dict[str, str], **options) -> dict:
    """Push once, to the end; what the mirrors then report."""
    mirrors = Mirrors(state, tiers, **({"wait": 0.01} | options))
    mirrors.push()
    mirrors.finish(20)
    return mirrors.report()


def until(condition, seconds: float = 10.0) -> None:
    """Wait for what a thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


def in_namespace(script: str, *arguments) -> subprocess.CompletedProcess:
    """Run Python where it may mount filesystems that nobody else sees."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("mounting a small filesystem needs `unshare -rm`, which is not allowed here")
    command = ["unshare", "-rm", sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


class Unreliable(MemoryFileSystem):
    """Files in memory behind a bad connection."""

    protocol = "unreliable"
    store: dict = {}
    pseudo_dirs = [""]

    @classmethod
    def _strip_protocol(cls, path):
        path = str(path)
        return "/" + (path.partition("://")[2] if "://" in path else path).strip("/")

    @classmethod
    def reset(cls):
        if getattr(cls, "hangs", None):
            cls.hangs.set()
        cls.store.clear()
        cls.pseudo_dirs[:] = [""]
        cls.pause, cls.errors, cls.reading_errors, cls.hangs, cls.written = 0.0, [], [], None, []
        cls.dies = False  # whether a connection is of no use after its first error
        cls.spoils = 0  # so many files to come are stored with a wrong byte

    dead = False

    def _open(self, path, mode="rb", **options):
        if self.dead:
            raise OSError("this connection is closed")
        time.sleep(self.pause)
        if self.hangs is not None:
            self.hangs.wait()
        if "w" in mode:
            if self.errors:
                self.dead = self.dies
                raise self.errors.pop(0)
            self.written.append(self._strip_protocol(path))
        elif self.reading_errors:
            raise self.reading_errors.pop(0)
        file = super()._open(path, mode, **options)
        if "w" in mode and type(self).spoils:
            type(self).spoils -= 1
            file.write = lambda data: MemoryFile.write(file, b"?" + data[1:])
        return file

    def ls(self, path, **options):
        if self.hangs is not None:
            self.hangs.wait()
        return super().ls(path, **options)


Unreliable.reset()
fsspec.register_implementation("unreliable", Unreliable, clobber=True)
Hang = threading.Event  # for `Unreliable.hangs`; set it to let go
