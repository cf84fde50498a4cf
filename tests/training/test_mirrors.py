"""Copies on other tiers: true by their hashes, thinned out late, and never in the way of training."""

import json
import shutil
import time

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.fake_states import (
    OURS,
    THEIRS,
    Hang,
    Unreliable,
    mirrored,
    sound,
    tree,
    until,
    write_checkpoint,
    write_extras,
)
from wake2vec.training.mirrors import Mirrors
from wake2vec.training.tiers import shown


@pytest.fixture(autouse=True)
def _clean_stores():
    yield
    Unreliable.reset()
    fsspec.filesystem("memory").store.clear()


def checkpoints_in(url) -> set[str]:
    return {path.partition("/")[0] for path in tree(url) if path.startswith("checkpoint-")}


# What gets there ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_tier_gets_the_newest_checkpoint_with_all_that_belongs_to_it_byte_for_byte(tmp_path, kind):
    state, url = tmp_path / "state", str(tmp_path / "tier/m/state/p1") if kind == "local" else "memory://tier/m/p1"
    write_checkpoint(state, 50)
    write_checkpoint(state, 100, best=80)
    write_extras(state, 20, 100)
    (state / ".checkpoint-150.tmp").mkdir()
    (state / ".checkpoint-150.tmp/trainable.safetensors").write_bytes(b"half")
    before = time.time()
    report = mirrored(state, {"mirror": url})["mirror"]
    here = {p: data for p, data in tree(state).items() if not p.startswith(("checkpoint-50/", ".checkpoint-150"))}
    there = tree(url)
    listing = json.loads(there.pop("snapshots/manifest.json"))
    assert there == here
    assert listing["fingerprint"] == OURS and len(listing["files"]) == 2
    assert {key: report[key] for key in ("url", "step", "behind", "error")} == {
        "url": url,
        "step": 100,
        "behind": 0,
        "error": None,
    }
    assert before <= report["time"] <= time.time()


def test_the_best_state_goes_first_and_the_manifest_last(tmp_path):
    write_checkpoint(tmp_path, 100, best=80)
    mirrored(tmp_path, {"mirror": "unreliable://tier"})
    written = [path for path in Unreliable.written if "100" in path or "best" in path]
    assert written[0] == "/tier/best-80.safetensors"
    assert written[-1] == "/tier/checkpoint-100/manifest.json"
    assert len(written) == 7


def test_a_tier_keeps_the_newest_and_the_best_states_that_they_name(tmp_path):
    state, tier = tmp_path / "state", tmp_path / "tier"
    mirrors = Mirrors(state, {"mirror": str(tier)}, keep=2)
    for step, best in ((50, 50), (100, 50), (150, 120), (200, 120), (250, 240)):
        write_checkpoint(state, step, best=best)
        mirrors.push()
        until(lambda step=step: mirrors.report()["mirror"]["step"] == step)
    mirrors.finish(10)
    assert sound(tier) == ["checkpoint-200", "checkpoint-250"]
    assert {path.name for path in tier.glob("best-*")} == {"best-120.safetensors", "best-240.safetensors"}


def test_checkpoints_of_other_settings_stay_until_enough_newer_ones_are_there(tmp_path):
    tier, state = tmp_path / "tier", tmp_path / "state"
    write_checkpoint(tier, 900, THEIRS, best=870, when=10.0)
    write_checkpoint(tier, 950, THEIRS, when=1e12)  # from a machine whose clock is ahead
    (tier / "snapshots").mkdir()
    (tier / "snapshots/step-000800.safetensors").write_bytes(b"theirs")
    write_checkpoint(state, 50, when=20.0)
    mirrored(state, {"mirror": str(tier)}, keep=2)
    assert sound(tier) == ["checkpoint-50", "checkpoint-900", "checkpoint-950"]
    assert (tier / "best-870.safetensors").exists() and (tier / "snapshots/step-000800.safetensors").exists()
    write_checkpoint(state, 100, when=30.0)
    mirrored(state, {"mirror": str(tier)}, keep=2)
    assert sound(tier) == ["checkpoint-100", "checkpoint-50", "checkpoint-950"]
    assert not (tier / "best-870.safetensors").exists() and not list(tier.glob("snapshots/step-*"))


