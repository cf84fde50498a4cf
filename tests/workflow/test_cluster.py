"""On a cluster: a profile that Snakemake understands, and jobs that ask for the memory of the base that they load."""

import json
import re
from types import SimpleNamespace

import pytest
import yaml
from snakemake.cli import get_argument_parser
from snakemake.exceptions import WorkflowError
from snakemake.iocontainers import InputFiles, Wildcards

from tests.conftest import ROOT
from wake2vec import config as configuration
from wake2vec import layout, sweeps
from wake2vec.config import load, merge

QWEN = {"parameters": 14_770_033_664, "rows": 152_064, "hidden": 5_120, "tied": False}
RULES = "\n\n\n".join(path.read_text("utf-8") for path in (ROOT / "rules").glob("*.smk"))


def profile(name):
    return yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text("utf-8"))


def test_the_slurm_profile_has_options_of_snakemake_and_the_settings_of_the_default_one():
    known = {option.lstrip("-") for option in get_argument_parser()._option_string_actions}
    assert set(profile("slurm")) <= known
    # one GPU at a time is for one machine; everything else holds wherever jobs run
    of_one_machine = {"cores": "all", "resources": ["gpu=1"]}
    assert of_one_machine.items() <= profile("default").items()
    shared = {key: value for key, value in profile("default").items() if key not in of_one_machine}
    assert shared.items() <= profile("slurm").items()


def test_every_rule_that_may_take_a_gpu_says_how_much_memory_and_time():
    blocks = [rule for rule in RULES.split("\n\n\n") if "gpu=gpu_of" in rule]
    assert len(blocks) == 5  # p1, p2, p3, likelihood, generation
    assert all(re.search(r"mem_mb=memory_of\(.*\),\n +runtime=", rule) for rule in blocks)


@pytest.fixture(scope="module")
def common():
    """What rules/common.smk defines, for the study's models."""
    shipped, study = (yaml.safe_load((ROOT / f"config/{name}.yaml").read_text("utf-8")) for name in ("config", "study"))
    given = {"study": load(merge(shipped, study)), "layout": layout, "sweeps": sweeps}
    given |= {"configuration": configuration, "WorkflowError": WorkflowError}
    exec(compile((ROOT / "rules/common.smk").read_text("utf-8"), "common.smk", "exec"), given)
    return SimpleNamespace(**given)


@pytest.fixture
def qwen(tmp_path):
    """Wildcards and input files of a job of the 14B model; new rows of 1 MB."""
    (tmp_path / "manifest.json").write_text(json.dumps({"values": QWEN}), "utf-8")
    (tmp_path / "rows").write_bytes(bytes(10**6))
    files = InputFiles(fromdict={"manifest": str(tmp_path / "manifest.json"), "rows": str(tmp_path / "rows")})
    return Wildcards(fromdict={"model": "qwen2.5-14b"}), files


def test_a_phase_of_a_14b_base_asks_for_more_than_the_base_takes(common, qwen):
    matrices = 8 * 2 * 152_064 * 5_120
    expected = (2 * QWEN["parameters"] + matrices + 4 * 10**6 + 4 * 2**30) // 10**6 + 1
    assert common.memory_of("p1")(*qwen) == expected > 2 * QWEN["parameters"] / 10**6
    whole = expected + 2 * QWEN["parameters"] / 10**6  # merged, it is float32
    assert common.memory_of(whole=True)(*qwen) == pytest.approx(whole, abs=1)
    assert common.memory_of_rows(*qwen) == (matrices + 4 * 10**6 + 4 * 2**30) // 10**6 + 1


def test_before_the_base_is_there_nothing_is_said(common, qwen, tmp_path):
    wildcards, files = qwen
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError) as error:  # which Snakemake takes for "not known yet", of an input
        common.memory_of("p1")(wildcards, files)
    assert str(error.value.filename) == files.manifest
