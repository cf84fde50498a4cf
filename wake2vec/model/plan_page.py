"""plan.md: the numbers of model/plan.py in words and tables, as Markdown."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wake2vec.model.plan import WORTH_SAYING
from wake2vec.report.markdown import Markdown, count, escape, number, percent, several, table

TRAINED = {"new_rows": "new rows", "base_rows": "base rows", "adapter": "LoRA adapter", "body": "transformer"}
HELD = {
    "base": "base",
    "new_rows": "new rows (float32)",
    "adapter": "LoRA adapter (float32)",
    "optimizer": "optimizer state",
    "activations": "activations",
    "loss": "loss",
    "objective": "objective",
    "earlier_gradients": "gradients of earlier forward passes",
}
MOMENTS = {
    "backward": "all of these, as the loss is made",
    "gradients": "gradients, once all are made (float32)",
    "moves": "P3's terms, after the optimizer's step",
    "step": "as the optimizer steps, with these",
    "evaluation": "in an evaluation",
}
OPTIMIZERS = {"adamw": "AdamW", "adafactor": "Adafactor"}
HEADS = {
    "shared": "The head uses the embedding's new rows.",
    "separate": "The head gets new rows of its own.",
    "tie_all": "The embedding serves as the head.",
}
WEIGHTS = {"pretrain": "which this study trains", "path": "which are on the disk already", "hub": "to download"}


def page(needs: Mapping[str, Any]) -> Markdown:
    """The page for a reader. needs: the values of plan.json."""
    parts = (_opening, _gpus, _advice, _rows, _training, _memory, _disk)
    return Markdown("\n\n".join(filter(None, (part(needs).strip("\n") for part in parts))) + "\n")


def gib(size: float) -> str:
    """A number of bytes in GiB with one decimal, without the unit.

    >>> gib(1.25 * 2**30), gib(1000)
    ('1.2', '< 0.1')
    """
    return "< 0.1" if 0 < size < 0.05 * 2**30 else number(size / 2**30, 1)


def plain_name(text: str) -> Markdown:
    """A name without backslashes where no character of it means anything in Markdown; escaped otherwise."""
    return Markdown(text) if re.fullmatch(r"[^\W_]+([ ._-]?[^\W_]+)*", text) else escape(text)


def _table(header: Sequence[str], lines: Iterable[Sequence[str]], align: str = "") -> str:
    """A table of cells that are Markdown: ours, or names that went through `plain_name`."""
    cells = ([Markdown(cell) for cell in line] for line in lines)
    return table([Markdown(cell) for cell in header], cells, align or "l" + "r" * (len(header) - 1)) + "\n"


def _opening(needs: Mapping[str, Any]) -> str:
    base, rows, highest = needs["base"], needs["rows"], needs["highest"]
    head = "whose head is its embedding" if base["tied"] else "with a head of its own"
    text = (
        f"# What {plain_name(needs['name'])} needs\n\n"
        f"The run gives {count(rows['forms'])} new rows, for forms of {count(rows['words'])} words, to the base "
        f"{plain_name(base['name'])}: a {escape(base['architecture'])} of {count(base['parameters'])} parameters "
        f"{head}. This page is worked out from the configuration, the base's config.json and injection.json; no "
        f"weights were needed.\n\n**At its highest point, in {highest['phase'].upper()}, the run takes "
        f"{gib(highest['peak'])} GiB of GPU memory.** {_verdict(needs['gpus'])}\n"
    )
    if needs["overwrites_head"]:
        text += (
            "\n> **Warning.** `head: tie_all` puts the embedding in the place of this base's head, a matrix of its "
            "own: what the head has learnt is lost, and with it the base's predictions. `head: native` keeps it.\n"
        )
    if not rows["forms"]:
        text += (
            "\n> **Warning.** No form gets a row, so that there is nothing to train. Lower `vocabulary.min_fires`.\n"
        )
    return text


def _verdict(gpus: Sequence[Mapping[str, Any]]) -> str:
    fits, lacks = _fitting(gpus), [plain_name(gpu["name"]) for gpu in gpus if gpu["left"] < 0]
    said = (fits and f"It fits {several(fits)}.", lacks and f"It does not fit {several(lacks, 'or')}.")
    return " ".join(filter(None, said))


def _fitting(gpus: Sequence[Mapping[str, Any]]) -> list[str]:
    """The GPUs that have room, and whether they need flash attention for that."""
    condition = {True: "", False: " (with flash attention)"}
    return [plain_name(gpu["name"]) + condition[gpu["left_unfused"] >= 0] for gpu in gpus if gpu["left"] >= 0]


def _gpus(needs: Mapping[str, Any]) -> str:
    if not needs["gpus"]:
        return ""
    highest = needs["highest"]
    more = highest["peak_unfused"] - highest["peak"]
    header, keys = ["GPU", "usable (GiB)", "left or missing (GiB)"], ["left"]
    if more >= WORTH_SAYING:
        header, keys = [*header, "without flash attention (GiB)"], ["left", "left_unfused"]
    lines = [[plain_name(g["name"]), gib(g["usable"]), *(_left(g[key]) for key in keys)] for g in needs["gpus"]]
    text = "The memory that is usable is `plan: gpus:` of the configuration; a GPU of yours can be put there."
    if len(keys) > 1:
        text += (
            " For a GPU older than Ampere, such as a T4 or V100, the last column holds: it has no flash attention, "
            "which heads that share their keys need, and keeps the attention weights of every layer, "
            f"{gib(more)} GiB more at the highest point."
        )
    return f"## GPUs\n\n{_table(header, lines)}{text}"


def _left(size: float) -> str:
    return f"fits, {gib(size)} left" if size >= 0 else f"**{gib(-size)} missing**"


def _advice(needs: Mapping[str, Any]) -> str:
    if not needs["advice"]:
        return ""
    lines = []
    for line in needs["advice"]:
        settings = Markdown("; ".join(_settings(line["settings"])))
        if "vocabulary" in line["settings"]:
            settings += f" ({count(line['rows'])} rows)"
        fits = several(_fitting(line["gpus"])) or "none"
        lines.append([settings + " \\*" * line["science"], gib(line["saves"]), gib(line["peak"]), fits])
    header = ["change", "saves by itself (GiB)", "highest point with all so far (GiB)", "fits then"]
    text = (
        "Try them from the top: each row keeps the changes above it. They are for the phases that do not fit every "
        "GPU; what a change saves by itself, it saves in the phase that gains most."
    )
    if "accumulate" in str(needs["advice"]):
        text += " Half a batch, accumulated twice, trains alike."
    if any(line["science"] for line in needs["advice"]):
        text += " A change with a star makes another experiment, which no longer compares with runs without it."
    last = needs["advice"][-1]
    if any(gpu["left"] < 0 for gpu in last["gpus"]):
        text += f" With all of them the run takes {gib(last['peak'])} GiB; batch and rows can go lower still."
    return f"## To make it smaller\n\n{_table(header, lines, 'lrrl')}{text}"


def _settings(change: Mapping[str, Any]) -> list[str]:
    """A change as the configuration writes it; phases that change alike together."""
    alike: dict[str, list[str]] = {}
    for key, value in change.items():
        block = value if isinstance(value, Mapping) else {key: value}
        said = ", ".join(f"`{name}: {setting}`" for name, setting in block.items())
        alike.setdefault(said, []).append(f"`{key}`" if isinstance(value, Mapping) else "")
    return [f"{said} in {several(keys)}" if keys[0] else said for said, keys in alike.items()]


def _rows(needs: Mapping[str, Any]) -> str:
    base, rows = needs["base"], needs["rows"]
    old, new, everything = count(base["rows"]), count(rows["forms"]), count(base["rows"] + rows["forms"])
    parameters, same, mode = count(rows["forms"] * base["hidden"]), "the same", rows["head"]
    of_base = same if base["tied"] or mode == "tie_all" else old
    lines = [
        ["embedding", old, new, everything, parameters],
        ["head", of_base, *((new, everything, parameters) if mode == "separate" else (same, everything, same))],
    ]
    header = ["matrix", "rows of the base", "new rows", "rows in all", "parameters of the new rows"]
    return (
        f"## Rows\n\n{_table(header, lines)}{HEADS[mode]} Of the words' other forms, {count(rows['reused'])} are "
        f"tokens of the base already and keep their rows; {count(rows['refused'])} get no row, for reasons that "
        "injection.json gives."
    )


def _training(needs: Mapping[str, Any]) -> str:
    phases = needs["phases"]
    used = [part for part in TRAINED if any(numbers[f"trains_{part}"] for numbers in phases.values())]
    lines = []
    for phase, numbers in phases.items():
        each = [numbers[f"trains_{part}"] for part in used]
        share = percent(sum(each) / needs["base"]["parameters"])
        lines.append([phase.upper(), *(count(n) if n else "–" for n in each), count(sum(each)), share])
    header = ["phase", *(TRAINED[part] for part in used), "parameters in all", "compared with the base's"]
    text = "What trains is float32 and has a gradient and optimizer state; everything else is only held."
    if shared := [phase.upper() for phase in phases if needs["settings"][phase]["rows"] != "free"]:
        text += (
            f" The rows of {several(shared)} share the vectors of their parts, which train too and are counted "
            "neither here nor below: for each part (a word, an affix, a piece) as many parameters as a row has."
        )
    return f"## What trains (parameters)\n\n{_table(header, lines)}{text}"


def _memory(needs: Mapping[str, Any]) -> str:
    phases, settings = needs["phases"], needs["settings"]
    labels = HELD | {"base": f"base ({_precision(needs)})"}
    lines = [
        [
            "sequences × tokens in a forward pass",
            *(f"{settings[p]['batch']} × {settings[p]['sequence']}" for p in phases),
        ],
        ["optimizer", *(OPTIMIZERS[settings[phase]["optimizer"]] for phase in phases)],
    ]
    for key, label in labels.items():
        if any(numbers[key] for numbers in phases.values()):
            lines.append([label, *(gib(numbers[key]) if numbers[key] else "–" for numbers in phases.values())])
    lines.append(["CUDA (an allowance)", *(gib(needs["cuda_allowance"]) for _ in phases)])
    for key, label in MOMENTS.items():
        if any(numbers[key] for numbers in phases.values()):
            lines.append([label, *(gib(numbers[key]) if numbers[key] else "–" for numbers in phases.values())])
    lines.append(["**highest point**", *(f"**{gib(numbers['peak'])}**" for numbers in phases.values())])
    return (
        f"## Memory on the GPU (GiB)\n\n{_table(['', *(phase.upper() for phase in phases)], lines)}Activations are "
        "what a forward pass keeps for the backward pass; gradients come as they go, so that a step is highest as the "
        "loss is made or as the optimizer steps. “Loss” is all that is made beside it, logits above all; “objective” "
        "is what P3's terms add where they are part of it. The allowance for CUDA (its context, cuBLAS, the "
        "allocator's rounding) is a round number and not a measurement."
    )


def _precision(needs: Mapping[str, Any]) -> str:
    """What the base is held in: once, or phase by phase."""
    phases, held = needs["phases"], {}
    for phase, numbers in phases.items():
        of = needs["settings"][phase]
        said = ("NF4 and " if of["quantisation"] == "nf4" else "") + of["precision"]
        if of["precision"] != "float32" and (numbers["trains_base_rows"] or numbers["trains_body"]):
            said += "; float32 where it trains"
        held.setdefault(said, []).append(phase.upper())
    return "; ".join(held) if len(held) == 1 else ", ".join(f"{several(of)}: {said}" for said, of in held.items())


def _disk(needs: Mapping[str, Any]) -> str:
    lines = [
        [phase.upper(), *(gib(disk[key]) for key in ("checkpoint", "state", "published"))]
        for phase, disk in needs["disk"].items()
    ]
    header = ["phase", "a checkpoint", "its folder in `state/`, at its fullest", "its results"]
    download = needs["download"]
    return (
        f"## Disk and main memory (GiB)\n\n{_table(header, lines)}A folder in `state/` holds `keep_checkpoints` and "
        "the one that is being written, each with the best state of its time, and snapshots; it can be deleted when "
        "its phase is done.\n\n"
        f"The base's weights, {WEIGHTS[needs['base']['kind']]}, take {gib(download['bytes'])} GiB "
        f"({download['dtype']}). Merging rows and adapter into the unquantised base takes {gib(needs['merge'])} GiB of "
        f"main memory; the checkpoint that comes of it, float32, takes {gib(needs['merged'])} GiB."
    )
