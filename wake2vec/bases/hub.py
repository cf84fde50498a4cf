"""Checkpoints on the Hugging Face hub, fetched into the hub's own cache.

A repository is fetched in two goes: what describes it (configuration, tokenizer, the weights' index), then its weights.
A revision is resolved to its commit in the first go, and everything later asks for that commit.
"""

import shutil
import sys
from pathlib import Path

from wake2vec.bases.checkpoint import INDEX, WEIGHTS, shards
from wake2vec.bases.hub_errors import ROOM, explained
from wake2vec.errors import UserError

DESCRIPTION = ["config.json", "generation_config.json", INDEX, "tokenizer*", "special_tokens_map.json"]
DESCRIPTION += ["chat_template.jinja", "added_tokens.json", "vocab*", "merges.txt", "*.model", "tekken.json"]
OTHER_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack")
MARGIN = 1.1  # free space asked for: the bytes to come and a tenth more
SHARDS_AT_ONCE = 2  # a shard that is cut off starts again, so few are under way at a time


def fetch_description(repo: str, revision: str, base: str, code: bool = False) -> tuple[Path, str]:
    """Bring configuration and tokenizer, no weights. Returns (folder, commit that the revision stands for).

    base: the base's key under `bases:`, for messages. code: bring the repository's Python files too.
    Without a network, what the cache holds is taken. Raises UserError.
    """
    from huggingface_hub import HfApi, get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import CachedRepoTreeNotFoundError
    from huggingface_hub.utils import disable_progress_bars

    with explained(repo, revision, base), disable_progress_bars():
        commit = HfApi().resolve_revision(repo, revision=revision).resolved
        # patterns match across "/", so that subfolders (original/, onnx/) have to be left out by name
        patterns = DESCRIPTION + (["*.py"] if code else [])
        folder = Path(snapshot_download(repo, revision=commit, allow_patterns=patterns, ignore_patterns=["*/*"]))
        try:
            listed = {file.path for file in get_cached_repo_tree(repo, revision=commit)}
        except CachedRepoTreeNotFoundError:  # no network, and a cache that was filled by an older version
            if not (folder / "config.json").exists():
                raise
            return folder, commit
    if "config.json" not in listed or not listed & {INDEX, WEIGHTS}:
        found = sorted(name for name in listed if name.endswith(OTHER_WEIGHTS)) or sorted(listed)
        missing = WEIGHTS if "config.json" in listed else "config.json"
        raise UserError(
            f"bases.{base}.repo: {repo} has no {missing}. Found: {', '.join(found[:5]) or 'nothing'}. Accepted: a "
            f"transformers checkpoint, with config.json and {WEIGHTS} (or {INDEX} and its shards). "
            "Look for a repository of the same model in that format, or convert it and use `kind: path`."
        )
    return folder, commit


def fetch(repo: str, commit: str, base: str, code: bool = False) -> Path:
    """The folder of a whole checkpoint; what the cache lacks is fetched, no more. Raises UserError."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    folder, _ = fetch_description(repo, commit, base, code)
    names = shards(folder)
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        with explained(repo, commit, base):
            with disable_progress_bars():
                plan = snapshot_download(repo, revision=commit, allow_patterns=missing, dry_run=True)
            coming = [file.file_size or 0 for file in plan if file.will_download]
            cache = Path(constants.HF_HUB_CACHE)
            require_room(sum(coming), cache, repo, base)
            what = f"{len(coming)} of {len(names)} weight files, {gigabytes(sum(coming))}"
            print(f"{repo}: fetching {what}, to {cache}", file=sys.stderr, flush=True)
            snapshot_download(repo, revision=commit, allow_patterns=missing, max_workers=SHARDS_AT_ONCE)
    if lacking := [name for name in names if not (folder / name).exists()]:
        raise UserError(
            f"bases.{base}.repo: {repo} at {commit} has no {lacking[0]}, which its {INDEX} names: the upload is not "
            f"complete. Set bases.{base}.revision to a commit that has all of its files."
        )
    return folder


def cached_folder(repo: str, commit: str, names: list[str]) -> Path | None:
    """The folder in the cache that holds all of these files, or None. Asks nothing of the network."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repo, name, revision=commit) for name in names]
    return Path(found[0]).parent if found and all(isinstance(path, str) for path in found) else None


def require_room(needed: int, cache: Path, repo: str, base: str) -> None:
    """Raise UserError where the cache's disk has no room for `needed` more bytes."""
    place = next(path for path in (cache, *cache.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if needed * MARGIN > free:
        raise UserError(
            f"bases.{base}.repo: {repo} needs {gigabytes(needed * MARGIN)} on the disk of the hub's cache, {cache}; "
            f"{gigabytes(free)} are free there. Nothing was downloaded. {ROOM}"
        )


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
