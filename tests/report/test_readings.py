"""Sentences say what the numbers say, whichever way they went."""

from dataclasses import replace

import pytest

from tests.report.report_results import make_moved, make_results
from wake2vec.report import readings
from wake2vec.report.calibration_tables import directions, directions_table
from wake2vec.report.findings import change, classes, findings, gaps, headline, judged, leak, recovery, whole_run
from wake2vec.report.geometry_tables import recovery_table
from wake2vec.report.paper import generalised, recovered
from wake2vec.report.summary import summarise

NULL = {"mean": 0.5, "low": 0.4, "high": 0.6}


@pytest.mark.parametrize(
    ("value", "null", "where"),
    [(0.39, NULL, "below"), (0.4, NULL, "within"), (0.61, NULL, "above"), (None, NULL, None), (0.5, None, None)],
)
def test_place(value, null, where):
    assert readings.place(value, null) == where


def test_direction_needs_the_whole_interval_on_one_side():
    assert readings.direction([-0.2, -0.1]) == "down" and readings.direction([0.1, 0.2]) == "up"
    assert readings.direction([-0.1, 0.2]) == "unclear" and readings.direction([0.0, 0.2]) == "unclear"
    assert readings.direction(None) is None and readings.direction([None, 1.0]) is None


@pytest.mark.parametrize(
    ("effect", "word"), [(0.1, "negligible"), (-0.3, "small"), (0.5, "medium"), (0.8, "large"), (-2, "large")]
)
def test_cohens_words(effect, word):
    assert readings.magnitude(effect) == word


def test_readings_go_both_ways():
    assert "Indistinguishable" in readings.read_isotropy(0.5, NULL)
    assert "Less even" in readings.read_isotropy(0.3, NULL) and "Nearer to 1" in readings.read_isotropy(0.7, NULL)
    assert "Fewer directions" in readings.read_dimension(0.25, NULL) and "50%" in readings.read_dimension(0.25, NULL)
    assert "More directions" in readings.read_dimension(0.75, NULL)
    assert "closer" in readings.read_similarity(0.9, NULL, 0.5) and "large" in readings.read_similarity(0.9, NULL, 0.5)
    assert "further apart" in readings.read_similarity(0.3, NULL, 2.0)
    assert "negligible" in readings.read_similarity(0.3, NULL, 2.0)
    assert "longer (large" in readings.read_norms(1.0, [0.5, 1.5], 0.8)
    assert "shorter (small" in readings.read_norms(-0.1, [-0.2, -0.05], 0.37)  # of two modes, d says too little
    assert "shorter (medium" in readings.read_norms(-0.6, [-0.9, -0.3], None)
    assert "longer on average, though" in readings.read_norms(0.3, [0.1, 0.5], 0.42)
    assert "do not measurably differ" in readings.read_norms(0.1, [-0.1, 0.3], 0.5)
    assert "do not measurably" in readings.read_ks(0.1, 0.4) and "pairs differ" in readings.read_ks(0.5, 0.01)
    assert "by chance" in readings.read_overlap(0.45, NULL, 10) and "9.0 of 10" in readings.read_overlap(0.9, NULL, 10)
    assert "less than" in readings.read_pip(0.1, NULL) and "more than" in readings.read_pip(0.9, NULL)
    assert "further" in readings.read_drift(0.1, NULL) and "less" in readings.read_drift(0.9, NULL)


def test_a_p_corrected_for_the_number_of_tests_decides_where_there_is_one():
    assert readings.place(0.7, NULL | {"p_adjusted": 0.06}) == "within"
    assert readings.place(0.7, NULL | {"p_adjusted": 0.04}) == "above"
    # 96.3 components, shown as 97, of which structureless rows need 96.8
    shown = {"mean": 96.8, "low": 96.7, "high": 96.9, "p_adjusted": 0.01, "z": -9.0}
    assert readings.place(97, shown) == "below"
    assert readings.read_isotropy(0.3, NULL | {"p_adjusted": 0.2}) == "Indistinguishable from no structure."
    assert "measurably" in readings.read_norms(1.0, [0.5, 1.5], 0.8, {"p_adjusted": 0.2})
    assert "Higher" in readings.read_permuted(0.7, NULL) and "No measurable" in readings.read_permuted(0.5, NULL)
    assert "share a direction" in readings.read_directions(0.7, NULL)
    assert "no more than all new words" in readings.read_directions(0.5, NULL)