def test_what_has_rotted_on_a_tier_is_written_again(tmp_path):
    state, tier = tmp_path / "state", tmp_path / "tier"
    write_checkpoint(state, 50, best=50)
    mirrored(state, {"mirror": str(tier)})
    for name in ("best-50.safetensors", "checkpoint-50/random.safetensors"):
        damaged = bytearray((tier / name).read_bytes())
        damaged[1234] ^= 1
        (tier / name).write_bytes(damaged)
    mirrored(state, {"mirror": str(tier)})
    assert tree(tier) == tree(state)


def test_a_checkpoint_that_is_damaged_here_is_not_copied_and_the_older_one_is(tmp_path, capfd):
    state, tier = tmp_path / "state", tmp_path / "tier"
    write_checkpoint(state, 50)
    broken = write_checkpoint(state, 100) / "optimizer.safetensors"
    broken.write_bytes(b"\0" + broken.read_bytes()[1:])
    report = mirrored(state, {"mirror": str(tier)})["mirror"]
    assert (report["step"], report["behind"], report["error"]) == (50, 50, None)
    assert sound(tier) == ["checkpoint-50"]
    assert "checkpoint-100: not copied, optimizer.safetensors is not what was written" in capfd.readouterr().err


def test_snapshots_and_logs_are_brought_up_to_date(tmp_path):
    state, tier = tmp_path / "state", tmp_path / "tier"
    write_checkpoint(state, 50)
    write_extras(state, 10, 20)
    mirrors = Mirrors(state, {"mirror": str(tier)})
    mirrors.push()
    until(lambda: mirrors.report()["mirror"]["step"] == 50)
    (state / "snapshots/step-000020.safetensors").write_bytes(b"made again, on another device")
    (state / "snapshots/step-000030.safetensors").write_bytes(b"new")
    (state / "log.jsonl").write_text("{}\n")
    mirrors.touch()
    until(lambda: (tier / "log.jsonl").read_text() == "{}\n")
    mirrors.finish(10)
    there = tree(tier)
    listing = json.loads(there.pop("snapshots/manifest.json"))
    assert there == tree(state)
    assert sorted(listing["files"]) == [f"step-0000{n}0.safetensors" for n in (1, 2, 3)]


# Training goes on -----------------------------------------------------------------------------------------------------


def test_a_slow_tier_never_blocks_and_skips_what_is_no_longer_the_newest(tmp_path):
    Unreliable.pause = 0.03
    mirrors = Mirrors(tmp_path, {"mirror": "unreliable://tier"})
    waited = 0.0
    for step in range(10, 210, 10):
        write_checkpoint(tmp_path, step, size=10)
        started = time.monotonic()
        mirrors.push()
        mirrors.touch()
        mirrors.report()
        waited = max(waited, time.monotonic() - started)
        time.sleep(0.01)
    assert waited < 0.3  # less than one copy takes: twelve openings of a file and more
    assert mirrors.report()["mirror"]["step"] != 200
    mirrors.finish(20)
    manifests = [path for path in Unreliable.written if path.endswith("manifest.json")]
    assert manifests[-1] == "/tier/checkpoint-200/manifest.json"
    assert len(manifests) <= 6  # of twenty pushes
    assert mirrors.report()["mirror"]["behind"] == 0


def test_a_checkpoint_that_training_deletes_while_it_is_copied_still_gets_there(tmp_path):
    Unreliable.pause = 0.02
    write_checkpoint(tmp_path, 50, best=50)
    mirrors = Mirrors(tmp_path, {"mirror": "unreliable://tier"})
    mirrors.push()
    until(lambda: any("checkpoint-50" in path for path in Unreliable.written))
    shutil.rmtree(tmp_path / "checkpoint-50")
    (tmp_path / "best-50.safetensors").unlink()
    until(lambda: mirrors.report()["mirror"]["step"] == 50)
    write_checkpoint(tmp_path, 100, best=90)
    mirrors.finish(20)
    assert checkpoints_in("unreliable://tier") == {"checkpoint-50", "checkpoint-100"}
    here, there = tree(tmp_path), tree("unreliable://tier")
    assert all(there[path] == data for path, data in here.items())
    assert mirrors.report()["mirror"] | {"time": 0} == {
        "url": "unreliable://tier",
        "step": 100,
        "time": 0,
        "behind": 0,
        "error": None,
    }


