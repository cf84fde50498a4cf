"""The register's tables say what lies outside the range of held-out Wake, and read nothing off a failed trial."""

from dataclasses import replace

import pytest

from tests.report.report_register import make_register, make_validation
from tests.report.report_results import make_results
from tests.report.test_tables import cells
from wake2vec.report.register_tables import (
    MEASURES,
    compared_with,
    kinds_table,
    orders,
    read,
    readings_table,
    register,
    register_table,
    register_tables,
    sampler,
    summarise_sampler,
    trial,
    trial_table,
)
from wake2vec.report.summary import summarise
from wake2vec.report.tables import findings_list


def results(validation=None, **phases):
    metrics = {phase: {"register": values} for phase, values in phases.items()}
    return replace(make_results(phases=tuple(phases)), metrics=metrics, register_validation=validation or {})


@pytest.fixture(scope="module")
def made():
    return results(make_validation(), p1=make_register(), p3=make_register("p3"))


def test_every_measure_has_a_line_for_every_phase_with_its_place(made):
    rows = cells(register_table(made))
    assert rows[0] == ["Measure", "After", "at 0.5", "at 1", "Held-out Wake", "Plain", "Shuffled"]
    assert len(rows) == 1 + 2 * len(MEASURES)
    assert rows[1][:4] == ["coinages, %", "P1", "3.0 ↓", "12.0 ↑"]
    assert rows[1][4:] == ["6.0 [4.8,\xa07.2]", "0.6", "5.4"] and rows[2][:2] == ["", "P3"]
    [longest] = [row for row in rows if row[0] == "longest copy, words"]
    assert longest[2:5] == ["2.8 ↓", "11.0 ↑", "5.5 [4.4,\xa06.6]"]


def test_a_group_is_read_against_as_many_pieces():
    """A landmark of another number of pieces is another landmark."""
    values = make_register()
    values["landmarks"] = values["landmarks"][:1]  # of 12 pieces, and the groups have 24
    assert "↑" not in register_table(results(p1=values)) and read(values, "coinages") == "Not measured."


def test_what_follows_in_a_sentence():
    values = make_register()
    assert read(values, "coinages") == "Less at 0.5, more at 1."
    for group in values["groups"]:
        group["values"]["coinages"]["value"] = 0.061
    assert read(values, "coinages") == "Undecided at every temperature."
    assert read(make_register(temperatures=(1.0,)), "copied") == "More at 1."
    assert read(make_register(temperatures=(0.5, 0.6)), "parsed") == "Less at every temperature."
    partly = make_register(temperatures=(0.5, 0.6, 0.7))
    partly["groups"][-2]["values"]["parsed"]["value"] = None
    assert read(partly, "parsed") == "Less at 0.5 and 0.6."


def test_a_measure_that_failed_its_trial_is_not_read(made):
    rows = cells(readings_table(made))
    assert rows[0] == ["What a text does", "After P1", "After P3"]
    said = {row[0]: row[2] for row in rows}
    failed = [verb for verb, sentence in said.items() if sentence.startswith("Not read")]
    assert failed == [MEASURES["burrows"].verb, MEASURES["cosine"].verb]
    assert "Not read" not in readings_table(results(p1=make_register()))
    marked = {name: [any(mark in cell for cell in row[2:4] for mark in "↓↑") for row in cells(register_table(run))
                     if row[0] == MEASURES["burrows"].label]
              for name, run in (("failed", made), ("not tried", results(p1=make_register())))}  # fmt: skip
    assert marked == {"failed": [False], "not tried": [True]}


def test_the_headline_leaves_out_what_failed_its_trial():
    whole = register(summarise(results(make_validation(), p1=make_register())))["Register"]
    assert "Of 24 samples" in whole and "12.0% of the words are coinages (held-out Wake 6.0 [4.8,\xa07.2])" in whole
    assert "0.50 bits a character" in whole
    part = register(summarise(results(make_validation(failed=("ratio", "parsed")), p1=make_register())))["Register"]
    assert (
        "bits a character" not in part
        and "does not have" not in part
        and "no known parts (" in part
        and "12.0% of the words" in part
    )
    assert register(summarise(results())) == {}
    everything = tuple(MEASURES)
    assert register(summarise(results(make_validation(everything), p1=make_register()))) == {}


