"""What the heartbeat makes of one state folder: of a job at work, stalled, stopped or dead, and of damaged files."""

import fcntl
import io
import json
import os
import subprocess
import sys
import time

import pytest
from rich.console import Console

from tests.heartbeat.heartbeat_states import (
    FINGERPRINT,
    LOG,
    change_manifest,
    dead_process,
    write_checkpoint,
    write_lock,
    write_log,
    write_snapshots,
    write_state,
    write_status,
)
from wake2vec.heartbeat import states
from wake2vec.heartbeat.page import page
from wake2vec.heartbeat.states import alive
from wake2vec.heartbeat.terminal import picture
from wake2vec.heartbeat.vitals import attention, look
from wake2vec.heartbeat.words import contents
from wake2vec.training.checkpoints import fault


@pytest.fixture
def state(tmp_path):
    return tmp_path / "results/tiny/state/p1"


def only(state, **options):
    """The one phase that there is."""
    report = look([str(state.parents[2])], **options)
    json.dumps(report, allow_nan=False)
    (phase,) = report["phases"]
    return phase


def tree(folder):
    """Everything about every file."""
    return {p: (p.lstat().st_mtime_ns, p.lstat().st_size, p.lstat().st_ino) for p in folder.rglob("*")}


# A job at work --------------------------------------------------------------------------------------------------------


def test_a_job_at_work(state):
    write_state(state, 100, 150)
    write_snapshots(state, 50, 100, 120)
    phase = only(state)
    assert (phase["model"], phase["phase"], phase["state"]) == ("tiny", "p1", "training")
    assert (phase["step"], phase["steps"], phase["best_step"]) == (160, 400, 150)
    assert phase["loss"] == {"last": 2.0, "tail": [(50, 4.0), (100, 3.0), (150, 2.0)], "trend": "falling"}
    assert phase["heldout_loss"]["tail"] == [(50, 4.2), (100, 3.6), (150, 3.0)]
    assert phase["heldout_loss"]["trend"] == "falling" and phase["heldout_bits_per_byte"] == 1.5
    assert (phase["tokens_per_second"], phase["seconds_left"]) == (1234.5, 4800.0)
    assert phase["going"] and not attention(phase) and phase["warnings"] == [] and phase["process"] == "running"
    (tier,) = phase["tiers"]
    assert tier["tier"] == "this disk" and [c["step"] for c in tier["checkpoints"]] == [150, 100]
    newest = tier["checkpoints"][0]
    on_disk = sum(p.stat().st_size for p in (state / "checkpoint-150").iterdir())
    assert newest["valid"] and newest["bytes"] == on_disk and newest["time"] == pytest.approx(time.time() - 240, abs=5)
    assert phase["snapshots"]["count"] == 3 and phase["snapshots"]["step"] == 120
    assert phase["snapshots"]["time"] == pytest.approx(time.time() - 300, abs=5)
    assert phase["resume"] == {
        "step": 150,
        "name": "checkpoint-150",
        "tier": "this disk",
        "why": "checkpoint-150 on this disk: the newest that is complete",
    }


def test_it_reads_only_and_takes_no_lock(state):
    write_state(state, 100, 150)
    before = tree(state.parents[2])
    with open(state / "lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as the job that trains
        assert only(state)["state"] == "training"
    taker = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)"
    only(state, verify=True)
    subprocess.run([sys.executable, "-c", taker, str(state / "lock")], check=True)
    assert tree(state.parents[2]) == before


@pytest.mark.parametrize("said", ["training", "evaluating", "saving", "finished", "stopped", "interrupted"])
def test_states_are_as_the_job_says(state, said):
    write_state(state, 150, state=said, message=None if said != "stopped" else "the loss is not a number")
    phase = only(state)
    assert phase["state"] == said and phase["stalled"] is phase["died"] is False
    assert phase["going"] is (said in ("training", "evaluating", "saving"))
    assert attention(phase) is (said == "stopped")
    assert phase["warnings"] == (["the loss is not a number"] if said == "stopped" else [])
    if said == "finished":
        assert phase["resume"]["why"].startswith("not needed") and phase["seconds_left"] is None


