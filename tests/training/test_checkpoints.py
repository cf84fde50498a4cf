"""Checkpoints that cannot be believed are named, kept out of the way and passed over."""

import json
import os
import shutil

import pytest

from tests.training.conftest import ROWS, p1, same
from wake2vec.storage import load_arrays
from wake2vec.training import trainer
from wake2vec.training.checkpoints import checkpoints_of, fault, steps_of


def truncated(folder):
    path = folder / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def altered(folder):
    path = folder / "trainable.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def emptied(folder):
    (folder / "random.safetensors").write_bytes(b"")


def half_copied(folder):
    (folder / "manifest.json").unlink()


def of_another_run(folder):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fingerprint": "f" * 64}))


def renamed(folder):
    folder.rename(folder.with_name("checkpoint-99"))


def bare(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def nested(folder):
    (folder / "manifest.json").write_text("[" * 100_000)


def wordy(folder):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"]["scalars.json"]["bytes"] = "many"
    path.write_text(json.dumps(manifest))


def without_its_best(folder):
    (folder.parent / json.loads((folder / "manifest.json").read_text())["best"]["file"]).unlink()


def no_json(folder):
    (folder / "manifest.json").write_text('{"schema": "checkpoint/1", "step": 12, "fil')


SAYS = {
    truncated: "optimizer.safetensors has",
    altered: "trainable.safetensors is not what was written",
    emptied: "random.safetensors has 0 of",
    half_copied: "manifest.json is missing: it was not finished",
    of_another_run: "it belongs to other settings or inputs",
    renamed: "manifest.json is that of checkpoint/1 at step 12",
    bare: "manifest.json is missing",
    no_json: "manifest.json is damaged",
    nested: "manifest.json is damaged",
    wordy: "manifest.json is damaged",
}


@pytest.mark.parametrize("damage", SAYS, ids=lambda damage: damage.__name__)
def test_a_bad_checkpoint_is_named_and_moved_and_the_one_before_is_used(run, tmp_path, whole, capsys, damage):
    damage(tmp_path / "whole/state/checkpoint-12")
    again, values, history = p1(run, tmp_path / "whole")
    said = capsys.readouterr().err
    assert SAYS[damage] in said and "not used" in said
    assert values["resumed_from"] == 10 and same(again, whole[0]) and history.equals(whole[2])
    rejected = "checkpoint-99" if damage is renamed else "checkpoint-12"
    assert (tmp_path / "whole/state/rejected" / rejected).is_dir()
    assert fault(tmp_path / "whole/state/checkpoint-12") is None  # made again


def test_every_file_of_a_checkpoint_is_needed(run, tmp_path, whole):
    names = {path.name for path in (tmp_path / "whole/state/checkpoint-12").iterdir()}
    assert names == {
        "trainable.safetensors",
        "optimizer.safetensors",
        "random.safetensors",
        "scalars.json",
        "trainer_state.json",
        "manifest.json",
    }
    for name in names:
        copy = tmp_path / name / "checkpoint-12"
        shutil.copytree(tmp_path / "whole/state/checkpoint-12", copy)
        for best in (tmp_path / "whole/state").glob("best-*"):
            shutil.copy(best, copy.parent)
        assert fault(copy) is None
        (copy / name).unlink()
        assert fault(copy).startswith(f"{name} is missing")


def test_a_lost_best_state_makes_its_checkpoints_worthless(run, tmp_path, whole, capsys):
    without_its_best(tmp_path / "whole/state/checkpoint-12")
    again, values, _ = p1(run, tmp_path / "whole")
    assert "best-12.safetensors is missing" in capsys.readouterr().err
    assert same(again, whole[0])


def test_checkpoints_are_taken_by_step_whatever_the_clock_says(run, tmp_path, whole):
    state = tmp_path / "whole/state"
    for path in (state / "checkpoint-10").iterdir():
        os.utime(path, (2**32, 2**32))
    os.utime(state / "checkpoint-12", (0, 0))
    assert p1(run, tmp_path / "whole")[1]["resumed_from"] == 12


def test_only_numbers_are_steps():
    names = ["checkpoint-7", "checkpoint-12", "checkpoint-²", "checkpoint-", "checkpoint-1x", "other-3"]
    assert steps_of(names) == [(12, "checkpoint-12"), (7, "checkpoint-7")]


def test_checkpoints_hold_what_trains_and_no_more(run, tmp_path, whole):
    rows = load_arrays(run["rows"])
    saved = load_arrays(tmp_path / "whole/state/checkpoint-12/trainable.safetensors")
    assert sum(array.size for array in saved.values()) == sum(array.size for array in rows.values())
    needed = 3 * 4 * sum(array.size for array in rows.values())  # rows and AdamW's two moments, float32
    taken = sum(path.stat().st_size for path in (tmp_path / "whole/state/checkpoint-12").iterdir())
    assert taken < needed + 40_000
    assert [path.name for path in checkpoints_of(tmp_path / "whole/state")] == ["checkpoint-12", "checkpoint-10"]


def test_keep_checkpoints_says_how_many_stay(run, tmp_path):
    p1(run, tmp_path, ROWS | {"checkpoint_every": 3, "keep_checkpoints": 1})
    assert [path.name for path in (tmp_path / "state").glob("checkpoint-*")] == ["checkpoint-12"]
    assert len(list((tmp_path / "state").glob("best-*"))) == 1


def test_what_changes_nothing_of_the_training_does_not_train_again(run, tmp_path, whole, capsys):
    settings = ROWS | {"keep": "final", "keep_checkpoints": 1, "checkpoint_every": 3}
    again, values, history = p1(run, tmp_path / "whole", settings)
    assert "trained already with these settings and inputs" in capsys.readouterr().err
    assert values["resumed_from"] == 12 and values["kept"] == "final"
    assert same(again, whole[0]) and history.equals(whole[2])


def test_checkpoints_may_come_more_often_from_where_a_run_goes_on(run, tmp_path, whole):
    """As after a machine that goes away too soon for the checkpoints that it was to leave."""
    shutil.rmtree(tmp_path / "whole/state/checkpoint-12")
    settings = ROWS | {"checkpoint_every": 1, "keep_checkpoints": 5}
    again, values, history = p1(run, tmp_path / "whole", settings)
    assert values["resumed_from"] == 10 and same(again, whole[0]) and history.equals(whole[2])
    found = [path.name for path in checkpoints_of(tmp_path / "whole/state")]
    assert found == ["checkpoint-12", "checkpoint-11", "checkpoint-10"]


def test_a_save_that_works_at_the_second_try_loses_nothing(run, tmp_path, whole, monkeypatch):
    """Room is made by deleting what is old: never the best state, though no checkpoint may name it yet."""
    save, failed = trainer.save_checkpoint, []

    def full_once(state, step, *arguments):
        if step == 12 and not failed:
            failed.append(step)
            raise OSError(28, "No space left on device")
        return save(state, step, *arguments)

    monkeypatch.setattr(trainer, "save_checkpoint", full_once)
    states, values, _ = p1(run, tmp_path / "tight")
    assert failed and values["best_step"] == 12  # evaluated, and saved as the best, just before the checkpoint
    assert same(states, whole[0])
    assert all(fault(folder) is None for folder in checkpoints_of(tmp_path / "tight/state"))
