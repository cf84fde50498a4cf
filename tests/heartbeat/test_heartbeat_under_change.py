"""Two hundred looks at a folder that somebody else rewrites, renames and deletes all the time."""

import json
import os
import random
import shutil
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest

from tests.heartbeat.heartbeat_states import FINGERPRINT, write_checkpoint, write_lock, write_log, write_state
from wake2vec.heartbeat import places, states
from wake2vec.heartbeat.vitals import look
from wake2vec.training.checkpoints import thin_out


class Changing(threading.Thread):
    """Changes a state folder in every way; writes down from when to when each checkpoint was whole."""

    def __init__(self, state):
        super().__init__(daemon=True)
        self.state, self.over, self.error = state, threading.Event(), None
        self.source = Path(shutil.copytree(state / "checkpoint-150", state.parents[3] / "source"))
        self.whole = defaultdict(list)  # name -> [[from, to], …]: at least then
        self.random = random.Random(0)
        self.step, self.done = 200, 0

    def run(self):
        changes = [self.save, self.save_again, self.thin, self.by_hand, self.texts, self.away, self.restart]
        try:
            while not self.over.is_set():
                self.random.choice(changes)()
                self.done += 1
        except BaseException as error:
            self.error = error

    def begins(self, name):
        self.whole[name].append([time.monotonic(), float("inf")])

    def ends(self, name):
        for interval in self.whole[name]:
            interval[1] = min(interval[1], time.monotonic())

    def save(self):
        self.step += 1
        self.begins(f"checkpoint-{self.step}")
        write_checkpoint(self.state, self.step, size=self.random.choice([10, 10, 50_000]))

    def save_again(self):
        """After a resume the same step comes again: the old folder goes, file by file, before the new one comes."""
        folders = [path.name for path in self.state.glob("checkpoint-2*")]
        if folders:
            name = self.random.choice(folders)
            self.begins(name)
            write_checkpoint(self.state, int(name.split("-")[1]), size=self.random.choice([10, 11]))

    def thin(self):
        kept = self.random.randint(1, 3)
        names = sorted(self.state.glob("checkpoint-2*"), key=lambda path: -int(path.name.split("-")[1]))
        thin_out(self.state, kept + 1)  # checkpoint-999, which is never whole, is one of them
        for path in names:
            if not path.exists():
                self.ends(path.name)

    def by_hand(self):
        """As a careless copy: under its own name, file by file; gone file by file, and the manifest last of all."""
        source, target = self.source, self.state / "checkpoint-900"
        (self.state / "best-100.safetensors").write_bytes(b"b" * 50)
        files = sorted(path.name for path in source.iterdir() if path.name != "manifest.json")
        target.mkdir()
        for name in files:
            shutil.copyfile(source / name, target / name)
        manifest = json.loads((source / "manifest.json").read_text()) | {"step": 900}
        self.begins(target.name)
        (target / "manifest.json").write_text(json.dumps(manifest))
        for name in files:
            (target / name).unlink()
            self.ends(target.name)
        (target / "manifest.json").unlink()
        target.rmdir()

    def texts(self):
        for name in ("status.json", "fingerprint.json"):
            text = (self.state / name).read_text()
            with open(self.state / name, "w") as file:  # in place, as a bad network drive has it
                file.write(text[: len(text) // 2])
                file.flush()
                file.write(text[len(text) // 2 :])
        write_lock(self.state)
        write_log(self.state, end='{"step": 20')

    def away(self):
        model = self.state.parents[1]
        model.rename(model.with_name("elsewhere"))
        model.with_name("elsewhere").rename(model)

    def restart(self):
        (self.state / "rejected").mkdir(exist_ok=True)
        for path in list((self.state / "rejected").iterdir()):
            shutil.rmtree(path)
        for path in list(self.state.glob("checkpoint-2*"))[:1]:
            path.rename(self.state / "rejected" / path.name)
            self.ends(path.name)


@pytest.mark.parametrize("verify", [False, True])
def test_nothing_half_is_ever_called_valid(tmp_path, monkeypatch, verify):
    for module in (places, states):
        monkeypatch.setattr(module, "PAUSE", 0.001)
    state = tmp_path / "results/tiny/state/p1"
    write_state(state, 150)
    never = write_checkpoint(state, 999)  # the newest of all, and not whole
    os.truncate(never / "optimizer.safetensors", 999)
    changing = Changing(state)
    changing.whole["checkpoint-150"] = [[0.0, float("inf")]]
    changing.start()
    claimed, seen = 0, 0
    try:
        for _ in range(200):
            began = time.monotonic()
            report = look([str(tmp_path / "results")], verify)
            ended = time.monotonic()
            json.dumps(report, allow_nan=False)
            for phase in report["phases"]:
                seen += 1
                assert phase["fingerprint"] in (FINGERPRINT, None)
                for found in [c for tier in phase["tiers"] for c in tier["checkpoints"] if c["valid"]]:
                    claimed += found["name"] != "checkpoint-150"
                    intervals = list(changing.whole[found["name"]])
                    assert any(low <= ended and began <= high for low, high in intervals), found
    finally:
        changing.over.set()
        changing.join(20)
    assert changing.error is None and changing.done > 50
    assert seen > 100 and claimed > 20  # there was something to be wrong about
