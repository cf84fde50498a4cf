"""Text to ids: whatever the batches, the ids of each passage alone, in order."""

import pytest

from tests.conftest import COINAGES
from tests.vocabulary.conftest import REAL
from wake2vec.text import encoding
from wake2vec.vocabulary.injection import inject


def test_batches_are_the_passages_one_by_one(base_tokenizer, passages, monkeypatch):
    monkeypatch.setattr(encoding, "BATCH", 3)
    texts = [*passages[:10], "", "é\n"]
    found = encoding.encode(base_tokenizer, texts)
    assert [ids.tolist() for ids in found.passages] == [
        base_tokenizer.encode(text, add_special_tokens=False).ids for text in texts
    ]
    assert found.bytes.tolist() == [len(text.encode()) for text in texts]


SURFACES = ["riverrun", "Éire", "gnarlybird", "ʼtwas", "I", "‘tis", "ﬁsh", "漢"]


@pytest.mark.parametrize("family", REAL)
def test_the_first_piece_of_a_form_is_the_bases_after_a_space_or_alone(tmp_path, family):
    """Whatever stands before: a text of the base's is cut at the same place, and its next piece is the one."""
    base = REAL[family](tmp_path)
    forms = [{"surface": surface, "start": start} for surface in SURFACES for start in (True, False)]
    found = encoding.first_pieces(base, forms)
    for form, piece in zip(forms, found.tolist(), strict=True):
        for before in ("and then the", "Mother"):
            alone = base.encode(before, add_special_tokens=False).ids
            whole = base.encode(f"{before} {form['surface']}", add_special_tokens=False).ids
            if form["start"]:
                assert (whole[: len(alone)], whole[len(alone)]) == (alone, piece), form
        line = base.encode(f"end\n{form['surface']}", add_special_tokens=False).ids
        if not form["start"]:
            assert piece in line and base.decode(line[line.index(piece) :]).lstrip("\n") == form["surface"]


def test_ids_that_no_piece_has_are_no_text(base_tokenizer, passages):
    rows = base_tokenizer.get_vocab_size() + 4
    injected = inject(base_tokenizer, rows, COINAGES, passages, [], min_fires=0)[0]
    ids = injected.encode("the moonbread ran", add_special_tokens=False).ids
    drawn = [ids[0], rows - 1, *ids[1:], rows - 4]
    assert encoding.with_text(injected, drawn) == ids and "no piece" in injected.decode(drawn)
    assert encoding.with_text(base_tokenizer, [5, 6]) == [5, 6]
