"""Where a base lies and what its rows are: the same two files for built-in, local and hub checkpoints.

architecture.json `values`, known without weights: kind, repo, revision, commit, trust_remote_code, location ("." means
beside the file; null for the hub's cache), architecture (class name), tied, rows (of the embedding matrix), hidden,
parameters, names (of embedding and head in a checkpoint, likeliest first), files (config.json -> sha256).

manifest.json `values`: the same without `names`, and embedding and head (tensor names as they are stored) and files
(name -> sha256) of all that a model is loaded from.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wake2vec.errors import UserError
from wake2vec.storage import load_arrays, read_values, sha256

# safetensors' names of types, and the significant bits of theirs
TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
BITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


def folder_of(manifest_path: str | Path) -> Path:
    """The folder with the checkpoint that a manifest describes; fetched again where the hub's cache was emptied."""
    manifest = read_values(manifest_path)
    if manifest["kind"] != "hub":
        return Path(manifest_path).parent / manifest["location"]
    from wake2vec.bases.hub import cached_folder, fetch

    repo, commit = manifest["repo"], manifest["commit"]
    folder = cached_folder(repo, commit, sorted(manifest["files"]))
    return folder or fetch(repo, commit, Path(manifest_path).parent.name, manifest["trust_remote_code"])


def positions(path: str | Path) -> int | None:
    """How many tokens a base's text can have. path: its config.json. None where that does not say."""
    config = json.loads(Path(path).read_text("utf-8"))
    config = config.get("text_config") or config  # of a model that sees, too
    return config.get("max_position_embeddings", config.get("n_positions"))


def check_files(manifest_path: str | Path) -> None:
    """Raise UserError where a base's files are not those that were registered, by their hashes."""
    folder = folder_of(manifest_path)
    for name, registered in read_values(manifest_path)["files"].items():
        if not (folder / name).exists() or sha256(folder / name) != registered:
            raise UserError(
                f"{folder / name} is not the file that {manifest_path} describes: it was changed or damaged since. "
                f"Bring the file back, or delete {manifest_path} to take the checkpoint as it is now (everything that "
                "was made from it is made again)."
            )


def base_rows(manifest_path: str | Path, sides: Sequence[str] = ("embedding", "head")) -> dict[str, np.ndarray]:
    """Embedding and head matrices [rows, d], float32; a tied base has the key "embedding" alone. No torch.

    `sides`: which of the two to read.
    """
    manifest, folder = read_values(manifest_path), folder_of(manifest_path)
    names = {"embedding": manifest["embedding"]} | ({} if manifest["tied"] else {"head": manifest["head"]})
    index = weight_files(folder)
    return {side: load_arrays(folder / index[name], [name])[name] for side, name in names.items() if side in sides}


def stored_type(manifest_path: str | Path) -> str:
    """What a checkpoint's embedding is stored in: "float32", "bfloat16", …"""
    manifest, folder = read_values(manifest_path), folder_of(manifest_path)
    name = manifest["embedding"]
    dtype = header(folder / weight_files(folder)[name])[name]["dtype"]
    return TYPES.get(dtype, dtype)


def shards(folder: Path) -> list[str]:
    """The files that hold a checkpoint's weights: one, or those that its index names. They need not be there yet."""
    # one file wins over an index, as it does in transformers
    if (folder / INDEX).exists() and not (folder / WEIGHTS).exists():
        return sorted(set(_index(folder).values()))
    return [WEIGHTS]


def weight_files(folder: Path) -> dict[str, str]:
    """Tensor name -> safetensors file, of a checkpoint in one file or in shards."""
    if shards(folder) != [WEIGHTS]:
        return _index(folder)
    return {name: WEIGHTS for name in header(folder / WEIGHTS)}


def _index(folder: Path) -> dict[str, str]:
    return json.loads((folder / INDEX).read_text("utf-8"))["weight_map"]


