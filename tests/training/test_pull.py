"""A machine with an empty or a damaged disk takes the newest checkpoint that is true from the best tier."""

import json
import shutil
import tempfile
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.fake_states import (
    FILES,
    OURS,
    THEIRS,
    Hang,
    Unreliable,
    in_namespace,
    mirrored,
    sound,
    tree,
    write_checkpoint,
    write_extras,
)
from wake2vec.errors import UserError
from wake2vec.training import mirrors
from wake2vec.training.mirrors import pull
from wake2vec.training.tiers import check_places


@pytest.fixture(autouse=True)
def _clean_stores():
    yield
    Unreliable.reset()
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def state(tmp_path) -> Path:
    """Where the new machine will have its state: nothing is there yet."""
    return tmp_path / "new/machine/state"


def damage(path: Path, offset: int = 17) -> None:
    data = bytearray(path.read_bytes())
    data[offset % len(data)] ^= 0x40
    path.write_bytes(data)


@pytest.mark.parametrize("url", ["{tmp}/mirror/tiny/state/p1", "file://{tmp}/mirror/p1", "memory://mirror/p1"])
def test_what_was_mirrored_comes_back_byte_for_byte_on_an_empty_disk(tmp_path, state, url):
    old, url = tmp_path / "old", url.format(tmp=tmp_path)
    write_checkpoint(old, 100, best=80)
    write_extras(old, 50, 100)
    mirrored(old, {"mirror": url})
    said = pull(state, {"mirror": url}, OURS)
    assert said == f"fetched checkpoint-100 from mirror ({url}) and 2 snapshots"
    assert tree(state) == {k: v for k, v in tree(old).items() if k not in ("fingerprint.json", "status.json")}
    assert pull(state, {"mirror": url}, OURS) is None


def test_the_newest_of_all_tiers_is_taken_and_the_first_tier_where_they_are_equal(tmp_path, state):
    write_checkpoint(tmp_path / "mirror", 150)
    write_checkpoint(tmp_path / "safety", 150)
    write_checkpoint(tmp_path / "safety", 200)
    tiers = {"mirror": str(tmp_path / "mirror"), "safety": str(tmp_path / "safety")}
    assert pull(state, tiers, OURS) == f"fetched checkpoint-200 from safety ({tiers['safety']})"
    shutil.rmtree(tmp_path / "safety/checkpoint-200")
    shutil.rmtree(state)
    assert pull(state, tiers, OURS) == f"fetched checkpoint-150 from mirror ({tiers['mirror']})"


@pytest.mark.parametrize("step", [100, 150])
def test_nothing_is_fetched_that_is_not_newer_than_what_is_sound_here(tmp_path, state, capfd, step):
    write_checkpoint(tmp_path / "mirror", step)
    write_checkpoint(state, 150)
    before = tree(state)
    assert pull(state, {"mirror": str(tmp_path / "mirror")}, OURS) is None
    assert pull(state, {}, OURS) is None
    assert tree(state) == before and capfd.readouterr().err == ""


def test_a_damaged_checkpoint_here_is_put_aside_for_the_same_one_from_a_tier(tmp_path, state):
    write_checkpoint(state, 100)
    write_checkpoint(state, 150, best=120)
    shutil.copytree(state, tmp_path / "mirror")
    damage(state / "checkpoint-150/trainable.safetensors")
    assert "fetched checkpoint-150" in pull(state, {"mirror": str(tmp_path / "mirror")}, OURS)
    assert sound(state) == ["checkpoint-100", "checkpoint-150"]
    assert (state / "rejected/checkpoint-150").is_dir()


