"""A checkpoint as a repository on the hub, and a client that knows no hub but the one on this machine."""

import pytest


@pytest.fixture
def client(monkeypatch, tmp_path):
    """client(url, token) points huggingface_hub there, with an empty cache; what the environment says at its import."""
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def use(url, token=None):
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        if token:
            monkeypatch.setenv("HF_TOKEN", token)
        return tmp_path / "cache"

    close_session()
    yield use
    close_session()


@pytest.fixture(scope="session")
def checkpoint(base):
    """path -> content of a repository: a random Llama in one file, and what else repositories hold."""
    names = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    others = ("README.md", "pytorch_model.bin", "consolidated.safetensors", "original/consolidated.00.pth")
    others += ("adapter/model.safetensors", "onnx/config.json", "original/tokenizer.model", "modeling_own.py")
    return {name: (base.parent / name).read_bytes() for name in names} | {name: b"not wanted" * 9 for name in others}


@pytest.fixture(scope="session")
def sharded(base, checkpoint, tmp_path_factory):
    """The same repository with its weights in shards."""
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("sharded")
    AutoModelForCausalLM.from_pretrained(base.parent).save_pretrained(folder, max_shard_size="60KB")
    parts = {path.name: path.read_bytes() for path in sorted(folder.glob("model*"))}
    return {name: content for name, content in checkpoint.items() if name != "model.safetensors"} | parts
