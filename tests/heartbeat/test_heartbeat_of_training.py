"""The heartbeat of a phase that really trains, with a mirror: meanwhile, when it is finished, from the mirror."""

import threading

import pytest

from tests.training.conftest import MODEL, block, make_run
from wake2vec.heartbeat.vitals import attention, look
from wake2vec.settings import Rows
from wake2vec.training.checkpoints import newest_checkpoint


def test_what_training_writes_is_understood(tmp_path, base, passages):
    from wake2vec.training.phases import rows_phase

    run, results, drive = make_run(tmp_path, base, passages, head_too=True), tmp_path / "results", tmp_path / "drive"
    state, over, seen, failed = results / "tiny/state/p1", threading.Event(), [], []

    def watch():
        try:
            while not over.is_set():
                seen.extend(look([str(results)])["phases"])
        except Exception as error:
            failed.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        tiers = {"mirror": str(drive / "tiny/state/p1")}
        _, values, history = rows_phase("p1", run, block(Rows, steps=30, snapshot_every=10), MODEL, state, tiers)
    finally:
        over.set()
        watcher.join(30)
    assert not failed and not any(map(attention, seen))
    assert {p["state"] for p in seen} <= {None, "starting", "training", "evaluating", "saving", "finished"}
    steps = [p["step"] for p in seen if p["step"] is not None]
    assert len(seen) > 3 and steps == sorted(steps)
    assert {p["resume"]["step"] for p in seen} <= {None, 5, 10, 15, 20, 25, 30}

    for place in (results, drive):
        (phase,) = look([str(place)], verify=True)["phases"]
        assert (phase["state"], phase["step"], phase["steps"], phase["host"]) == ("finished", 30, 30, seen[-1]["host"])
        train, heldout = history.dropna(subset=["train_loss"]), history.dropna(subset=["heldout_loss"])
        assert phase["curves"]["loss"] == list(zip(train["step"], train["train_loss"], strict=True))
        assert phase["curves"]["heldout_loss"] == list(zip(heldout["step"], heldout["heldout_loss"], strict=True))
        assert phase["heldout_bits_per_byte"] == pytest.approx(values["final_heldout_bits_per_byte"])
        assert phase["best_step"] == values["best_step"] and phase["warnings"] == []
        assert (phase["snapshots"]["count"], phase["snapshots"]["step"]) == (3, 30)
        assert phase["resume"]["name"] == newest_checkpoint(state, phase["fingerprint"]).name == "checkpoint-30"
        assert "mirror" in [tier["tier"] for tier in phase["tiers"]]
        assert all(c["valid"] for tier in phase["tiers"] for c in tier["checkpoints"])
