"""What a phase leaves for the heartbeat and for TensorBoard while it trains."""

import json
import struct

import pytest

from tests.training.conftest import MODEL, block
from wake2vec.settings import Rows
from wake2vec.training import phases
from wake2vec.training.progress import Progress


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def events(folder):
    """(step, tag, value) of TensorBoard's event files, by their documented framing: length, crc, record, crc."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
            at += 16 + length
    return found


@pytest.fixture
def state(run, tmp_path):
    state = tmp_path / "results/tiny/state/p1"
    phases.rows_phase("p1", run, block(Rows), MODEL, state)
    return state


def test_status_log_and_events_say_what_the_history_says(state):
    status = json.loads((state / "status.json").read_text())
    assert status["state"] == "finished" and status["model"] == "tiny" and status["phase"] == "p1"
    assert status["step"] == status["steps"] == 12 and status["seconds_left"] == 0 and status["tokens_per_second"] > 0
    logged = lines(state / "log.jsonl")
    evaluated = [entry for entry in logged if "heldout_loss" in entry]
    assert [entry["step"] for entry in evaluated] == [0, 4, 8, 12]
    assert [entry["step"] for entry in logged if "loss" in entry] == [2, 4, 6, 8, 10, 12]
    assert status["heldout_loss"] == evaluated[-1]["heldout_loss"]
    drawn = [(step, value) for step, tag, value in events(state / "events") if tag == "heldout_loss"]
    assert drawn == [(entry["step"], pytest.approx(entry["heldout_loss"], rel=1e-6)) for entry in evaluated]


def test_a_resumed_run_continues_its_log(run, state, monkeypatch):
    whole = lines(state / "log.jsonl")
    for folder in ("checkpoint-12",):
        (state / folder / "manifest.json").unlink()
    phases.rows_phase("p1", run, block(Rows), MODEL, state)
    again = lines(state / "log.jsonl")
    assert [{k: e[k] for k in ("step", "loss") if k in e} for e in again] == [
        {k: e[k] for k in ("step", "loss") if k in e} for e in whole
    ]


def test_a_status_that_cannot_be_written_stops_nothing(run, tmp_path, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wake2vec.training.progress._replace", full)
    values = phases.rows_phase("p1", run, block(Rows), MODEL, tmp_path / "state")[1]
    assert values["final_step"] == 12


def test_a_pause_between_two_statuses(tmp_path, monkeypatch):
    """A step of milliseconds writes no file; the clock that counts is the monotonic one, which never jumps."""
    progress = Progress("P1", tmp_path, 10, "f")
    now = [100.0]
    monkeypatch.setattr("wake2vec.training.progress.time.monotonic", lambda: now[0])
    progress.began, said = 0.0, []
    monkeypatch.setattr(progress, "say", lambda what: (said.append(now[0]), setattr(progress, "written", now[0])))
    progress.written = 99.0

    class State:
        global_step, max_steps = 1, 10

    for now[0] in (100.0, 100.9, 101.1, 102.0, 103.2):
        progress.on_step_end(None, State, None)
    assert said == [101.1, 103.2]
