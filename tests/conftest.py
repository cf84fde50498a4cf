"""Small things that many tests share: a tokenizer, a random base checkpoint, a text with coinages."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT / "../shared"

SENTENCES = [
    "The river ran under the old bridge, and the miller watched it run.",
    "“We shall walk to the market,” said Anna, “and buy bread.”",
    "A riverling sang in the moonbread kitchen while the rain fell.",
    "Riverling and miller; moonbread, moonbread — all sang.",
    "It was a small house, with a green door.\n\nMoonbread lay on the table.",
]
COINAGES = {"riverling": ["riverling", "Riverling"], "moonbread": ["moonbread", "Moonbread"]}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `-n 2` a file's tests stay in one process, and all of tests/workflow, whose study is made once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/workflow" if nodeid.startswith("tests/workflow/") else nodeid.split("::")[0]

    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    """tests/workflow first: it takes longest."""
    items.sort(key=lambda item: ROOT / "tests/workflow" not in item.path.parents)


@pytest.fixture(scope="session")
def passages() -> list[str]:
    """Forty short passages; each coinage occurs in many of them."""
    return [SENTENCES[i % 5] + " " + SENTENCES[(i * 3 + 1) % 5] for i in range(40)]


@pytest.fixture(scope="session")
def base_tokenizer(passages):
    from wake2vec.bases.tokenizer import train_tokenizer

    plain = [p for p in passages if "moonbread" not in p.lower() and "riverling" not in p.lower()]
    return train_tokenizer(plain or passages[:1], 420)


def write_base(folder: Path, tokenizer, tied: bool = False, **changes) -> Path:
    """A random Llama checkpoint with its tokenizer, architecture.json and manifest; returns the manifest's path."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from wake2vec.bases.checkpoint import manifest_of
    from wake2vec.bases.describe import SOURCE, architecture_of
    from wake2vec.bases.tokenizer import tokenizer_config
    from wake2vec.storage import write_json, write_text

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4} | changes
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        num_key_value_heads=4,
        max_position_embeddings=128,
        tie_word_embeddings=tied,
        bos_token_id=1,
        eos_token_id=2,
        **sizes,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_text(folder / "tokenizer_config.json", json.dumps(tokenizer_config(128)))
    architecture = SOURCE | {"kind": "path", "location": "."} | architecture_of(folder)
    write_json(folder / "architecture.json", "architecture", architecture, {})
    write_json(folder / "manifest.json", "base", manifest_of(folder, architecture), {})
    return folder / "manifest.json"


@pytest.fixture(scope="session")
def base(tmp_path_factory, base_tokenizer) -> Path:
    """Manifest of a random untied base."""
    return write_base(tmp_path_factory.mktemp("base"), base_tokenizer)


@pytest.fixture(scope="session")
def tied_base(tmp_path_factory, base_tokenizer) -> Path:
    """Manifest of a random tied base."""
    return write_base(tmp_path_factory.mktemp("tied"), base_tokenizer, tied=True)
