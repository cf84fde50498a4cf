"""Which states of a training run are sweet, plateau and fried, and which saved rows stand for them. No torch.

The rule looks at the evaluated lines of history.csv, in nats per token:

    sweet     the step of the lowest held-out loss (the first, where two are equal).
    plateau   the first evaluated step from which on held-out loss has stopped improving: no later evaluation is below
              it by more than `plateau` (1 %) of the whole fall, the first held-out loss minus the lowest. It lies at
              sweet or before.
    fried     memorised: the first evaluated step after sweet where the gap, held-out loss minus the training sample's,
              exceeds the gap at sweet by more than `fried_gap` (0.5) and held-out loss exceeds its lowest by more than
              `fried_rise` (0.02). A gap alone is no harm, and held-out loss alone wavers.

A run need not get fried. The gap of every evaluation and the largest of them say how far a meltdown has come.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wake2vec.errors import UserError
from wake2vec.layout import step_name
from wake2vec.settings import REGIMES
from wake2vec.storage import atomic_path, read_values

REACH = 2  # evaluation intervals: rows saved further from a regime than this do not stand for it


def regimes(history: pd.DataFrame, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Find the regimes of a run by the module's rule.

    history: columns step, heldout_loss, train_sample_loss; lines without an evaluation are left out. thresholds:
    `plateau`, `fried_gap`, `fried_rise` of the configuration.

    Returns {"sweet" | "plateau" | "fried": {"step": int or None, "reason": text}, "interval": steps between two
    evaluations, "evaluated": [{"step", "heldout_loss", "train_sample_loss", "gap"}], "largest_gap": {"step", "gap"}}.
    Raises UserError when nothing was evaluated.
    """
    wanted = ["step", "heldout_loss", "train_sample_loss"]
    lines = history[wanted].replace([np.inf, -np.inf], np.nan).dropna() if set(wanted) <= set(history) else []
    if not len(lines):
        raise UserError(
            "history.csv holds no evaluation (heldout_loss with train_sample_loss), so no regime can be found. "
            "Delete it and run the same command again."
        )
    steps = lines["step"].to_numpy(int)
    held_out, sample = (lines[name].to_numpy(float) for name in wanted[1:])
    gap = held_out - sample
    sweet = int(held_out.argmin())
    lowest, fall = held_out[sweet], held_out[0] - held_out[sweet]
    still_to_fall = held_out - np.minimum.accumulate(held_out[::-1])[::-1]
    plateau = int((still_to_fall <= thresholds["plateau"] * fall).argmax())
    growth, rise = gap[sweet + 1 :] - gap[sweet], held_out[sweet + 1 :] - lowest
    fried = np.flatnonzero((growth > thresholds["fried_gap"]) & (rise > thresholds["fried_rise"]))
    worst = int(gap.argmax())
    return {
        "sweet": {"step": int(steps[sweet]), "reason": f"the lowest held-out loss, {lowest:.4g} nats per token"},
        "plateau": {
            "step": int(steps[plateau]),
            "reason": f"from here on held-out loss fell by {still_to_fall[plateau]:.2g} of {fall:.3g} nats per token",
        },
        "fried": {
            "step": int(steps[sweet + 1 + fried[0]]) if len(fried) else None,
            "reason": f"since sweet the gap grew by {growth[fried[0]]:.2f} and held-out loss rose by "
            f"{rise[fried[0]]:.2f} nats per token"
            if len(fried)
            else _never_fried(growth, rise, thresholds),
        },
        "interval": int(np.diff(steps).max(initial=0)),
        "evaluated": [
            {"step": int(step), "heldout_loss": float(h), "train_sample_loss": float(t), "gap": float(g)}
            for step, h, t, g in zip(steps, held_out, sample, gap, strict=True)
        ],
        "largest_gap": {"step": int(steps[worst]), "gap": float(gap[worst])},
    }


def _never_fried(growth: np.ndarray, rise: np.ndarray, thresholds: Mapping[str, float]) -> str:
    if not len(growth):
        return "the run ended at its lowest held-out loss"
    short = []
    if growth.max() <= thresholds["fried_gap"]:
        short.append(f"the gap grew by {max(growth.max(), 0):.2f} of {thresholds['fried_gap']:g} nats")
    if rise.max() <= thresholds["fried_rise"]:
        short.append(f"held-out loss rose by {max(rise.max(), 0):.3f} of {thresholds['fried_rise']:g} nats")
    return " and ".join(short) or "the gap grew and held-out loss rose far enough, but never at the same step"