@pytest.mark.parametrize("name", [*FILES, "../best-80.safetensors"])
def test_a_flipped_bit_on_a_tier_is_named_and_the_other_tier_taken(tmp_path, state, capfd, name):
    mirror, safety = tmp_path / "mirror", tmp_path / "safety"
    write_checkpoint(mirror, 50)
    write_checkpoint(mirror, 100, best=80)
    shutil.copytree(mirror, safety)
    damage(mirror / "checkpoint-100" / name)
    said = pull(state, {"mirror": str(mirror), "safety": str(safety)}, OURS)
    assert said == f"fetched checkpoint-100 from safety ({safety})"
    assert sound(state) == ["checkpoint-100"]
    expected = f"mirror ({mirror}): checkpoint-100 is not used, "
    assert any(
        line.startswith(expected) and line.endswith(f"{Path(name).name} is not what was written")
        for line in capfd.readouterr().err.splitlines()
    )


harm = st.tuples(
    st.sampled_from([*FILES, "manifest.json", "../best-80.safetensors"]),
    st.sampled_from(["flip", "cut", "empty", "delete", "grow"]),
    st.integers(0, 10**6),
)


@settings(max_examples=40, deadline=None)
@given(harms=st.lists(harm, min_size=1, max_size=3))
def test_whatever_happens_to_the_newest_on_a_tier_only_what_was_written_is_fetched(harms):
    with tempfile.TemporaryDirectory() as folder:
        tier, state = Path(folder, "tier"), Path(folder, "state")
        write_checkpoint(tier, 50, size=300)
        write_checkpoint(tier, 100, size=300, best=80)
        written = tree(tier)
        for name, how, where in harms:
            path = tier / "checkpoint-100" / name
            if not path.exists() or not (data := path.read_bytes()):
                continue
            if how == "flip":
                damage(path, where)
            elif how == "delete":
                path.unlink()
            else:
                path.write_bytes({"cut": data[: where % len(data)], "empty": b"", "grow": data + b"x"}[how])
        changed = {path for path, data in tree(tier).items() if written[path] != data} | (written.keys() - tree(tier))
        said = pull(state, {"mirror": str(tier)}, OURS, retries=0)
        step = 100 if "checkpoint-100" in said else 50
        assert sound(state) == [f"checkpoint-{step}"]
        fetched = tree(state)
        assert all(written[path] == data for path, data in fetched.items() if not path.endswith("manifest.json"))
        if changed - {"checkpoint-100/manifest.json"}:
            assert step == 50
        assert not list(state.glob(".*"))


def test_half_a_copy_and_other_settings_are_left_alone(tmp_path, state, capfd):
    tier = tmp_path / "mirror"
    write_checkpoint(tier, 50)
    write_checkpoint(tier, 100, THEIRS)
    (write_checkpoint(tier, 150) / "manifest.json").unlink()
    cut = write_checkpoint(tier, 200) / "manifest.json"
    cut.write_bytes(cut.read_bytes()[:-40])
    before = tree(tier)
    assert pull(state, {"mirror": str(tier)}, OURS) == f"fetched checkpoint-50 from mirror ({tier})"
    said = capfd.readouterr().err
    assert "checkpoint-150 is not used, it was not finished" in said
    assert "checkpoint-200 is not used, its manifest.json is damaged" in said
    assert "checkpoint-100" not in said and tree(tier) == before


def test_only_snapshots_and_logs_of_these_settings_up_to_the_step_come(tmp_path, state):
    old, tier = tmp_path / "old", tmp_path / "mirror"
    write_checkpoint(old, 100)
    write_extras(old, 50, 100, 150)
    mirrored(old, {"mirror": str(tier)})
    (tier / "snapshots/step-000060.safetensors").write_bytes(b"of other settings: nothing lists it")
    assert "2 snapshots" in pull(state, {"mirror": str(tier)}, OURS)
    assert {path.name for path in (state / "snapshots").iterdir()} == {
        "step-000050.safetensors",
        "step-000100.safetensors",
    }
    shutil.rmtree(state)
    damage(tier / "snapshots/step-000050.safetensors")
    (tier / "fingerprint.json").write_text(json.dumps({"fingerprint": THEIRS}))
    assert "1 snapshot" in pull(state, {"mirror": str(tier)}, OURS)
    assert [path.name for path in (state / "snapshots").iterdir()] == ["step-000100.safetensors"]
    assert not (state / "log.jsonl").exists()


