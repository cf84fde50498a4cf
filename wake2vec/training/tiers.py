"""One tier: a folder at any path or fsspec URL that holds a copy of a phase's state folder. No torch.

It holds the same tree, by the same rule: a checkpoint is complete when its manifest is there and true. The manifest is
written last, when every other file has been read back from the tier and hashed. Beside what the state folder has there
is snapshots/manifest.json, {"fingerprint": hex, "files": {name: {"sha256": hex, "bytes": n}}}: which snapshots are of
these settings, since a snapshot alone doesn't say.
"""

import errno
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple
from urllib.parse import unquote

from fsspec import AbstractFileSystem, get_filesystem_class
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from wake2vec.errors import UserError
from wake2vec.storage import atomic_path, flush, publish
from wake2vec.training.checkpoints import MANIFEST, steps_of

SNAPSHOTS = "snapshots"
SNAPSHOT_NAME = re.compile(r"step-(\d{1,12})\.safetensors")
CHUNK = 1 << 22  # bytes read and written at once
Entry = Mapping[str, Any]  # {"sha256": hex, "bytes": n}


class Tier(NamedTuple):
    """One tier: its name, its URL, and the filesystem and folder that fsspec makes of that."""

    name: str
    url: str
    fs: AbstractFileSystem
    root: str


class Unusable(Exception):
    """Something is not what it should be, and trying again would not help; the message is a phrase: "x is missing"."""


# What may be said of a tier -------------------------------------------------------------------------------------------


def shown(url: str) -> str:
    """A tier's URL as messages and files may have it: without user, password, keys, query and fragment."""
    scheme, mark, rest = str(url).partition("://")
    if not mark:
        return scheme
    if re.search("[?#].*@", rest, re.DOTALL):  # of a password or of a query? that cannot be told
        return f"{scheme}://…"
    return scheme + mark + re.sub("^(?:[^/:]*:.*|[^/]*)@", "…@", re.split("[?#]", rest)[0], flags=re.DOTALL)


def said(error: BaseException, url: str) -> str:
    """An error in a line, without the secrets of any URL in it."""
    text = str(getattr(error, "strerror", None) or f"{type(error).__name__}: {error}")
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, "…")
    return " ".join(re.sub(r"\w[\w+.-]*://\S*", lambda found: shown(found[0]), text).split())[:300]


def _secrets(url: str) -> set[str]:
    pieces = re.split("[:/@?#&=;]", url.partition("://")[2])
    return {word for piece in pieces for word in (piece, unquote(piece)) if len(word) > 2 and word not in shown(url)}


# One tier -------------------------------------------------------------------------------------------------------------


def check_places(tiers: Mapping[str, str]) -> None:
    """Raise UserError for a place that no copy could ever get to, since this environment cannot speak its protocol."""
    for name, url in tiers.items():
        protocol, mark, _ = url.rpartition("::")[2].partition("://")
        try:
            get_filesystem_class(protocol if mark else "file")
        except ImportError as error:
            raise UserError(
                f"tiers.{name}: {shown(url)} needs a package that is not installed here ({error}). Install it into the "
                "environment that snakemake runs in (s3fs for s3://, gcsfs for gs://), or set the tier to null."
            ) from None
        except ValueError:
            raise UserError(
                f"tiers.{name}: {shown(url)} is of no protocol that fsspec knows. Accepted: a folder, or a URL such as "
                "s3://bucket/folder or gs://bucket/folder."
            ) from None


def open_tier(name: str, url: str, state: Path) -> Tier:
    """The tier at a URL. Raises ValueError for the state folder itself or none, and whatever fsspec raises."""
    if not url:
        raise ValueError("its URL is empty")
    # not one that fsspec has cached: a connection that has died would come back with it
    fs, root = url_to_fs(url, skip_instance_cache=True)
    if isinstance(fs, LocalFileSystem) and Path(root).resolve() == state.resolve():
        raise ValueError("this is the state folder itself; a copy needs a folder of its own")
    return Tier(name, url, fs, root.rstrip("/"))


def names(tier: Tier, folder: str = "") -> dict[str, int]:
    """Name → size, in bytes, of what lies in a folder of a tier."""
    try:
        infos = tier.fs.ls(f"{tier.root}/{folder}".rstrip("/"), detail=True)
    except FileNotFoundError:
        return {}
    return {PurePosixPath(info["name"]).name: info.get("size") or 0 for info in infos}


def read(tier: Tier, path: str) -> bytes | None:
    """A small file's bytes; None where there is none."""
    try:
        return tier.fs.cat_file(f"{tier.root}/{path}")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(CHUNK), b"")