def test_recovery_needs_to_beat_both_controls():
    shuffled = {"mean": 400, "low": 350, "high": 450, "p": 0.002, "p_adjusted": 0.01}
    assert readings.read_recovery(10, [5, 20], 1000, shuffled) == "Nearer than both controls."
    assert "Not measurably" in readings.read_recovery(300, [280, 340], 1000, shuffled | {"p_adjusted": 0.06})
    assert "Not measurably" in readings.read_recovery(10, [5, 20], 15, shuffled)  # chance lies in the interval
    assert readings.read_recovery(900, [850, 990], 800, shuffled) == "Farther than both controls."
    assert "Not measured" in readings.read_recovery(None, None, 1000, None)
    assert "Too few" in readings.read_recovery(10, None, 1000, shuffled)  # one coinage has no interval
    assert "Too few" in readings.read_recovery(10, [5, 20], 1000, {"mean": None, "low": None, "high": None, "p": None})


def test_an_objective_is_judged_on_held_out_against_random_pairs():
    def read(*rises, **gains):
        moved = make_moved(*rises)
        moved["gain"] |= gains
        run = replace(make_results(), runs={"p3": {"objective": {"morpheme": moved}}})
        return judged(summarise(run)).replace("\u00a0", " ")

    assert "no sign" in read(0.3, 0.33, 0.43)  # random pairs rose more
    assert "no sign" in read(0.3, 0.06, 0.05, 0.0)  # more, but not measurably
    assert "no sign" in read(0.3, 0.2, 0.05, 0.19)  # a permuted base rose as much
    over = "0.150 [0.130, 0.170] more than random pairs and 0.200 [0.180, 0.220] more than with a permuted base"
    assert f"rose by 0.200 [0.180, 0.220], which is {over}; " in read(0.3, 0.2, 0.05, 0.0)
    assert "rose, but not measurably beyond every control of theirs (0.060" in read(0.3, 0.06, 0.05, 0.0)
    fell = read(0.3, 0.0, -0.05, 0.0)  # random pairs fell: held-out ones did not rise, and are not said to
    assert "did not measurably rise (0.000 [−0.020, 0.020])" in fell and "more than" not in fell
    without = read(0.3, 0.2, 0.05, 0.0, 0.02, 0.0)
    assert "had no weight here" in without and f"0.200 [0.180, 0.220], which is {over}." in without
    assert "themselves did not" in read(0.01, 0.2, 0.05)
    assert "Too few" in read(0.3, heldout=None)
    assert judged({}) == "Not measured."


def test_the_paper_counts_the_models_whose_objective_generalises():
    moved = [make_moved(), make_moved(0.3, 0.2, 0.05, 0.0), make_moved(0.01)]  # beyond its own pairs: the second
    runs = [replace(make_results(), runs={"p3": {"objective": {"morpheme": one}}}) for one in moved]
    runs.append(replace(make_results(), runs={"p3": {"objective": {"morpheme": make_moved(weight=0.0)}}}))
    assert "in 1 of 3 models" in generalised({str(i): summarise(run) for i, run in enumerate(runs)})
    assert generalised({"a": {}}) == ""


def test_the_paper_counts_the_groups_of_coinages_that_could_be_compared():
    found = summarise(make_results())
    assert "in 1 of 1 groups" in recovered({"a": found})  # those that P3's objective left out
    found |= UNDRAWN
    groups = [name for name in ("3-5", "6-10", "11+") if found.get(f"p3.recovery.{name}.median_rank") is not None]
    assert len(groups) > 1 and f"of {len(groups)} groups" in recovered({"a": found})
    alone = found | {f"p3.recovery.{groups[0]}.interval": None}  # of a single coinage
    assert f"of {len(groups) - 1} groups" in recovered({"a": alone})


def summary(**changes):
    from tests.report.report_results import make_results

    return summarise(make_results()) | changes


