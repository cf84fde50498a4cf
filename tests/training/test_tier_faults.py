"""Tiers that are full, gone, read-only or none; and a process that dies while it copies: all for real."""

import errno
import importlib.util
import json
import shutil
import subprocess
import sys
import time

import pytest

from tests.training.fake_states import (
    ROOT,
    Unreliable,
    in_namespace,
    mirrored,
    sound,
    tree,
    until,
    write_checkpoint,
    write_extras,
)
from wake2vec.training.mirrors import Mirrors
from wake2vec.training.tiers import open_tier, thin_out


@pytest.fixture(autouse=True)
def _clean_store():
    yield
    Unreliable.reset()


KILLS = """
import os, signal, sys
from pathlib import Path
from wake2vec.training import tiers
from wake2vec.training.mirrors import Mirrors

state, base = Path(sys.argv[1]), Path(sys.argv[2])
tiers.CHUNK = 1 << 19
real = tiers._chunks
for moment in map(int, sys.argv[3:]):
    if os.fork() == 0:
        left = [moment]
        def chunks(file):
            for chunk in real(file):
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
                yield chunk
        tiers._chunks = chunks
        mirrors = Mirrors(state, {"mirror": str(base / f"tier-{moment}")})
        mirrors.finish(30)
        os._exit(0)
    pid, status = os.wait()
    print(os.WTERMSIG(status))
"""


def test_a_process_killed_while_copying_leaves_no_checkpoint_that_only_looks_complete(tmp_path):
    state = tmp_path / "state"
    older = write_checkpoint(state, 50, size=1000, best=50)
    # six files of 2 MiB, four chunks to write and four to read back; then the manifest
    moments = [0, 3, 4, 9, 17, 26, 38, 45, 47, 48, 49]
    for moment in moments:
        shutil.copytree(state, tmp_path / f"tier-{moment}")
    shutil.rmtree(older)
    write_checkpoint(state, 100, size=2 << 20, best=90)
    command = [sys.executable, "-c", KILLS, state, tmp_path, *map(str, moments)]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert out.stdout.split() == ["9"] * len(moments), out.stderr
    for moment in moments:
        assert sound(tmp_path / f"tier-{moment}") == ["checkpoint-50"]
    assert any((tmp_path / f"tier-{moment}/checkpoint-100").exists() for moment in moments)
    report = mirrored(state, {str(moment): str(tmp_path / f"tier-{moment}") for moment in moments}, keep=1)
    assert {entry["step"] for entry in report.values()} == {100}
    for moment in moments:
        there = {p: data for p, data in tree(tmp_path / f"tier-{moment}").items() if p != "fingerprint.json"}
        assert there == {p: d for p, d in tree(state).items() if p.startswith(("checkpoint-100", "best-90"))}


FULL = """
import json, subprocess, sys
from pathlib import Path
from tests.training.fake_states import sound, tree, until, write_checkpoint
from wake2vec.training.mirrors import Mirrors

state, tier = Path(sys.argv[1]), Path(sys.argv[2])
tier.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tier)], check=True)
mirrors = Mirrors(state, {"mirror": str(tier), "safety": sys.argv[3]}, retries=1, wait=0.01)
copier = mirrors.copiers["mirror"]
def pushed(step):
    tries = copier.failures["checkpoint"]
    write_checkpoint(state, step, size=100_000)
    mirrors.push()
    until(lambda: mirrors.report()["safety"]["step"] == step)
    until(lambda: copier.step == step and not copier.errors or copier.failures["checkpoint"] > max(tries, 1))
    return {"report": mirrors.report(), "sound": sound(tier), "files": sorted(tree(tier))}
said = [pushed(50)]
(tier / "filler").write_bytes(bytes(300_000))
said += [pushed(100), pushed(150)]
(tier / "filler").unlink()
said += [pushed(200)]
mirrors.finish(10)
print(json.dumps(said))
"""


def test_a_full_tier_is_a_warning_and_gets_the_newest_when_there_is_room_again(tmp_path):
    out = in_namespace(FULL, tmp_path / "state", tmp_path / "tier", tmp_path / "safety")
    assert out.returncode == 0, out.stderr
    first, full, still_full, freed = json.loads(out.stdout)
    assert first["report"]["mirror"]["error"] is None and first["sound"] == ["checkpoint-50"]
    for moment, behind in ((full, 50), (still_full, 100)):
        mirror = moment["report"]["mirror"]
        assert (mirror["step"], mirror["behind"], mirror["error"]) == (50, behind, "No space left on device")
        assert moment["sound"] == ["checkpoint-50"]
        assert moment["report"]["safety"]["behind"] == 0
    assert freed["report"]["mirror"] | {"time": 0, "url": ""} == {
        "url": "",
        "step": 200,
        "time": 0,
        "behind": 0,
        "error": None,
    }
    assert freed["sound"] == ["checkpoint-200", "checkpoint-50"]
    assert not [path for path in freed["files"] if path.endswith(".tmp")]
    assert out.stderr.count("No space left on device") == 1