def test_the_log_gets_there_while_a_large_checkpoint_is_copied(tmp_path):
    Unreliable.pause = 0.03
    write_checkpoint(tmp_path, 50)
    mirrors = Mirrors(tmp_path, {"mirror": "unreliable://tier"})
    mirrors.push()
    until(lambda: any("checkpoint-50" in path for path in Unreliable.written))
    (tmp_path / "log.jsonl").write_text("{}\n")
    mirrors.touch()
    mirrors.finish(20)
    assert Unreliable.written.index("/tier/log.jsonl") < Unreliable.written.index("/tier/checkpoint-50/manifest.json")


def test_a_tier_that_hangs_delays_neither_the_end_nor_the_other_tier(tmp_path, capfd):
    Unreliable.hangs = Hang()
    write_checkpoint(tmp_path / "state", 50)
    mirrors = Mirrors(tmp_path / "state", {"mirror": "unreliable://tier", "safety": str(tmp_path / "safety")})
    started = time.monotonic()
    mirrors.push()
    mirrors.finish(0.5)
    assert 0.5 <= time.monotonic() - started < 2
    assert sound(tmp_path / "safety") == ["checkpoint-50"]
    assert "mirror (unreliable://tier): not all is copied: still copying after" in capfd.readouterr().err
    Unreliable.hangs.set()


# What is said ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("/content/drive/My Drive/wake?", "/content/drive/My Drive/wake?"),
        ("s3://bucket/wake/m", "s3://bucket/wake/m"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ("sftp://me:pa55@host:22/wake", "sftp://…@host:22/wake"),
        ("sftp://me@host/wake", "sftp://…@host/wake"),
        ("sftp://me:p@5/5@host/wake", "sftp://…@host/wake"),
        ("https://host/wake?key=abc#part", "https://host/wake"),
        ("s3://bucket/My Drive?X-Amz-Signature=abc def", "s3://bucket/My Drive"),
        ("simplecache::s3://id:key@bucket/x", "simplecache::s3://…@bucket/x"),
        ("zip://a.txt::s3://id:key@bucket/x.zip", "zip://…@bucket/x.zip"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, seen):
    assert shown(url) == seen


secret = st.text("KXQZ079:/@%+=&?#. ", min_size=1)


@given(
    user=st.text("KXQZ", min_size=1), password=secret, query=secret, host=st.from_regex(r"[a-w]{2,9}", fullmatch=True)
)
def test_no_user_password_or_query_is_ever_shown(user, password, query, host):
    assert set(shown(f"sftp://{user}:{password}@{host}/wake?{query}")) <= set(f"sftp://…@{host}/wake")


def test_secrets_in_errors_reach_neither_the_report_nor_stderr(tmp_path, capfd):
    url = "unreliable://someone:hunter2%21@host/tier?token=s3cr3t&expires=99999"
    Unreliable.errors = [
        OSError(f"403 for {url}"),
        OSError("the password hunter2! of someone is wrong, or s3cr3t is old"),
        OSError("see https://other:pass-word@elsewhere/x?signature=feedbeef for more"),
    ] * 9
    write_checkpoint(tmp_path, 50)
    mirrors = Mirrors(tmp_path, {"mirror": url}, retries=0)
    said = []
    for _ in range(6):
        mirrors.push()
        time.sleep(0.05)
        said.append(json.dumps(mirrors.report()))
    mirrors.finish(5)
    said = "".join([*said, capfd.readouterr().err])
    assert "no copy gets there: OSError: 403 for unreliable://" in said and "elsewhere" in said
    for word in ("hunter2", "someone", "s3cr3t", "99999", "pass-word", "feedbeef"):
        assert word not in said
