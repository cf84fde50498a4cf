"""Probes are seeded with words of the training text, and samples with nothing but their seed."""

import pytest

from wake2vec.language.generation import probes, prompt_for, sample
from wake2vec.model.assemble import load_base

TRAIN = "One fine day the riverling sang.\n\nMoonbread lay there, riverlings too.\n"
FORMS = [
    {"form": "▁riverling", "word": "riverling", "surface": "riverling", "count_train": 1},
    {"form": "Moonbread", "word": "moonbread", "surface": "Moonbread", "count_train": 1},
    {"form": "▁absent", "word": "absent", "surface": "absent", "count_train": 0},
]
DRIFT = {
    "most_drifted": [{"token": "▁absent"}, {"token": "▁riverling"}],
    "least_drifted": [{"token": "▁riverling"}, {"token": "Moonbread"}],
}


def test_a_prompt_is_the_line_up_to_the_word():
    assert prompt_for("riverling", TRAIN) == "One fine day the riverling"
    assert prompt_for("Moonbread", TRAIN) == "Moonbread"
    assert prompt_for("riverlin", TRAIN) is None  # not inside a longer word
    assert prompt_for("a+b(", "see a+b( here") == "see a+b("  # no regular expression


def test_each_word_is_probed_once_and_only_if_it_occurs():
    chosen = probes(FORMS, DRIFT, TRAIN, count=2)
    assert [(c["seeded_with"], c["token"]) for c in chosen] == [("high-drift", "riverling"), ("low-drift", "Moonbread")]


def test_without_drift_the_most_frequent_words_are_probed():
    assert [c["seeded_with"] for c in probes(FORMS, None, TRAIN, count=1)] == ["frequent"]


@pytest.mark.parametrize("temperature", [0.5, 1.5])
def test_the_seed_decides(base, base_tokenizer, temperature):
    causal = load_base(base)

    def write(seed):
        return sample(causal, base_tokenizer, 1, "The river", temperature, tokens=12, top_p=0.95, seed=seed)

    assert write(1) == write(1) != write(2)
