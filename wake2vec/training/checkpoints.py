"""A phase's scratch folder: checkpoints that can be believed, and what they were made for. No torch.

A checkpoint is complete when its manifest, a hash of each of its files, was written; it is written last.
"""

import json
import shutil
import sys
from pathlib import Path

from wake2vec.storage import sha256, write_text

MANIFEST = "manifest.json"
DONE = "done"


def complete(folder: Path) -> None:
    """Write a checkpoint's manifest."""
    hashes = {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    write_text(folder / MANIFEST, json.dumps(hashes, indent=1))


def newest_checkpoint(state: Path) -> Path | None:
    """The newest checkpoint whose files are all there and hash as its manifest says."""
    folders = [path for path in state.glob("checkpoint-*") if path.name.split("-")[1].isdigit()]
    for folder in sorted(folders, key=lambda path: -int(path.name.split("-")[1])):
        try:
            hashes = json.loads((folder / MANIFEST).read_text("utf-8"))
            if hashes and all(sha256(folder / name) == value for name, value in hashes.items()):
                return folder
        except (OSError, ValueError):
            pass
        print(f"{folder}: incomplete or altered, not used", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    return None


def begin_state(state: Path, fingerprint: str) -> None:
    """Keep a state folder whose settings and inputs are these; start afresh, and say so, when they have changed.

    A state whose phase was published (`end_state`) has done its work: who asks again wants it trained again.
    """
    mark = state / "fingerprint.txt"
    if (state / DONE).exists():
        shutil.rmtree(state)
    elif mark.exists() and mark.read_text("utf-8") != fingerprint:
        print(
            f"{state}: settings or inputs have changed since it was written; starting afresh",
            file=sys.stderr,
            flush=True,
        )
        shutil.rmtree(state)
    write_text(mark, fingerprint)


def end_state(state: Path) -> None:
    """Say that a phase's outputs are published. Its checkpoints stay to be looked at."""
    write_text(state / DONE, "")
