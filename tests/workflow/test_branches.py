"""Runs that stand on one P1: what they share, what each has of its own, and which rows are measured where."""

import numpy as np
import pytest

from wake2vec.storage import load_arrays, read_json, read_values

REGIMES = ("sweet", "plateau", "fried")
BRANCHES = {
    regime: {"extends": "tiny", "phases": ["p2"], "start": {"from": "tiny", "at": regime}} for regime in REGIMES
}
EVOLVED = {"extends": "tiny", "start": {"from": "tiny", "at": "final"}, "p1": {"steps": 12, "learning_rate": 1e-4}}


def test_three_branches_share_one_p1(fresh):
    jobs = fresh.would_run(*(f"results/{name}/report.html" for name in BRANCHES), edit={"models": BRANCHES})
    assert (jobs["p1"], jobs["initial_rows"], jobs["regimes"], jobs["state_at"]) == (1, 1, 1, 3)
    assert (jobs["p2"], jobs["report"], jobs["likelihood"], jobs["generation"]) == (3, 3, 9, 3)
    assert jobs["geometry"] == jobs["recovery"] == 3  # of the rows that each began with
    assert jobs["change"] == 1  # of the shared P1: all three write on from the prompts that it chooses
    assert "p3" not in jobs


def test_p2_of_a_run_may_stand_on_a_regime_of_its_own_p1(fresh):
    edit = {"models": {"tiny": {"p2": {"start": "plateau"}}}}
    jobs = fresh.would_run("results/tiny/report.html", edit=edit)
    assert (jobs["p1"], jobs["regimes"], jobs["state_at"], jobs["p2"], jobs["p3"]) == (1, 1, 1, 1, 1)
    assert (jobs["geometry"], jobs["change"]) == (3, 2)  # P2's prompts are P1's


def test_two_runs_of_one_configuration_are_one(finished):
    """P2 and P3 from the same P1, in processes of their own: the same adapters and the same rows."""
    finished.configure({"models": {"twin": {"extends": "tiny", "phases": ["p2", "p3"], "start": {"from": "tiny"}}}})
    try:
        finished.snakemake("results/twin/p3/rows.safetensors")
    finally:
        finished.configure({})
    for made in ("p2/adapter/adapter_model.safetensors", "p3/rows.safetensors"):
        one, other = (load_arrays(finished.folder / "results" / name / made) for name in ("tiny", "twin"))
        assert one.keys() == other.keys()
        for key, array in one.items():
            np.testing.assert_array_equal(other[key], array, err_msg=f"{made}: {key}")


def test_an_evolved_run_continues_a_p1_without_initial_rows_of_its_own(fresh):
    edit = {"models": {"evolved": EVOLVED}}
    jobs = fresh.would_run("results/evolved/report.html", edit=edit)
    assert (jobs["p1"], jobs["initial_rows"], jobs["state_at"], jobs["p2"], jobs["p3"]) == (2, 1, 1, 1, 1)
    assert jobs["regimes"] == 1  # for its own report; the final rows need none
    fresh.configure(edit)
    said = fresh.snakemake("-n", "results/evolved/report.html")
    assert "results/evolved/init" not in said.stdout + said.stderr


def test_a_phase_that_a_run_has_not_is_refused_in_words(fresh):
    fresh.configure({"models": {"fried": BRANCHES["fried"]}})
    said = fresh.snakemake("-n", "results/fried/metrics/p3/norms.json", check=False)
    words = said.stdout + said.stderr
    assert said.returncode and "this run has no p3. Its phases are p2 (models.fried.phases)" in words
    assert "most recent call last" not in words


@pytest.fixture(scope="module")
def branched(finished, tmp_path_factory):
    """The finished study with the regimes and a few states of its P1, and a run that stands on one of them, its
    checkpoints mirrored.
    """
    branch = {"extends": "tiny", "phases": ["p2"], "start": {"from": "tiny", "at": 4}}
    mirror = tmp_path_factory.mktemp("mirror")
    targets = [f"results/tiny/p1/at/{state}.safetensors" for state in ("best", "sweet", "step-000004")]
    targets += [f"results/branch/metrics/{name}.json" for name in ("init/norms", "p2/likelihood")]
    finished.configure({"models": {"branch": branch}, "tiers": {"mirror": str(mirror), "off": None}})
    try:
        finished.snakemake("results/tiny/p1/regimes.json", *targets)
        again = finished.snakemake("-n", *targets)
    finally:
        finished.configure({})
    assert "Nothing to be done" in again.stdout + again.stderr
    return finished.folder / "results", mirror


def test_snapshots_are_published_with_p1_and_states_are_theirs(branched):
    p1 = branched[0] / "tiny/p1"
    names = {path.name for path in (p1 / "snapshots").glob("*.safetensors")}
    assert names == {"best.safetensors", "final.safetensors", "step-000004.safetensors", "step-000008.safetensors"}
    run, found = read_values(p1 / "run.json"), read_values(p1 / "regimes.json")
    assert found["sweet"]["step"] == run["best_step"]
    assert found["states"]["sweet"]["file"] == "best.safetensors"
    for state, snapshot in (("best", "best"), ("sweet", "best"), ("step-000004", "step-000004")):
        arrays, saved = (load_arrays(p1 / f"{n}.safetensors") for n in (f"at/{state}", f"snapshots/{snapshot}"))
        assert arrays.keys() == saved.keys() and all(np.array_equal(arrays[n], saved[n]) for n in arrays)
    first, later = (load_arrays(p1 / f"snapshots/step-00000{n}.safetensors")["embedding.new"] for n in (4, 8))
    assert not np.array_equal(first, later)


def test_a_branch_trains_on_the_rows_of_its_start_and_is_measured_with_them(branched):
    branch = branched[0] / "branch"
    start = "results/tiny/p1/at/step-000004.safetensors"
    assert read_values(branch / "p2/run.json")["paths"]["rows"] == start
    for name in ("init/norms", "p2/likelihood"):
        assert start in read_json(branch / f"metrics/{name}.json")["provenance"]["inputs"]
    assert not (branch / "init").exists() and not (branch / "p1").exists()


def test_checkpoints_are_copied_to_the_tiers(branched):
    results, mirror = branched
    assert [path.name for path in mirror.iterdir()] == ["branch"]  # and nothing of runs that were finished before
    kept = results / "branch/state/p2/checkpoint-8/manifest.json"
    assert (mirror / "branch/state/p2/checkpoint-8/manifest.json").read_bytes() == kept.read_bytes()


def test_what_p2_lacks_is_said_before_p1_trains(finished):
    """P3's device file, which is not there, is no concern of P1's: its own phase asks for it."""
    p3 = {"lambda_device": 0.5, "devices": "nowhere.csv"}
    try:
        finished.configure({"models": {"lost": {"extends": "tiny", "p2": {"targets": ["upproj"]}, "p3": p3}}})
        done = finished.snakemake("results/lost/p1/run.json", check=False)
        assert done.returncode and "p2.targets: LlamaForCausalLM has no linear layer named upproj" in done.stderr
        assert not (finished.folder / "results/lost/state").exists()
        finished.configure({"models": {"lost": {"extends": "tiny", "p3": p3}}})
        finished.snakemake("results/lost/p1/run.json")
        done = finished.snakemake("-n", "results/lost/p3/run.json", check=False)
        assert "there is no file nowhere.csv" in done.stdout + done.stderr  # a dry run logs to stdout
    finally:
        finished.configure({})
