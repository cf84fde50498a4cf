"""Probes are seeded with words of the training text, and samples with nothing but their seed."""

import numpy as np
import pytest

from wake2vec.errors import UserError
from wake2vec.language.generation import choice, generate_phase, probes, prompt_for, write_on
from wake2vec.model.assemble import load_base
from wake2vec.storage import write_json, write_text
from wake2vec.text.encoding import NO_PIECE

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


DRAWS = [(0.5, 1), (1.5, 1), (1.5, 2), (0.5, 1)]


def test_the_seed_and_the_temperature_decide(base, base_tokenizer):
    written = write_on(load_base(base), base_tokenizer, 1, "The river", DRAWS, tokens=12, top_p=0.95)
    assert written[0] == written[3] and len(set(written)) == 3


def test_a_row_that_no_piece_has_may_be_drawn_and_is_no_text(base, base_tokenizer):
    decoded = []

    class EveryOther:
        encode = staticmethod(base_tokenizer.encode)

        def id_to_token(self, i):
            return NO_PIECE.format(i) if i % 2 else base_tokenizer.id_to_token(i)

        def decode(self, ids):
            decoded.append(ids)
            return base_tokenizer.decode(ids)

    write_on(load_base(base), EveryOther(), 1, "", DRAWS, tokens=12, top_p=1.0)
    assert 0 < sum(map(len, decoded)) < 12 * len(DRAWS) and not any(i % 2 for ids in decoded for i in ids)


def test_more_tokens_than_the_base_has_positions_are_refused(base, base_tokenizer):
    causal = load_base(base)
    most = causal.config.max_position_embeddings
    with pytest.raises(UserError, match=rf"generation.tokens: {most} after the \d+ tokens of the prompt 'The river'"):
        write_on(causal, base_tokenizer, 1, "The river", DRAWS, tokens=most, top_p=1.0)


def test_a_sample_is_the_same_whatever_is_drawn_beside_it(base, base_tokenizer):
    causal = load_base(base)

    def write(draws):
        return write_on(causal, base_tokenizer, 1, "The river", draws, tokens=12, top_p=0.95)

    assert write(DRAWS)[1:3] == write(DRAWS[1:3]) == [*write(DRAWS[1:2]), *write(DRAWS[2:3])]


def test_a_checkpoints_own_generation_settings_are_not_used(base, base_tokenizer):
    from transformers import GenerationConfig

    causal = load_base(base)
    written = write_on(causal, base_tokenizer, 1, "The river", DRAWS, tokens=12, top_p=0.95)
    own = {"repetition_penalty": 9.0, "no_repeat_ngram_size": 1, "min_new_tokens": 12, "temperature": 0.1, "top_k": 1}
    causal.generation_config = GenerationConfig(**own, eos_token_id=2)
    assert write_on(causal, base_tokenizer, 1, "The river", DRAWS, tokens=12, top_p=0.95) == written


def test_an_end_of_text_ends_its_own_sample_alone(base, base_tokenizer):
    """The likeliest first token is made the end of text: the cold sample stops there, and the warm one goes on."""
    import torch

    causal, draws = load_base(base), [(1e-4, 0), (1.5, 3)]
    ids = [1, *base_tokenizer.encode("The river", add_special_tokens=False).ids]
    with torch.no_grad():
        ids.append(int(causal(torch.tensor([ids])).logits[0, -1].argmax()))
    whole = write_on(causal, base_tokenizer, 1, "The river", draws, tokens=10, top_p=1.0)
    causal.generation_config.eos_token_id = ids[-1]
    cut = write_on(causal, base_tokenizer, 1, "The river", draws, tokens=10, top_p=1.0)
    assert "The river" + cut[0] == base_tokenizer.decode(ids[1:]) and cut[0] != whole[0]
    assert cut[1] == whole[1]


