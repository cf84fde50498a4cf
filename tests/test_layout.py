"""Which files make up a model at a phase."""

from wake2vec import layout
from wake2vec.settings import Hub, Model, Pretrain


def model(**settings):
    return Model(base="b", corpus="c", **settings)


def test_rows_are_those_of_the_last_row_phase():
    whole = model()
    at = {phase: layout.rows("m", whole, phase) for phase in ("init", "p1", "p2", "p3")}
    assert at == {p: f"results/m/{q}/rows.safetensors" for p, q in zip(at, ("init", "p1", "p1", "p3"), strict=True)}
    assert layout.rows("m", model(phases=["p2"]), "p2") == "results/m/init/rows.safetensors"


def test_a_run_on_anothers_p1_begins_with_its_rows():
    branch = model(phases=["p2", "p3"], start={"from": "a", "at": "fried"})
    fried = "results/a/p1/at/fried.safetensors"
    assert [layout.rows("m", branch, p) for p in ("init", "p2", "p3")] == [
        fried,
        fried,
        "results/m/p3/rows.safetensors",
    ]
    assert layout.row_phase(branch, "p2") == "init"
    evolved = model(start={"from": "a"})
    assert layout.rows("m", evolved, "init") == "results/a/p1/rows.safetensors"
    assert layout.rows("m", evolved, "p1") == layout.rows("m", evolved, "p2") == "results/m/p1/rows.safetensors"


def test_p2_may_stand_on_another_state_of_p1():
    at_a_step = model(p2={"start": 250})
    mine, step = "results/m/p1/rows.safetensors", "results/m/p1/at/step-000250.safetensors"
    assert [layout.rows("m", at_a_step, p) for p in ("p1", "p2")] == [mine, step]
    assert layout.before(at_a_step, "p3") == "p2"  # so P3 starts from those rows too
    assert layout.row_phase(at_a_step, "p2") == "p2" and layout.last_rows(model(phases=["p1", "p2"])) == "p1"
    without_p2 = model(phases=["p1", "p3"], p2={"start": "final"})
    assert layout.rows("m", without_p2, layout.before(without_p2, "p3")) == mine
    # without a P1 of its own the state is one of the P1 that the run starts from
    borrowed = model(phases=["p2"], start={"from": "a", "at": "best"}, p2={"start": "final"})
    a = "results/a/p1/at"
    assert [layout.rows("m", borrowed, p) for p in ("init", "p2")] == [
        f"{a}/best.safetensors",
        f"{a}/final.safetensors",
    ]


def test_all_phases_have_the_prompts_of_the_first_phase_that_trained_rows():
    own = "results/m/metrics/p1/drift.json"
    assert layout.prompt_drift("m", model(phases=["p1"])) == own
    assert layout.prompt_drift("m", model()) == own  # P3 on top leaves P1's samples as they are
    assert layout.prompt_drift("m", model(p2={"start": 250})) == own
    assert layout.prompt_drift("m", model(start={"from": "a"})) == own
    theirs = "results/a/metrics/p1/drift.json"
    for phases in (["p2"], ["p2", "p3"], ["p3"]):
        assert layout.prompt_drift("m", model(phases=phases, start={"from": "a", "at": "fried"})) == theirs
    assert layout.prompt_drift("m", model(phases=["p2", "p3"])) == "results/m/metrics/p3/drift.json"
    assert layout.prompt_drift("m", model(phases=["p2"])) is None


def test_tiers_are_folders_or_urls():
    tiers = {"drive": "/drive/My Drive", "cloud": "s3://bucket/wake/", "test": "memory://", "off": None}
    assert layout.tier_folders(tiers, "m", "p2") == {
        "drive": "/drive/My Drive/m/state/p2",
        "cloud": "s3://bucket/wake/m/state/p2",
        "test": "memory://m/state/p2",
    }


def test_adapters_stay_from_p2_on():
    whole = model()
    adapter = {"adapter": "results/m/p2/adapter/adapter_model.safetensors"}
    assert [layout.weights("m", whole, p) for p in ("base", "init", "p1", "p2", "p3")] == [{}, {}, {}, adapter, adapter]
    trained = model(p3={"adapters": "train"})
    assert layout.weights("m", trained, "p3") == adapter | {"body": "results/m/p3/adapter.safetensors"}
    full = model(p2={"kind": "full"})
    assert layout.weights("m", full, "p3") == {"body": "results/m/p2/body.safetensors"}


def test_what_is_measured_and_drawn_follows_the_phases():
    only_p1 = model(phases=["p1"])
    assert set(layout.metrics(only_p1, testbed=False)) == {"base", "init", "p1"}
    assert "recovery" not in layout.figures(only_p1, testbed=False) and "objectives" not in layout.figures(
        only_p1, True
    )
    only_p2 = model(phases=["p2"])
    assert "change" not in layout.figures(only_p2, False)
    assert all("drift" not in names for names in layout.metrics(only_p2, True).values())


def test_plain_english_is_what_is_named_else_what_a_built_in_base_has_read_else_made_on_the_spot():
    built_in, hub = Pretrain(kind="pretrain", corpus="plain"), Hub(kind="hub", repo="a/b", revision="main")
    assert layout.plain_corpus(model(), built_in) == "plain"
    assert layout.plain_corpus(model(), hub) is None
    assert layout.plain_corpus(model(), Pretrain(kind="pretrain", corpus="c")) is None  # the run's own text
    assert layout.plain_corpus(model(battery={"plain": "novels"}), built_in) == "novels"


def test_the_register_is_measured_where_text_is_generated_and_tried_on_the_testbed():
    measured = layout.metrics(model(phases=["p1"]), testbed=False)
    assert [phase for phase in measured if "register" in measured[phase]] == ["p1"]
    drawn = [layout.figures(model(), testbed) for testbed in (False, True)]
    assert ["register_validation" in names for names in drawn] == [False, True]
    assert all("register" in names for names in drawn)


def test_what_of_the_base_has_been_trained():
    def through(**settings):
        return [layout.trained_of_base(model(**settings), phase) for phase in ("base", "init", "p1", "p2", "p3")]

    assert through() == ["nothing"] * 5
    assert through(p3={"train": "all"}) == ["nothing"] * 4 + ["rows"]
    assert through(p1={"train": "masked"}) == ["nothing"] * 2 + ["rows"] * 3  # base rows stay as P1 left them
    assert through(p1={"train": "all"}, p2={"kind": "full"}) == ["nothing"] * 2 + ["rows", "body", "body"]
