"""What goes wrong on real machines, made to go wrong: nothing finished is lost or half-written, and the words help."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.conftest import MODEL, ROWS, block, p1, same
from wake2vec.errors import Interrupted, UserError, out_of_memory
from wake2vec.settings import Adapter, Rows
from wake2vec.storage import load_arrays
from wake2vec.training import fit, phases, trainer

# Inputs ---------------------------------------------------------------------------------------------------------------


def flip(path, at=-1):
    data = bytearray(Path(path).read_bytes())
    data[at] ^= 1
    Path(path).write_bytes(bytes(data))


def test_damaged_rows_are_found_by_their_hash(run, tmp_path):
    flip(run["rows"])
    with pytest.raises(UserError, match=r"rows.safetensors is damaged: its numbers are not those that were written"):
        p1(run, tmp_path)


def test_a_damaged_base_is_found_by_its_hash(run, tmp_path):
    shutil.copytree(Path(run["manifest"]).parent, tmp_path / "base")
    flip(tmp_path / "base/model.safetensors")
    with pytest.raises(UserError, match=r"model.safetensors is not the file that .*manifest.json describes"):
        p1(run | {"manifest": str(tmp_path / "base/manifest.json")}, tmp_path)


# Faults while training ------------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_stops_with_the_last_good_state(run, tmp_path, capsys):
    wild = ROWS | {"learning_rate": 1e30, "schedule": "constant", "checkpoint_every": 1, "warmup": 0.0}
    with pytest.raises(UserError, match=r"P1 step 2: the gradient is nan.*in blocks \d+, \d+ of \d+") as raised:
        p1(run, tmp_path, wild)
    assert "The state before is kept (checkpoint-1)" in str(raised.value)
    kept = load_arrays(tmp_path / "state/checkpoint-1/trainable.safetensors")
    assert all(np.isfinite(array).all() for array in kept.values())
    status = json.loads((tmp_path / "state/status.json").read_text())
    assert status["state"] == "stopped" and "P1 step 2" in status["message"]
    with pytest.raises(UserError, match="P1 step 2: the gradient is nan"):  # at once: nothing is trained again
        p1(run, tmp_path, wild)
    assert json.loads((tmp_path / "state/status.json").read_text())["updated"] == status["updated"]
    calm = p1(run, tmp_path)[1]  # other settings are another run
    assert calm["final_step"] == 12


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_scheduler_that_ends_the_job_loses_nothing(run, tmp_path, whole, monkeypatch, number):
    forward = trainer.Learner.forward

    def told(self, input_ids):
        if self.training and self.step == 6:
            os.kill(os.getpid(), number)
        return forward(self, input_ids)

    before = signal.signal(number, lambda *_: pytest.fail("not heeded"))  # nohup has SIGINT ignored from the beginning
    handler = signal.getsignal(number)
    monkeypatch.setattr(trainer.Learner, "forward", told)
    with pytest.raises(Interrupted, match="checkpoint-7 is saved"):
        p1(run, tmp_path)
    assert signal.getsignal(number) == handler
    signal.signal(number, before)
    assert json.loads((tmp_path / "state/status.json").read_text())["state"] == "interrupted"
    monkeypatch.setattr(trainer.Learner, "forward", forward)
    again, values, history = p1(run, tmp_path)
    assert values["resumed_from"] == 7 and same(again, whole[0]) and history.equals(whole[2])


def too_large(limit):
    """A loss that asks the allocator for more than there is when more than `limit` sequences come at once."""
    forward = trainer.Learner.forward

    def needy(self, input_ids):
        if self.training and len(input_ids) > limit:
            torch.empty(2**55, dtype=torch.uint8)
        return forward(self, input_ids)

    return needy


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_batch_that_does_not_fit_is_taken_in_pieces(run, tmp_path, monkeypatch, capsys, accumulate):
    settings = block(Rows, batch=4, accumulate=accumulate, checkpoint_every=4)
    undivided, _, lines = p1(run, tmp_path / "whole", settings)
    expected = undivided["final"]["rows"]
    monkeypatch.setattr(trainer.Learner, "forward", too_large(2))
    states, values, history = p1(run, tmp_path / "small", settings)
    assert "Going on with 2 of 4 sequences at a time" in capsys.readouterr().err
    assert values["batch_in_parts"] == 2 and values["final_step"] == 12
    for name, rows in states["final"]["rows"].items():
        np.testing.assert_allclose(rows, expected[name], atol=2e-3)
    for column in ("train_loss", "grad_norm", "heldout_loss"):  # of the whole batch, not of a piece or of their sum
        np.testing.assert_allclose(history[column], lines[column], rtol=1e-3)


def test_one_sequence_that_does_not_fit_is_explained(run, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer.Learner, "forward", too_large(0))
    with pytest.raises(UserError, match=r"out of memory even with one sequence of 32 tokens.*Lower p1.sequence"):
        p1(run, tmp_path)


@pytest.mark.parametrize(
    ("said", "is_memory"),
    [
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes", True),
        ("CUDA error: out of memory", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("CUDA error: device-side assert triggered", False),
    ],
)
def test_want_of_memory_is_known_in_all_of_its_wordings(said, is_memory):
    assert out_of_memory(RuntimeError(said)) is is_memory


def test_of_several_gpus_one_is_used(run, tmp_path, monkeypatch):
    def two(self):
        self._n_gpu = 2
        return torch.device("cuda", 0)

    seen = {}
    monkeypatch.setattr(fit.TrainingArguments, "_setup_devices", cached_property(two), raising=True)
    fit.TrainingArguments._setup_devices.__set_name__(fit.TrainingArguments, "_setup_devices")
    monkeypatch.setattr(fit, "PhaseTrainer", lambda learner, args, *_, **__: seen.update(args=args) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        p1(run, tmp_path)
    assert seen["args"].device.type == "cuda" and seen["args"].n_gpu == 1


def test_a_growing_gap_stops_the_run_where_it_is_asked_to(run, tmp_path):
    def p2(name, settings):  # every weight of the transformer learns this little text by heart
        return phases.adapter_phase(run, settings, MODEL, tmp_path / name, tmp_path / name / "out/body.safetensors")

    settings = block(Adapter, kind="full", learning_rate=0.02, schedule="constant", steps=60)
    free = p2("free", settings)[1].dropna(subset=["heldout_loss"])
    gaps = (free["heldout_loss"] - free["train_sample_loss"]).to_numpy()
    at = next(i for i in range(2, len(gaps)) if gaps[i] > gaps[:i].max())
    most = float((gaps[at] + gaps[:at].max()) / 2)
    values, _ = p2("stopped", settings | {"max_gap": most})
    assert values["final_step"] == free["step"].iloc[at] < 60
    assert values["stopped_early"] and f"more than max_gap {most:g}" in values["stopped_because"]


def test_reasons_to_stop():
    def log(*losses):
        return [{"step": i, "heldout_loss": h, "train_sample_loss": t} for i, (h, t) in enumerate(losses)]

    no = {"patience": None, "max_gap": None}
    assert trainer.reason_to_stop(log((3, 1), (4, 0)), 0, no) is None
    assert trainer.reason_to_stop(log((3, 3), (4, 3)), 0, no | {"patience": 2}) is None
    assert trainer.reason_to_stop(log((3, 3), (4, 3), (5, 3)), 0, no | {"patience": 2}).startswith("2 evaluations")
    assert trainer.reason_to_stop(log((3, 2)), 0, no | {"max_gap": 1.0}) is None  # not more than
    assert "1.50 nats" in trainer.reason_to_stop(log((3.5, 2)), 0, no | {"max_gap": 1.0})


# Disks and neighbours -------------------------------------------------------------------------------------------------


def test_two_runs_do_not_train_in_one_folder(run, tmp_path):
    (tmp_path / "state").mkdir()
    code = (
        "import sys, time; from pathlib import Path; from wake2vec.training.checkpoints import begin_state\n"
        "begin_state(Path(sys.argv[1]), {}); print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "state")], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"another run trains here .process {other.pid} on "):
            p1(run, tmp_path)
    finally:
        other.kill()
        other.wait()
    assert p1(run, tmp_path)[1]["final_step"] == 12  # a dead process holds nothing


SMALL_DISK = """
import json, os, subprocess, sys
from pathlib import Path
from wake2vec.errors import UserError
from wake2vec.training import phases, trainer
from wake2vec.training.checkpoints import checkpoints_of, fault

