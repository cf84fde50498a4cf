"""Tables of P3's terms: what was measured and nothing else, verdicts in words, everything escaped."""

import pandas as pd

from wake2vec.report.objective_tables import sentence, sweep_table, term_values, terms_table

HISTORY = pd.DataFrame(
    {
        "step": [0, 10, 20],
        "cosine_trained_pairs": [0.1, None, 0.5],
        "cosine_heldout_pairs": [0.1, None, 0.2],
        "cosine_random_pairs": [None, 0.05, 0.04],
        "direction_heldout": [0.3, 0.3, 0.25],
        "norm_heldout": [None, None, None],
    }
)


def test_first_and_last_measure_of_each_term_that_was_measured():
    values = term_values(HISTORY)
    assert values == {
        "p3.terms.morpheme.trained.first": 0.1, "p3.terms.morpheme.trained.final": 0.5,
        "p3.terms.morpheme.heldout.first": 0.1, "p3.terms.morpheme.heldout.final": 0.2,
        "p3.terms.morpheme.random.first": 0.05, "p3.terms.morpheme.random.final": 0.04,
        "p3.terms.direction.heldout.first": 0.3, "p3.terms.direction.heldout.final": 0.25,
    }  # fmt: skip
    lines = terms_table(values).splitlines()
    assert len(lines) == 2 + 4
    assert lines[2].startswith(
        "| morpheme\\: cosine to the parts’ mean | trained on | 0\\.100 | 0\\.500 | \\+0\\.400 |"
    )
    assert "| random parts | 0\\.050 | 0\\.040 | −0\\.010 |" in lines[4]
    assert lines[5].startswith("| direction")
    assert terms_table({}) == ""


def figure(mean, low, high):
    return {"mean": mean, "low": low, "high": high}


GAINS = {"trained": figure(0.21, 0.2, 0.22), "heldout": figure(0.003, -0.01, 0.015), "random": None, "shuffled": None}
GAINS |= {"over_random": figure(-0.002, -0.01, 0.01), "over_shuffled": None}
LEVELS = {"trained": 0.9, "heldout": 0.8, "random": None, "shuffled": None}
SWEEP = {
    "without": "s.none", "level": 0.975, "bits_per_byte": 0.8371, "lexicon_saw_held_out": False,
    "baseline": {"morpheme": LEVELS},
    "entries": [
        {"run": "s.m", "term": "morpheme", "lambda": 3.0, "verdict": "trained", "cost": figure(0.002, -0.001, 0.005),
         "words": {"trained": 90, "heldout": 10}, "measure": LEVELS, "gain": GAINS},
        {"run": "s.d", "term": "device", "lambda": 1.0, "verdict": "no_words", "cost": figure(0.0, None, None)},
    ],
}  # fmt: skip


def test_a_sweep_in_words():
    said = sentence(SWEEP["entries"][0]).replace("\u00a0", " ")
    assert said == (
        "Morpheme at λ = 3 acts on the words that it trains on and not measurably beyond them (held-out words +0.003 "
        "[−0.010, 0.015], over random −0.002 [−0.010, 0.010]), at +0.0020 [−0.0010, 0.0050] bits per byte."
    )
    assert sentence(SWEEP["entries"][1]).startswith("Device at λ = 1 ")


def test_a_sweep_as_tables():
    text = sweep_table(SWEEP)
    assert "Words held out\\: morpheme 10 of 100\\." in text
    assert (
        "acts on the words that it trains on and not measurably beyond them" in text
        and "there are no such words" in text
    )
    assert "97.50 % each" in text and "0.8371" in text and "saw the held-out text" not in text
    assert "saw the held-out text" in sweep_table(SWEEP | {"lexicon_saw_held_out": True})
    levels = [line for line in text.splitlines() if line.startswith("| morpheme")]
    assert len(levels) == 3 and levels[1].split(" | ")[1] == "0"  # one judged, two measured: without and with the term
