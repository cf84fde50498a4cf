"""Regimes of a run: the rule on curves worked out by hand, its laws on any curve, and which saved rows are taken."""

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wake2vec.errors import UserError
from wake2vec.storage import load_arrays, save_arrays, write_csv, write_json
from wake2vec.training.regimes import choose, describe, regimes, saved_steps, use_state

THRESHOLDS = {"plateau": 0.01, "fried_gap": 0.5, "fried_rise": 0.02}


def history(held_out, train_sample, every=50):
    """history.csv of evaluations every so many steps, with lines of training loss alone between them."""
    pairs = zip(held_out, train_sample, strict=True)
    lines = [{"step": i * every, "heldout_loss": h, "train_sample_loss": t} for i, (h, t) in enumerate(pairs)]
    lines += [{"step": i * every + 10, "train_loss": 1.0} for i in range(len(held_out) - 1)]
    return pd.DataFrame(lines).sort_values("step")


def steps(found):
    return {name: found[name]["step"] for name in ("sweet", "plateau", "fried")}


# A run that falls by 2 nats, is within 1 % of that (0.02) from step 150 on, is lowest at 200, and melts down:
#   step        0    50   100    150    200    250    300    350
HELD_OUT = [5.00, 4.00, 3.50, 3.010, 3.000, 3.010, 3.015, 3.250]
TRAIN = [4.90, 3.80, 3.20, 2.600, 2.500, 2.000, 1.900, 1.800]
#   gap       0.1   0.2   0.3   0.41    0.5   1.01   1.115   1.45
# The gap grows by more than 0.5 from step 250 (0.51) on; held-out loss rises by more than 0.02 at step 350 only.


def test_a_meltdown_by_hand():
    found = regimes(history(HELD_OUT, TRAIN), THRESHOLDS)
    assert steps(found) == {"sweet": 200, "plateau": 150, "fried": 350}
    assert found["interval"] == 50
    gaps = [line["gap"] for line in found["evaluated"]]
    np.testing.assert_allclose(gaps, [0.1, 0.2, 0.3, 0.41, 0.5, 1.01, 1.115, 1.45])
    assert found["largest_gap"] == {"step": 350, "gap": pytest.approx(1.45)}
    assert found["fried"]["reason"] == "since sweet the gap grew by 0.95 and held-out loss rose by 0.25 nats per token"
    assert found["plateau"]["reason"] == "from here on held-out loss fell by 0.01 of 2 nats per token"


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"fried_rise": 0.012}, {"fried": 300}),
        ({"fried_rise": 0.0}, {"fried": 250}),
        ({"fried_gap": 0.8}, {"fried": 350}),
        ({"plateau": 0.004}, {"plateau": 200}),  # 0.004 of 2 nats is 0.008, and 0.01 were still to come
        ({"plateau": 0.3}, {"plateau": 100}),
        ({"plateau": 0.0}, {"plateau": 200}),
    ],
)
def test_thresholds_move_what_they_name(changes, at):
    expected = {"sweet": 200, "plateau": 150, "fried": 350} | at
    assert steps(regimes(history(HELD_OUT, TRAIN), THRESHOLDS | changes)) == expected


@pytest.mark.parametrize(
    ("held_out", "train", "reason"),
    [
        ([3.0, 2.5, 2.0], [3.0, 2.4, 1.0], "the run ended at its lowest held-out loss"),
        ([3.0, 2.0, 2.50], [3.0, 2.0, 2.29], "the gap grew by 0.21 of 0.5 nats"),
        ([3.0, 2.0, 2.01], [3.0, 2.0, 1.00], "held-out loss rose by 0.010 of 0.02 nats"),
        (
            [3.0, 2.0, 2.01],
            [3.0, 2.0, 1.90],
            "the gap grew by 0.11 of 0.5 nats and held-out loss rose by 0.010 of 0.02 nats",
        ),
        (
            [3.0, 2.0, 2.01, 2.5],
            [3.0, 2.0, 1.00, 2.4],
            "the gap grew and held-out loss rose far enough, but never at the same step",
        ),
        ([2.0, 2.1], [2.0, 2.2], "the gap grew by 0.00 of 0.5 nats"),
    ],
)
def test_never_fried_says_how_far_it_came(held_out, train, reason):
    assert regimes(history(held_out, train), THRESHOLDS)["fried"] == {"step": None, "reason": reason}


def test_a_run_that_only_got_worse_was_sweet_at_its_beginning():
    found = regimes(history([2.0, 2.5, 3.0], [2.0, 2.0, 2.0]), THRESHOLDS)
    assert steps(found) == {"sweet": 0, "plateau": 0, "fried": 100}  # the gap grew by 0.5 at step 50, by 1 at 100


def test_of_equal_lows_the_first_is_sweet_as_it_is_for_the_trainer():
    assert regimes(history([3.0, 2.0, 2.0], [3.0, 2.0, 2.0]), THRESHOLDS)["sweet"]["step"] == 50


