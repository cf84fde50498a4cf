"""The summary's numbers, against numbers worked out by hand, and what it refuses."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.report_results import make_results, write_results
from wake2vec.errors import UserError
from wake2vec.report.results import read_results
from wake2vec.report.summary import paired_change, summarise
from wake2vec.storage import plain
from wake2vec.text.lexicon import read_lexicon


@pytest.fixture(scope="module")
def summary():
    return summarise(make_results())


def test_a_paired_change_by_hand():
    # 8 bits less over 4 bytes + 8 bits more over 12 bytes = 0 bits over 16; then 16 bits less over 16 bytes = -1
    ln2 = math.log(2)
    rng = np.random.default_rng(0)
    assert paired_change([20 * ln2, 30 * ln2], [12 * ln2, 38 * ln2], [4, 12], rng)[0] == pytest.approx(0)
    value, (low, high) = paired_change([20 * ln2, 30 * ln2], [16 * ln2, 18 * ln2], [4, 12], rng)
    assert value == pytest.approx(-1) and low == pytest.approx(-1) and high == pytest.approx(-1)


def test_one_passage_has_no_interval():
    assert paired_change([2.0], [1.0], [1], np.random.default_rng(0))[1] is None


@given(st.lists(st.floats(1, 100), min_size=2, max_size=20), st.floats(-0.5, 0.5))
def test_the_same_shift_everywhere_is_found_exactly(sizes, shift):
    """A shift of so many bits per byte in every passage has an interval of no width, however the passages differ."""
    before = np.arange(len(sizes)) * 3.0
    after = before + shift * math.log(2) * np.array(sizes)
    value, bounds = paired_change(before, after, sizes, np.random.default_rng(0), draws=50)
    assert [value, *bounds] == pytest.approx([shift] * 3)


def test_noise_without_a_change_is_not_found():
    rng = np.random.default_rng(3)
    sizes = rng.integers(1500, 2500, 60)
    covered = 0
    for _ in range(40):
        before, after = (rng.normal(2000, 100, 60) for _ in range(2))
        low, high = paired_change(before, after, sizes, rng, draws=300)[1]
        covered += low < 0 < high
    assert covered >= 34  # 95 % of 40 is 38


def test_the_change_is_the_difference_of_the_scores(summary):
    for before, after in itertools.combinations(("base", "init", "p1", "p2", "p3"), 2):
        change = summary[f"change.{before}.{after}.bits_per_byte"]
        assert change == pytest.approx(summary[f"{after}.bits_per_byte"] - summary[f"{before}.bits_per_byte"])


def test_the_paired_interval_is_narrower_than_the_scores(summary):
    low, high = summary["change.base.init.interval"]
    assert high - low < summary["init.interval"][1] - summary["init.interval"][0]


def test_counts(summary):
    forms = make_results().injection["forms"]
    assert summary["injection.new_rows"] == len(forms) == 40
    assert summary["injection.rows_3_or_more"] == sum(form["count_train"] >= 3 for form in forms)
    assert summary["lexicon.kept"] == 50 and summary["lexicon.words"] == 57
    assert (summary["segmentation.affix"], summary["segmentation.compound"], summary["segmentation.none"]) == (1, 1, 1)


def test_history_ends(summary):
    history = make_results().histories["p1"]
    assert summary["p1.heldout_loss.first"] == history["heldout_loss"].iloc[0] == 5.0
    assert summary["p1.heldout_loss.lowest_step"] == history.loc[history["heldout_loss"].idxmin(), "step"]
    gap = history["heldout_loss"].iloc[-1] - history["train_sample_loss"].iloc[-1]
    assert summary["p1.gap.final"] == pytest.approx(gap)
    assert summary["p3.cosine.trained.final"] - summary["p3.cosine.trained.first"] == pytest.approx(0.2)


def test_the_same_seed_gives_the_same_bytes(summary):
    again = summarise(make_results())
    assert json.dumps(plain(again)) == json.dumps(plain(summary))


def test_values_are_flat(summary):
    for name, value in summary.items():
        if isinstance(value, dict):
            assert name.endswith(".null")
        elif isinstance(value, list):
            assert name == "phases" or "passages." in name or name.endswith("interval")
        else:
            assert value is None or isinstance(value, bool | int | float | str), name


@pytest.mark.parametrize("where", ["injection", "likelihood"])
def test_a_list_that_saw_the_held_out_text_is_marked(where):
    results = make_results(leak=True)
    if where == "likelihood":
        results = replace(results, injection=results.injection | {"lexicon_saw_held_out": False})
    assert summarise(results)["lexicon_saw_held_out"] is True
    assert summarise(make_results())["lexicon_saw_held_out"] is False


def test_phases_scored_on_different_text_are_refused():
    results = make_results()
    likelihood = dict(results.metrics["p2"]["likelihood"])
    likelihood["passages"] = [{**likelihood["passages"][0], "bytes": 1}, *likelihood["passages"][1:]]
    metrics = {**results.metrics, "p2": {**results.metrics["p2"], "likelihood": likelihood}}
    with pytest.raises(UserError, match="metrics/p2/likelihood.json.*different held-out text"):
        summarise(replace(results, metrics=metrics))


@pytest.mark.parametrize("options", [{"phases": ()}, {"phases": ("p1",), "testbed": False}, {"new": False}])
def test_runs_with_less_in_them(options):
    summary = summarise(make_results(**options))
    assert summary["base.bits_per_byte"] > 0 and "change.base.init.bits_per_byte" in summary
    assert ("p2.bits_per_byte" in summary) == ("phases" not in options)


def test_files_give_the_same_summary(tmp_path, summary):
    results = make_results()
    paths = write_results(tmp_path, results)
    read = read_results("tiny", **paths, base=results.base, recipe=results.recipe)
    assert json.dumps(plain(summarise(read))) == json.dumps(plain(summary))
    assert set(read.provenance) >= {"corpus", "injection", "p1", "p3/norms"}


def test_words_that_look_like_missing_values_are_words(tmp_path):
    paths = write_results(tmp_path, make_results())
    assert {"nan", "null"} <= set(read_lexicon(paths["lexicon"])["word"])


def test_a_file_outside_a_phase_is_refused(tmp_path):
    paths = write_results(tmp_path, make_results())
    (tmp_path / "p9").mkdir()
    stray = paths["runs"][0].rename(tmp_path / "p9" / "run.json")
    with pytest.raises(UserError, match="named after a phase"):
        read_results("tiny", **(paths | {"runs": [stray]}))
