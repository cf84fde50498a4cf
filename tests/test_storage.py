"""Whole files or none; tensors read without torch."""

import errno
import json
import math
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from wake2vec import storage
from wake2vec.errors import UserError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    storage.write_text(path, "old")
    with pytest.raises(RuntimeError), storage.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_json_has_schema_values_provenance_and_no_nan(tmp_path):
    values = {"a": np.float32(0.5), "b": [np.nan, math.inf], "c": np.arange(2), "d": {3}, 4: None}
    storage.write_json(tmp_path / "x.json", "thing", values, {"seed": 1})
    record = json.loads((tmp_path / "x.json").read_text())
    assert record == {
        "schema": "thing/1",
        "values": {"a": 0.5, "b": [None, None], "c": [0, 1], "d": [3], "4": None},
        "provenance": {"seed": 1},
    }


def test_half_a_json_file_is_explained(tmp_path):
    (tmp_path / "x.json").write_text('{"values": {')
    with pytest.raises(UserError, match="not a complete JSON file"):
        storage.read_values(tmp_path / "x.json")


def test_every_precision_is_read_exactly_without_torch(tmp_path):
    tensors = {
        "f32": torch.randn(3, 5),
        "bf16": torch.randn(4, 2).bfloat16(),
        "f16": torch.randn(2, 2).half(),
        "i64": torch.arange(4),
    }
    save_file(tensors, tmp_path / "t.safetensors")
    arrays = storage.load_arrays(tmp_path / "t.safetensors")
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(arrays[name], (tensor.float() if name != "i64" else tensor).numpy())
    assert storage.load_arrays(tmp_path / "t.safetensors", ["f32"]).keys() == {"f32"}


def test_a_file_that_is_cut_short_is_damaged_and_one_that_memory_cannot_hold_is_not(tmp_path, monkeypatch):
    path = tmp_path / "t.safetensors"
    save_file({"a": torch.randn(30, 5)}, path)
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:40], whole[:4], whole.replace(b"[30,5]", b"[31,5]"), b"\xff" * len(whole)):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="t.safetensors is damaged: it is cut short"):
            storage.load_arrays(path)

    def full(*_):
        raise MemoryError

    path.write_bytes(whole)
    monkeypatch.setattr(np, "fromfile", full)
    with pytest.raises(MemoryError):
        storage.load_arrays(path)


def test_publish_moves_in_order_and_overwrites(tmp_path):
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / name).write_text(name)
    storage.publish(tmp_path / "in", tmp_path / "out", ("a", "b"))
    assert (tmp_path / "out/a").read_text() == "a" and not (tmp_path / "in/a").exists()


def test_publish_copies_from_another_disk_and_hides_no_other_error(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_bytes(bytes(range(256)))
    replace = os.replace

    def across(code, source, target):
        if Path(source).parent != Path(target).parent:
            raise OSError(code, os.strerror(code), str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", partial(across, errno.EACCES))
    with pytest.raises(PermissionError):
        storage.publish(tmp_path / "in", tmp_path / "out", ("a",))
    monkeypatch.setattr(os, "replace", partial(across, errno.EXDEV))
    storage.publish(tmp_path / "in", tmp_path / "out", ("a",))
    assert (tmp_path / "out/a").read_bytes() == bytes(range(256)) and not (tmp_path / "in/a").exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_a_compact_result_is_one_line_and_the_same_values(tmp_path):
    values = {"words": [["▁river", 0.25], ["run", float("nan")]]}
    storage.write_json(tmp_path / "a.json", "map", values, {"seed": 1}, compact=True)
    storage.write_json(tmp_path / "b.json", "map", values, {"seed": 1})
    assert (tmp_path / "a.json").read_text().count("\n") == 1
    assert storage.read_json(tmp_path / "a.json") == storage.read_json(tmp_path / "b.json")