def test_settings_that_stopped_for_good_are_refused(state):
    write_state(state, 150, state="stopped")
    (state / "stopped.json").write_text(json.dumps({"fingerprint": FINGERPRINT, "message": "no"}))
    assert only(state)["resume"]["why"] == (
        "refused until stopped.json is deleted or a setting changed; "
        "then checkpoint-150 on this disk: the newest that is complete"
    )
    write_lock(state, age=0, pid=dead_process())  # one that came only to be refused
    phase = only(state)
    assert phase["state"] == "stopped" and not phase["died"] and attention(phase)
    (state / "stopped.json").write_text(json.dumps({"fingerprint": "other", "message": "no"}))
    assert only(state)["resume"]["why"] == "checkpoint-150 on this disk: the newest that is complete"


def test_nothing_is_there(tmp_path):
    for place in (tmp_path, tmp_path / "missing"):
        report = look([str(place)])
        assert report["phases"] == []
    assert report["places"] == [{"place": str(tmp_path / "missing"), "error": "there is no such folder"}]
    (tmp_path / "tiny/state/p1").mkdir(parents=True)
    assert look([str(tmp_path)])["phases"] == []


def test_a_model_may_lie_behind_a_symbolic_link(state, tmp_path):
    write_state(state, 150)
    state.parents[1].rename(tmp_path / "drive")
    state.parents[1].symlink_to(tmp_path / "drive")
    assert only(state)["resume"]["step"] == 150


def test_a_phase_without_any_checkpoint(state):
    write_state(state)
    assert only(state)["resume"] == {
        "step": None,
        "name": None,
        "tier": None,
        "why": "none: the phase would start from the beginning",
    }


def test_what_was_moved_aside_is_counted(state):
    write_state(state, 150)
    for step in (50, 100):
        write_checkpoint(state / "rejected", step, best=False)
    write_checkpoint(state / "superseded", 300, best=False)
    phase = only(state)
    assert (phase["rejected"], phase["superseded"], phase["resume"]["step"]) == (2, 1, 150)


# Stalls and deaths ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "age", "stalled"), [(2, 115, False), (2, 125, True), (60, 295, False), (60, 305, True), (None, 125, True)]
)
def test_a_stall_is_two_minutes_or_five_signs_of_life(state, every, age, stalled):
    write_state(state, 150, age=age, every=every)
    phase = only(state)
    assert phase["stalled"] is stalled is attention(phase)
    assert (phase["seconds_left"] is None) is stalled


def test_a_stall_in_words(state):
    write_state(state, 150, age=14 * 60 + 5)
    here = f"process {os.getpid()} on {os.uname().nodename}"
    assert only(state)["stall"] == f"no sign of life for 14 minutes; {here} (it still exists)"
    write_status(state, age=14 * 60 + 5, pid=1234, host="elsewhere")
    assert only(state)["stall"] == (
        "no sign of life for 14 minutes; process 1234 on elsewhere (another machine, where it cannot be looked at from "
        "here)"
    )
    write_status(state, age=14 * 60 + 5, pid=None, host=None)
    assert only(state)["stall"] == "no sign of life for 14 minutes"


def test_a_dead_process_is_told_as_interrupted(state):
    pid = dead_process()
    write_state(state, 150, age=3.0, pid=pid)
    phase = only(state)
    assert phase["state"] == "interrupted" and phase["died"] and attention(phase) and not phase["going"]
    assert phase["stall"] == f"process {pid} on {os.uname().nodename} has gone without a word; it was heard of just now"
    write_status(state, state="finished", pid=pid)
    assert only(state)["state"] == "finished" and not attention(only(state))


def test_a_lock_left_by_a_dead_process_is_told_as_interrupted(state):
    write_checkpoint(state, 100)
    write_lock(state, age=30, pid=dead_process())
    assert (only(state)["state"], only(state)["died"]) == ("interrupted", True)
    write_lock(state, age=30)
    assert only(state)["state"] == "starting" and not attention(only(state))
    write_lock(state, age=1000)
    assert only(state)["stalled"]  # it need not take a quarter of an hour to load a model