job, disk = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
forward = trainer.Learner.forward

def filling(self, input_ids):
    if self.training and self.step == int(sys.argv[3]):  # somebody else takes all the room that is left
        with open(disk / "ballast", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
    return forward(self, input_ids)

def mount(options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], check=True)

def p1():
    states, values, history = phases.rows_phase("p1", job["paths"], job["settings"], job["model"], disk / "state")
    return values, history

mount("size=8m")
trainer.Learner.forward = filling
try:
    p1()
    print("no fault")
except UserError as error:
    print("said:", error)
print("left:", [(path.name, fault(path)) for path in checkpoints_of(disk / "state")])
print("half-written:", [path.name for path in (disk / "state").iterdir() if path.name.endswith(".tmp")])
trainer.Learner.forward = forward
(disk / "ballast").unlink()
values, history = p1()
print("resumed from", values["resumed_from"])
history.to_csv(sys.argv[4], index=False)
disk = disk / "other"
disk.mkdir()
mount("ro")
try:
    p1()
except UserError as error:
    print("read-only:", error)
"""


@pytest.fixture
def own_mounts():
    """Runs Python code where it may mount what it likes."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody make a small disk (unshare -rm)")

    def go(code, *arguments):
        command = ["unshare", "-rm", sys.executable, "-c", code, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
        return done.stdout

    return go


@pytest.mark.parametrize(
    "step, at", [(5, "step-000006.safetensors"), (6, "state: step 8"), (8, "state: step 10")], ids=str
)
def test_a_full_disk_and_a_read_only_one(run, tmp_path, whole, own_mounts, step, at):
    """Filled before a snapshot, a best state, a checkpoint."""
    settings = ROWS | ({"snapshot_every": 6} if step == 5 else {})
    (tmp_path / "job.json").write_text(json.dumps({"paths": run, "settings": settings, "model": MODEL}))
    (tmp_path / "disk").mkdir()
    said = own_mounts(SMALL_DISK, tmp_path / "job.json", tmp_path / "disk", step, tmp_path / "history.csv")
    assert f"{at} could not be saved: No space left on device. " in said
    assert "Free some space and run the same command again: it goes on from" in said
    assert step == 5 or "checkpoint-5 is there and whole" in said
    assert "left: [('checkpoint-5', None)]" in said and "half-written: []" in said
    assert "resumed from 5" in said
    whole[2].to_csv(tmp_path / "whole.csv", index=False)
    assert (tmp_path / "history.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert "cannot be written (Read-only file system)" in said


def test_a_result_is_never_half_written(tmp_path, own_mounts):
    """A result that a full disk does not hold leaves the old one as it was."""
    code = """
import subprocess, sys
from pathlib import Path
import numpy as np
from wake2vec.storage import load_arrays, save_arrays, write_json
disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=True)
save_arrays(disk / "rows.safetensors", {"a": np.ones(20_000, np.float32)})
write_json(disk / "run.json", "run", {"x": 1}, {})
for write in (
    lambda: save_arrays(disk / "rows.safetensors", {"a": np.zeros(200_000, np.float32)}),
    lambda: write_json(disk / "run.json", "run", {"x": "y" * 900_000}, {}),
):
    try:
        write()
        print("written")
    except OSError as error:
        print(error.errno)
print(load_arrays(disk / "rows.safetensors")["a"].sum(), sorted(path.name for path in disk.iterdir()))
"""
    (tmp_path / "disk").mkdir()
    said = own_mounts(code, tmp_path / "disk")
    assert said.split("\n")[:3] == [
        str(errno.ENOSPC),
        str(errno.ENOSPC),
        "20000.0 ['rows.safetensors', 'run.json']",
    ]
