"""Tables hold the numbers they should, mark what must be marked, and let nothing hostile through."""

import json
from dataclasses import replace

import pytest

from tests.report.report_register import make_register, make_validation
from tests.report.report_results import HOSTILE, SCRIPT, make_results
from tests.report.test_markdown import pandoc
from wake2vec.report.geometry_tables import similarity_table
from wake2vec.report.pandoc import walk
from wake2vec.report.paper import PAPER_TABLES, comparable, differences, paper_tables, scored_alike
from wake2vec.report.register_tables import PER_SAMPLE
from wake2vec.report.summary import summarise
from wake2vec.report.tables import (
    MODEL_TABLES,
    model_tables,
    provenance_table,
    samples,
)
from wake2vec.report.word_tables import by_kind, reason_kind, spellings

RUNS = {
    "all": {},
    "leak": {"leak": True},
    "book": {"phases": ("p1",), "testbed": False},
    "untrained": {"phases": (), "testbed": False},
    "no rows": {"new": False, "testbed": False},
}


@pytest.fixture(scope="module")
def made():
    runs = {name: make_results(**options) for name, options in RUNS.items()}
    return {name: model_tables(results, summarise(results)) for name, results in runs.items()}


def cells(markdown):
    """The rows of a pipe table as pandoc reads it, as lists of plain text."""
    from tests.report.test_markdown import plain_text

    [table] = json.loads(pandoc(markdown, "markdown", "json"))["blocks"]
    head, body = table["c"][3][1], table["c"][4][0][3]
    return [[plain_text(cell[4]) for cell in row[1]] for row in [*head, *body]]


@pytest.mark.parametrize("run", RUNS)
def test_every_table_exists_and_is_plain(made, run):
    assert tuple(made[run]) == MODEL_TABLES
    document = "\n\n".join(made[run].values())
    kinds = {node["t"] for node in walk(json.loads(pandoc(document, "markdown", "json"))["blocks"])}
    harmless = {"Str", "Space", "LineBreak", "SoftBreak", "Strong", "Para", "Plain", "Table", "Div", "Span", "Header"}
    harmless |= {"BulletList", "AlignDefault", "AlignLeft", "AlignRight", "ColWidthDefault", "ColWidth"}
    assert kinds <= harmless  # no raw HTML, link, image, citation, mathematics or code
    assert "{{<" not in document


def test_hostile_words_read_as_they_are(made):
    assert [row[0] for row in cells(made["all"]["lexicon"])[1 : 1 + len(HOSTILE)]] == HOSTILE
    assert SCRIPT.split()[0].replace("<", "\\<")[:8] in made["all"]["samples"]
    assert "<script" not in "".join(made["all"].values()).replace("\\<script", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (", but", "<strong>The wurd</strong>, but"),
        (" ran", "<strong>The wurd</strong> ran"),
        ("\n\nran", "<strong>The wurd</strong> ran"),
        ("s*", "<strong>The wurd</strong>s*"),
        ("", "<strong>The wurd</strong> (nothing)"),
    ],
)
def test_a_sample_joins_its_prompt_as_it_was_generated(text, shown):
    sample = {"prompt": "The wurd", "text": text, "token": "wurd", "seeded_with": "high-drift", "temperature": 1.0}
    results = replace(make_results(phases=("p1",)), metrics={"p1": {"generation": {"samples": [sample | {"seed": 1}]}}})
    assert f"<p>{shown}</p>" in pandoc(samples(results), "markdown", "html")


def test_a_sample_has_what_was_measured_in_it_below():
    one = {"prompt": "The wurd", "text": " ran", "token": "wurd", "seeded_with": "own", "temperature": 1.0, "seed": 1}
    row = {"sample": 1, "words": 40, "burrows": -0.0124, "cosine": 0.2} | dict.fromkeys(PER_SAMPLE, 0.125)
    metrics = {"generation": {"samples": [one, one]}, "register": make_register() | {"samples": [row]}}
    results = replace(
        make_results(phases=("p1",)), metrics={"p1": metrics}, register_validation=make_validation(failed=("cosine",))
    )
    first, second = pandoc(samples(results), "markdown", "html").split("<p>The wurd".replace("The", "<strong>The"))[1:]
    assert "of its first" not in first
    assert "of its first 30 words: coinages 12.5% · quoted 12.5% · copied 12.5% · letters 0.12 bits · Burrows" in second
    assert "Cosine" not in second  # what failed its trial is not read


