"""A sweep's runs, and its judge: planted generalisation is found, noise and what controls share are not."""

import numpy as np
import pandas as pd
import pytest
import torch

from wake2vec import sweeps
from wake2vec.config import load
from wake2vec.errors import UserError
from wake2vec.settings import Study, Sweep
from wake2vec.training.objective_pairs import assemble
from wake2vec.training.sweep import compare, interval, judge, verdict

STUDY = {
    "corpora": {"wake": {"kind": "testbed"}, "book": {"kind": "file", "files": [{"path": "a.txt"}]}},
    "bases": {"small": {"kind": "pretrain", "corpus": "wake"}},
    "models": {
        "a": {"base": "small", "corpus": "wake", "p3": {"lambda_norm": 0.5, "keep": "best", "steps": 7}},
        "b": {"base": "small", "corpus": "book", "phases": ["p2"], "start": {"from": "a", "at": "best"}},
    },
}


def study(**sweep):
    return Study.model_validate(STUDY | {"sweeps": {"s": sweep}})


def test_a_sweep_is_one_run_without_a_term_and_one_for_each_term_and_lambda():
    made = study(model="a", terms={"direction": [0.3, 1], "norm": [2]})
    runs = sweeps.swept(made)
    assert sweeps.problems(made) == []
    assert list(runs) == ["s.none", "s.direction-0.3", "s.direction-1", "s.norm-2"]
    assert [(run.p3.lambda_morpheme, run.p3.lambda_direction, run.p3.lambda_norm) for run in runs.values()] == [
        (0, 0, 0), (0, 0.3, 0), (0, 1, 0), (0, 0, 2)
    ]  # fmt: skip
    for run in runs.values():  # all stand on one P1, and differ in P3's weights alone
        assert run.phases == ("p3",) and run.start.model == "a" and run.p3.keep == "final" and run.p3.steps == 7
        assert run.model_copy(update={"p3": None, "title": None}) == runs["s.none"].model_copy(
            update={"p3": None, "title": None}
        )


def test_a_large_lambda_is_a_folders_name_too():
    config = {**STUDY["models"], "a": STUDY["models"]["a"] | {"p3": {"objective": "loss"}}}
    made = Study.model_validate(STUDY | {"models": config, "sweeps": {"s": {"model": "a", "terms": {"norm": [1e6]}}}})
    assert sweeps.problems(made) == [] and list(sweeps.swept(made)) == ["s.none", "s.norm-1e06"]


def test_the_corpus_that_a_sweeps_run_lacks_is_named():
    models = {"a": STUDY["models"]["a"] | {"corpus": "waek"}}
    with pytest.raises(UserError, match="models.a.corpus: there is no 'waek'.+Did you mean \"wake\""):
        sweep = {"s": {"model": "a", "terms": {"device": [1]}}}
        load(STUDY | {"recipes": {"wake": {}}, "models": models, "sweeps": sweep})


def test_a_sweep_of_a_run_that_stands_on_another_stands_there_too():
    assert sweeps.swept(study(model="b", terms={"norm": [1]}))["s.none"].start.at == "best"


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({"model": "aa", "terms": {"norm": [1]}}, "sweeps.s.model: there is no 'aa'"),
        ({"model": "b", "terms": {"device": [1]}}, "nothing says by which device the words of 'book' were made"),
        ({"model": "b", "terms": {"norm": [1, 2000]}}, "λ = 2000 times the learning rate of P3 (0.001) is more than 1"),
        (
            {"model": "a", "terms": {"norm": [1.0000001, 1]}},
            "sweeps.s.terms.norm: found 1.0000001, 1.0. Accepted: each",
        ),
    ],
)
def test_a_sweep_that_cannot_run_is_refused(sweep, said):
    (problem,) = sweeps.problems(study(**sweep))
    assert said in problem


def test_lambdas_are_above_nothing_and_a_term_has_some():
    for terms in ({"norm": [0]}, {"norm": []}, {}, {"nrom": [1]}):
        with pytest.raises(ValueError, match="terms"):
            Sweep(model="a", terms=terms)


# Judging --------------------------------------------------------------------------------------------------------------