def test_evaluations_that_are_no_numbers_do_not_count():
    held_out, train = [3.0, 2.0, np.inf, np.nan], [3.0, 2.0, 1.0, 1.0]
    found = regimes(history(held_out, train), THRESHOLDS)
    assert [line["step"] for line in found["evaluated"]] == [0, 50]


@pytest.mark.parametrize("frame", [pd.DataFrame({"step": [10], "train_loss": [1.0]}), history([np.nan], [1.0])])
def test_a_history_without_evaluations_is_refused(frame):
    with pytest.raises(UserError, match="no evaluation"):
        regimes(frame, THRESHOLDS)


# Laws ----------------------------------------------------------------------------------------------------------------

losses = st.integers(0, 64 * 6).map(lambda n: n / 64)  # sums and differences of these are exact
curves = st.lists(st.tuples(losses, losses), min_size=1, max_size=12)
thresholds = st.fixed_dictionaries(
    {"plateau": st.sampled_from([0.0, 0.01, 0.25]), "fried_gap": losses, "fried_rise": losses}
)


@given(curves, thresholds)
def test_the_regimes_stand_in_order(curve, limits):
    held_out, train = zip(*curve, strict=True)
    found = regimes(history(held_out, train), limits)
    at = steps(found)
    assert at["sweet"] == 50 * int(np.argmin(held_out))
    assert at["plateau"] <= at["sweet"]
    assert at["fried"] is None or at["fried"] > at["sweet"]
    # after the plateau nothing betters it by more than its share of the fall, and before it something always does
    fall = held_out[0] - min(held_out)
    later = [loss - min(held_out[i:]) for i, loss in enumerate(held_out)]
    first = at["plateau"] // 50
    assert later[first] <= limits["plateau"] * fall and all(x > limits["plateau"] * fall for x in later[:first])


@given(curves, thresholds, st.integers(-5, 5))
def test_a_constant_added_to_both_losses_changes_nothing(curve, limits, constant):
    held_out, train = np.array(curve).T
    found, moved = (regimes(history(held_out + c, train + c), limits) for c in (0, constant))
    assert steps(found) == steps(moved)
    assert found["largest_gap"] == moved["largest_gap"]


# Saved rows ----------------------------------------------------------------------------------------------------------

RUN = {"best_step": 200, "final_step": 350}
ENDS = {"best.safetensors": 200, "final.safetensors": 350}


def chosen(saved, held_out=HELD_OUT, train=TRAIN):
    return choose(regimes(history(held_out, train), THRESHOLDS), saved)


def test_rows_of_the_very_step_are_taken():
    states = chosen(ENDS | {"step-000150.safetensors": 150, "step-000100.safetensors": 100})
    assert states["sweet"] == {"wanted": 200, "step": 200, "file": "best.safetensors", "reason": None}
    assert states["plateau"] == {"wanted": 150, "step": 150, "file": "step-000150.safetensors", "reason": None}
    assert states["fried"] == {"wanted": 350, "step": 350, "file": "final.safetensors", "reason": None}


def test_the_nearest_within_two_evaluations_stands_in_and_says_so():
    states = chosen(ENDS | {"step-000080.safetensors": 80, "step-000240.safetensors": 240})
    assert states["plateau"] == {"wanted": 150, "step": 200, "file": "best.safetensors", "reason": None}
    # fried at 300 by a smaller rise: 240 is 60 away, 350 is 50 away
    found = regimes(history(HELD_OUT, TRAIN), THRESHOLDS | {"fried_rise": 0.012})
    assert choose(found, ENDS | {"step-000240.safetensors": 240})["fried"]["step"] == 350
    assert choose(found, {"best.safetensors": 200, "step-000240.safetensors": 240})["fried"]["step"] == 240


def test_rows_of_another_regime_do_not_stand_in():
    found = regimes(history(HELD_OUT, TRAIN), THRESHOLDS | {"fried_rise": 0.0})  # fried at 250, 50 after sweet
    fried = choose(found, {"best.safetensors": 200, "final.safetensors": 500})["fried"]
    assert fried["file"] is None and fried["wanted"] == 250
    assert fried["reason"] == "it was reached at step 250, and no rows were saved near it (saved: 200, 500)"
    plateau = choose(found, {"step-000210.safetensors": 210})["plateau"]
    assert plateau["file"] is None


def test_a_regime_that_was_not_reached_has_no_rows_and_says_why():
    states = chosen({"best.safetensors": 100, "final.safetensors": 100}, [3.0, 2.5, 2.0], [3.0, 2.4, 1.0])
    none = {"wanted": None, "step": None, "file": None, "reason": "the run ended at its lowest held-out loss"}
    assert states["fried"] == none