def test_a_tier_that_vanished_is_made_again(tmp_path):
    state, tier = tmp_path / "state", tmp_path / "drive/tier"
    write_checkpoint(state, 50, best=50)
    write_extras(state, 10)
    mirrors = Mirrors(state, {"mirror": str(tier)})
    mirrors.push()
    until(lambda: mirrors.report()["mirror"]["step"] == 50)
    until(lambda: (tier / "checkpoint-50").exists())
    shutil.rmtree(tmp_path / "drive")
    mirrors.push()
    until(lambda: (tier / "checkpoint-50/manifest.json").exists())
    mirrors.finish(10)
    assert {k: v for k, v in tree(tier).items() if k != "snapshots/manifest.json"} == tree(state)


def test_what_was_just_verified_keeps_its_best_state_though_its_folder_is_not_seen(tmp_path):
    """A drive that is being emptied, or that lists late: what goes is what nothing needs."""
    there = tmp_path / "drive"
    folder = write_checkpoint(there, 50, best=50)
    newest = json.loads((folder / "manifest.json").read_text())
    write_checkpoint(there, 10, best=10)
    shutil.rmtree(folder)
    shutil.rmtree(there / "checkpoint-10")
    thin_out(open_tier("mirror", str(there), tmp_path / "state"), newest, 2)
    assert sorted(path.name for path in there.glob("best-*")) == ["best-50.safetensors"]


def test_a_read_only_tier_is_said_once_and_holds_nothing_else_up(tmp_path, capfd):
    state, safety = tmp_path / "state", tmp_path / "safety"
    mirrors = Mirrors(state, {"mirror": "/proc/wake2vec/tier", "safety": str(safety)}, retries=1, wait=0.01)
    for step in (50, 100, 150):
        write_checkpoint(state, step)
        mirrors.push()
        until(lambda step=step: mirrors.report()["safety"]["step"] == step)
    until(lambda: mirrors.report()["mirror"]["error"])
    mirrors.finish(10)
    report = mirrors.report()
    assert sound(safety) == ["checkpoint-100", "checkpoint-150"] and report["safety"]["error"] is None
    assert (report["mirror"]["step"], report["mirror"]["behind"]) == (None, None)
    assert "No such file or directory" in report["mirror"]["error"]
    said = capfd.readouterr().err.splitlines()
    assert sum("no copy gets there" in line for line in said) == 2  # small files, and checkpoints
    assert sum("not all is copied" in line and "there none, here 150" in line for line in said) == 1


def test_what_fails_at_first_is_tried_again_with_growing_pauses(tmp_path):
    write_checkpoint(tmp_path, 50)
    Unreliable.errors, Unreliable.dies = [OSError(errno.EIO, "the line was cut")] * 3, True
    (tmp_path / "fingerprint.json").unlink()  # so that the checkpoint's files are what is written first
    mirrors = Mirrors(tmp_path, {"mirror": "unreliable://tier"}, retries=3, wait=0.05)
    started = time.monotonic()
    mirrors.push()
    until(lambda: mirrors.report()["mirror"]["error"] == "the line was cut")
    until(lambda: mirrors.report()["mirror"]["step"] == 50)
    assert 0.05 + 0.1 + 0.2 <= time.monotonic() - started < 3
    until(lambda: mirrors.report()["mirror"]["error"] is None)
    mirrors.finish(5)


def test_a_copy_that_reads_back_wrong_is_made_again_and_never_called_good(tmp_path):
    write_checkpoint(tmp_path, 50)
    (tmp_path / "fingerprint.json").unlink()
    Unreliable.spoils = 2
    report = mirrored(tmp_path, {"mirror": "unreliable://tier"}, retries=2)["mirror"]
    assert (report["step"], report["error"]) == (50, None) and tree("unreliable://tier") == tree(tmp_path)
    write_checkpoint(tmp_path, 100)
    (tmp_path / "fingerprint.json").unlink()
    Unreliable.spoils = 10**6
    report = mirrored(tmp_path, {"mirror": "unreliable://tier"}, retries=2)["mirror"]
    assert report["step"] is None and "reads back differently" in report["error"]
    assert "checkpoint-100/manifest.json" not in tree("unreliable://tier")


@pytest.mark.parametrize("url", ["nosuch://x/y", "s3://bucket/x", "", "unreliable://tier"])
def test_no_method_raises_whatever_a_tier_is(tmp_path, url):
    Unreliable.errors = [MemoryError(), KeyError("x"), BaseException("odd")] * 9
    write_checkpoint(tmp_path / "state", 50)
    if url.startswith("s3") and importlib.util.find_spec("s3fs"):
        pytest.skip("s3fs is installed: this would ask the network")
    mirrors = Mirrors(tmp_path / "state", {"mirror": url}, retries=0, wait=0.0)
    mirrors.push()
    until(lambda: mirrors.report()["mirror"]["error"])
    mirrors.touch()
    mirrors.finish(5)
    mirrors.finish(5)
    mirrors.push()
    assert not mirrors.copiers["mirror"].thread.is_alive()


def test_the_state_folder_is_no_copy_of_itself(tmp_path):
    write_checkpoint(tmp_path, 50)
    (tmp_path / ".checkpoint-100.tmp").mkdir()
    before = tree(tmp_path)
    report = mirrored(tmp_path, {"mirror": f"{tmp_path}/../{tmp_path.name}"}, retries=0)
    assert "this is the state folder itself" in report["mirror"]["error"]
    assert tree(tmp_path) == before and (tmp_path / ".checkpoint-100.tmp").exists()
