"""What a base is, before any of its weights are there: its architecture and its tokenizer, or why it is refused."""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wake2vec.bases.checkpoint import WEIGHTS, names_of, shards, weight_files
from wake2vec.errors import UserError
from wake2vec.storage import publish, read_text, sha256, write_text

CHAT_TEMPLATE, OTHER_TEMPLATES = "chat_template.jinja", "additional_chat_templates"
SOURCE = {"repo": None, "revision": None, "commit": None, "trust_remote_code": False, "location": None}
# what a causal model's class is called in a config.json, in any of transformers' spellings
CAUSAL = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
# settings under which logits are more than head x hidden state, or a token has more than one row
MORE_THAN_ROWS = ("logit_scale", "logits_scaling", "lm_head_multiplier", "vocab_size_per_layer_input")


def describe_base(base: str, settings: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Bring what describes a hub or local base and return the values of architecture.json; no weights are fetched.

    base: its key under `bases:`. settings: its block (`kind: hub` or `path`). out: where tokenizer.json,
    tokenizer_config.json and config.json are written. Raises UserError where the base cannot be had, or cannot be
    given new rows.
    """
    trust = settings.get("trust_remote_code", False)
    if settings["kind"] == "hub":
        from wake2vec.bases.hub import fetch_description

        folder, commit = fetch_description(settings["repo"], settings["revision"], base, trust)
        where, source = f"bases.{base}.repo: {settings['repo']}", {"commit": commit}
    else:
        folder = Path(settings["path"]).resolve()
        where, source = f"bases.{base}.path: {settings['path']}", {"location": str(folder)}
        if not (folder / "config.json").exists():
            raise UserError(
                f"{where}: no checkpoint there (config.json is missing in {folder}). Accepted: a folder with "
                "config.json, a tokenizer and weights as safetensors, as save_pretrained writes it."
            )
    architecture = architecture_of(folder, trust, where)
    if shards(folder) != [WEIGHTS]:  # named in the index, before any shard is there
        names_of(weight_files(folder), architecture, where)
    save_tokenizer(folder, out, architecture["rows"], trust, where)
    write_text(out / "config.json", read_text(folder / "config.json"))
    return SOURCE | settings | source | architecture


def architecture_of(folder: Path, trust_remote_code: bool = False, where: str = "the base") -> dict[str, Any]:
    """What a checkpoint's config.json says of its matrices: class, tying, rows, hidden, parameters, names, files.

    The model is built without memory for its weights. Raises UserError for one that cannot be given new rows.
    """
    import torch
    import transformers
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        written = json.loads((folder / "config.json").read_text("utf-8"))
        kind, own_code = written.get("model_type"), written.get("auto_map") or {}
    except (ValueError, AttributeError):
        raise UserError(f"{where}: its config.json is no JSON object. Download or copy it again.") from None
    known = kind in transformers.CONFIG_MAPPING
    if not trust_remote_code and own_code and not known:
        raise UserError(
            f"{where} brings code of its own ({', '.join(sorted(own_code))}), which is not run unless you say so. Read "
            "it, then set `trust_remote_code: true` for this base (kind: hub)."
        )
    if not own_code and not known:
        raise UserError(
            f"{where}: transformers {transformers.__version__} knows no model_type {kind!r}. "
            "Accepted: decoder-only models such as llama, mistral, qwen2 or gpt2."
        )
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # whatever a stranger's file makes of it
        raise UserError(
            f"{where}: transformers {transformers.__version__} cannot read its config.json ({_in_a_line(error)})."
        ) from None
    causal = type(config) in transformers.MODEL_FOR_CAUSAL_LM_MAPPING or (
        trust_remote_code and "AutoModelForCausalLM" in own_code
    )
    if config.is_encoder_decoder or not causal:
        raise UserError(
            f"{where} is no causal language model: its model_type is {kind}. Accepted: decoder-only models with a "
            "head, such as Llama, Mistral, Qwen or GPT-2."
        )
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
    except Exception as error:
        raise UserError(f"{where}: no model can be built from its config.json ({_in_a_line(error)}).") from None
    _refuse(model, written.get("architectures") or [], where)
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    return {
        "architecture": type(model).__name__,
        "tied": outputs.weight is inputs.weight,
        "rows": inputs.weight.shape[0],
        "hidden": inputs.weight.shape[1],
        "parameters": sum(p.numel() for p in model.parameters()),
        "names": {"embedding": _names(model, inputs), "head": _names(model, outputs)},
        "files": {"config.json": sha256(folder / "config.json")},
    }


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _refuse(model: Any, architectures: list[str], where: str) -> None:
    """Raise UserError for a model whose head or embedding is more than a matrix of rows."""
    from torch import nn

    name, config = type(model).__name__, model.config.get_text_config()
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    tied = outputs is not None and outputs.weight is inputs.weight
    found = None
    if outputs is None or not (tied or not architectures or any(a.endswith(CAUSAL) for a in architectures)):
        found = f"no language model's head ({', '.join(architectures) or name})"
    elif outputs.bias is not None:
        found = f"a head with a bias ({name})"
    elif type(inputs) is not nn.Embedding and not hasattr(inputs, "scalar_embed_scale"):
        found = f"an embedding of a kind of its own ({type(inputs).__name__})"
    elif scaled := [key for key in MORE_THAN_ROWS if getattr(config, key, None) not in (None, 1)]:
        found = f"{scaled[0]} = {getattr(config, scaled[0])} ({name}), which new rows would not follow"
    if found:
        raise UserError(
            f"{where} has {found}. Accepted: a head that is one matrix without a bias, as in Llama, Mistral, Qwen, "
            "Gemma, Phi-3, Pythia or GPT-2. No weights were downloaded; choose another base."
        )


def _names(model: Any, module: Any) -> list[str]:
    """Names that a matrix may have in a checkpoint, likeliest first: as save_pretrained writes it, as the model has it,
    and both without the prefix of the body (as GPT-2's files have it).
    """
    from transformers.core_model_loading import revert_weight_conversion

    own = next(name for name, other in model.named_modules() if other is module) + ".weight"
    names = [*revert_weight_conversion(model, {own: module.weight}), own]
    return list(dict.fromkeys([*names, *(name.removeprefix(model.base_model_prefix + ".") for name in names)]))


def save_tokenizer(
    folder: Path, out: Path, rows: int, trust_remote_code: bool = False, where: str = "the base"
) -> None:
    """Save a checkpoint's tokenizer as tokenizer.json and tokenizer_config.json, to be loaded as it is.

    rows: of the embedding matrix. Raises UserError for a tokenizer that words cannot be put into.
    """
    from transformers import AutoTokenizer

    accepted = "Accepted: a byte-pair tokenizer with a fast form (tokenizer.json, or files that convert to one)."
    try:
        # a tekken.json beside a tokenizer.json would be taken first, in a form that is not fast
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code, mistral_format=False)
    except Exception as error:
        raise UserError(f"{where}: its tokenizer cannot be loaded ({_in_a_line(error)}). {accepted}") from None
    if not tokenizer.is_fast:
        raise UserError(f"{where}: its tokenizer, {type(tokenizer).__name__}, has no fast form. {accepted}")
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["type"]
    if model != "BPE":
        raise UserError(f"{where}: its tokenizer, {type(tokenizer).__name__}, is a {model} model. {accepted}")
    if rowless := sorted(token for token, i in tokenizer.get_vocab().items() if i >= rows):
        raise UserError(
            f"{where}: its tokenizer has ids past the {rows} rows of the embedding: {', '.join(rowless[:5])}. New "
            "words would take these ids. Remove the tokens from a copy of the checkpoint, and use `kind: path`."
        )
    if tokenizer.bos_token is None and tokenizer.eos_token is None:
        raise UserError(
            f"{where}: its tokenizer has no token that begins a text. Accepted: a bos_token or an eos_token."
        )
    # what a fine-tuning left in the file: passages would be cut and filled up without a word
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        tokenizer.save_pretrained(scratch)
        path = Path(scratch, "tokenizer_config.json")
        config = json.loads(path.read_text("utf-8"))
        # with a named class transformers 5 rebuilds the pipeline and drops an added pre-tokenizer without a word
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
        config["padding_side"] = tokenizer.padding_side  # which was the class's own (Llama, Gemma: left)
        write_text(path, json.dumps(config, ensure_ascii=False, indent=1))
        template = Path(scratch, CHAT_TEMPLATE)
        (out / CHAT_TEMPLATE).unlink(missing_ok=True)
        if others := sorted(path.stem for path in Path(scratch).glob(f"{OTHER_TEMPLATES}/*")):
            print(
                f"{where}: of its chat templates {', '.join(others)} are not kept, only the default.", file=sys.stderr
            )
        if template.exists():  # a chat model's; exported with the merged checkpoint
            publish(Path(scratch), out, (CHAT_TEMPLATE,))
        publish(Path(scratch), out, ("tokenizer.json", "tokenizer_config.json"))
