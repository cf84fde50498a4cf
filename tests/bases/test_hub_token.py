"""A token is used, and is written nowhere: the scripts themselves, run with HF_TOKEN set against a local hub."""

import json
import os
import subprocess
import sys

from tests.bases.hub_server import Repo, hub
from tests.conftest import ROOT

SECRET = "hf_secretAnnaLivia"
# what Snakemake does for a script, for one base after the other
DRIVER = """
import logging, os, runpy, sys
from types import SimpleNamespace

import huggingface_hub, transformers

class Now:  # a job is a process of its own elsewhere; here the libraries have to find each job's log
    def write(self, text):
        sys.stderr.write(text)
    def flush(self):
        sys.stderr.flush()

huggingface_hub.HfApi, transformers.AutoConfig
for library in ("huggingface_hub", "transformers"):
    for handler in logging.getLogger(library).handlers:
        handler.stream = Now()

class Params(dict):
    def __getattr__(self, name):
        return self[name]

class Files(list):
    def __init__(self, **files):
        super().__init__(files.values())
        self.__dict__ |= files

def run(rule, base, inputs, outputs, params={}):
    snakemake = SimpleNamespace(
        wildcards=SimpleNamespace(base=base), params=Params(params), output=Files(**outputs), input=Files(**inputs),
        log=[f"results/{base}/{rule}.log"], threads=1)
    try:
        runpy.run_path(os.path.join(sys.argv[1], "scripts", f"{rule}.py"), {"snakemake": snakemake})
    except SystemExit as stop:
        print(rule, base, "exit", stop.code)

for base in sys.argv[2:]:
    if base == "tiny":  # a token that was pasted badly
        os.environ["HF_TOKEN"] = os.environ["HF_TOKEN"].replace("_", "_\\x01")
    settings = {"kind": "hub", "repo": f"me/{base}", "revision": "main", "trust_remote_code": False}
    architecture = {"architecture": f"results/{base}/architecture.json"}
    run("describe_base", base, {}, architecture, {"base": settings})
    if os.path.exists(architecture["architecture"]):
        run("register_base", base, architecture, {"manifest": f"results/{base}/manifest.json"})
"""


def test_a_token_is_written_nowhere(checkpoint, sharded, tmp_path):
    shards = sorted(name for name in sharded if name.startswith("model-"))
    repos = {
        "private": Repo(checkpoint, readers=(SECRET,)),
        "gated": Repo(checkpoint, gated=True, readers=()),
        "echo": Repo(checkpoint, echo=True),
        "broken": Repo(sharded, fails={shards[0]: -1}),
        "tiny": Repo(checkpoint),
    }
    (tmp_path / "driver.py").write_text(DRIVER)
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with hub(**repos) as server:
        environment |= {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": SECRET}
        environment |= {"PYTHONPATH": str(ROOT), "HF_DEBUG": "1"}
        command = [sys.executable, "driver.py", str(ROOT), *repos]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    # the token was sent, to the hub and not to its CDN; the private base is there
    sent = {path.startswith("/cdn/") for _, path, headers in server.requests if SECRET in str(headers)}
    assert sent == {False}
    manifest = json.loads((tmp_path / "results/private/manifest.json").read_text("utf-8"))
    assert manifest["schema"] == "base/1" and manifest["values"]["commit"] == repos["private"].commit
    assert manifest["values"]["files"].keys() == {"config.json", "model.safetensors"}
    # every failure was explained, in the log too
    for rule, base, words in (
        ("describe_base", "gated", "may not be read with the token that is set"),
        ("describe_base", "echo", "may not be read with the token that is set"),
        ("register_base", "broken", "answered 500"),
        ("describe_base", "tiny", "holds a character that no token has"),
    ):
        assert f"{rule} {base} exit 1" in said
        log = (tmp_path / f"results/{base}/{rule}.log").read_text("utf-8")
        assert words in log and f"bases.{base}" in log and "Traceback" not in log
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 20 and "curl" in (tmp_path / "results/private/describe_base.log").read_text("utf-8")
    assert [path for path in written if b"AnnaLivia" in path.read_bytes()] == []
    assert "AnnaLivia" not in said
