"""What is installed, what is pinned and what conda would install are the same."""

import re
from importlib.metadata import version

import yaml

from tests.conftest import ROOT

PINS = dict(re.findall(r"^([\w.-]+)==([\w.]+)$", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE))


def test_every_requirement_is_pinned():
    lines = [line for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert len(lines) == len(PINS) > 50


def test_conda_environments_pin_what_requirements_pin():
    for path in (ROOT / "envs").glob("*.yaml"):
        (listed,) = [d["pip"] for d in yaml.safe_load(path.read_text("utf-8"))["dependencies"] if isinstance(d, dict)]
        pins = dict(line.split("==") for line in listed)
        assert pins.items() <= PINS.items()


def test_what_runs_is_what_is_pinned():
    for package in ("torch", "transformers", "peft", "tokenizers", "snakemake", "numpy"):
        assert version(package).split("+")[0] == PINS[package]
