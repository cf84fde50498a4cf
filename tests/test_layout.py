"""Which files make up a model at a phase."""

from wake2vec import layout
from wake2vec.settings import Model


def model(**settings):
    return Model(base="b", corpus="c", **settings)


def test_rows_are_those_of_the_last_row_phase():
    whole = model()
    at = {phase: layout.rows("m", whole, phase) for phase in ("init", "p1", "p2", "p3")}
    assert at == {p: f"results/m/{q}/rows.safetensors" for p, q in zip(at, ("init", "p1", "p1", "p3"), strict=True)}
    assert layout.rows("m", model(phases=["p2"]), "p2") == "results/m/init/rows.safetensors"


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
