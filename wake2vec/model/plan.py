"""What a run will need before anything is downloaded or trained: rows, parameters, memory, disk; and what to change.

The numbers of plan.json, from the configuration, the base's config.json and injection.json. model/memory.py says how
memory is counted, model/plan_page.py puts it all into words.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from wake2vec.errors import UserError
from wake2vec.model.memory import CUDA_ALLOWANCE, estimator
from wake2vec.settings import Model, head_mode, held_in

WORTH_SAYING = 0.05 * 2**30  # bytes; a smaller saving shows as none
SHORTEST = 64  # tokens: no shorter sequence is suggested


def plan(
    name: str,
    config: str | Path,
    architecture: Mapping[str, Any],
    injection: Mapping[str, Any],
    model: Mapping[str, Any],
    gpus: Mapping[str, float],
) -> dict[str, Any]:
    """The values of plan.json: every number of plan.md. Bytes unless a name says otherwise.

    name: the run's key. config: path of the base's config.json, in the base's folder. architecture, injection: values
    of architecture.json and injection.json. model: the run's block, or what decides its size: phases, head, precision,
    quantisation, vocabulary, evaluation, p1, p2, p3. gpus: name -> usable GiB.
    Raises UserError for a configuration that cannot be read, or a model that cannot be followed without its weights.
    """
    settings = read_config(config, architecture)
    estimate = estimator(settings, architecture.get("trust_remote_code", False))
    rows = len(injection["forms"])
    phases = {phase: estimate(model, phase, rows) for phase in model["phases"]}
    highest = _highest(phases)
    head = head_mode(model["head"], architecture["tied"])
    needs = {
        "name": name,
        "base": {"name": Path(config).parent.name, "kind": architecture.get("kind", "hub")}
        | {key: architecture[key] for key in ("architecture", "tied", "rows", "hidden", "parameters")},
        "rows": {
            "forms": rows,
            "words": len({form["word"] for form in injection["forms"]}),
            "reused": len(injection["reused"]),
            "refused": len(injection["not_injectable"]),
            "head": head,
        },
        "settings": {key: model[key] for key in ("precision", "quantisation")}
        | {phase: _steps(model[phase]) | held_in(model, phase) for phase in phases},
        "phases": phases,
        "highest": highest,
        "cuda_allowance": CUDA_ALLOWANCE,
        "gpus": _against(highest, gpus),
        "disk": {phase: _disk(numbers, phase, model[phase]) for phase, numbers in phases.items()},
        "download": _download(settings, architecture["parameters"]),
        "merge": _merge(estimate, model, architecture, head, rows),
        "merged": _merged(architecture, head, rows),
        "overwrites_head": model["head"] == "tie_all" and not architecture["tied"],
    }
    tight = any(gpu["left"] < 0 or gpu["left_unfused"] < 0 for gpu in needs["gpus"])
    return needs | {"advice": _advice(estimate, model, injection["forms"], head, gpus) if tight else []}


def read_config(path: str | Path, architecture: Mapping[str, Any]) -> Any:
    """transformers' configuration of a base, from its config.json; one with code of its own, from where that lies.

    architecture: values of architecture.json. Raises UserError where transformers cannot make sense of it.
    """
    from transformers import AutoConfig

    source, options = path, {}
    if trust := architecture.get("trust_remote_code", False):
        source = architecture.get("location") or architecture["repo"]
        options = {"revision": architecture["commit"]} if architecture.get("commit") else {}
    try:
        return AutoConfig.from_pretrained(source, trust_remote_code=trust, **options)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: transformers cannot read this configuration of a base ({type(error).__name__}). "
            "Delete it and run the same command again, which brings it anew."
        ) from None


def _steps(settings: Mapping[str, Any]) -> dict[str, Any]:
    steps = {key: settings[key] for key in ("batch", "accumulate", "sequence", "optimizer")}
    return steps | {"rows": settings.get("rows", "free")}


def _highest(phases: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    phase = max(phases, key=lambda phase: phases[phase]["peak"])
    return {
        "phase": phase,
        "peak": phases[phase]["peak"],
        "peak_unfused": max(numbers["peak_unfused"] for numbers in phases.values()),
    }


def _against(highest: Mapping[str, Any], gpus: Mapping[str, float]) -> list[dict[str, Any]]:
    """What is left on each GPU (negative: missing), with flash attention and without."""
    return [
        {"name": name, "usable": usable * 2**30}
        | {f"left{kind}": usable * 2**30 - highest[f"peak{kind}"] for kind in ("", "_unfused")}
        for name, usable in gpus.items()
    ]


def _disk(numbers: Mapping[str, int], phase: str, settings: Mapping[str, Any]) -> dict[str, int]:
    """A checkpoint (what trains and the optimizer's state); the state folder at its largest: the checkpoints that are
    kept and the one being written, each with another best state, and the snapshots; and what is published: rows three
    times (the phase's own, best and final; snapshots are the same files once more), an adapter or a body once.
    """
    trained = numbers["gradients"]  # float32, as the parameters themselves
    checkpoint = trained + numbers["optimizer"]
    base_rows = 4 * numbers["trains_base_rows"]
    published = trained if phase == "p2" else 3 * (numbers["new_rows"] + base_rows) + 4 * numbers["trains_adapter"]
    every = settings.get("snapshot_every")
    snapshots = settings["steps"] // every * (numbers["new_rows"] + base_rows) if every else 0
    state = (settings["keep_checkpoints"] + 1) * (checkpoint + trained) + snapshots
    return {"checkpoint": checkpoint, "state": state, "published": published}


def _download(config: Any, parameters: int) -> dict[str, Any]:
    """Size of the checkpoint's weights, in the precision that its configuration names (float32 where it names none)."""
    import torch

    dtype = config.get_text_config().dtype or torch.float32
    dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    return {"bytes": parameters * dtype.itemsize, "dtype": str(dtype).removeprefix("torch.")}


def _merge(estimate, model: Mapping[str, Any], architecture: Mapping[str, Any], head: str, rows: int) -> int:
    """Main memory that merging takes: base, rows, adapter, and the matrices that join base and new rows, in float32."""
    last = model["phases"][-1]
    held = {"precision": "float32", "quantisation": "none"}
    numbers = estimate(model | held | {last: model[last] | dict.fromkeys(held)}, last, rows)
    return sum(numbers[name] for name in ("base", "new_rows", "adapter")) + _joined(architecture, head, rows)


def _merged(architecture: Mapping[str, Any], head: str, rows: int) -> int:
    """Bytes of the merged checkpoint's weights, float32: the transformer, and the matrices of base and new rows."""
    base = (1 if architecture["tied"] else 2) * architecture["rows"] * architecture["hidden"]
    return 4 * (architecture["parameters"] - base) + _joined(architecture, head, rows)


def _joined(architecture: Mapping[str, Any], head: str, rows: int) -> int:
    """Bytes of base and new rows in one float32 matrix, or in two where embedding and head differ."""
    matrices = 1 if head == "tie_all" or (architecture["tied"] and head == "shared") else 2
    return matrices * 4 * (architecture["rows"] + rows) * architecture["hidden"]


def _advice(
    estimate, model: Mapping[str, Any], forms: list[Mapping[str, Any]], head: str, gpus: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Settings that lower the phases that do not fit the smallest GPU, in the order to try them: the most that each
    saves such a phase by itself, and how high the run is with it and those above it.
    """

    def peaks(changed: Mapping[str, Any], rows: int) -> dict[str, dict[str, int]]:
        return {phase: estimate(changed, phase, rows) for phase in changed["phases"]}

    def saved(before, changed: Mapping[str, Any] | None, rows: int) -> int:
        then = peaks(changed, rows) if changed else before
        return max((before[phase]["peak"] - then[phase]["peak"] for phase in high), default=0)

    together, rows = model, len(forms)
    start = now = peaks(model, rows)
    limit = 2**30 * min(gpus.values())
    advice = []
    for change in _changes(model, head):
        high = [phase for phase, numbers in now.items() if numbers["peak_unfused"] > limit]
        fires = change.get("vocabulary", {}).get("min_fires", 0)
        fire = sum("count_synthetic" in form or form["count_train"] >= fires for form in forms)  # those need not fire
        left = min(rows, fire)
        # of a change in several phases, what does something
        change = {k: v for k, v in change.items() if saved(now, _changed(together, {k: v}), left) >= WORTH_SAYING}
        if not change:
            continue
        by_itself = saved(start, _changed(model, change), fire)
        together, rows = _changed(together, change), left
        now = peaks(together, rows)
        highest = _highest(now)
        science = "head" in change or any(
            not {"train", "kind"}.isdisjoint(block) for block in change.values() if isinstance(block, Mapping)
        )
        line = {"settings": change, "rows": rows, "science": science, "saves": by_itself}
        advice.append(line | {"peak": highest["peak"], "gpus": _against(highest, gpus)})
    return advice


def _changes(model: Mapping[str, Any], head: str) -> list[dict[str, Any]]:
    """Changes of settings, in the order to try them; those that make another experiment of the run come last."""
    phases = {phase: model[phase] for phase in model["phases"]}
    halved = {
        phase: {"batch": now["batch"] // 2, "accumulate": 2 * now["accumulate"]}
        for phase, now in phases.items()
        if now["batch"] % 2 == 0
    }
    adafactor = {phase: {"optimizer": "adafactor"} for phase, now in phases.items() if now["optimizer"] == "adamw"}
    new_rows = {phase: {"train": "new"} for phase, now in phases.items() if now.get("train", "new") != "new"}
    return [
        {"quantisation": "nf4"} if model["quantisation"] == "none" else {},
        {"precision": "bfloat16"} if model["precision"] == "float32" else {},
        halved,
        {p: {"sequence": now["sequence"] // 2} for p, now in phases.items() if now["sequence"] >= 2 * SHORTEST},
        adafactor,
        {"vocabulary": {"min_fires": 2 * max(1, model["vocabulary"]["min_fires"])}},
        new_rows,
        {"p2": {"kind": "lora"}} if "p2" in phases and model["p2"]["kind"] == "full" else {},
        {"head": "shared"} if head == "separate" else {},
    ]


def _changed(model: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any] | None:
    """The run's block with a change, or None where there is no change or the block would be refused."""
    changed = dict(model)
    for key, value in change.items():
        changed[key] = {**model[key], **value} if isinstance(value, Mapping) else value
    try:
        Model.model_validate({"base": "any", "corpus": "any", **changed})
    except ValidationError:
        return None
    return changed if change else None
