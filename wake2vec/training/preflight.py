"""What a base and a user's files have to say against a run's settings, told before any of its phases trains.

The configuration is checked when it is read; these settings can only be held against the base's config.json, against
the words that got rows, or against a file of the user's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wake2vec.bases.checkpoint import positions
from wake2vec.errors import UserError, guess
from wake2vec.storage import read_text, read_values
from wake2vec.training.objective_pairs import GROUP, read_devices

# the six projections of a block that the study adapts, under the names that architectures give them
DEFAULT_TARGETS = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "down_proj")
LORA_TARGETS = {
    "GPT2LMHeadModel": ("c_attn", "c_fc"),  # q, k and v in one, and the up projection; c_proj is output and down both
    "Phi3ForCausalLM": ("qkv_proj", "gate_up_proj", "down_proj"),
} | dict.fromkeys(
    ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Gemma2ForCausalLM"),
    DEFAULT_TARGETS,
)
NEEDED = {  # for a text to have a line: keys of its corpus, and what else
    "synthetic": (("synthetic.forms", "synthetic.sentences"), "above 0, and known prefixes, roots and suffixes in it"),
    "lexicon": (("lexicon.min_count",), "low enough for a coinage to be kept"),
}


def preflight(paths: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """Check all phases of a run, before the first of them trains and before each of the others.

    paths: those that a phase trains from: manifest (beside which config.json and architecture.json lie), injection,
    and the texts that it trains on besides the training text; what only a later phase reads may not be made yet.
    run: `phases` (of each its sequence, and what it has of texts, kind, targets and lambda_device), `context` (of the
    evaluation) and `devices` (a path, or None).
    Raises UserError for a text longer than the base has positions for, LoRA targets that it has no module for, an
    empty text to train on, and devices that cannot be contrasted whichever words are held out.
    """
    base, phases = Path(paths["manifest"]).parent, run["phases"]
    lengths = {f"{phase}.sequence": settings["sequence"] for phase, settings in phases.items()}
    check_lengths(lengths | {"evaluation.context": run["context"]}, positions(base / "config.json"))
    for phase, settings in phases.items():
        check_texts(phase, paths, settings.get("texts", ()))
    if phases.get("p2", {}).get("kind") == "lora":
        check_targets(base / "config.json", read_values(base / "architecture.json"), phases["p2"]["targets"])
    if phases.get("p3", {}).get("lambda_device") and run["devices"] and Path(run["devices"]).exists():
        words = {form["word"] for form in read_values(paths["injection"])["forms"]}
        check_devices(run["devices"], words, phases["p3"]["lambda_device"])


def check_lengths(lengths: Mapping[str, int], positions: int | None) -> None:
    """Raise UserError where a text is longer than the base has positions for (None: it does not say)."""
    for key, length in lengths.items():
        if positions is not None and length > positions:
            raise UserError(
                f"{key}: {length} is more than the {positions} positions that the base has (max_position_embeddings in "
                f"its config.json). Accepted: {positions} or less."
            )


def check_texts(phase: str, paths: Mapping[str, Any], texts: Sequence[str]) -> None:
    """Raise UserError where a text that is to be trained on is empty."""
    for name in texts:
        if name in NEEDED and name in paths and not read_text(paths[name]).strip():
            keys, what = NEEDED[name]
            corpus = f"corpora.{Path(paths[name]).parent.name}"
            raise UserError(
                f"{phase}.texts: {paths[name]} is empty, so that there is no text `{name}` to train on. It needs "
                f"{' and '.join(f'{corpus}.{key}' for key in keys)} {what}; or leave `{name}` out of {phase}.texts."
            )


def lora_targets(architecture: str, chosen: list[str] | None) -> list[str]:
    """The modules that LoRA adapts: the chosen ones, or those of the study under the architecture's own names."""
    return list(chosen or LORA_TARGETS.get(architecture, DEFAULT_TARGETS))


def check_targets(config: str | Path, architecture: Mapping[str, Any], chosen: list[str] | None) -> None:
    """`refuse_missing` of a base, built without its weights.

    config: path of its config.json. architecture: values of its architecture.json.
    """
    name = architecture["architecture"]
    if chosen is None and name in LORA_TARGETS:
        return
    from wake2vec.model.memory import skeleton
    from wake2vec.model.plan import read_config

    trust = architecture.get("trust_remote_code", False)
    refuse_missing(skeleton(read_config(config, architecture), "float32", trust), lora_targets(name, chosen))


def refuse_missing(causal: Any, targets: Sequence[str]) -> None:
    """Raise UserError where a causal model has no linear layer of a name that LoRA is to adapt: a module's path, or
    the end of one, as PEFT reads it.
    """
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    head = causal.get_output_embeddings()
    paths = [path for path, m in causal.named_modules() if isinstance(m, Linear | Conv1D) and m is not head]
    if missing := [target for target in targets if not any(f".{path}".endswith(f".{target}") for path in paths)]:
        names = sorted({path.rsplit(".", 1)[-1] for path in paths})
        raise UserError(
            f"p2.targets: {type(causal).__name__} has no linear layer named {', '.join(missing)}. It has: "
            f"{', '.join(names)}.{guess(missing[0], names)}"
        )


def check_devices(path: str | Path, words: set[str], weight: float) -> None:
    """Raise UserError where a file gives no two devices enough of the words that have rows, before any is held out."""
    counts = Counter(device for word, device in read_devices(path).items() if word in words)
    if sum(count >= GROUP for count in counts.values()) < 2:
        found = ", ".join(f"{device} {count}" for device, count in sorted(counts.items())) or "none"
        raise UserError(
            f"p3.lambda_device: found {weight:g}, but {path} does not give two devices {GROUP} words each that have "
            f"rows (it has: {found}). Add words of the lexicon to it, or set lambda_device to 0."
        )
