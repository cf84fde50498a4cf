"""Before anything runs: every shipped model plans, refusals come first, a dry run is quick and imports no torch."""

import time

import pytest
import yaml

from tests.conftest import ROOT

CONFIGS = {"config.yaml": {}} | {
    path.name: yaml.safe_load(path.read_text("utf-8")) for path in sorted((ROOT / "config/examples").glob("*.yaml"))
}
SHIPPED = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
MODELS = [(file, model) for file, extra in CONFIGS.items() for model in (extra or SHIPPED)["models"]]


def books(study, extra):
    """Stand-ins for the files that a user brings."""
    (study.folder / "data").unlink()
    (study.folder / "data").mkdir()
    for path in (ROOT / "data").iterdir():
        (study.folder / "data" / path.name).symlink_to(path)
    for corpus in extra.get("corpora", {}).values():
        for file in corpus.get("files", []):
            (study.folder / file["path"]).write_text("text", "utf-8")


@pytest.mark.parametrize(("file", "model"), MODELS)
def test_every_shipped_model_plans(fresh, file, model):
    books(fresh, CONFIGS[file])
    fresh.configure(CONFIGS[file], under={})
    said = fresh.snakemake("-n", f"results/{model}/report.html")
    assert "report" in said.stdout + said.stderr


def test_a_missing_book_is_explained_with_its_key(fresh):
    fresh.configure(CONFIGS["joyce.yaml"], under={})
    said = fresh.snakemake("-n", "results/ulysses/report.html", check=False)
    assert said.returncode
    words = said.stdout + said.stderr
    assert "corpora.ulysses.files.0.path" in words or "corpora.joyce-early.files.0.path" in words
    assert "most recent call last" not in words


@pytest.mark.parametrize("target", ["tinny/report.html", "sweeps/lambdaz/sweep.svg", "sweeps/lambdaz/sweep.md"])
def test_an_unknown_model_or_sweep_is_refused_with_a_guess(fresh, target):
    fresh.configure({"sweeps": {"lambdas": {"model": "tiny", "terms": {"norm": [1]}}}})
    said = fresh.snakemake("-n", f"results/{target}", check=False)
    guessed = "tiny" if target.startswith("tinny") else "lambdas"
    assert said.returncode and f'Did you mean "{guessed}"?' in said.stdout + said.stderr


def test_a_wrong_configuration_is_refused_before_any_job(fresh):
    fresh.configure({"models": {"tiny": {"p1": {"stepz": 3}}}})
    said = fresh.snakemake("results/tiny/report.html", check=False)
    words = said.stdout + said.stderr
    assert said.returncode and "models.tiny.p1.stepz" in words and 'Did you mean "steps"?' in words
    assert "most recent call last" not in words and not (fresh.folder / "results").exists()


def test_a_dozen_models_plan_within_seconds_and_without_torch(fresh):
    fresh.configure({"models": {f"m{i}": {"extends": "tiny", "seed": i} for i in range(12)}})
    (fresh.folder / "torch.py").write_text("raise ImportError('a dry run must not import torch')", "utf-8")
    started = time.monotonic()
    jobs = fresh.would_run(edit={"models": {f"m{i}": {"extends": "tiny", "seed": i} for i in range(12)}})
    assert jobs["p1"] == 14 and jobs["pretrain"] == 1 and jobs["testbed"] == 3
    assert time.monotonic() - started < 20  # about three; CI's machine is slow and busy


@pytest.mark.parametrize(
    ("phases", "jobs"),
    [
        (["p1"], {"p1": 1, "likelihood": 3, "geometry": 2, "change": 1, "generation": 1}),
        (["p2"], {"p2": 1, "likelihood": 3, "geometry": 1, "generation": 1}),
        (["p1", "p3"], {"p1": 1, "p3": 1, "likelihood": 4, "geometry": 3, "change": 2, "generation": 2}),
    ],
)
def test_a_run_may_have_fewer_phases(fresh, phases, jobs):
    planned = fresh.would_run("results/tiny/report.html", edit={"models": {"tiny": {"phases": phases}}})
    measured = {
        rule: planned.get(rule, 0) for rule in ("p1", "p2", "p3", "likelihood", "geometry", "change", "generation")
    }
    assert measured == {rule: 0 for rule in measured} | jobs


def test_full_fine_tuning_and_trained_adapters_have_outputs_of_their_own(fresh):
    full = fresh.would_run("results/tiny/report.html", edit={"models": {"tiny": {"p2": {"kind": "full"}}}})
    assert full["p2_full"] == 1 and "p2" not in full
    both = fresh.would_run("results/tiny/report.html", edit={"models": {"tiny": {"p3": {"adapters": "train"}}}})
    assert both["p3_with_adapters"] == 1 and "p3" not in both