def test_a_manifest_cannot_write_outside_its_folder(tmp_path, state):
    tier = tmp_path / "mirror"
    (tmp_path / "new/machine").mkdir(parents=True)
    for step, key in ((50, "files"), (100, "best")):
        path = write_checkpoint(tier, step, best=step) / "manifest.json"
        manifest = json.loads(path.read_text())
        if key == "files":
            manifest["files"]["../../evil"] = manifest["files"].pop("scalars.json")
        else:
            manifest["best"]["file"] = "../evil"
        path.write_text(json.dumps(manifest))
    for folder in (tier, tmp_path):  # what the names point to, from a folder of a checkpoint there
        (folder / "evil").write_bytes((tier / "checkpoint-50/scalars.json").read_bytes())
    assert pull(state, {"mirror": str(tier)}, OURS) is None
    assert not list(tmp_path.glob("new/**/*evil*"))


def test_tiers_out_of_reach_are_warnings(tmp_path, state, capfd, monkeypatch):
    monkeypatch.setattr(mirrors, "LOOK", 0.2)
    write_checkpoint(tmp_path / "safety", 50)
    Unreliable.hangs = Hang()
    tiers = {"hung": "unreliable://x", "absent": "nosuch://me:hunter2@x/y", "new": "/proc/nothing/here"}
    said = pull(state, tiers | {"safety": str(tmp_path / "safety")}, OURS, retries=1, wait=0.01)
    assert "fetched checkpoint-50 from safety" in said
    shutil.rmtree(state)
    assert pull(state, tiers, OURS, retries=1, wait=0.01) is None
    err = capfd.readouterr().err
    assert "hung (unreliable://x): is not looked at, it has not answered within" in err
    assert "absent (nosuch://…@x/y): is not looked at" in err and "hunter2" not in err
    assert "new (/proc/nothing/here): no checkpoint of these settings is there" in err


def test_a_line_that_is_cut_for_a_moment_is_tried_again(tmp_path, state):
    write_checkpoint(tmp_path / "old", 50)
    mirrored(tmp_path / "old", {"mirror": "unreliable://tier"})
    Unreliable.reading_errors = [OSError("reset by peer"), OSError("reset by peer")]
    assert "fetched checkpoint-50" in pull(state, {"mirror": "unreliable://tier"}, OURS, retries=2, wait=0.01)
    assert Unreliable.reading_errors == []
    assert sound(state) == ["checkpoint-50"]


FULL = """
import subprocess, sys
from pathlib import Path
from tests.training.fake_states import OURS, sound, tree, write_checkpoint
from wake2vec.errors import UserError
from wake2vec.training.mirrors import pull

state, tier = Path(sys.argv[1]), Path(sys.argv[2])
state.mkdir(parents=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(state)], check=True)
write_checkpoint(state, 50, size=1000)
before = tree(state)
write_checkpoint(tier, 100, size=300_000)
try:
    pull(state, {"mirror": str(tier)}, OURS)
except UserError as error:
    print(error)
assert tree(state) == before
"""


def test_a_full_disk_here_stops_with_advice_and_leaves_what_was_there(tmp_path):
    out = in_namespace(FULL, tmp_path / "state", tmp_path / "mirror")
    assert out.returncode == 0, out.stderr
    assert "cannot be fetched to here (No space left on device). Free some space" in out.stdout


def test_a_place_that_no_copy_could_get_to_is_refused_at_once(tmp_path):
    with pytest.raises(UserError, match="tiers.far: foo://bar is of no protocol"):
        check_places({"near": str(tmp_path), "far": "foo://bar"})
    with pytest.raises(UserError, match=r"tiers.far: .*package that is not installed"):
        check_places({"far": "adl://secret:key@store/x"})
    check_places({"near": str(tmp_path), "memory": "memory://x", "cached": "simplecache::memory://x"})
