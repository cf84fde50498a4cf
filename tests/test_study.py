"""The study's entries: they load on top of config.yaml, are pinned, and say what the published tables say."""

import re

import pytest
import yaml

from tests.conftest import ROOT
from wake2vec import config as configuration
from wake2vec.settings import held_in


@pytest.fixture(scope="module")
def study():
    layers = [yaml.safe_load((ROOT / "config" / name).read_text("utf-8")) for name in ("config.yaml", "study.yaml")]
    return configuration.load(configuration.merge(*layers))


def test_every_base_is_pinned_to_a_commit(study):
    for name, base in study.bases.items():
        if base.kind == "hub":
            assert re.fullmatch(r"[0-9a-f]{40}", base.revision), name


@pytest.mark.parametrize(
    "name, steps, rate, sequence, quantisation",
    [
        ("tinyllama-1.1b-notebook", 1300, 5e-4, 256, "none"),
        ("tinyllama-1.1b", 1300, 5e-4, 256, "nf4"),
        ("llama-3.2-1b", 3000, 2e-4, 512, "nf4"),
        ("llama-3.2-1b-notebook", 3000, 2e-4, 512, "nf4"),
        ("llama-3.2-3b", 3000, 2e-4, 256, "nf4"),
        ("llama-3.1-8b", 3000, 2e-4, 256, "nf4"),
        ("llama-3.1-8b-notebook", 3000, 2e-4, 256, "nf4"),
        ("qwen2.5-14b", 3000, 2e-4, 256, "nf4"),
        ("mistral-7b-v0.3", 3000, 2e-4, 256, "nf4"),
        ("phi-3.5-mini", 3000, 2e-4, 256, "nf4"),
    ],
)
def test_p1_is_the_published_table(study, name, steps, rate, sequence, quantisation):
    model = study.models[name]
    assert (model.p1.steps, model.p1.learning_rate, model.p1.sequence) == (steps, rate, sequence)
    assert model.p1.batch * model.p1.accumulate == 16 and model.p1.warmup == 0.05
    assert held_in(model.model_dump(), "p1")["quantisation"] == quantisation
    assert model.p1.optimizer == ("adafactor" if "tinyllama" in name else "adamw")


@pytest.mark.parametrize("name", ["tinyllama-1.1b", "tinyllama-1.1b-notebook", "llama-3.2-1b-notebook"])
def test_p2_is_the_published_table(study, name):
    p2 = study.models[name].p2
    assert (p2.rank, p2.alpha, p2.dropout, p2.learning_rate, p2.warmup) == (8, 16, 0.1, 2e-5, 0.1)
    assert (p2.batch, p2.accumulate, p2.sequence, p2.steps, p2.weight_decay) == (8, 2, 256, 3000, 0.01)
    held = held_in(study.models[name].model_dump(), "p2")
    assert held == {"quantisation": "nf4", "precision": "bfloat16"}


def test_notebook_twins_keep_the_notebooks_ways(study):
    for name, model in study.models.items():
        if name.endswith("-notebook"):
            assert (model.head, model.vocabulary.match, model.initialisation.method) == (
                "tie_all",
                "substring",
                "spherical",
            )
            assert study.corpora[model.corpus].lexicon.scope == "whole"


def test_p3_is_within_the_published_range(study):
    p3 = study.models["tinyllama-1.1b-notebook"].p3
    assert 400 <= p3.steps <= 800 and (p3.learning_rate, p3.warmup, p3.optimizer) == (5e-5, 0.1, "adafactor")
    assert (p3.objective, p3.lambda_morpheme, p3.lambda_repulsion, p3.lambda_norm) == ("loss", 0.1, 0.05, 0.01)