def test_kinds_of_prompts_at_the_temperature_nearest_to_one(made):
    rows = cells(kinds_table(made))
    assert [row[:3] for row in rows[1:]] == [
        ["P1", "all prompts", "24"], ["", "high-drift", "12"], ["P3", "all prompts", "24"], ["", "high-drift", "12"]
    ]  # fmt: skip
    assert rows[1][3] == "12.0 [11.0,\xa013.0]"


def test_the_trial_in_a_table_and_a_sentence(made):
    rows = cells(trial_table(made.register_validation))
    by_name = {(row[0], row[1]): row for row in rows}
    assert rows[0][2:7] == ["0%", "25%", "50%", "75%", "100%"]
    assert by_name["coinages, %", "coined"][2:7:4] == ["6.0", "12.0"]
    assert by_name["coinages, %", "coined"][-1] == "in order"
    assert ("copied words, %", "coined") in by_name and by_name["", "copied"]
    assert orders(made.register_validation)["cosine"] is False
    said = trial(summarise(made))
    assert (
        said.startswith("14 of 16 scales")
        and "Burrows’s Delta (plain − Wake) and Cosine Delta (plain − Wake) did not" in said
    )
    assert (
        trial(summarise(results(make_validation(()), p1=make_register()))) == "All 16 scales put the mixtures in order."
    )
    assert trial(summarise(results(p1=make_register()))) == ""


def test_the_plain_english_is_named():
    assert "the corpus “my <b>”" in compared_with(summarise(results(p1=make_register(plain="my <b>"))))
    built_in = compared_with(summarise(results(p1=make_register(plain=None), p3=make_register())))
    assert "2 samples were shorter" in built_in
    assert compared_with(summarise(results())) == "" and "single" not in built_in
    alone = {"single": ["plain"]} | {"groups": make_register()["groups"]}
    assert "Of plain English a single passage is held out, and the Deltas" in compared_with(
        summarise(results(p1=make_register() | alone))
    )
    assert "testbed" in compared_with(summarise(results(p1=make_register(plain=None))))


def test_the_sampler_is_named_and_a_nucleus_with_what_it_keeps_out():
    written = [{"prompt": p, "temperature": t, "draw": d} for p in "ab" for t in (1.0, 0.5) for d in range(3)]
    generation = {"samples": written, "tokens": 60, "top_p": 1.0}
    made = replace(make_results(phases=("p1",)), metrics={"p1": {"generation": generation}})
    said = sampler(summarise_sampler(made))
    assert "the same 2 prompts, at temperature 0.5 and 1, from 3 seeds each, at most 60 tokens" in said
    assert "the whole distribution" in said and "cannot come" not in said
    cut = replace(made, metrics={"p1": {"generation": generation | {"top_p": 0.95}}})
    said = sampler(summarise_sampler(cut))
    assert "top-p 0.95" in said and "Words outside it cannot come" in said and "whole distribution" not in said
    assert sampler(summarise_sampler(replace(made, metrics={}))) == ""


def test_nothing_was_long_enough():
    values = make_register() | {"groups": [], "landmarks": []}
    tables = register_tables(results(p1=values))
    assert set(tables) == {"register", "register_readings", "register_kinds", "register_trial"}
    assert set(map(str, tables.values())) == {"Not measured in this run.\n"}
    assert register(summarise(results(p1=values))) == {}


def test_nothing_hostile_comes_through(made):
    said = findings_list(register(summarise(made)))
    assert "**Register\\.**" in said or "**Register.**" in said
    values = make_register()
    for group in values["groups"]:
        group["kind"] = group["kind"].replace("high-drift", "<script>")
    table = kinds_table(results(p1=values))
    assert cells(table)[2][1] == "<script>" and "<script" not in table.replace("\\<script", "")
