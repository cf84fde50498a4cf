"""Mirrors: looked at alone, behind, ahead, in error, vanished, silent; by the code that makes them."""

import json
import os
import shutil
import threading
import time

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.heartbeat.heartbeat_states import (
    FINGERPRINT,
    change_manifest,
    write_checkpoint,
    write_snapshots,
    write_state,
    write_status,
)
from wake2vec.heartbeat import vitals
from wake2vec.heartbeat.vitals import attention, look
from wake2vec.training.mirrors import Mirrors, pull


@pytest.fixture
def state(tmp_path):
    return tmp_path / "results/tiny/state/p1"


@pytest.fixture(params=["folder", "memory"])
def mirror(request, tmp_path):
    """A place for copies: an ordinary folder, or one that only fsspec knows."""
    if request.param == "folder":
        yield str(tmp_path / "drive")
    else:
        yield "memory://heartbeat/drive"
        MemoryFileSystem.store.clear()
        MemoryFileSystem.pseudo_dirs[:] = [""]


def copy_to(mirror, state, **options):
    """Copy a state as training does; returns what it says of that."""
    mirrors = Mirrors(state, {"mirror": f"{mirror}/tiny/state/p1"}, **options)
    mirrors.push()
    mirrors.finish(20)
    return mirrors.report()


def phase_of(*places, **options):
    report = look(map(str, places), **options)
    json.dumps(report, allow_nan=False)
    (phase,) = report["phases"]
    return phase


def test_a_mirror_alone_is_enough(state, mirror):
    write_state(state, 100, 150)
    write_snapshots(state, 50, 100)
    write_status(state, tiers=copy_to(mirror, state))
    copy_to(mirror, state)  # the status that names the tier
    here = phase_of(state.parents[2])
    shutil.rmtree(state.parents[2])
    there = phase_of(mirror)
    for key in ("model", "phase", "state", "step", "steps", "loss", "heldout_loss", "curves", "fingerprint"):
        assert there[key] == here[key]
    (tier,) = there["tiers"]
    assert tier["tier"] == "mirror" and [(c["step"], c["valid"]) for c in tier["checkpoints"]] == [(150, True)]
    assert there["snapshots"]["count"] == 2 and there["snapshots"]["step"] == 100
    assert abs(there["snapshots"]["time"] - time.time()) < 300 + 60
    assert there["resume"]["why"] == "checkpoint-150 on mirror: the newest that is complete"
    assert not attention(there)


def test_a_resume_takes_what_the_heartbeat_says(state, mirror, tmp_path):
    write_state(state, 100, 150)
    copy_to(mirror, state, keep=1)
    said = phase_of(mirror)["resume"]
    new = tmp_path / "new/tiny/state/p1"
    assert said["name"] in pull(new, {"mirror": f"{mirror}/tiny/state/p1"}, FINGERPRINT)
    assert phase_of(tmp_path / "new")["resume"]["step"] == said["step"] == 150


def test_tiers_that_the_status_names_are_looked_at(state, mirror):
    write_state(state, 100)
    write_status(state, tiers=copy_to(mirror, state))
    write_checkpoint(state, 150)
    phase = phase_of(state.parents[2])
    assert [t["tier"] for t in phase["tiers"]] == ["this disk", "mirror"]
    assert phase["tiers"][1]["checkpoints"][0]["step"] == 100 and phase["tiers"][1]["reported"]["step"] == 100
    assert phase["resume"]["why"] == "checkpoint-150 on this disk: the newest that is complete"
    assert phase["warnings"] == []  # it is on its way
    change_manifest(state / "checkpoint-150", time=time.time() - 400)
    assert phase_of(state.parents[2])["warnings"] == [
        "mirror is behind: checkpoint-100 there, checkpoint-150 on this disk"
    ]


def test_a_newer_checkpoint_on_a_mirror_is_taken(state, mirror, tmp_path):
    write_state(state, 150)
    other = tmp_path / "other/tiny/state/p1"
    write_state(other, 200)
    copy_to(mirror, other)
    phase = phase_of(state.parents[2], mirror)
    name = mirror if mirror.startswith("memory") else str(tmp_path / "drive")
    assert phase["resume"]["why"] == f"checkpoint-200 on {name}: newer than this disk's 150"
    shutil.rmtree(state / "checkpoint-150")
    assert (
        phase_of(state.parents[2], mirror)["resume"]["why"] == f"checkpoint-200 on {name}: the newest that is complete"
    )


def test_a_half_copied_checkpoint_is_not_valid(state, mirror):
    write_state(state, 100, 150)
    copy_to(mirror, state)
    files, root = fsspec.core.url_to_fs(mirror)
    files.rm_file(f"{root}/tiny/state/p1/checkpoint-150/manifest.json")  # which is copied last
    (found,) = phase_of(mirror)["tiers"][0]["checkpoints"]
    assert not found["valid"] and found["fault"] == "manifest.json is missing: it was not finished"


