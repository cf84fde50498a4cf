"""Which bases are refused by their configuration or their tokenizer, and what is said of them."""

import json
import shutil

import pytest

from wake2vec.bases.describe import architecture_of, save_tokenizer
from wake2vec.errors import UserError
from wake2vec.text.encoding import load_tokenizer

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
LLAMA = SIZES | {
    "model_type": "llama",
    "vocab_size": 50,
    "num_key_value_heads": 2,
    "architectures": ["LlamaForCausalLM"],
}
OWN = {"auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnForCausalLM"}}


def refused(folder, config):
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    with pytest.raises(UserError) as caught:
        architecture_of(folder, where="bases.x.repo: me/x")
    assert str(caught.value).startswith("bases.x.repo: me/x")
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"model_type": "gptj", "n_embd": 16, "n_head": 2, "n_layer": 1, "rotary_dim": 8}, "a bias (GPTJForCausalLM)"),
        ({"model_type": "phi"}, "a head with a bias (PhiForCausalLM)"),
        ({"model_type": "bert"}, "a head with a bias (BertLMHeadModel)"),
        ({"model_type": "t5"}, "no causal language model: its model_type is t5"),
        ({"model_type": "bart"}, "no causal language model: its model_type is bart"),
        ({"model_type": "clip"}, "no causal language model: its model_type is clip"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "no language model's head (LlamaForSequence"),
        ({"architectures": ["LlamaModel"]}, "no language model's head (LlamaModel)"),
        ({"model_type": "granite", "logits_scaling": 8.0}, "logits_scaling = 8.0 (GraniteForCausalLM)"),
        ({"model_type": "cohere", "logit_scale": 0.0625}, "logit_scale = 0.0625 (CohereForCausalLM)"),
        ({"model_type": "xglm", "d_model": 16, "attention_heads": 2}, "a kind of its own (XGLMScaledWordEmbedding)"),
        ({"model_type": "own"} | OWN, "code of its own (AutoConfig, AutoModelForCausalLM)"),
        ({"model_type": "own"}, "knows no model_type 'own'"),
        ({"hidden_size": "many"}, "cannot read its config.json"),
    ],
)
def test_what_cannot_be_given_rows_is_refused_with_what_was_found(tmp_path, change, found):
    assert found in refused(tmp_path, LLAMA | change)


def test_a_config_that_is_no_json_is_refused(tmp_path):
    assert "no JSON object" in refused(tmp_path, "version https://git-lfs.github.com/spec/v1")
    assert "no JSON object" in refused(tmp_path, "[]")


@pytest.mark.parametrize("change", [{"architectures": ["LlamaModel"], "tie_word_embeddings": True}, {}, OWN])
def test_a_head_that_the_embedding_gives_needs_no_name_and_known_models_no_code(tmp_path, change):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA | change))
    found = architecture_of(tmp_path)
    assert found["tied"] is change.get("tie_word_embeddings", False)
    # by hand: embedding (and head), q k v o, gate up down, and three norms
    matrices = 50 * 16 * (1 if found["tied"] else 2)
    assert found["parameters"] == matrices + 4 * 16 * 16 + 3 * 16 * 32 + 3 * 16
    assert found["names"]["embedding"][0] == "model.embed_tokens.weight" and found["names"]["head"] == [
        "lm_head.weight"
    ]


