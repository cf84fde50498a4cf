"""Checkpoints from the Hugging Face hub, at a pinned revision, or from a folder."""

from pathlib import Path
from typing import Any

from wake2vec.bases.checkpoint import describe
from wake2vec.errors import UserError

WEIGHTS = ["*.safetensors", "*.safetensors.index.json", "*.json", "tokenizer.model", "*.txt", "tekken.json"]


def fetch(repo: str, revision: str) -> Path:
    """Download a checkpoint (weights as safetensors, configuration, tokenizer) into the hub's cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=WEIGHTS))
    except GatedRepoError:
        raise UserError(
            f"{repo} asks for its licence to be accepted: open https://huggingface.co/{repo}, accept it, make a read "
            "token at https://huggingface.co/settings/tokens and log in with `hf auth login` (or set HF_TOKEN)."
        ) from None
    except RevisionNotFoundError:
        raise UserError(
            f"{repo} has no revision {revision!r}: its commits are at https://huggingface.co/{repo}/commits."
        ) from None
    except RepositoryNotFoundError:
        raise UserError(f"the hub has no repository {repo!r} (or it is private and no token is set).") from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UserError(
            f"{repo} at {revision} could not be downloaded ({type(error).__name__}). Without a network, put "
            "the checkpoint in a folder and use `kind: path` with `path:`."
        ) from None


def cached_folder(repo: str, revision: str) -> Path:
    """The folder of a checkpoint that `fetch` has brought; fetched again where the cache was emptied."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=WEIGHTS, local_files_only=True))
    except LocalEntryNotFoundError:
        return fetch(repo, revision)


def register(settings: dict[str, Any], out: Path) -> dict[str, Any]:
    """Bring a hub or local base, save its tokenizer as tokenizer.json into `out`, and return the manifest's values."""
    trust = settings.get("trust_remote_code", False)
    if settings["kind"] == "hub":
        folder, where = fetch(settings["repo"], settings["revision"]), {"location": None}
    else:
        folder = Path(settings["path"]).resolve()
        if not (folder / "config.json").exists():
            raise UserError(
                f"{settings['path']}: no checkpoint there (config.json is missing). "
                "Set `path:` of the base to its folder."
            )
        where = {"location": str(folder)}
    save_fast_tokenizer(folder, out, trust)
    return settings | where | describe(folder, trust)


def save_fast_tokenizer(folder: Path, out: Path, trust_remote_code: bool = False) -> None:
    """Save any checkpoint's tokenizer as the one file tokenizer.json, loaded as it is (see tokenizer_class below)."""
    import json

    from transformers import AutoTokenizer

    from wake2vec.storage import write_text

    tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, trust_remote_code=trust_remote_code)
    if not tokenizer.is_fast:
        raise UserError(f"{folder}: its tokenizer has no fast form, which whole-word injection needs.")
    tokenizer.save_pretrained(out)
    path = out / "tokenizer_config.json"
    config = json.loads(path.read_text("utf-8"))
    # with a named class transformers 5 rebuilds the pipeline and drops an added pre-tokenizer without a word
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    write_text(path, json.dumps(config, ensure_ascii=False, indent=1))