def test_only_hashing_finds_a_flipped_bit(state, mirror):
    write_state(state, 150)
    copy_to(mirror, state)
    files, root = fsspec.core.url_to_fs(mirror)
    path = f"{root}/tiny/state/p1/checkpoint-150/trainable.safetensors"
    data = bytearray(files.cat_file(path))
    data[500] ^= 1
    files.pipe_file(path, bytes(data))
    assert phase_of(mirror)["tiers"][0]["checkpoints"][0]["valid"]
    found = phase_of(mirror, verify=True)["tiers"][0]["checkpoints"][0]
    assert found["fault"] == "trainable.safetensors is not what was written"


def test_a_mirror_without_a_log_has_the_trainers(state, mirror):
    write_state(state, 100, 150)
    copy_to(mirror, state)
    files, root = fsspec.core.url_to_fs(mirror)
    for name in ("log.jsonl", "status.json"):
        files.rm_file(f"{root}/tiny/state/p1/{name}")
    phase = phase_of(mirror)
    assert phase["state"] is None and (phase["step"], phase["steps"]) == (150, 400)
    assert phase["curves"]["loss"] == [(50, 4.0), (100, 3.0), (150, 2.0)] and phase["heldout_bits_per_byte"] == 1.5


def test_what_the_job_says_of_a_tier_is_warned_of(state):
    report = {"url": "s3://bucket/tiny/state/p1", "step": None, "time": None, "behind": None, "error": "disk full"}
    write_state(state, 150, tiers={"mirror": report})
    warnings = phase_of(state.parents[2])["warnings"]
    assert warnings[0] == "mirror: disk full"
    assert warnings[1].startswith("mirror (s3://bucket) cannot be looked into from here: ")


def test_a_vanished_tier_is_a_warning(state, tmp_path):
    report = {"url": str(tmp_path / "gone/tiny/state/p1"), "step": 100, "time": 1.0, "behind": 50, "error": None}
    write_state(state, 150, tiers={"mirror": report})
    phase = phase_of(state.parents[2])
    assert phase["warnings"] == [
        f"mirror ({tmp_path / 'gone'}) cannot be looked into from here: there is no such folder"
    ]
    assert phase["tiers"][1]["checkpoints"] == [] and phase["resume"]["step"] == 150 and not attention(phase)


def test_a_copy_may_be_two_checkpoints_old_before_it_is_a_stall(state, mirror):
    """Two minutes, and twice the four between checkpoints: while one is copied its status has to wait."""
    for age, stalled in ((590, False), (610, True)):
        write_state(state, 100, 150, age=age, host="elsewhere")
        copy_to(mirror, state)
        write_checkpoint(state, 100, age=480)
        files, root = fsspec.core.url_to_fs(mirror)
        files.put(str(state / "checkpoint-100"), f"{root}/tiny/state/p1/checkpoint-100", recursive=True)
        assert [c["step"] for c in phase_of(mirror)["tiers"][0]["checkpoints"]] == [150, 100]
        assert phase_of(mirror)["stalled"] is stalled


def test_the_newest_status_is_the_one_that_counts(state, mirror, tmp_path):
    write_state(state, 150, age=900, pid=1234, host="preempted")
    other = tmp_path / "other/tiny/state/p1"
    write_state(other, 200, step=230, age=5, host="new")
    copy_to(mirror, other)
    phase = phase_of(state.parents[2], mirror)
    assert (phase["step"], phase["host"], phase["stalled"]) == (230, "new", False)


def test_a_place_that_does_not_answer_is_given_up(state, monkeypatch):
    class Silent(MemoryFileSystem):
        protocol = "silent"
        over = threading.Event()

        def ls(self, path, **_):
            self.over.wait(60)
            return []

    fsspec.register_implementation("silent", Silent, clobber=True)
    monkeypatch.setattr(vitals, "PATIENCE", 0.5)
    write_state(state, 150)
    started = time.monotonic()
    report = look([str(state.parents[2]), "silent://drive"])
    Silent.over.set()
    assert time.monotonic() - started < 10
    assert report["places"][1]["error"] == "no answer within 0 seconds" and report["phases"][0]["resume"]["step"] == 150


def test_secrets_of_a_url_are_not_shown(state):
    write_state(state, 150)
    report = look([str(state.parents[2]), "nosuch://user:hunter2@host/path?token=hunter3"])
    assert "hunter" not in json.dumps(report) and report["places"][1]["error"]


def test_relative_and_repeated_places_are_one(state, monkeypatch):
    write_state(state, 150)
    monkeypatch.chdir(state.parents[2].parent)
    phase = phase_of("results", "results", os.curdir + "/results/")
    assert len(phase["tiers"]) == 1
