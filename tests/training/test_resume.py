"""A run that is killed, at any moment, ends as one that was not: the same bytes."""

import json
import os
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.training.conftest import MODEL, block
from wake2vec.settings import Adapter, Alignment, Rows
from wake2vec.training import phases, resume

TRIALS = int(os.environ.get("WAKE2VEC_KILLS", 3))  # runs that are killed, a phase; raise it to look harder


STUDY = {"precision": "bfloat16", "quantisation": "nf4"}  # as the study's large bases are trained


@pytest.mark.parametrize(("phase", "made"), [("p1", {}), ("p2", {}), ("p3", {}), ("p1", STUDY), ("p2", STUDY)], ids=str)
def test_a_run_killed_at_any_moment_publishes_the_same_bytes(run, tmp_path, phase, made):
    trials = 1 if made else TRIALS
    settings = {
        "p1": lambda: block(Rows, rows="free" if made else "factored", snapshot_every=4, accumulate=2, patience=2),
        "p2": lambda: block(Adapter, dropout=0.2),
        "p3": lambda: block(Alignment, rows="factored", optimizer="adafactor", steps=11, batch=1, accumulate=2),
    }[phase]()
    (tmp_path / "job.json").write_text(json.dumps({"paths": run, "settings": settings, "model": MODEL | made}))
    seed = random.randrange(10**6)
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.killing", str(tmp_path), phase, str(trials), str(seed)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, f"seed {seed}\n{done.stdout}\n{done.stderr[-4000:]}"
    assert done.stdout.count("the same bytes") == trials


def test_a_run_that_stopped_early_is_not_taken_further(run, tmp_path):
    """The kill comes after the decision and before publishing: the decision stays."""
    settings = block(Rows, learning_rate=30.0, patience=1, warmup=0.0, max_grad_norm=0)
    first, values, history = phases.rows_phase("p1", run, settings, MODEL, tmp_path / "state")
    again, same_values, same_history = phases.rows_phase("p1", run, settings, MODEL, tmp_path / "state")
    assert values["stopped_early"] and same_values["final_step"] == values["final_step"]
    assert same_values["resumed_from"] == values["final_step"]
    assert same_values["stopped_because"] == values["stopped_because"] == "1 evaluations without a better one"
    assert history.equals(same_history)
    for state in ("best", "final"):
        for name, rows in first[state]["rows"].items():
            np.testing.assert_array_equal(again[state]["rows"][name], rows)


def test_a_checkpoint_is_at_home_where_the_same_inputs_were_made_elsewhere(run, tmp_path):
    """Results say when and where they were made; that makes no other run of them."""
    settings = block(Rows)
    phases.rows_phase("p1", run, settings, MODEL, tmp_path / "state")
    for name in ("injection", "manifest"):
        record = json.loads(open(run[name]).read()) | {"provenance": {"git": "another commit", "device": "elsewhere"}}
        if name == "manifest":
            folder = tmp_path / "elsewhere"
            shutil.copytree(os.path.dirname(run["manifest"]), folder)
            record["values"] |= {"seconds": 3.0, "peak_memory_bytes": 1}
            run |= {"manifest": str(folder / "manifest.json")}
        with open(run[name], "w") as file:
            json.dump(record, file)
    assert phases.rows_phase("p1", run, settings, MODEL, tmp_path / "state")[1]["resumed_from"] == 12
    record["values"]["tied"] = not record["values"]["tied"]
    with open(run["manifest"], "w") as file:
        json.dump(record, file)
    found = phases._begin(tmp_path / "other", run, settings, MODEL)
    assert found != json.loads((tmp_path / "state/fingerprint.json").read_text())["fingerprint"]


@pytest.mark.parametrize("kind", ["adamw_fused", "adafactor"])
def test_optimizer_schedule_and_generators_come_back_exactly(tmp_path, kind):
    from transformers.optimization import Adafactor

    def made():
        torch.manual_seed(0)
        parameters = [torch.nn.Parameter(torch.randn(5, 3)), torch.nn.Parameter(torch.randn(4))]
        if kind == "adafactor":
            optimizer = Adafactor(parameters, lr=0.01, relative_step=False, scale_parameter=False)
        else:
            optimizer = torch.optim.AdamW(parameters, lr=0.01, fused=True)
        return parameters, optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1))

    def step(parameters, optimizer, schedule):
        for parameter in parameters:
            parameter.grad = torch.randn_like(parameter) * random.random() * np.random.rand()
        optimizer.step()
        schedule.step()

    one = made()
    for _ in range(3):
        step(*one)
    resume.save_state(tmp_path, one[1], one[2], {"loss": 1.25})
    middle = [p.detach().clone() for p in one[0]]
    for _ in range(3):
        step(*one)
    other = made()
    for parameter, value in zip(other[0], middle, strict=True):
        parameter.data.copy_(value)
    resume.load_optimizer(tmp_path, other[1], other[2])
    resume.restore_random(tmp_path)
    for _ in range(3):
        step(*other)
    for a, b in zip(one[0], other[0], strict=True):
        assert torch.equal(a, b)
    assert one[2].get_last_lr() == other[2].get_last_lr()
    assert resume.read_scalars(tmp_path)["running"] == {"loss": 1.25}
