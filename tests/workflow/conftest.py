"""A study small enough to run whole in about two minutes, and a way to ask Snakemake what it would do."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from wake2vec.config import merge

LINKED = ("Snakefile", "rules", "scripts", "wake2vec", "data", "report", "profiles", "envs")
SHORT = {"steps": 8, "batch": 4, "sequence": 64, "log_every": 2, "evaluate_every": 4, "checkpoint_every": 4}
MINUTE = {
    "corpora": {
        "plain": {"characters": 60_000},
        "wake": {"characters": 60_000, "split": {"held_out": 0.2}, "synthetic": {"forms": 20, "sentences": 30}},
    },
    "bases": {"tiny-llama": {"vocabulary": 900, "hidden": 32, "layers": 1, "steps": 20, "batch": 4, "sequence": 64}},
    "defaults": {
        "geometry": {"sample": 300},
        "generation": {"tokens": 8, "prompts": 1},
        "evaluation": {"context": 64, "stride": 64},
    },
    "models": {"tiny": {"p1": SHORT | {"snapshot_every": 4}, "p2": SHORT, "p3": SHORT}},
}


class Study:
    """A working folder with the project's code linked into it and a configuration of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in LINKED:
            if (ROOT / name).exists():
                (folder / name).symlink_to(ROOT / name)
        shutil.copytree(ROOT / "config", folder / "config")
        self.shipped = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
        self.configure({})

    def configure(self, edit: dict, under: dict = MINUTE) -> None:
        """Write config.yaml: shipped < minute-sized < edit."""
        config = merge(merge(self.shipped, under), edit)
        (self.folder / "config/config.yaml").write_text(yaml.safe_dump(config), "utf-8")

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        )
        if check and done.returncode:
            raise AssertionError(
                f"snakemake {' '.join(arguments)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
            )
        return done

    def would_run(self, *targets: str, edit: dict | None = None) -> dict[str, int]:
        """Rule -> number of jobs of a dry run with an edited configuration, which is put back afterwards."""
        self.configure(edit or {})
        try:
            said = self.snakemake("-n", *targets)
        finally:
            self.configure({})
        table = re.search(r"^Job stats:\n.*\n[- ]+\n((?:\S+ +\d+\n)+)", said.stdout + said.stderr, re.MULTILINE)
        jobs = dict(line.split() for line in table[1].splitlines()) if table else {}
        jobs.pop("total", None)
        jobs.pop("all", None)
        return {rule: int(count) for rule, count in jobs.items()}


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Study:
    """The minute-sized study after `snakemake`: both models' reports, and the paper."""
    study = Study(tmp_path_factory.mktemp("study"))
    study.snakemake()
    return study


@pytest.fixture
def fresh(tmp_path) -> Study:
    """A study in which nothing has run."""
    return Study(tmp_path)