def test_headline_numbers(made):
    summary = summarise(make_results())
    rows = cells(made["all"]["headline"])
    assert [row[0] for row in rows[1:]] == ["base model", "initial rows", "P1", "P2", "P3"]
    low, high = summary["p2.interval"]
    assert rows[4][1] == f"{summary['p2.bits_per_byte']:.3f} [{low:.3f},\u00a0{high:.3f}]"
    assert rows[1][5] == "–" and rows[2][5] == "8.00"  # the base model has no new tokens


def test_scores_of_a_list_that_saw_the_held_out_text_are_marked(made):
    scores = [row[1] for row in cells(made["leak"]["headline"])[1:]]
    assert ["†" in score for score in scores] == [False, True, True, True, True]  # the base has no word list
    assert all(row[2].endswith("†") for row in cells(made["leak"]["changes"])[1:])
    assert "†" not in made["all"]["headline"] + made["all"]["changes"]


def test_geometry_stands_beside_its_null(made):
    rows = cells(made["all"]["isotropy"])
    assert [row[1] for row in rows[1:5]] == ["base", "new, initial", "new, after\u00a0P1", "new, after\u00a0P3"]
    assert rows[2][2:5] == ["0.9810 [0.9780,\u00a00.9840]", "0.9820 [0.9800,\u00a00.9840]", "−0.0010"]
    assert rows[2][5:] == ["–", "Indistinguishable from no structure."]
    assert cells(made["all"]["dimension"])[2][4] == "76%"


def test_base_pairs_stand_once_where_no_phase_changed_base_rows():
    summary = summarise(make_results())
    pairs = [row[1] for row in cells(similarity_table(summary))]
    assert pairs.count("base with base") == 1 and pairs.count("new with new") == 3
    changed = summary | {"p3.drift.base.changed_rows": 3}
    assert [row[1] for row in cells(similarity_table(changed))].count("base with base") == 2


def test_recovery_rows(made):
    rows = cells(made["all"]["recovery"])
    seen_often = next(row for row in rows if row[1] == "3–5")
    assert seen_often[3:] == [
        "60 [42,\u00a084]",
        "1,000",
        "420",
        "60% (3%)",
        "91%",
        "0.012",
        "Nearer than both controls.",
    ]
    assert not any(row[1] == "11+" for row in rows)  # nobody was there
    assert made["book"]["recovery"].startswith("Not measured")


def test_excluded_words_are_counted_by_kind(made):
    rows = cells(made["all"]["excluded"])
    # ten kept words of fifty have no form with a row: nan, null, and wurd32ling to wurd39ling
    assert rows[1][:2] == ["kept, with a new row", "40"]
    assert rows[2] == [
        "kept, without a new row",
        "10",
        ", ".join(["nan", "null", *(f"wurd{i}ling" for i in range(32, 40))]),
    ]
    assert rows[3] == [
        "count below min_count 2",
        "5",
        "rare0, rare1, rare2, rare3, rare4",
    ]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("known: plural of “x”, zipf 3.20 > 1.50", "known"),
        ("count 1 < min_count 2", "count below min_count 2"),
        ("length 2 < min_length 3", "length below min_length 3"),
        ("Roman numeral", "Roman numeral"),
        ("'▁andrée's' fires 0 < min_fires 2 times in the text", "fires below min_fires 2 times in the text"),
        ('"a: b" has a row', "has a row"),
        ("name: capitalised in 3 of 3 places", "name"),
    ],
)
def test_reason_kinds(reason, kind):
    assert reason_kind(reason) == kind


def test_words_and_forms_without_a_row_are_told_apart(made):
    """mac|gab's rare spelling has no row; whether the word has one in another is a matter of its own."""
    rows = {row[0]: row[1:] for row in cells(made["all"]["injection"])}
    assert rows["new rows"] == ["40", "for 40 words"] and rows["kept words without a new row"][0] == "10"
    assert rows["forms without a row: fires below min_fires 2"] == ["1", "▁mac|gab"]
    none = {row[0]: row[1:] for row in cells(made["no rows"]["injection"])}
    assert none["kept words without a new row"][0] == "50" and none["kept words without a new row"][1].endswith(", …")


def test_rare_kinds_of_reasons_share_a_line():
    words = [f"w{i}" for i in range(60)]
    rows = by_kind([*words, "w0"], [*(f"reason {chr(97 + i % 26)}" for i in range(60)), "reason a"])
    assert len(rows) == 13 and rows[0] == ["reason a", "4", "w0, w26, w52"] and rows[-1][0] == "other reasons"
    assert sum(int(row[1]) for row in rows) == 61


