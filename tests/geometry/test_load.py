import numpy as np

from wake2vec.bases.checkpoint import base_rows
from wake2vec.geometry.load import earlier, load_phases, root_pieces
from wake2vec.storage import save_arrays, write_json


def test_base_rows_that_no_phase_trained_are_read_once_and_shared(base, tmp_path):
    own = base_rows(base)["embedding"]
    new, trained = np.ones((3, own.shape[1]), np.float32), own + 1
    save_arrays(tmp_path / "init.safetensors", {"embedding.new": new})
    save_arrays(tmp_path / "p1.safetensors", {"embedding.new": 2 * new})
    save_arrays(tmp_path / "p3.safetensors", {"embedding.new": 3 * new, "embedding.base": trained})
    init, p1, p3 = load_phases(base, *(tmp_path / f"{phase}.safetensors" for phase in ("init", "p1", "p3")))
    assert init.base is p1.base and (init.base == own).all()
    assert (p3.base == trained).all() and [rows.new[0, 0] for rows in (init, p1, p3)] == [1, 2, 3]


def test_one_side_of_an_untied_base_can_be_read_alone(base):
    assert set(base_rows(base)) == {"embedding", "head"} and set(base_rows(base, ("embedding",))) == {"embedding"}


def test_roots_of_words_with_an_affix_are_cut_into_base_pieces(base):
    words = [
        {"root": "river", "prefix": "un", "suffix": ""},
        {"root": "nobody", "prefix": "", "suffix": ""},
    ]
    pieces = root_pieces(base.parent / "tokenizer.json", words)
    assert set(pieces) == {"river"} and len(pieces["river"]) > 0


def test_what_a_phase_is_compared_with(base, tmp_path):
    new = np.full((3, base_rows(base)["embedding"].shape[1]), 7, np.float32)
    save_arrays(tmp_path / "init.safetensors", {"embedding.new": new})
    write_json(tmp_path / "run.json", "run", {"held_out_words": ["river", "weir"]}, {})
    files = {"manifest": base, "initial": tmp_path / "init.safetensors", "objective": tmp_path / "run.json"}
    found = earlier(files)
    assert found["held_out"] == ["river", "weir"] and (found["initial"].new == 7).all()
    assert earlier({"manifest": base}) == {"initial": None, "held_out": None}