def tokenizer_folder(folder, tokenizer, base, **config):
    folder.mkdir()
    shutil.copy(base.parent / "config.json", folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    written = {"tokenizer_class": "PreTrainedTokenizerFast"} | special | config
    (folder / "tokenizer_config.json").write_text(json.dumps({k: v for k, v in written.items() if v}))
    return folder


def test_a_tokenizer_that_words_cannot_be_put_into_is_refused(base, base_tokenizer, tmp_path):
    from tokenizers import Tokenizer, models

    pieces = ["<unk>", "<s>", "</s>", "river", "run"]
    unigram = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], 0, False))
    wordpiece = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="<unk>"))

    def refusal(name, tokenizer, rows=357, **config):
        folder = tokenizer_folder(tmp_path / name, tokenizer, base, **config)
        with pytest.raises(UserError, match="^bases.x.path") as caught:
            save_tokenizer(folder, tmp_path / "out", rows, where="bases.x.path")
        assert not (tmp_path / "out").exists()
        return str(caught.value)

    assert "is a Unigram model" in refusal("unigram", unigram) and "byte-pair" in refusal("again", unigram)
    assert "is a WordPiece model" in refusal("wordpiece", wordpiece)
    short = refusal("short", base_tokenizer, rows=355)
    last = sorted(token for token, i in base_tokenizer.get_vocab().items() if i >= 355)
    assert f"past the 355 rows of the embedding: {', '.join(last)}." in short and len(last) == 2
    assert "no token that begins a text" in refusal("endless", base_tokenizer, bos_token=None, eos_token=None)


def test_a_tokenizer_without_a_fast_form_or_without_files_is_refused(base, tmp_path):
    canine = base.parent / "config.json", tmp_path / "config.json"
    shutil.copy(*canine)
    with pytest.raises(UserError, match="bases.x.path: its tokenizer cannot be loaded.*byte-pair"):
        save_tokenizer(tmp_path, tmp_path / "out", 357, where="bases.x.path")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CanineTokenizer"}))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "canine"}))
    with pytest.raises(UserError, match="CanineTokenizer, has no fast form.*byte-pair"):
        save_tokenizer(tmp_path, tmp_path / "out", 357, where="bases.x.path")


def test_a_kept_tokenizer_says_the_same_as_the_base(base, base_tokenizer, passages, tmp_path):
    save_tokenizer(base.parent, tmp_path, 357)
    kept = load_tokenizer(tmp_path)
    for passage in passages[:5]:
        assert kept.encode(passage).ids == base_tokenizer.encode(passage).ids


@pytest.mark.parametrize("named", [["default", "tool_use"], ["rag", "tool_use"], ["default"]])
def test_chat_templates_that_are_not_kept_are_told(base, base_tokenizer, tmp_path, capsys, named):
    templates = [{"name": name, "template": name} for name in named]
    folder = tokenizer_folder(tmp_path / "base", base_tokenizer, base, chat_template=templates)
    save_tokenizer(folder, tmp_path / "kept", 1000, where="bases.x.repo: me/x")
    others = [name for name in named if name != "default"]
    said = f"bases.x.repo: me/x: of its chat templates {', '.join(others)} are not kept, only the default.\n"
    assert capsys.readouterr().err.endswith(said) if others else not capsys.readouterr().err
    kept = tmp_path / "kept/chat_template.jinja"
    assert kept.exists() == ("default" in named) and (not kept.exists() or kept.read_text() == "default")


def test_what_a_fine_tuning_left_in_a_tokenizer_is_not_kept_but_its_side_of_padding_is(base, base_tokenizer, tmp_path):
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    cut = Tokenizer.from_str(base_tokenizer.to_str())
    cut.enable_truncation(4)
    cut.enable_padding(length=64)
    folder = tokenizer_folder(tmp_path / "base", cut, base, padding_side="left")
    text = "the river ran past the church and the castle"
    found = load_tokenizer(folder).encode(text)
    assert (len(found.ids), sum(found.attention_mask)) == (64, 4)
    save_tokenizer(folder, tmp_path / "kept", 1000)
    assert load_tokenizer(tmp_path / "kept").encode(text).ids == base_tokenizer.encode(text).ids
    assert AutoTokenizer.from_pretrained(tmp_path / "kept").padding_side == "left"


def test_the_side_that_a_tokenizers_class_pads_on_is_kept(base, base_tokenizer, tmp_path):
    from transformers import AutoTokenizer

    folder = tokenizer_folder(tmp_path / "base", base_tokenizer, base, tokenizer_class="GemmaTokenizer")
    before = AutoTokenizer.from_pretrained(folder).padding_side
    assert before == "left"
    save_tokenizer(folder, tmp_path / "kept", 1000)
    assert AutoTokenizer.from_pretrained(tmp_path / "kept").padding_side == before
