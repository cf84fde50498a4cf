"""A run's files on disk, small enough to train in a second."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import COINAGES
from wake2vec.settings import Adapter, Alignment, Rows
from wake2vec.storage import save_arrays, write_json, write_jsonl, write_text
from wake2vec.text.corpus import join_passages
from wake2vec.text.encoding import load_tokenizer
from wake2vec.vocabulary.initialisation import initial_rows
from wake2vec.vocabulary.injection import inject

SMALL = {
    "steps": 12,
    "batch": 2,
    "sequence": 32,
    "log_every": 2,
    "evaluate_every": 4,
    "checkpoint_every": 5,
    "learning_rate": 0.01,
}
SEGMENTATION = [
    {"word": "riverling", "prefix": "", "root": "river", "suffix": "-ling", "compound": [], "method": "affix"},
    {"word": "moonbread", "prefix": "", "root": "", "suffix": "", "compound": ["moon", "bread"], "method": "compound"},
]
MORPHEMES = {"prefixes": {}, "suffixes": {"-ling": ["duckling", "seedling"]}}
MODEL = {
    "head": "native",
    "precision": "float32",
    "quantisation": "none",
    "evaluation": {"context": 32, "stride": 16},
    "seed": 3,
}


def block(settings_class, /, **changes):
    return settings_class(**(SMALL | changes)).model_dump(mode="json")


@pytest.fixture
def p1_block():
    return block(Rows)


@pytest.fixture
def p2_block():
    return block(Adapter)


@pytest.fixture
def p3_block():
    return block(Alignment)


def make_run(folder, manifest, passages, head_too):
    """Tokenizer, initial rows and texts for a base; returns the paths that a phase takes."""
    from wake2vec.bases.checkpoint import base_rows

    base_tokenizer = load_tokenizer(manifest.parent)
    matrices = base_rows(manifest)
    count = len(matrices["embedding"])
    tokenizer, values = inject(base_tokenizer, count, COINAGES, passages[:32], passages[32:], min_fires=1)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_text(folder / "tokenizer_config.json", (manifest.parent / "tokenizer_config.json").read_text("utf-8"))
    write_json(folder / "injection.json", "injection", values | {"lexicon_saw_held_out": False}, {})
    if not head_too:
        matrices = {"embedding": matrices["embedding"]}
    settings = {"method": "gaussian", "spread": 0.5}
    rows, _ = initial_rows(matrices, base_tokenizer, values["forms"], [], {}, settings, 0)
    save_arrays(folder / "rows.safetensors", rows)
    write_text(folder / "train.txt", join_passages(passages[:32]))
    write_text(folder / "valid.txt", join_passages(passages[32:]))
    write_text(folder / "wake_lexicon.txt", "moonbread\nriverling\n")
    write_jsonl(folder / "segmentation.jsonl", SEGMENTATION)
    write_json(folder / "morphemes.json", "morphemes", MORPHEMES, {})
    return {
        "manifest": str(manifest),
        "tokenizer": str(folder / "tokenizer.json"),
        "injection": str(folder / "injection.json"),
        "rows": str(folder / "rows.safetensors"),
        "train": str(folder / "train.txt"),
        "valid": str(folder / "valid.txt"),
        "lexicon": str(folder / "wake_lexicon.txt"),
        "segmentation": str(folder / "segmentation.jsonl"),
        "morphemes": str(folder / "morphemes.json"),
    }


def to_score(run, **published):
    """The paths that scoring a run takes, with what a phase published."""
    return run | {"base_tokenizer": str(Path(run["manifest"]).parent / "tokenizer.json")} | published


@pytest.fixture
def run(tmp_path, base, passages):
    return make_run(tmp_path, base, passages, head_too=True)


@pytest.fixture
def tied_run(tmp_path, tied_base, passages):
    return make_run(tmp_path, tied_base, passages, head_too=False)


def dumps(value):
    return json.dumps(value, sort_keys=True)


ROWS = block(Rows)


def p1(run, folder, settings=ROWS):
    """P1 in a state folder of its own: (states, run values, history)."""
    from wake2vec.training import phases

    return phases.rows_phase("p1", run, settings, MODEL, folder / "state")


def same(a, b):
    """Whether two phases came to the same rows, bit for bit."""
    return all(np.array_equal(a[s]["rows"][n], b[s]["rows"][n]) for s in ("best", "final") for n in a[s]["rows"])


@pytest.fixture
def whole(run, tmp_path):
    return p1(run, tmp_path / "whole")