def measured(trained, heldout, random, shuffled=np.nan, count=200, seed=0):
    """Words whose measures spread by 0.2 and whose means are these; the same words whatever the means."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"held_out": (np.arange(count) < count // 2).astype(float)})
    spread = 0.2 * rng.normal(size=(3, count))
    table["value"] = np.where(table["held_out"] > 0, heldout, trained) + spread[0]
    table["random"], table["shuffled"] = random + spread[1], shuffled + spread[2]
    table.loc[table["held_out"] == 0, ["random", "shuffled"]] = np.nan
    return table


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ((0.0, 0.0, 0.0), "still"),
        ((0.5, 0.0, 0.0), "trained"),
        ((0.5, 0.3, 0.3), "controls"),  # random pairs rose as much
        ((0.5, 0.3, 0.0, 0.3), "controls"),  # so did targets of permuted base rows
        ((0.5, 0.3, 0.0), "generalises"),
        ((0.5, 0.3, 0.0, 0.0), "generalises"),
        ((-0.5, 0.3, 0.0), "still"),
    ],
)
def test_a_term_generalises_where_held_out_words_gain_more_than_every_control(after, found):
    first = (0.0, 0.0, 0.0, 0.0)[: len(after)]
    made = judge(measured(*first), measured(*after, seed=1), 1, 0.01)
    assert made["verdict"] == found
    assert made["words"] == {"trained": 100, "heldout": 100}
    # where less is better, the same numbers turned round
    assert (
        judge(-measured(*first).assign(held_out=lambda t: -t["held_out"]), -measured(*after, seed=1), -1, 0.01)[
            "verdict"
        ]
        == found
    )


def test_noise_generalises_no_more_often_than_the_level_says():
    wrong = sum(
        judge(measured(0, 0, 0, seed=seed), measured(0.5, 0, 0, seed=1000 + seed), 1, 0.1)["verdict"] != "trained"
        for seed in range(60)
    )
    assert wrong <= 8  # held-out gains above 0 by chance: one in twenty


def test_an_interval_by_hand():
    # mean 2, standard error 1 / sqrt 3, t(2 degrees) = 4.302653
    found = interval([1.0, 2.0, np.nan, 3.0], 0.05)
    assert found == {"mean": 2.0, "low": pytest.approx(2 - 2.484138), "high": pytest.approx(2 + 2.484138)}
    assert interval([1.0], 0.05) is None and interval([np.nan, 1.0], 0.05) is None


@pytest.mark.parametrize("words", [2, 5, 20])
def test_a_few_words_of_noise_gain_no_more_often_than_the_level_says(words):
    noise = np.random.default_rng(words).normal(size=(2000, words))
    wrong = sum(interval(values, 0.02)["low"] > 0 for values in noise)
    assert wrong < 35  # one in a hundred are 20, give or take 4.4


def test_without_a_control_of_its_own_a_term_is_judged_by_its_gain():
    good = {"mean": 1.0, "low": 0.5, "high": 1.5}
    gains = {"trained": good, "heldout": good, "over_random": None, "over_shuffled": None}
    assert verdict(gains) == "generalises"
    assert verdict(gains | {"over_shuffled": {"mean": 0.0, "low": -0.1, "high": 0.1}}) == "controls"


def scores(extra):
    return {
        "bits_per_byte": 1.0,
        "passages": [{"nats": 100.0 + i + extra, "bytes": 100, "tokens": 9} for i in range(8)],
    }


def test_rows_that_moved_to_their_parts_are_judged_and_costed():
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(200)]
    targets = {word: rng.normal(size=16).astype(np.float32) for word in words}
    material = assemble(words, (targets, None), share=0.25, seed=0)
    start = torch.from_numpy(rng.normal(size=(200, 16)).astype(np.float32))
    goal = torch.from_numpy(np.array(list(targets.values())))
    out = torch.from_numpy(material.held_out)[:, None]
    rows = {"none": start, "free": torch.where(out, start, start + goal), "shared": start + goal}
    runs = {"none": (None, 0.0), "free": ("morpheme", 1.0), "shared": ("morpheme", 3.0), "d": ("device", 1.0)}
    rows["d"] = start
    made = compare(
        material, rows.__getitem__, {name: scores(0.0 if name == "none" else np.log(2)) for name in runs}, runs
    )
    assert [entry["verdict"] for entry in made["entries"]] == ["trained", "generalises", "no_words"]
    free, shared, _ = made["entries"]
    assert free["gain"]["heldout"]["mean"] == 0 and shared["gain"]["over_random"]["low"] > 0.3
    assert free["cost"]["mean"] == pytest.approx(1 / 100) == pytest.approx(free["cost"]["low"])
    assert made["level"] == pytest.approx(1 - 0.05 / 3) and made["without"] == "none"
    assert made["baseline"]["morpheme"]["heldout"] == pytest.approx(0, abs=0.15)


# Configuration --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({"model": "a", "terms": {"nrom": [1]}}, "sweeps.s.terms.nrom"),
        ({"modle": "a", "terms": {"norm": [1]}}, 'Did you mean "model"'),
        ({"model": "c", "terms": {"norm": [1]}}, "sweeps.s.model: there is no 'c'. Accepted: a, b."),
        ({"model": "a", "terms": {"norm": [-1]}}, "greater than 0"),
    ],
)
def test_what_is_wrong_with_a_sweep_is_said_with_its_key(sweep, said):
    with pytest.raises(UserError) as caught:
        load(STUDY | {"recipes": {"wake": {}}, "sweeps": {"s": sweep}})
    assert said in str(caught.value) and "sweeps.s" in str(caught.value)


def test_results_of_sweeps_lie_where_no_model_can():
    models = {"sweeps": STUDY["models"]["a"]}
    with pytest.raises(UserError, match=r"models\.sweeps: results/sweeps is used by the pipeline itself"):
        load(STUDY | {"recipes": {"wake": {}}, "models": models})
    with pytest.raises(UserError, match=r"s\.none has the name of one of its runs"):
        both = STUDY["models"] | {"s.none": STUDY["models"]["a"]}
        sweep = {"s": {"model": "a", "terms": {"norm": [1]}}}
        load(STUDY | {"recipes": {"wake": {}}, "models": both, "sweeps": sweep})
