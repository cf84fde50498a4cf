"""Bases from a hub: what is asked for and what is not, at which commit, and what a person reads when it fails."""

import errno
import json
import shutil

import numpy as np
import pytest

from tests.bases.hub_server import COMMIT, Repo, hub
from wake2vec.bases.checkpoint import base_rows, folder_of, register
from wake2vec.bases.describe import describe_base
from wake2vec.bases.hub import fetch_description
from wake2vec.bases.hub_errors import explained
from wake2vec.errors import UserError
from wake2vec.storage import write_json

DESCRIPTION = {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}


def settings(repo, revision="main"):
    return {"kind": "hub", "repo": f"me/{repo}", "revision": revision, "trust_remote_code": False}


def describe(repo, out, revision="main"):
    return describe_base("mine", settings(repo, revision), out)


def fetched(server, commit=COMMIT):
    """Files of which content was sent, by the hub or its CDN."""
    paths = server.asked("GET")
    files = [path.split(f"/resolve/{commit}/")[1] for path in paths if "/resolve/" in path]
    return files + [path.split("/", 4)[4] for path in paths if path.startswith("/cdn/")]


def refusal(*words, call):
    """The message of the UserError that a call raises; it has these words, and no trace of a token."""
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert [word for word in words if word not in message] == [], message
    assert "hf_" not in message.replace("hf_hub", ""), message
    return message


def test_a_base_is_described_without_its_weights_and_then_registered(client, checkpoint, base, tmp_path):
    with hub(tiny=Repo(checkpoint)) as server:
        client(server.url)
        architecture = describe("tiny", tmp_path / "mine")
        assert sorted(fetched(server)) == sorted(DESCRIPTION)
        assert not server.asked("HEAD", ".safetensors") and not server.asked("HEAD", ".bin")
        assert (architecture["repo"], architecture["revision"], architecture["commit"]) == ("me/tiny", "main", COMMIT)
        assert architecture["architecture"] == "LlamaForCausalLM" and architecture["tied"] is False
        assert (architecture["rows"], architecture["hidden"]) == (357, 32)
        written = {path.name for path in (tmp_path / "mine").iterdir()}
        assert written == {"config.json", "tokenizer.json", "tokenizer_config.json"}

        before = len(server.requests)
        values = register("mine", architecture)
        assert sorted(fetched(server)) == sorted([*DESCRIPTION, "model.safetensors"])  # and each only once
        assert not any("/main" in path for _, path, _ in server.requests[before:])  # the commit, whatever main is now
        assert values["commit"] == COMMIT and values["location"] is None
        manifest = tmp_path / "mine/manifest.json"
        write_json(manifest, "base", values, {})

        before = len(server.requests)
        for side, rows in base_rows(base).items():
            np.testing.assert_array_equal(base_rows(manifest)[side], rows)
        assert len(server.requests) == before  # a later step asks nothing of the hub
        shutil.rmtree(tmp_path / "cache")
        assert (folder_of(manifest) / "model.safetensors").read_bytes() == checkpoint["model.safetensors"]
        assert not any("/main" in path for _, path, _ in server.requests[before:])


def test_a_repositorys_code_comes_only_where_it_is_trusted(client, checkpoint):
    with hub(own=Repo(checkpoint)) as server:
        client(server.url)
        folder, commit = fetch_description("me/own", "main", "mine", code=True)
        assert set(fetched(server)) == DESCRIPTION | {"modeling_own.py"}
        assert (folder / "modeling_own.py").exists() and commit == COMMIT


