"""The neighbour map in a report: what the static table holds, what the script gets, and that none of it is markup."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.report_neighbours import make_neighbour_map
from tests.report.report_results import HOSTILE, make_results
from tests.report.test_tables import cells
from wake2vec.report.neighbour_page import (
    DATA,
    LIMIT,
    SCRIPT,
    columns,
    has_map,
    neighbour_controls_table,
    neighbour_map_table,
    neighbour_map_text,
    packed,
    script_text,
    shown,
    with_map,
)
from wake2vec.report.render import SOURCE
from wake2vec.storage import write_text


def forms_of(words):
    return [
        {"row": i, "word": word, "form": f"▁{word}", "count_train": len(words) - i, "count_valid": i % 3}
        for i, word in enumerate(words)
    ]


@pytest.fixture(scope="module")
def values():
    return make_neighbour_map(forms_of([*HOSTILE, *(f"wurd{i}ling" for i in range(120))]))


def test_the_static_table_is_the_first_fifty_words_as_they_are(values):
    header, *rows = cells(neighbour_map_table(values))
    assert header == ["Word", "Parts", "True parts", "Seen", "Held out", "Drift,\u00a0P1", "Drift,\u00a0P3",
                      "Nearest, initial", "Nearest, after\u00a0P1", "Nearest, after\u00a0P3"]  # fmt: skip
    assert [row[0] for row in rows] == [*HOSTILE, *(f"wurd{i}ling" for i in range(50 - len(HOSTILE)))]
    assert [row[3] for row in rows] == [str(128 - i) for i in range(50)]
    word = values["words"][9]
    assert rows[9][1:3] == ["wurd + 1ling"] * 2 and rows[8][1:3] == ["–", "–"]
    assert rows[9][5] == f"{word['phases']['p1']['drift']:.3f}" and rows[3][5:7] == ["–", "–"]
    near = [f"{name}\u00a0{round(100 * c) / 100:.2f}".replace("-", "−") for name, c in word["phases"]["p3"]["base"]]
    assert rows[9][9].startswith("\u00a0· ".join(near))
    lines = neighbour_map_table(values).replace("\\", "").splitlines()
    assert all(name in lines[11].split(" [")[-1] for name, _ in word["phases"]["p3"]["new"])


def test_a_run_without_the_truth_has_no_column_for_it_and_one_without_training_no_drift():
    alone = make_neighbour_map(forms_of(["wurd"]), phases=["init"], gold=False)
    assert [column["title"] for column in columns(alone)] == ["Word", "Parts", "Seen", "Held out", "Nearest, initial"]


def test_a_run_without_rows_has_no_map(tmp_path):
    nothing = make_neighbour_map([])
    for empty in (nothing, {}):
        assert packed(empty) == "null" and shown(empty) == 0
        assert neighbour_map_table(empty).startswith("Not measured")
    write_text(tmp_path / DATA, packed(nothing))
    assert not has_map(tmp_path) and with_map("<body></body>", tmp_path, tmp_path) == "<body></body>"


def unpacked(text):
    """The words of a packed map: {word: {phase's title: {kind: [(name, cosine in hundredths)]}}} and all columns."""
    data = json.loads(text)
    found = {}
    for column in (c for c in data["columns"] if c["kind"] == "neighbours"):
        for kind in ("base", "new"):
            names, cosines = column[kind]
            for i in range(len(names) // column["k"]):
                at = range(i * column["k"], (i + 1) * column["k"])
                found[i, column["title"], kind] = [(data["strings"][names[j]], cosines[j]) for j in at if names[j] >= 0]
    return data, found


def test_the_script_gets_every_word_with_its_neighbours(values):
    data, found = unpacked(packed(values))
    by_title = {column["title"]: column.get("values") for column in data["columns"]}
    assert by_title["Word"] == [word["word"] for word in values["words"]]
    assert by_title["Seen"] == [word["count_train"] for word in values["words"]]
    assert by_title["Drift,\u00a0P1"][3] is None and by_title["Parts"][8] == "–"
    for phase, title in (("init", "Nearest, initial"), ("p3", "Nearest, after\u00a0P3")):
        for i, word in enumerate(values["words"]):
            for kind in ("base", "new"):
                expected = [(name, round(100 * cosine)) for name, cosine in word["phases"][phase][kind]]
                assert found[i, title, kind] == expected


def test_fewer_neighbours_than_k():
    values = make_neighbour_map(forms_of(["a", "b"]), k=7)
    _, found = unpacked(packed(values))
    assert len(found[0, "Nearest, initial", "new"]) == 2 and len(found[1, "Nearest, initial", "base"]) == 7


@pytest.mark.parametrize("limit", [2_000, 9_000, 30_000, LIMIT])
def test_as_many_of_the_most_frequent_words_as_fit(values, limit):
    text = packed(values, limit)
    held = json.loads(text)["columns"][0]["values"]
    assert len(text.encode()) <= limit and held == [word["word"] for word in values["words"][: len(held)]]
    assert len(held) == shown(values, limit) >= min(128, limit // 600)  # a word takes some 300 to 500 bytes
    nearer, said = neighbour_map_text(values, "tiny", limit).replace("\\", "").split("\n\n")
    assert "Of the words 40% lie nearer" in nearer and "(initial rows); after\u00a0P3 40% and 40%." in nearer
    if limit == LIMIT:
        assert said.startswith("The table holds all 128 words")
    else:
        assert said.startswith(f"The table holds the {len(held)} words most frequent in training of the 128")
        assert "results/tiny/neighbour_map.json" in said


def test_controls_stand_beside_the_words():
    table = cells(neighbour_controls_table(make_results().neighbour_map))
    assert [row[:2] for row in table[1:3]] == [
        ["initial", "base tokens"],
        ["initial", "words of the other half"],
    ] and len(table) == 7
    assert table[1][2:] == ["0.60", "0.30 [0.20,\u00a00.40]", "0.50 [0.40,\u00a00.60]", "40%"]


@given(st.text())
def test_what_stands_in_a_script_is_no_markup(text):
    written = script_text({text: [text]})
    assert json.loads(written) == {text: [text]}
    assert not set("<>&\u2028\u2029") & set(written)


def test_direction_overrides_are_made_visible():
    values = make_neighbour_map(forms_of(["wurd\u202egnp"]))
    assert json.loads(packed(values))["columns"][0]["values"] == ["wurd\ufffdgnp"]


def test_map_and_script_come_last_in_the_page(values, tmp_path):
    write_text(tmp_path / DATA, packed(values))
    page = with_map("<body><p>&lt;/body> a </body> b</body></html>", tmp_path, SOURCE / "theme")
    assert page.startswith("<body><p>&lt;/body> a </body> b<script ") and page.endswith("</script>\n</body></html>")
    [data, script] = re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)
    assert json.loads(data)["columns"][0]["values"][: len(HOSTILE)] == HOSTILE
    assert script.strip() == (SOURCE / "theme" / SCRIPT).read_text().strip()


def test_the_script_asks_for_nothing_and_makes_no_markup_of_text():
    script = (SOURCE / "theme" / SCRIPT).read_text()
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "http", "import"):
        assert word not in script
    assert "</script" not in script and "<!--" not in script