def test_a_nearly_cold_model_writes_its_likeliest_tokens(base, base_tokenizer):
    import torch

    causal = load_base(base)
    ids = [1, *base_tokenizer.encode("The river", add_special_tokens=False).ids]
    with torch.no_grad():
        for _ in range(10):
            ids.append(int(causal(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] == causal.generation_config.eos_token_id:
                break
    [written] = write_on(causal, base_tokenizer, 1, "The river", [(1e-4, 0)], tokens=10, top_p=1.0)
    assert "The river" + written == base_tokenizer.decode(ids[1:])


def test_tokens_are_drawn_as_often_as_their_temperature_says():
    """Nucleus of 0.9 at temperature 2: the shares of exp(score / 2), without the last token."""
    import torch

    scores = torch.tensor([[3.0, 2.0, 1.0, -6.0]])
    draws = 4000
    choose = choice([2.0] * draws, list(range(draws)), 0.9)
    drawn = choose(None, scores.repeat(draws, 1)).argmax(1)
    shares = np.bincount(drawn, minlength=4) / draws
    expected = np.exp([1.5, 1.0, 0.5])
    np.testing.assert_allclose(shares, [*(expected / expected.sum()), 0], atol=0.03)


def test_no_row_is_warmed_by_another():
    """The likeliest token of every row at a temperature near 0, beside rows at a high one."""
    import torch

    scores = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    chosen = choice([1e-4, 50.0, 1e-4], [0, 1, 2], 1.0)(None, scores).argmax(1)
    assert chosen[[0, 2]].tolist() == scores.argmax(1)[[0, 2]].tolist()


@pytest.fixture
def files(base, tmp_path):
    forms = [{"form": f"w{i}", "word": f"w{i}", "surface": surface, "count_train": 1}
             for i, surface in enumerate(("riverling", "Moonbread"))]  # fmt: skip
    write_json(tmp_path / "injection.json", "injection", {"forms": forms}, {})
    write_text(tmp_path / "train.txt", TRAIN)
    named = {"injection": tmp_path / "injection.json", "train": tmp_path / "train.txt"}
    return {"manifest": str(base), "tokenizer": str(base.parent / "tokenizer.json")} | named


MODEL = {"head": "native", "precision": "float32", "quantisation": "none"}


def test_every_prompt_at_every_temperature_from_every_seed(files):
    settings = {"temperatures": [0.5, 1.2], "tokens": 5, "prompts": 2, "own": ["Who <b>", "“A"], "seeds": 3}
    values = generate_phase(files, MODEL, settings | {"top_p": 0.95, "seed": 7})
    samples = values["samples"]
    assert len(samples) == 4 * 2 * 3 and (values["tokens"], values["top_p"]) == (5, 0.95)
    found = {(s["prompt"], s["temperature"], s["draw"]): s for s in samples}
    assert len(found) == len(samples) and {prompt for prompt, _, _ in found} == {
        "One fine day the riverling", "Moonbread", "Who <b>", "“A"
    }  # fmt: skip
    by_seed = {seed: {s["prompt"] for s in samples if s["seed"] == seed} for seed in {s["seed"] for s in samples}}
    assert set(by_seed) == set(range(7, 19)) and all(len(prompts) == 1 for prompts in by_seed.values())
    assert {s["seeded_with"] for s in samples} == {"frequent", "own"}


@pytest.mark.parametrize("edit", [{"temperatures": [1.0, 1.0]}, {"own": ["a", "a"]}, {"own": [""]}, {"seeds": 0}])
def test_settings_that_would_write_nothing_new_are_refused(edit):
    from wake2vec.config import load

    study = {
        "corpora": {"c": {"kind": "testbed"}},
        "bases": {"b": {"kind": "pretrain", "corpus": "c"}},
        "recipes": {"wake": {}},
        "models": {"m": {"base": "b", "corpus": "c", "generation": edit}},
    }
    with pytest.raises(UserError, match="models.m.generation"):
        load(study)