def header(path: Path) -> dict[str, dict[str, Any]]:
    """A safetensors file's tensors: name -> dtype, shape, data_offsets. Raises UserError where it is cut short."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length) if length < size else b""
    try:
        tensors = {name: entry for name, entry in json.loads(text).items() if name != "__metadata__"}
    except ValueError:
        tensors = {}
    end = 8 + length + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
    if not tensors or end != size:
        raise UserError(f"{path} is no complete safetensors file ({size} bytes). Copy or download it again.")
    return tensors


def register(base: str, architecture: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the weights of a base that has been described, hash them, and return the manifest's values.

    base: its key under `bases:`. Raises UserError where weights cannot be had, or contradict the architecture.
    """
    if architecture["kind"] == "hub":
        from wake2vec.bases.hub import fetch

        folder = fetch(architecture["repo"], architecture["commit"], base, architecture["trust_remote_code"])
        return manifest_of(folder, architecture, f"bases.{base}.repo")
    return manifest_of(Path(architecture["location"]), architecture, f"bases.{base}.path")


def manifest_of(folder: Path, architecture: Mapping[str, Any], where: str = "the checkpoint") -> dict[str, Any]:
    """A manifest's values: the architecture's, the matrices' names as they are stored, the files' hashes.

    where: the configuration's key, for messages. Raises UserError where the files contradict the architecture.
    """
    if not (folder / "config.json").exists():
        raise UserError(f"{where}: there is no checkpoint in {folder} any more (config.json is missing).")
    if sha256(folder / "config.json") != architecture["files"]["config.json"]:
        raise UserError(
            f"{where}: config.json in {folder} has changed since the base was described. "
            "Describe it again: snakemake --forcerun describe_base."
        )
    files = shards(folder)
    if missing := [name for name in files if not (folder / name).exists()]:
        raise UserError(
            f"{where}: {folder} lacks {', '.join(missing)}. Accepted: weights as safetensors, {WEIGHTS} or {INDEX} "
            "with all the shards that it names. Copy the files there, or convert the checkpoint with save_pretrained."
        )
    tensors = {
        tensor: entry | {"file": folder / name} for name in files for tensor, entry in header(folder / name).items()
    }
    read = ["config.json", *files] if files == [WEIGHTS] else ["config.json", INDEX, *files]
    return (
        {name: value for name, value in architecture.items() if name != "names"}
        | _matrices(tensors, architecture, where)
        | {"files": {name: sha256(folder / name) for name in read}}
    )


def names_of(tensors: Collection[str], architecture: Mapping[str, Any], where: str) -> dict[str, str | None]:
    """The stored names of {"embedding", "head"}, which a tied base may lack. Raises UserError where there is none."""
    names, tied = architecture["names"], architecture["tied"]
    found = {side: next((name for name in names[side] if name in tensors), None) for side in names}
    if tied:
        found["embedding"] = found["embedding"] or found["head"]
    for side in ("embedding",) if tied else ("embedding", "head"):
        if found[side] is None:
            raise UserError(
                f"{where}: the weights hold no {side} ({' or '.join(names[side])}), which "
                f"{architecture['architecture']} has. They hold, for example, {', '.join(sorted(tensors)[:5])}. "
                "Accepted: the whole causal language model, as save_pretrained writes it."
            )
    return found


def _matrices(tensors: Mapping[str, Any], architecture: Mapping[str, Any], where: str) -> dict[str, str | None]:
    """Which stored tensors are {"embedding", "head"}; None is the head of a tied base. Raises UserError."""
    found, tied = names_of(tensors, architecture, where), architecture["tied"]
    for side in ("embedding",) if tied else ("embedding", "head"):
        stored, said = tensors[found[side]]["shape"], [architecture["rows"], architecture["hidden"]]
        if stored != said:
            raise UserError(
                f"{where}: {found[side]} is stored as {stored}; config.json says {said}. "
                "Configuration and weights do not belong together."
            )
    if tied and found["head"] and _content(tensors[found["head"]]) != _content(tensors[found["embedding"]]):
        raise UserError(
            f"{where}: config.json ties embedding and head (tie_word_embeddings), but the weights hold two different "
            f"matrices, {found['embedding']} and {found['head']}. Set tie_word_embeddings to false in the config.json "
            "of a copy, and use `kind: path`."
        )
    return found | ({"head": None} if tied else {})


def _content(tensor: Mapping[str, Any]) -> tuple[str, str]:
    """A stored tensor's type, and the hash of its bytes."""
    start, end = tensor["data_offsets"]
    with open(tensor["file"], "rb") as file:
        first = 8 + int.from_bytes(file.read(8), "little") + start
    data = np.memmap(tensor["file"], np.uint8, "r", first, (end - start,))
    return tensor["dtype"], hashlib.sha256(data).hexdigest()