def test_of_a_sharded_checkpoint_the_shards_come_that_its_index_names(client, sharded, base, tmp_path):
    shards = {name for name in sharded if name.startswith("model-")}
    assert len(shards) > 1
    with hub(big=Repo(sharded | {"model-00009-of-00009.safetensors": b"stale"})) as server:
        client(server.url)
        architecture = describe("big", tmp_path)
        assert set(fetched(server)) == DESCRIPTION | {"model.safetensors.index.json"}
        values = register("mine", architecture)
        assert set(fetched(server)) == DESCRIPTION | {"model.safetensors.index.json"} | shards
        write_json(tmp_path / "manifest.json", "base", values, {})
        np.testing.assert_array_equal(base_rows(tmp_path / "manifest.json")["head"], base_rows(base)["head"])


def test_a_broken_download_goes_on_where_it_stopped(client, checkpoint, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4096)  # what is kept comes in pieces of this size
    half = len(checkpoint["model.safetensors"]) // 2
    with hub(tiny=Repo(checkpoint, fails={"model.safetensors": 1})) as server:
        client(server.url)
        register("mine", describe("tiny", tmp_path))
        ranges = [headers.get("range") for _, path, headers in server.requests if path.startswith("/cdn/")]
        assert half > 4096 and ranges == [None, f"bytes={half // 4096 * 4096}-"]


def test_after_an_interruption_only_what_is_missing_comes(client, sharded, tmp_path):
    shards = sorted(name for name in sharded if name.startswith("model-"))
    repo = Repo(sharded, fails={shards[-1]: -1})
    with hub(big=repo) as server:
        cache = client(server.url)
        architecture = describe("big", tmp_path)
        refusal("bases.mine.repo", "me/big", "answered 500", "again later", call=lambda: register("mine", architecture))
        complete = {path.name for path in cache.rglob("snapshots/*/model-*.safetensors")}
        assert shards[0] in complete and shards[-1] not in complete
        repo.fails.clear()
        repo.sizes = dict.fromkeys(complete, 10**15)  # what is there already needs no room
        server.requests.clear()
        register("mine", architecture)
        assert sorted(fetched(server)) == [name for name in shards if name not in complete]


