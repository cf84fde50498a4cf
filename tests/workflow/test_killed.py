"""Snakemake itself is killed: the same command goes on. While it lives, a second one is refused."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT

SNAKEFILE = """
from wake2vec.workdir import forget_dead_runs

if workflow.is_main_process:
    forget_dead_runs()

rule slow:
    output: "slow.txt"
    shell: "until test -e go; do sleep 0.2; done; touch {output}"
"""
COMMAND = [sys.executable, "-m", "snakemake", "--cores", "1", "slow.txt"]


@pytest.fixture
def started(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    log = open(tmp_path / "log.txt", "w")
    process = subprocess.Popen(COMMAND, cwd=tmp_path, env=environment, stderr=log, start_new_session=True)
    for _ in range(600):
        if "localrule slow" in (tmp_path / "log.txt").read_text() or "rule slow" in (tmp_path / "log.txt").read_text():
            break
        time.sleep(0.1)
    yield tmp_path, process, environment
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    log.close()


def test_the_same_command_goes_on_after_a_kill_and_waits_for_the_living(started):
    folder, process, environment = started
    assert list((folder / ".snakemake/locks").iterdir())

    def again(*options):
        command = [*COMMAND, "--rerun-incomplete", *options]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    refused = again()
    assert refused.returncode == 1 and "cannot be locked" in refused.stderr
    assert again("-n").returncode == 0  # looking is free, and takes no lock away
    assert list((folder / ".snakemake/locks").iterdir())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (folder / "go").touch()
    done = again()
    assert done.returncode == 0, done.stderr
    assert (folder / "slow.txt").exists()