def test_a_job_that_begins_again_is_not_what_the_last_one_was(state):
    write_state(state, 150, age=100, state="interrupted", message="asked to stop")
    write_lock(state, age=5)
    assert (only(state)["state"], only(state)["process"]) == ("starting", "running")
    write_status(state, age=1)
    assert only(state)["state"] == "training"


def test_a_zombie_is_dead_and_a_number_given_out_again_is_another_process(slack, monkeypatch):
    monkeypatch.setattr(states, "SLACK", slack)
    assert alive(os.getpid(), time.time()) and alive(1, None)
    assert not alive(os.getpid(), time.time() - 1e6)  # files older than this process are not its files
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    try:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        os.kill(zombie.pid, 0)  # as far as the kernel is concerned it is there
        assert not alive(zombie.pid, None)
    finally:
        zombie.wait()


def test_a_clock_that_is_wrong_is_named(state):
    write_state(state, 150, age=-12.2 * 60)
    phase = only(state)
    assert phase["warnings"] == ["the last sign of life is 12 minutes in the future: a clock is wrong"]
    assert phase["state"] == "training" and not phase["stalled"]


# Checkpoints ----------------------------------------------------------------------------------------------------------

DAMAGE = {
    "none": lambda folder: None,
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "half a manifest": lambda folder: os.truncate(folder / "manifest.json", 100),
    "empty manifest": lambda folder: os.truncate(folder / "manifest.json", 0),
    "manifest of a list": lambda folder: (folder / "manifest.json").write_text("[]"),
    "binary manifest": lambda folder: (folder / "manifest.json").write_bytes(b"\xff\x00\xfe"),
    "manifest of another step": lambda folder: change_manifest(folder, step=100),
    "manifest without files": lambda folder: change_manifest(folder, files={}),
    "manifest with files of nothing": lambda folder: change_manifest(folder, files={"a": None}),
    "another schema": lambda folder: change_manifest(folder, schema="checkpoint/2"),
    "truncated": lambda folder: os.truncate(folder / "optimizer.safetensors", 12),
    "empty": lambda folder: os.truncate(folder / "scalars.json", 0),
    "missing": lambda folder: (folder / "random.safetensors").unlink(),
    "altered": lambda folder: (folder / "random.safetensors").write_bytes(b"R" * 10),
    "no best": lambda folder: (folder.parent / "best-100.safetensors").unlink(),
    "altered best": lambda folder: (folder.parent / "best-100.safetensors").write_bytes(b"B" * 50),
    "truncated best": lambda folder: os.truncate(folder.parent / "best-100.safetensors", 7),
}


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_checkpoint_is_valid_exactly_when_training_believes_it(state, damage, verify):
    write_state(state, 50, 150)
    DAMAGE[damage](state / "checkpoint-150")
    phase = only(state, verify=verify)
    found = phase["tiers"][0]["checkpoints"][0]
    believed = fault(state / "checkpoint-150", FINGERPRINT, deep=verify)
    assert found["valid"] is (believed is None) and (found["fault"] is None) is found["valid"]
    if believed and "manifest" not in damage and damage != "another schema":
        assert found["fault"] == believed
    assert phase["resume"]["step"] == (150 if believed is None else 50)
    if believed is not None:
        assert phase["resume"]["why"].endswith("; checkpoint-150 on this disk is newer, but not valid")


def test_no_manifest_stops_it(state):
    write_state(state, 50, 150)
    for garbage in GARBAGE:
        (state / "checkpoint-150/manifest.json").write_bytes(garbage)
        assert only(state)["resume"]["step"] == 50


def test_a_checkpoint_of_other_settings_is_not_taken(state):
    write_state(state, 100)
    write_checkpoint(state, 200, fingerprint="e1" * 32)
    phase = only(state)
    assert phase["tiers"][0]["checkpoints"][0]["fault"] == "it belongs to other settings or inputs"
    assert phase["resume"]["step"] == 100