def is_right(tier: Tier, path: str, entry: Entry, deep: bool) -> bool:
    """Whether a file on a tier has the size, and with `deep` the hash, that it should have."""
    try:
        if tier.fs.info(f"{tier.root}/{path}")["size"] != entry["bytes"]:
            return False
        return not deep or _hash_there(tier.fs, f"{tier.root}/{path}") == entry["sha256"]
    except FileNotFoundError:
        return False


def _hash_there(fs: AbstractFileSystem, path: str) -> str:
    digest = hashlib.sha256()
    with fs.open(path, "rb") as file:
        for chunk in _chunks(file):
            digest.update(chunk)
    return digest.hexdigest()


def put(tier: Tier, path: str, source: IO[bytes], entry: Entry | None = None) -> None:
    """Write a file to a tier and read it back. Raises Unusable where `source` is not what `entry` says."""
    fs, target = tier.fs, f"{tier.root}/{path}"
    folder, _, name = target.rpartition("/")
    moves = isinstance(fs, LocalFileSystem)  # elsewhere a move is a second copy
    written = f"{folder}/.{name}.tmp" if moves else target
    fs.makedirs(folder, exist_ok=True)
    digest = hashlib.sha256()
    source.seek(0)
    try:
        with fs.open(written, "wb") as file:
            for chunk in _chunks(source):
                digest.update(chunk)
                file.write(chunk)
        if entry and digest.hexdigest() != entry["sha256"]:
            raise Unusable(f"{name} is not what was written")
        if moves:
            _flush(Path(written))
        if _hash_there(fs, written) != digest.hexdigest():
            raise OSError(errno.EIO, f"{name} reads back differently from what was written")
        if moves:
            fs.mv(written, target)
            _flush(Path(folder))
    except BaseException:
        with suppress(Exception):
            fs.rm_file(written)
        raise


def _flush(path: Path) -> None:
    try:
        flush(path)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # some network drives cannot
            raise


def get(tier: Tier, path: str, target: Path, entry: Entry) -> None:
    """Fetch a file, hashed while it arrives. Raises Unusable."""
    digest, length = hashlib.sha256(), 0
    try:
        with tier.fs.open(f"{tier.root}/{path}", "rb") as source, open(target, "wb") as file:
            for chunk in _chunks(source):
                digest.update(chunk)
                length += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except FileNotFoundError:
        raise Unusable(f"{path} is missing") from None
    if length != entry["bytes"]:
        raise Unusable(f"{path} has {length:,} of {entry['bytes']:,} bytes")
    if digest.hexdigest() != entry["sha256"]:
        raise Unusable(f"{path} is not what was written")


# Checkpoints on a tier ------------------------------------------------------------------------------------------------


def checkpoints(tier: Tier) -> list[tuple[str, bytes | None, dict[str, Any] | None]]:
    """(name, manifest's bytes, manifest) of a tier's checkpoints, newest first; None for what is missing or damaged."""
    found = []
    for _, name in steps_of(names(tier)):
        raw = read(tier, f"{name}/{MANIFEST}")
        found.append((name, raw, manifest_in(raw, name)))
    return found


def manifest_in(raw: bytes | None, name: str) -> dict[str, Any] | None:
    """The manifest of the checkpoint `name`; None for one that is cut short or names what no checkpoint may name."""
    manifest = json_in(raw)
    try:
        best, files = manifest["best"], manifest["files"]
        entries = [*files.values(), *([best] if best else [])]
        sound = (
            manifest["schema"] == "checkpoint/1"
            and isinstance(manifest["step"], int)
            and f"checkpoint-{manifest['step']}" == name
            and isinstance(manifest["time"], int | float)
            and isinstance(manifest["fingerprint"], str)
            and all(_is_plain(file) and file != MANIFEST for file in files)
            and (not best or (_is_plain(best["file"]) and best["file"].startswith("best-")))
            and all(map(_is_entry, entries))
        )
        return manifest if sound and files else None
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def _is_plain(name: str) -> bool:
    """Whether a name stays in its folder: manifests on a tier are other people's text."""
    return PurePosixPath(name).name == name and not name.startswith(".")


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("bytes"), int) and isinstance(entry.get("sha256"), str)


