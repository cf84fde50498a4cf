"""Where a base lies and what its rows are: one manifest for built-in, local and hub checkpoints alike.

manifest.json `values`: kind, location ("." means beside the manifest), repo, revision, trust_remote_code, tied, rows
(of the embedding matrix), hidden, embedding and head (tensor names in the checkpoint), files (name -> sha256).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from wake2vec.errors import UserError
from wake2vec.storage import load_arrays, read_values, sha256


def folder_of(manifest_path: str | Path) -> Path:
    """The folder with the checkpoint that a manifest describes."""
    manifest = read_values(manifest_path)
    if manifest["kind"] == "hub":
        from wake2vec.bases.hub import cached_folder

        return cached_folder(manifest["repo"], manifest["revision"])
    return Path(manifest_path).parent / manifest["location"]


def base_rows(manifest_path: str | Path) -> dict[str, np.ndarray]:
    """Embedding and head matrices [rows, d], float32; a tied base has the key "embedding" alone. No torch."""
    manifest, folder = read_values(manifest_path), folder_of(manifest_path)
    names = {"embedding": manifest["embedding"]} | ({} if manifest["tied"] else {"head": manifest["head"]})
    index = weight_files(folder)
    return {side: load_arrays(folder / index[name], [name])[name] for side, name in names.items()}


def weight_files(folder: Path) -> dict[str, str]:
    """Tensor name -> safetensors file, of a checkpoint in one file or in shards."""
    if (folder / "model.safetensors.index.json").exists():
        return json.loads((folder / "model.safetensors.index.json").read_text("utf-8"))["weight_map"]
    if not (folder / "model.safetensors").exists():
        raise UserError(f"{folder}: no model.safetensors (nor an index of shards). wake2vec reads safetensors only.")
    with open(folder / "model.safetensors", "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: "model.safetensors" for name in header if name != "__metadata__"}


def describe(folder: Path, trust_remote_code: bool = False) -> dict[str, Any]:
    """What a manifest says of any checkpoint folder: matrix names and shapes, tying, hashes of its files."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
    stored = weight_files(folder)
    inputs, outputs = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    tied = outputs is inputs or bool(config.tie_word_embeddings)
    return {
        "architecture": type(model).__name__,
        "tied": tied,
        "rows": inputs.shape[0],
        "hidden": inputs.shape[1],
        "parameters": sum(p.numel() for p in {id(p): p for p in model.parameters()}.values()),
        "embedding": _stored_name(model, inputs, stored),
        "head": None if tied else _stored_name(model, outputs, stored),
        "files": {name: sha256(folder / name) for name in sorted(set(stored.values()) | {"config.json"})},
    }


def _stored_name(model, parameter, stored: dict[str, str]) -> str:
    """A parameter's name in the checkpoint: its own, or without the prefix of the body (as GPT-2's files have it)."""
    name = next(name for name, p in model.named_parameters(remove_duplicate=False) if p is parameter)
    for candidate in (name, name.removeprefix(model.base_model_prefix + ".")):
        if candidate in stored:
            return candidate
    raise UserError(f"the checkpoint holds no tensor {name}; it holds, for example, {', '.join(sorted(stored)[:5])}.")
