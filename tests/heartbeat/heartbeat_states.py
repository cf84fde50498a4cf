"""State folders as a training job leaves them: true checkpoints, by the code that makes them, and what lies beside."""

import json
import os
import socket
import subprocess
import sys
import time

from wake2vec.storage import write_text
from wake2vec.training.checkpoints import described, save_checkpoint

FINGERPRINT = "f0" * 32
LOG = [
    {"step": 50, "loss": 4.0, "learning_rate": 0.1, "grad_norm": 1.0},
    {"step": 50, "heldout_loss": 4.2, "heldout_bits_per_byte": 1.9, "train_sample_loss": 4.0},
    {"step": 100, "loss": 3.0},
    {"step": 100, "heldout_loss": 3.6, "heldout_bits_per_byte": 1.7, "train_sample_loss": 3.0},
    {"step": 150, "loss": 2.0},
    {"step": 150, "heldout_loss": 3.0, "heldout_bits_per_byte": 1.5, "train_sample_loss": 2.2},
]


def write_checkpoint(state, step, fingerprint=FINGERPRINT, size=1000, age=0.0, best=True):
    """A complete checkpoint, `age` seconds old, of about 2 x `size` bytes, and the best state that it needs."""
    entry = None
    if best:
        name = f"best-{step - step % 100}.safetensors"
        state.mkdir(parents=True, exist_ok=True)
        if not (state / name).exists():
            (state / name).write_bytes(b"b" * 50)
        entry = {"step": step - step % 100, "file": name} | described(state / name)

    def write(folder):
        (folder / "trainable.safetensors").write_bytes(bytes([step % 251]) * size)
        (folder / "optimizer.safetensors").write_bytes(bytes([step % 241]) * size)
        (folder / "random.safetensors").write_bytes(b"r" * 10)
        (folder / "scalars.json").write_text("{}")
        history = [entry for entry in LOG if entry["step"] <= step]
        text = json.dumps({"global_step": step, "max_steps": 400, "log_history": history})
        (folder / "trainer_state.json").write_text(text)

    folder = save_checkpoint(state, step, write, fingerprint, entry)
    if age:
        change_manifest(folder, time=time.time() - age)
    return folder


def change_manifest(folder, **changes):
    path = folder / "manifest.json"
    write_text(path, json.dumps(json.loads(path.read_text("utf-8")) | changes))


def write_status(state, /, age=1.0, **changes):
    """status.json of a job that trains in this process and wrote it `age` seconds ago."""
    now = time.time()
    status = {
        "phase": state.name,
        "model": state.parent.parent.name,
        "state": "training",
        "step": 160,
        "steps": 400,
        "started": now - 600,
        "updated": now - age,
        "every": 2.0,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "tokens_per_second": 1234.5,
        "seconds_left": 4800.0,
        "loss": 2.0,
        "heldout_loss": 3.0,
        "heldout_bits_per_byte": 1.5,
        "best_step": 150,
        "message": None,
        "fingerprint": FINGERPRINT,
    }
    state.mkdir(parents=True, exist_ok=True)
    write_text(state / "status.json", json.dumps(status | changes))


def write_log(state, entries=LOG, end=""):
    state.mkdir(parents=True, exist_ok=True)
    (state / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries) + end)


def write_lock(state, /, age=600.0, **changes):
    lock = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time() - age} | changes
    state.mkdir(parents=True, exist_ok=True)
    (state / "lock").write_text(json.dumps(lock))


def write_snapshots(state, *steps, age=300.0):
    (state / "snapshots").mkdir(parents=True, exist_ok=True)
    for step in steps:
        path = state / f"snapshots/step-{step:06d}.safetensors"
        path.write_bytes(b"s" * 20)
        os.utime(path, (time.time() - age, time.time() - age))


def write_state(state, /, *steps, **changes):
    """A phase at work, with checkpoints at `steps`: the newest is four minutes old, each other four more."""
    for i, step in enumerate(sorted(steps, reverse=True)):
        write_checkpoint(state, step, age=240.0 * (i + 1))
    write_text(state / "fingerprint.json", json.dumps({"fingerprint": FINGERPRINT, "content": {}}))
    write_lock(state, age=changes.get("age", 1.0) + 600)
    write_log(state)
    write_status(state, **changes)


def dead_process():
    """The number of a process that has been, and is not any more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