def json_in(raw: bytes | None) -> dict[str, Any] | None:
    try:
        value = json.loads(raw)
    except (TypeError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def files_of(manifest: Mapping[str, Any]) -> dict[str, Entry]:
    """Path in the state folder → entry, of all that a checkpoint needs: its best state, then its own files."""
    best = manifest["best"]
    own = {f"checkpoint-{manifest['step']}/{name}": entry for name, entry in manifest["files"].items()}
    return ({best["file"]: best} if best else {}) | own


def bring(
    tier: Tier, raw: bytes, files: Mapping[str, IO[bytes]], deep: bool, between: Callable[[], None] = lambda: None
) -> None:
    """Make a tier hold the checkpoint with these manifest bytes, from its open files: path in the state folder → file.

    What is there already stays if it is right, by its hash with `deep`, else by its size. The manifest is there only
    while all of it is. `between` is called after every file. Raises Unusable where a file here is not what the manifest
    says, and whatever the filesystem raises.
    """
    manifest = json.loads(raw)
    name, wanted = f"checkpoint-{manifest['step']}", files_of(manifest)
    sweep(tier, name)
    there = read(tier, f"{name}/{MANIFEST}")
    missing = [path for path, entry in wanted.items() if not is_right(tier, path, entry, deep)]
    if there is not None and (missing or there != raw):
        tier.fs.rm_file(f"{tier.root}/{name}/{MANIFEST}")
        there = None
    for path in missing:
        put(tier, path, files[path], wanted[path])
        between()
    if there is None:
        put(tier, f"{name}/{MANIFEST}", io.BytesIO(raw))


def fetch(tier: Tier, raw: bytes, state: Path) -> Path:
    """Bring the checkpoint with these manifest bytes, and its best state, into the state folder; whole or not at all.

    Returns its folder there. Raises Unusable, and whatever the filesystem raises.
    """
    manifest, scratch = json.loads(raw), state / ".pull.tmp"
    name, best = f"checkpoint-{manifest['step']}", manifest["best"]
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        (scratch / name).mkdir(parents=True)
        for path, entry in files_of(manifest).items():
            get(tier, path, scratch / path, entry)
        with atomic_path(scratch / name / MANIFEST) as temporary:
            temporary.write_bytes(raw)
        publish(scratch, state, ((best["file"],) if best else ()) + (name,))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return state / name


def sweep(tier: Tier, target: str) -> None:
    """Delete what interrupted copies left, all but the checkpoint that is copied now."""
    for name in names(tier):
        if name.startswith(".") and name.endswith(".tmp"):
            tier.fs.rm_file(f"{tier.root}/{name}")
    for name, raw, _ in checkpoints(tier):
        if json_in(raw) is None and name != target:
            tier.fs.rm(f"{tier.root}/{name}", recursive=True)


def thin_out(tier: Tier, newest: Mapping[str, Any], keep: int) -> None:
    """Delete what a tier needs no more once `newest` is verified there.

    Of its settings the `keep` newest checkpoints stay. Those of other settings go when there are that many and they
    are older. Best states stay that a checkpoint names.
    """
    there = {name: manifest for name, _, manifest in checkpoints(tier) if manifest}
    ours = [name for name, manifest in there.items() if manifest["fingerprint"] == newest["fingerprint"]]
    gone = {name for name in ours[keep:] if name != f"checkpoint-{newest['step']}"}
    if settled := len(ours) >= keep:
        gone |= {n for n, manifest in there.items() if n not in ours and manifest["time"] < newest["time"]}
    for name in gone:
        with suppress(FileNotFoundError):  # without its manifest it is no checkpoint any more, wherever this stops
            tier.fs.rm_file(f"{tier.root}/{name}/{MANIFEST}")
        tier.fs.rm(f"{tier.root}/{name}", recursive=True)
    kept = [newest, *(manifest for name, manifest in there.items() if name not in gone)]
    named = {manifest["best"]["file"] for manifest in kept if manifest["best"]}
    for name in names(tier):
        if name.startswith("best-") and name not in named:
            tier.fs.rm_file(f"{tier.root}/{name}")
    if settled:
        listed = snapshots(tier, newest["fingerprint"])
        for name in names(tier, SNAPSHOTS):
            if SNAPSHOT_NAME.fullmatch(name) and name not in listed:
                tier.fs.rm_file(f"{tier.root}/{SNAPSHOTS}/{name}")


# Snapshots on a tier --------------------------------------------------------------------------------------------------


def snapshots(tier: Tier, fingerprint: str) -> dict[str, Entry]:
    """Name → entry of the snapshots of these settings that a tier has been given."""
    listing = json_in(read(tier, f"{SNAPSHOTS}/{MANIFEST}")) or {}
    files = listing.get("files") if listing.get("fingerprint") == fingerprint else None
    if not isinstance(files, dict):
        return {}
    return {name: entry for name, entry in files.items() if SNAPSHOT_NAME.fullmatch(name) and _is_entry(entry)}


def list_snapshots(tier: Tier, fingerprint: str, files: Mapping[str, Entry]) -> None:
    """Write down which snapshots of these settings a tier holds."""
    listing = {"fingerprint": fingerprint, "files": dict(files)}
    put(tier, f"{SNAPSHOTS}/{MANIFEST}", io.BytesIO(json.dumps(listing, indent=1).encode("utf-8")))
