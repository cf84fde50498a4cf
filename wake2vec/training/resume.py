"""What a resumed run needs, besides the trained weights, to equal the uninterrupted one: the optimizer's state, the
learning rate's schedule, every random generator, and the loss that has been summed but not logged.

Tensors go to safetensors and plain values to JSON (whose floats come back bit for bit); nothing is pickled.
"""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wake2vec.storage import load_arrays, read_text, save_arrays, write_text

OPTIMIZER, RANDOM, SCALARS = "optimizer.safetensors", "random.safetensors", "scalars.json"


def save_state(folder: Path, optimizer: Any, schedule: Any, running: Mapping[str, float]) -> None:
    """Write optimizer, schedule, random states and `running` (plain values of the loop) into a folder."""
    state = optimizer.state_dict()
    arrays, values = {}, {}
    for parameter, entries in state["state"].items():
        for name, value in entries.items():
            if torch.is_tensor(value):
                arrays[f"{parameter}.{name}"] = value.detach().cpu().numpy()
            else:
                values[f"{parameter}.{name}"] = value
    save_arrays(folder / OPTIMIZER, arrays, hashed=False)
    arrays, generators = random_states()
    save_arrays(folder / RANDOM, arrays, hashed=False)
    scalars = {
        "optimizer": {"values": values, "groups": state["param_groups"]},
        "schedule": schedule.state_dict(),
        "random": generators,
        "running": dict(running),
    }
    write_text(folder / SCALARS, json.dumps(scalars))


def load_optimizer(folder: Path, optimizer: Any, schedule: Any) -> None:
    """Give an optimizer and its schedule the state that `save_state` wrote."""
    saved = read_scalars(folder)
    state: dict[int, dict[str, Any]] = {}
    arrays = {name: torch.from_numpy(array) for name, array in load_arrays(folder / OPTIMIZER).items()}
    for key, value in {**arrays, **saved["optimizer"]["values"]}.items():
        parameter, name = key.split(".", 1)
        state.setdefault(int(parameter), {})[name] = value
    groups = [
        {name: tuple(value) if name == "betas" else value for name, value in group.items()}
        for group in saved["optimizer"]["groups"]
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    schedule.load_state_dict(saved["schedule"])


def read_scalars(folder: Path) -> dict[str, Any]:
    """The plain values that `save_state` wrote."""
    return json.loads(read_text(folder / SCALARS))


def random_states() -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The state of Python's, NumPy's and torch's generators (every GPU's too): arrays, and plain values."""
    kind, key, position, has_gauss, gauss = np.random.get_state()
    version, internal, following = random.getstate()
    arrays = {"numpy": key, "python": np.array(internal, np.uint64), "torch": torch.get_rng_state().numpy()}
    if torch.cuda.is_available():
        arrays |= {f"cuda.{i}": state.numpy() for i, state in enumerate(torch.cuda.get_rng_state_all())}
    return arrays, {"numpy": [kind, position, has_gauss, gauss], "python": [version, following]}


def restore_random(folder: Path) -> None:
    """Put every random generator into the state that was saved."""
    arrays, values = load_arrays(folder / RANDOM), read_scalars(folder)["random"]
    kind, position, has_gauss, gauss = values["numpy"]
    np.random.set_state((kind, arrays["numpy"], position, has_gauss, gauss))
    version, following = values["python"]
    random.setstate((version, tuple(int(n) for n in arrays["python"]), following))
    torch.set_rng_state(torch.from_numpy(arrays["torch"]))
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            if f"cuda.{i}" in arrays:
                torch.cuda.set_rng_state(torch.from_numpy(arrays[f"cuda.{i}"]), i)
