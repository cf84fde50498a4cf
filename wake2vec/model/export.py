"""A finished run as a plain checkpoint: rows and adapter merged into the full-precision base, tokenizer beside them.

What comes out is what transformers itself writes, and nothing of wake2vec is needed to load it: AutoModelForCausalLM
and AutoTokenizer do. A quantised run is merged into the unquantised base, because merging into four bits would shift
the logits.

It is float32 whatever the run's precision. Rows and adapters are float32, and what they add to a weight is often less
than half a step of bfloat16 there: merged into bfloat16, most of a gentle adapter would be gone. The base is read as
its checkpoint has it, and float32 holds all of float16 and bfloat16. Who wants half the size loads it with a `dtype`.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from wake2vec.bases.checkpoint import folder_of
from wake2vec.bases.describe import CHAT_TEMPLATE
from wake2vec.errors import UserError
from wake2vec.storage import sha256

# a tokenizer class that leaves tokenizer.json as it is, for the model types whose own class does not
AS_IT_IS = """from transformers import PreTrainedTokenizerFast


class AsItIs(PreTrainedTokenizerFast):
    pass
"""
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def export(paths: Mapping[str, Any], model: Mapping[str, Any], out: str | Path) -> dict[str, Any]:
    """Write the checkpoint into the folder `out`, whole or not at all, and return the values of merged.json.

    paths: manifest, tokenizer (tokenizer.json, with tokenizer_config.json beside it), rows, and what the model has of
    adapter and body. model: head; a precision or quantisation is passed over.

    Returns files (name -> sha256, bytes), architecture, tied, rows (of the merged matrices), new_rows and dtype.
    """
    from wake2vec.model.assemble import assemble
    from wake2vec.model.rows import join

    causal = assemble(
        paths["manifest"],
        **{name: paths.get(name) for name in ("rows", "adapter", "body")},
        head=model["head"],
        merge=True,
        device="cpu",
    )
    new_rows = len(causal.get_input_embeddings().new)
    tied = join(causal)
    checkpoint, tokenizer = folder_of(paths["manifest"]), Path(paths["tokenizer"]).parent
    with whole_folder(Path(out)) as folder:
        for name in TOKENIZER_FILES:
            shutil.copyfile(tokenizer / name, folder / name)
        for template in (checkpoint / CHAT_TEMPLATE, Path(paths["manifest"]).with_name(CHAT_TEMPLATE)):
            if template.exists():
                shutil.copyfile(template, folder / CHAT_TEMPLATE)
        _save(causal, checkpoint, folder)
        _keep_tokenizer(folder)
        files = {path.name: {"sha256": sha256(path), "bytes": path.stat().st_size} for path in sorted(folder.iterdir())}
    return {
        "architecture": type(causal).__name__,
        "tied": tied,
        "rows": causal.config.get_text_config().vocab_size,
        "new_rows": new_rows,
        "dtype": str(causal.dtype).removeprefix("torch."),
        "files": files,
    }


def _save(causal: Any, checkpoint: Path, folder: Path) -> None:
    """Model and configuration as transformers writes them; the generation configuration is the base's own file."""
    if type(causal).__module__.startswith("transformers."):
        vars(causal.config).pop("auto_map", None)  # names files of the hub's repository (Phi-3.5) that nothing needs
    generation = checkpoint / "generation_config.json"
    if generation.exists():
        # transformers refuses to write settings that it finds odd, and widely used checkpoints have such
        causal.generation_config = type(causal.generation_config)()
    causal.save_pretrained(folder)
    for weights in folder.glob("*.safetensors"):
        shutil.copymode(folder / "config.json", weights)  # safetensors lets only the owner read them
    if generation.exists():
        shutil.copyfile(generation, folder / generation.name)


def _keep_tokenizer(folder: Path) -> None:
    """See to it that AutoTokenizer loads the folder's tokenizer.json as it is.

    For some model types (qwen2) transformers 5 takes a class of its own whatever tokenizer_config.json says, which
    rebuilds the pipeline from vocabulary and merges, and no new word would ever be found. A class that the folder
    brings makes it trust the file again, with `trust_remote_code` and without. Raises UserError where it does not.
    """
    if _loads_as_it_is(folder):
        return
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    config["auto_map"] = {"AutoTokenizer": ["tokenization_as_it_is.AsItIs", None]}
    (folder / "tokenization_as_it_is.py").write_text(AS_IT_IS, "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1), "utf-8")
    if not _loads_as_it_is(folder):
        raise UserError(
            "the merged checkpoint would lose its new words: for this architecture, transformers "
            f"{version('transformers')} loads another tokenizer than its tokenizer.json. Use the run's tokenizer "
            "folder and rows as they are."
        )


def _loads_as_it_is(folder: Path) -> bool:
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    loaded = json.loads(AutoTokenizer.from_pretrained(folder, trust_remote_code=False).backend_tokenizer.to_str())
    written = json.loads(Tokenizer.from_file(str(folder / "tokenizer.json")).to_str())
    added = {token["content"]: token["id"] for token in loaded["added_tokens"]}
    return all(loaded[part] == written[part] for part in ("normalizer", "pre_tokenizer", "model", "decoder")) and all(
        added.get(token["content"]) == token["id"] for token in written["added_tokens"]
    )


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `out`; on success flush its files to the disk and rename it to `out`.

    A folder that `out` names already stays until the new one is complete. What a killed process left is cleared away.
    """
    new, old = out.with_name(f".{out.name}.new"), out.with_name(f".{out.name}.old")
    _tidy(out, new, old)
    new.mkdir(parents=True)
    try:
        yield new
        for path in (*new.iterdir(), new):
            _flush(path)
        if out.exists():
            out.rename(old)
        new.rename(out)
        _flush(out.parent)
    finally:
        _tidy(out, new, old)


def _tidy(out: Path, new: Path, old: Path) -> None:
    if old.exists() and not out.exists():  # stopped between the two renames
        old.rename(out)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