def test_passages_that_do_not_decode_back_are_counted(made):
    rows = {row[0]: row[1] for row in cells(made["all"]["injection"])}
    assert rows["passages that decode back to themselves"] == "77 of 80"


def test_initial_rows_are_shown_for_each_matrix_with_their_fall_backs(made):
    rows = {row[0]: row[1:] for row in cells(made["all"]["initial"])}
    assert rows["made from: compound"] == ["37", "40"] and rows["made from: subtoken_mean: no parts found"] == [
        "3",
        "0",
    ]
    assert rows["norm, smallest to largest"] == ["0.170 to 0.590"] * 2
    assert cells(made["all"]["nearest"])[1][1:] == ["|", "0.891"]


def test_regimes_say_where_they_are_and_why_not(made):
    rows = cells(made["all"]["regimes"])
    assert rows[1] == ["sweet", "50", "3.000", "0.200", "step 50", "the lowest held-out loss, 3 nats per token"]
    assert rows[3] == ["fried", "–", "–", "–", "–", "the gap grew by 0.21 of 0.5 nats"]
    assert rows[4][:4] == ["largest gap", "100", "3.400", "0.900"]
    assert made["untrained"]["regimes"] == "This run has no P1 of its own.\n"


def test_spellings():
    assert spellings("Riverrun:2 riverrun:5") == "Riverrun ×2, riverrun ×5" and spellings("") == ""


def test_provenance_that_agrees_shares_a_line():
    one = {"wake2vec": "1", "git": {"commit": "a" * 40, "dirty": True}, "device": "CPU", "settings": {"x": 1}}
    rows = cells(provenance_table({"p1": one, "p2": one | {"device": "GPU"}}))
    assert rows[1:] == [
        ["wake2vec", "1", "all results"],
        ["git commit", "a" * 12 + " with uncommitted changes", "all results"],
        ["device", "CPU", "p1"],
        ["", "GPU", "p2"],
    ]


# The paper -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def summaries():
    results = {
        "tiny": make_results(),
        "tiny-notebook": make_results("tiny-notebook", bits={"p3": 2.5}, leak=True),
        "book": make_results("book", phases=("p1",), testbed=False, text="c"),
    }
    return {name: summarise(made) for name, made in results.items()}


def test_models_compare_on_the_same_bytes_only(summaries):
    assert scored_alike(summaries) == [["tiny", "tiny-notebook"], ["book"]]
    [(model, reference, difference, (low, high))] = differences(summaries)
    assert (model, reference) == ("tiny-notebook", "tiny")
    assert low <= difference <= high and difference == pytest.approx(2.5 - 2.205, abs=1e-6)
    assert "not between groups: tiny and tiny-notebook†; book." in comparable(summaries)
    assert (summaries["tiny"]["context"], summaries["tiny"]["stride"]) == (128, 64)
    stepping = summaries | {"tiny-notebook": summaries["tiny-notebook"] | {"stride": 1}}
    wider = summaries | {"tiny-notebook": summaries["tiny-notebook"] | {"context": 1024}}
    assert scored_alike(stepping) == scored_alike(wider) and differences(stepping) == []
    assert scored_alike(wider) == [["tiny"], ["tiny-notebook"], ["book"]] and differences(wider) == []
    assert "windows in which it is scored" in comparable(wider)


def test_paper_tables(summaries):
    tables = paper_tables(summaries)
    assert tuple(tables) == PAPER_TABLES
    rows = cells(tables["scores"])
    assert [row[0] for row in rows[1:]] == ["tiny", "tiny-notebook†", "book"] and rows[3][-1] == "–"
    assert "†" in rows[2][0] and "†" in rows[2][3] and "†" not in rows[2][2] + "".join(rows[1])
    assert "not a fair one" in tables["findings"]
    assert cells(tables["recovery"])[1][3:5] == ["50", "55 [38,\u00a077]"]  # P3's objective left out


def test_a_paper_of_one_model_and_of_none(summaries):
    assert differences({"tiny": summaries["tiny"]}) == []
    assert (
        comparable({"tiny": summaries["tiny"]})
        == "All models are scored on the same held-out bytes, with equally much text in view."
    )
    assert tuple(paper_tables({})) == PAPER_TABLES