@pytest.mark.parametrize(
    "name", ["checkpoint-", "checkpoint-x", "checkpoint-²", "checkpoint--5", "checkpoint-" + "9" * 99]
)
def test_other_names_are_no_checkpoints(state, name):
    write_state(state, 100)
    (state / name).mkdir()
    assert [c["step"] for c in only(state)["tiers"][0]["checkpoints"]] == [100]


def test_a_checkpoint_of_the_future_is_valid_and_its_age_is_said(state):
    write_state(state, 100)
    change_manifest(state / "checkpoint-100", time=time.time() + 3600 * 5 + 60)
    phase = only(state)
    assert phase["resume"]["step"] == 100
    assert "5 hours in the future: a clock is wrong" in contents(phase["tiers"][0], time.time())


# Damaged and half-written files ---------------------------------------------------------------------------------------

GARBAGE = [b"", b"{", b"[]", b"null", b"7", b'"text"', b"\xff\xfe\x00", b"[" * 100_000, b'{"step": ', b"{" * 5000]


@pytest.mark.parametrize("name", ["status.json", "fingerprint.json", "lock", "stopped.json", "log.jsonl"])
@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_no_damaged_file_stops_it(state, name, garbage):
    write_state(state, 150)
    (state / name).write_bytes(garbage)
    phase = only(state)
    assert phase["resume"]["step"] == 150
    assert (f"status.json in {state.parents[2]} is damaged" in phase["warnings"]) is (name == "status.json")
    if name == "status.json":
        assert phase["step"] == 150 and phase["loss"]["last"] == 2.0  # by the log


@pytest.mark.parametrize(
    "value", [None, True, "x", [], {}, -1, 0, 10**400, float("nan"), float("inf"), "\x1b[31m", 1e308, -1e308]
)
def test_no_odd_value_stops_it(state, value):
    write_state(state, 150)
    keys = list(json.loads((state / "status.json").read_text()))
    for key in [*keys, "tiers"]:
        write_status(state, **{key: value})
        phase = only(state)
        assert phase["resume"]["step"] == 150
    for tiers in (
        {"m": value},
        {"m": {"url": value}},
        {"m": dict.fromkeys(("step", "time", "behind", "error"), value)},
    ):
        write_status(state, tiers=tiers)
        assert only(state)["resume"]["step"] == 150
    write_status(state, **dict.fromkeys(keys, value))
    write_log(state, [{"step": value, "loss": 3.0}, {"step": 10, "loss": value, "heldout_loss": value}])
    write_lock(state, pid=value, host=value, since=value)
    assert only(state)["resume"]["step"] == 150
    report = look([str(state.parents[2])])
    assert "</html>" in page(report)
    Console(file=io.StringIO()).print(picture(report, 80))


def test_half_a_last_line_is_left_out(state):
    whole = json.dumps({"step": 200, "loss": 1.0})
    for end in range(len(whole)):
        write_state(state, 150)
        write_log(state, end=whole[:end])
        assert only(state)["curves"]["loss"] == [(50, 4.0), (100, 3.0), (150, 2.0)]
    write_log(state, end=whole)
    assert only(state)["curves"]["loss"][-1] == (200, 1.0)  # only its newline is missing


def test_a_step_that_was_logged_twice_counts_as_it_was_last(state):
    write_state(state, 150)
    write_log(state, [*LOG, {"step": 100, "loss": 2.5}])
    assert only(state)["curves"]["loss"] == [(50, 4.0), (100, 2.5), (150, 2.0)]


def test_a_loss_that_is_not_a_number_is_said(state):
    write_state(state, 150, loss=float("nan"))
    write_log(state, [*LOG, {"step": 200, "loss": float("nan")}])
    phase = only(state)
    assert phase["warnings"] == ["the training loss was not a number at step 200"]
    assert phase["loss"]["last"] == 2.0


def test_an_unreadable_folder_is_named(state):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    write_state(state, 150)
    state.chmod(0)
    try:
        report = look([str(state.parents[2])])
        assert report["places"][0]["error"] == "tiny/state/p1: Permission denied"
    finally:
        state.chmod(0o755)
