"""Who made a file: code, packages, settings and inputs. Written into every JSON result; never a rule's `params`."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from wake2vec import __version__
from wake2vec.storage import sha256

PACKAGES = (
    "torch transformers peft accelerate bitsandbytes tokenizers safetensors numpy scipy scikit-learn pandas "
    "wordfreq matplotlib snakemake"
).split()


def collect(inputs: Iterable[str], params: Mapping[str, Any]) -> dict[str, Any]:
    """Package versions, git commit and dirty flag, the rule's settings (seeds among them), input hashes, device."""
    return {
        "wake2vec": __version__,
        "git": git_state(Path(__file__).parent.parent),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "device": device(),
        "settings": dict(params),
        "inputs": {str(path): sha256(path) for path in inputs if Path(path).is_file()},
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """{"commit", "dirty"} of the code, or None where it is no git checkout."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    run = ["git", "-C", str(folder), *arguments]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()


def device() -> str:
    """The GPU's name where this process has loaded torch and sees one, else the processor."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU ({platform.machine()}, {os.cpu_count()} cores)"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