def choose(found: Mapping[str, Any], saved: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """The saved rows that stand for each regime: those of its very step, else the nearest within two evaluations.

    found: what `regimes` returned. saved: file name -> step, best.safetensors and final.safetensors among them. Rows
    of another regime do not stand in: plateau takes nothing after sweet, fried nothing before or at it.

    Returns regime -> {"wanted": step, "step": step of the rows, "file": name, "reason": None, or in words why there are
    none}, with None for what there is not.
    """
    sweet = found["sweet"]["step"]
    belongs = {"sweet": lambda step: True, "plateau": lambda step: step <= sweet, "fried": lambda step: step > sweet}
    return {name: _nearest(found, name, saved, belongs[name]) for name in REGIMES}


def _nearest(found: Mapping[str, Any], name: str, saved: Mapping[str, int], belongs) -> dict[str, Any]:
    wanted = found[name]["step"]
    none = {"wanted": wanted, "step": None, "file": None}
    if wanted is None:
        return none | {"reason": found[name]["reason"]}
    near = sorted((abs(step - wanted), step, file) for file, step in saved.items() if belongs(step))
    if not near or near[0][0] > REACH * found["interval"]:
        return none | {"reason": f"it was reached at step {wanted}, and no rows were saved near it ({_steps(saved)})"}
    _, step, file = near[0]
    return {"wanted": wanted, "step": step, "file": file, "reason": None}


def _steps(saved: Mapping[str, int]) -> str:
    return "saved: " + (", ".join(str(step) for step in sorted(set(saved.values()))) or "none")


def describe(
    history: str | Path, run: str | Path, snapshots: str | Path, thresholds: Mapping[str, float]
) -> dict[str, Any]:
    """The values of regimes.json: what `regimes` finds in a phase's history.csv, and under `states` what `choose`
    takes for each from its snapshots folder. run: the phase's run.json, for the steps of the best and the final rows.
    """
    found = regimes(pd.read_csv(history), thresholds)
    return found | {"states": choose(found, saved_steps(os.listdir(snapshots), read_values(run)))}


def saved_steps(names: Iterable[str], run: Mapping[str, Any]) -> dict[str, int]:
    """File name -> step of the rows in a snapshots folder. run: the values of run.json.

    >>> saved_steps(["best.safetensors", "step-000050.safetensors"], {"best_step": 75, "final_step": 100})
    {'best.safetensors': 75, 'step-000050.safetensors': 50}
    """
    ends = {f"{end}.safetensors": run[f"{end}_step"] for end in ("best", "final")}
    steps = {}
    for name in sorted(names):
        digits = name.removeprefix("step-").removesuffix(".safetensors")
        if name in ends:
            steps[name] = int(ends[name])
        elif digits.isdigit() and name == f"{step_name(int(digits))}.safetensors":
            steps[name] = int(digits)
    return steps


def use_state(model: str, state: str, files: Mapping[str, str], out: str | Path) -> None:
    """Copy the rows of one state of a model's P1 to `out`.

    state: best, final, a regime, or step-000200. files: snapshots (the folder); run (run.json) for a step; regimes
    (regimes.json) for a regime. Raises UserError when that state was not reached or not saved.
    """
    # no hard link: Snakemake touches what a job made, and all names of one file would turn new with it
    with atomic_path(out) as temporary:
        shutil.copyfile(Path(files["snapshots"]) / _file_of(model, state, files), temporary)


def _file_of(model: str, state: str, files: Mapping[str, str]) -> str:
    """The name of a state's file in the snapshots folder."""
    if state in ("best", "final"):
        return f"{state}.safetensors"
    key = f"models.{model}.p1.snapshot_every"
    if state in REGIMES:
        chosen = read_values(files["regimes"])["states"]
        if chosen[state]["file"] is not None:
            return chosen[state]["file"]
        others = [name for name in ("best", "final", *REGIMES) if name not in chosen or chosen[name]["file"]]
        remedy = (
            f"Train it longer (models.{model}.p1.steps), change the thresholds (models.{model}.regimes)"
            if chosen[state]["wanted"] is None
            else f"Save rows more often ({key}; P1 is then trained again)"
        )
        raise UserError(
            f"P1 of {model} has no rows that are {state}: {chosen[state]['reason']}. {remedy}, or start from another "
            f"state: {', '.join(others)}, or a saved step."
        )
    saved = saved_steps(os.listdir(files["snapshots"]), read_values(files["run"]))
    step = int(state.removeprefix("step-"))
    for name in sorted(saved):
        if saved[name] == step:
            return name
    raise UserError(
        f"P1 of {model} has no rows of step {step} ({_steps(saved)}). Name one of these steps, or set {key} to a "
        f"number that divides {step} (P1 is then trained again)."
    )