def test_a_full_disk_is_refused_before_the_download(client, checkpoint, tmp_path):
    with hub(huge=Repo(checkpoint, sizes={"model.safetensors": 10**15})) as server:
        cache = client(server.url)
        architecture = describe("huge", tmp_path / "out")
        message = refusal("bases.mine.repo", str(cache), "HF_HOME", call=lambda: register("mine", architecture))
        free = shutil.disk_usage(tmp_path).free / 1e9
        assert "needs 1100000.0 GB" in message  # and a tenth more
        said = float(message.split("; ")[1].split(" GB")[0])
        assert said == pytest.approx(free, rel=0.2)
        assert not [path for path in server.asked("GET") if "cdn" in path]
    with pytest.raises(UserError, match="is full.*HF_HOME"), explained("me/tiny", "main", "mine"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_gated_repository_says_how_to_get_in_and_lets_in_who_may(client, checkpoint, tmp_path, monkeypatch):
    with hub(gated=Repo(checkpoint, gated=True, readers=("hf_granted",))) as server:
        client(server.url)
        words = ("bases.mine.repo", "no token is set", f"{server.url}/me/gated", "licence", "hf auth login", "HF_TOKEN")
        refusal(*words, call=lambda: describe("gated", tmp_path))
        monkeypatch.setenv("HF_TOKEN", "hf_stranger")
        refusal("may not be read", f"{server.url}/me/gated", "licence", call=lambda: describe("gated", tmp_path))
        monkeypatch.setenv("HF_TOKEN", "hf_granted")
        values = register("mine", describe("gated", tmp_path))
        assert "hf_" not in json.dumps(values)
        assert not any("authorization" in headers for _, path, headers in server.requests if path.startswith("/cdn/"))


def test_what_does_not_exist_is_named(client, checkpoint, tmp_path, monkeypatch):
    bins = {name: content for name, content in checkpoint.items() if not name.endswith(".safetensors")}
    gguf = {"README.md": b"", "tiny.Q4.gguf": b""}
    repos = {"tiny": Repo(checkpoint), "bins": Repo(bins), "gguf": Repo(gguf), "private": Repo(checkpoint, readers=())}
    with hub(**repos) as server:
        client(server.url)
        words = ("bases.mine.repo", "no repository me/tinny", "hf auth login", "Check its name")
        refusal(*words, call=lambda: describe("tinny", tmp_path))
        words = ("bases.mine.revision", "no revision 'v9'", f"{server.url}/me/tiny/commits/main", "hash of a commit")
        refusal(*words, call=lambda: describe("tiny", tmp_path, "v9"))
        refusal("no revision", "0" * 40, call=lambda: describe("tiny", tmp_path, "0" * 40))
        words = (
            "bases.mine.repo",
            "no model.safetensors",
            "original/consolidated.00.pth, pytorch_model.bin",
            "convert",
        )
        refusal(*words, call=lambda: describe("bins", tmp_path))
        refusal("no config.json", "tiny.Q4.gguf", call=lambda: describe("gguf", tmp_path))
        refusal("owner/name", call=lambda: describe("tiny/tree/main", tmp_path))
        monkeypatch.setenv("HF_TOKEN", "hf_other")
        refusal("no repository me/private", "token that is set", call=lambda: describe("private", tmp_path))
        monkeypatch.setenv("HF_TOKEN", "hf_expired")
        refusal("does not accept the token", "expired", call=lambda: describe("tiny", tmp_path))
        monkeypatch.setenv("HF_TOKEN", "hf_pastéd twice")
        refusal("holds a character that no token has", call=lambda: describe("tiny", tmp_path))
        assert not [path for path in server.asked("GET") if "cdn" in path]


def test_a_shard_that_was_never_uploaded_is_named(client, sharded, tmp_path):
    shards = sorted(name for name in sharded if name.startswith("model-"))
    with hub(part=Repo({name: content for name, content in sharded.items() if name != shards[0]})) as server:
        client(server.url)
        architecture = describe("part", tmp_path)
        refusal(shards[0], "not complete", "bases.mine.revision", call=lambda: register("mine", architecture))


def test_without_a_network_the_cache_is_enough_and_its_lack_is_explained(client, checkpoint, tmp_path, monkeypatch):
    from huggingface_hub import constants

    with hub(tiny=Repo(checkpoint)) as server:
        client(server.url)
        register("mine", describe("tiny", tmp_path / "out"))
    client("http://127.0.0.1:1")  # nobody listens there
    words = ("bases.mine.repo", "me/other at main", "http://127.0.0.1:1", "network", "hf download", "kind: path")
    refusal(*words, call=lambda: describe("other", tmp_path))
    assert register("mine", describe("tiny", tmp_path / "again"))["commit"] == COMMIT
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert register("mine", describe("tiny", tmp_path / "again"))["commit"] == COMMIT
    refusal("HF_HUB_OFFLINE", "me/other", call=lambda: describe("other", tmp_path))
    refusal("HF_HUB_OFFLINE", COMMIT, call=lambda: describe("other", tmp_path, COMMIT))
    (next((tmp_path / "cache").rglob("snapshots/*/model.safetensors"))).unlink()
    refusal("HF_HUB_OFFLINE", "as a whole", call=lambda: register("mine", describe("tiny", tmp_path / "again")))


def test_a_base_that_cannot_have_rows_is_refused_before_its_weights(client, checkpoint, tmp_path):
    config = json.loads(checkpoint["config.json"]) | {"model_type": "phi", "architectures": ["PhiForCausalLM"]}
    with hub(phi=Repo(checkpoint | {"config.json": json.dumps(config).encode()})) as server:
        client(server.url)
        words = (
            "bases.mine.repo: me/phi",
            "head with a bias (PhiForCausalLM)",
            "Accepted",
            "No weights were downloaded",
        )
        refusal(*words, call=lambda: describe("phi", tmp_path))
        assert set(fetched(server)) == DESCRIPTION
