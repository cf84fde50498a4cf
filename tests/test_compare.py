"""The command that compares any two models or phases."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.language.test_comparison import frame, scored
from wake2vec.compare import main
from wake2vec.storage import read_values, write_csv, write_json


@pytest.fixture
def folders(tmp_path):
    def made(name, nats, bits, kinds):
        folder = tmp_path / name
        write_json(folder / "likelihood.json", "likelihood", scored(nats, [4, 12]), {})
        words = frame(bits, kinds).assign(length=1)
        write_csv(folder / "surprisal.csv", words)
        return str(folder)

    kinds = ["coinage without row", "plain", "coinage without row", "plain"]
    one = made("a", [10, 20], [10.0, 2.0, 20.0, 4.0], kinds)
    other = made("b", [8, 18], [4.0, 2.5, 30.0, 3.5], ["coinage with row", *kinds[1:]])
    return one, other


def test_bits_per_byte_and_bits_a_word_with_intervals(folders, capsys):
    assert main([*folders, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["text"]["bits_per_byte"] == pytest.approx(-4 / 16 / 0.6931471805599453)
    assert found["words"]["coinage"]["difference"] == 2.0 and found["words"]["plain"]["difference"] == 0
    assert main(list(folders)) == 0
    said = capsys.readouterr().out
    assert f"{folders[1]} less {folders[0]}" in said and "2 passages" in said
    for line in ("15.00 → 17.00   +2.00 [−71.35, +75.35]", "10.00 → 4.00   −6.00", "bits per byte  −0.361 ["):
        assert line in said, said
    assert "\xa0" not in said and "†" not in said


def test_a_word_list_that_saw_the_text_is_named(folders, capsys):
    path = Path(folders[1]) / "likelihood.json"
    write_json(path, "likelihood", read_values(path) | {"lexicon_saw_held_out": True}, {})
    assert main(list(folders)) == 0
    assert capsys.readouterr().out.count("† The word list of") == 1
    assert main([*folders, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["saw_held_out"] == [folders[1]]


def test_other_folders_and_other_texts_are_refused_in_words(folders, tmp_path, capsys):
    assert main([folders[0], str(tmp_path / "nothing")]) == 1
    assert "no likelihood.json and no surprisal.csv in it. Accepted: results/{model}/metrics" in capsys.readouterr().err
    path = tmp_path / "b/surprisal.csv"
    write_csv(path, pd.read_csv(path).iloc[:3])
    assert main(list(folders)) == 1
    assert "different held-out text (4 and 3 lines" in capsys.readouterr().err