@given(curves, thresholds, st.dictionaries(st.integers(0, 12).map(lambda n: f"f{n}"), st.integers(0, 700), max_size=6))
def test_whatever_was_saved_the_choice_is_near_and_on_the_right_side(curve, limits, saved):
    held_out, train = zip(*curve, strict=True)
    found = regimes(history(held_out, train), limits)
    for name, state in choose(found, saved).items():
        if state["file"] is None:
            assert state["reason"]
            continue
        assert saved[state["file"]] == state["step"]
        assert abs(state["step"] - state["wanted"]) <= 2 * found["interval"]
        sweet = found["sweet"]["step"]
        assert {"sweet": True, "plateau": state["step"] <= sweet, "fried": state["step"] > sweet}[name]


def test_names_of_a_snapshots_folder():
    names = ["best.safetensors", "final.safetensors", "step-000050.safetensors", "step-1234567.safetensors"]
    others = [".snakemake_timestamp", "step-50.safetensors", ".step-000100.safetensors.7.tmp", "notes.txt"]
    assert saved_steps(names + others, RUN) == ENDS | {
        "step-000050.safetensors": 50,
        "step-1234567.safetensors": 1234567,
    }


# Files ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    """A finished P1: the meltdown of above, with rows saved every 100 steps whose numbers are their step."""
    folder = tmp_path / "snapshots"
    for name, step in (ENDS | {f"step-{step:06d}.safetensors": step for step in (100, 200, 300)}).items():
        save_arrays(folder / name, {"embedding.new": np.full((2, 3), step, np.float32)})
    write_csv(tmp_path / "history.csv", history(HELD_OUT, TRAIN))
    write_json(tmp_path / "run.json", "run", RUN, {})
    paths = {name: str(tmp_path / name) for name in ("history.csv", "run.json", "snapshots", "regimes.json")}
    values = describe(paths["history.csv"], paths["run.json"], paths["snapshots"], THRESHOLDS)
    write_json(paths["regimes.json"], "regimes", values, {})
    return {name.split(".")[0]: path for name, path in paths.items()}


def step_in(path):
    return float(load_arrays(path)["embedding.new"][0, 0])


@pytest.mark.parametrize(
    ("state", "step"),
    [("best", 200), ("final", 350), ("sweet", 200), ("plateau", 100), ("fried", 350), ("step-000300", 300)]
    + [("step-000350", 350)],  # not among the snapshots of every 100 steps, but the final rows are of that step
)
def test_a_state_is_the_snapshot_of_its_step(files, tmp_path, state, step):
    use_state("m", state, files, tmp_path / "at/rows.safetensors")
    # plateau is at 150: 100 and 200 are as near, and the earlier is taken
    assert step_in(tmp_path / "at/rows.safetensors") == step
    assert [path.name for path in (tmp_path / "at").iterdir()] == ["rows.safetensors"]


def test_states_do_not_age_one_another(files, tmp_path):
    """Two states may be of one snapshot; making the second must leave the first as old as it was."""
    use_state("m", "best", files, tmp_path / "best.safetensors")
    before = os.stat(tmp_path / "best.safetensors"), os.stat(tmp_path / "snapshots/best.safetensors")
    use_state("m", "sweet", files, tmp_path / "sweet.safetensors")
    os.utime(tmp_path / "sweet.safetensors")  # as Snakemake does
    assert (os.stat(tmp_path / "best.safetensors"), os.stat(tmp_path / "snapshots/best.safetensors")) == before


def refusal(files, tmp_path, state):
    with pytest.raises(UserError) as caught:
        use_state("m", state, files, tmp_path / "rows.safetensors")
    assert not (tmp_path / "rows.safetensors").exists()
    return str(caught.value)


def test_a_step_without_rows_is_refused_with_those_that_there_are(files, tmp_path):
    said = refusal(files, tmp_path, "step-000250")
    assert "step 250" in said and "saved: 100, 200, 300, 350" in said and "models.m.p1.snapshot_every" in said


def test_a_regime_that_was_not_reached_is_refused_with_what_was_found(files, tmp_path):
    values = describe(files["history"], files["run"], files["snapshots"], THRESHOLDS | {"fried_gap": 2.0})
    write_json(files["regimes"], "regimes", values, {})
    said = refusal(files, tmp_path, "fried")
    for words in (
        "P1 of m",
        "the gap grew by 0.95 of 2 nats",
        "models.m.p1.steps",
        "models.m.regimes",
        "sweet, plateau",
    ):
        assert words in said


def test_a_regime_without_rows_near_it_is_refused_with_the_remedy(files, tmp_path):
    for step in (100, 200):
        (tmp_path / f"snapshots/step-{step:06d}.safetensors").unlink()
    write_json(files["run"], "run", {"best_step": 200, "final_step": 800}, {})
    values = describe(files["history"], files["run"], files["snapshots"], THRESHOLDS | {"fried_rise": 0.1})
    assert values["states"]["fried"]["step"] == 300
    (tmp_path / "snapshots/step-000300.safetensors").unlink()
    values = describe(files["history"], files["run"], files["snapshots"], THRESHOLDS)
    write_json(files["regimes"], "regimes", values, {})
    said = refusal(files, tmp_path, "fried")
    assert "reached at step 350" in said and "saved: 200, 800" in said and "models.m.p1.snapshot_every" in said
