"""Every script's frame: its log holds what was said and the traceback; a person sees a message."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT
from wake2vec.errors import Interrupted, UserError
from wake2vec.job import job
from wake2vec.provenance import collect, git_state


class Files(list):
    def items(self):
        return []


@pytest.fixture
def snakemake(tmp_path):
    source = tmp_path / "input.txt"
    source.write_text("x")
    return SimpleNamespace(
        log=[str(tmp_path / "logs/rule.log")], threads=1, input=Files([str(source)]), params={"seed": 3}
    )


def log(snakemake):
    from pathlib import Path

    return Path(snakemake.log[0]).read_text("utf-8")


def test_what_a_script_says_is_in_its_log_and_on_the_terminal(snakemake, capsys):
    with job(snakemake) as provenance:
        print("halfway")
    assert "halfway" in log(snakemake) and "halfway" in capsys.readouterr().out
    made = provenance()
    assert made["settings"] == {"seed": 3} and list(made["inputs"].values()) == [
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # sha256 of "x"
    ]


def test_a_users_error_is_a_message_and_a_bug_leaves_its_traceback(snakemake, capsys):
    with pytest.raises(SystemExit), job(snakemake):
        raise UserError("mend this")
    assert "mend this" in log(snakemake) and "Traceback" not in log(snakemake) + capsys.readouterr().err
    with pytest.raises(ZeroDivisionError), job(snakemake):
        1 / 0  # noqa: B018
    assert "ZeroDivisionError" in log(snakemake) and "Traceback" in log(snakemake)


def test_an_interrupted_job_leaves_with_the_code_for_trying_again(snakemake, capsys):
    with pytest.raises(SystemExit) as left, job(snakemake):
        raise Interrupted("P1: asked to stop. checkpoint-7 is saved")
    assert left.value.code == 75 and "checkpoint-7 is saved" in log(snakemake)


def test_provenance_knows_the_commit_and_whether_it_is_dirty(tmp_path):
    assert git_state(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    (tmp_path / "a").write_text("1")
    for command in (["init", "-q"], ["add", "a"], ["commit", "-qm", "a"]):
        subprocess.run(git + command, check=True)
    assert git_state(tmp_path)["dirty"] is False
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path)["dirty"] is True
    assert {"torch", "transformers", "snakemake"} <= set(collect([], {})["packages"])


def test_scripts_load_torch_inside_their_job_if_at_all():
    """So that threads are set before torch starts, an import error is logged, and a figure does not pay for it."""
    lines = [
        line
        for path in sorted((ROOT / "scripts").glob("*.py"))
        for line in path.read_text("utf-8").splitlines()
        if line.startswith(("import ", "from "))
    ]
    code = "\n".join([*dict.fromkeys(lines), "import sys", "sys.exit('torch' in sys.modules)"])
    assert len(lines) > 60
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