@pytest.mark.parametrize(
    ("interval", "verb"),
    [
        ([-0.3, -0.1], "lowered it to"),
        ([0.1, 0.3], "raised it to"),
        ([-0.1, 0.1], "did not measurably change it"),
        (None, "made it"),
    ],
)
def test_change_says_only_what_the_interval_allows(interval, verb):
    values = summary(**{"change.p1.p2.interval": interval})
    assert verb in change(values, "p1", "p2")
    whole = summary(**{"change.base.p3.interval": interval})
    assert ("lowered" in whole_run(whole)) == (verb == "lowered it to")
    assert ("raised" in whole_run(whole)) == (verb == "raised it to")


def test_every_score_that_is_spoken_of_is_marked():
    marked = summary(lexicon_saw_held_out=True)
    said = " ".join([*findings(marked).values(), headline(marked)])
    for phase in ("init", "p1", "p2", "p3"):
        score = f"{marked[f'{phase}.bits_per_byte']:.3f}"
        assert said.count(score) == said.count(score + "†") >= 2
    assert f"{marked['base.bits_per_byte']:.3f} as the base model" in said  # which has no word list
    assert "†" not in " ".join(findings(summary()).values()) and "do not compare" in leak(marked)


UNDRAWN = {f"p3.objective.{term}.weight": 0 for term in ("morpheme", "direction", "device")}


def test_recovery_names_its_controls_and_the_initial_rank():
    said = recovery(summary(**UNDRAWN))
    assert (
        "32 [22,\u00a045] for coinages seen 3–5 times (initially 60, chance 1,000, other coinages’ parts 420)" in said
    )


def test_where_an_objective_draws_words_those_that_it_left_out_speak():
    drawn, free = summary(), summary(**UNDRAWN)
    said = recovery(drawn)
    assert "the 7 coinages that P3’s objective left out" in said and "55 [38,\u00a077]" in said and "32" not in said
    assert "initially 50, a change of +5 [−9,\u00a0+14]" in said
    said = directions(drawn)
    assert "a word that the objective left out" in said and said.endswith("They agree less than initially.")
    assert "0.20 [0.10,\u00a00.30]" in said and "no more than" in said
    assert "initially 0.52, a change of −0.32 [−0.50,\u00a0−0.14]" in said
    assert "0.66" in directions(free) and "share a direction" in directions(free)
    few = summary(**{"p3.directions.held_out": None, "p3.recovery.held_out.median_rank": None})
    assert "Too few words with an affix were kept out" in directions(few) and "share" not in directions(few)
    assert "left out no coinage" in recovery(few)
    for table in (directions_table, lambda s: recovery_table(make_results(), s)):
        assert "Says little" in table(drawn) and "Says little" not in table(free)


def test_a_p3_whose_terms_have_no_weight_is_not_said_to_draw_words():
    assert "drawn towards their parts" in change(summary(), "p2", "p3")
    assert "no term drawing them" in change(summary(**UNDRAWN), "p2", "p3")


def test_pairs_that_fell_are_said_to_have_fallen():
    fell = readings.read_objective("trained", (-0.024, [-0.028, -0.019]), {}, 0.1)
    assert "Pairs kept out fell (−0.024 [−0.028,\u00a0−0.019])" in fell and "no sign" in fell
    assert "did not measurably rise" in readings.read_objective("trained", (-0.024, [-0.06, 0.01]), {}, 0.1)


def test_classes_speak_only_of_what_there_is():
    assert "never seen" not in classes(summary()) and "seen in training (300 tokens)" in classes(summary())
    nothing = {f"{phase}.loss.new_seen": None for phase in ("init", "p1", "p2", "p3")}
    assert classes(summary(**nothing)) == "The held-out text holds no token of a new row."


@pytest.mark.parametrize(
    ("lowest", "step", "final", "said"),
    [
        (5.0, 600, 5.0, "P1’s was lowest at the end (held-out minus training loss there: +0.07)."),
        (5.0, 500, 5.0001, "P1’s was lowest at step 500 of 600 and no higher at the end (held-out"),
        (5.0, 500, 5.2, "P1’s was lowest at step 500 of 600 and rose by 0.200 nats to the end (held-out"),
    ],
)
def test_where_held_out_loss_was_lowest(lowest, step, final, said):
    loss = {"lowest": lowest, "lowest_step": step, "final": final}
    values = {f"p1.heldout_loss.{name}": value for name, value in loss.items()}
    assert said in gaps(values | {"phases": ["init", "p1"], "p1.final_step": 600, "p1.gap.final": 0.07})
