"""A λ sweep is one entry: its runs share a P1, differ in P3, and are no models of the study."""


def sweep(**terms):
    return {"sweeps": {"terms": {"model": "tiny", "terms": terms}}}


def test_a_sweep_trains_p3_alone_once_for_each_lambda_and_once_without(fresh):
    edit = sweep(direction=[1], device=[1, 3])
    jobs = fresh.would_run("results/sweeps/terms/sweep.svg", edit=edit)
    assert (jobs["p1"], jobs["p3"], jobs["likelihood"], jobs["sweep"], jobs["figure_sweep"]) == (1, 4, 4, 1, 1)
    assert "p2" not in jobs and "report" not in jobs
    more = fresh.would_run("results/sweeps/terms/sweep.svg", edit=sweep(direction=[1], device=[1, 3, 10]))
    assert (more["p1"], more["p3"]) == (1, 5)


def test_a_sweep_is_no_part_of_the_paper(fresh):
    paper = fresh.would_run("results/paper.html")
    assert paper and fresh.would_run("results/paper.html", edit=sweep(device=[1, 3])) == paper


def test_a_users_devices_that_are_not_there_are_named_with_their_key(fresh):
    fresh.configure({"models": {"tiny": {"p3": {"devices": "data/devices.csv"}}}})
    said = fresh.snakemake("-n", "results/tiny/p3/run.json", check=False)
    words = said.stdout + said.stderr
    assert said.returncode and "models.tiny.p3.devices: there is no file data/devices.csv" in words
    assert "most recent call last" not in words
