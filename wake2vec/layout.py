"""Where results lie, and which files a model consists of at a phase. Pure functions of the configuration: no disk
access.
"""

from wake2vec.settings import Model

CORPORA, BASES = "results/corpora", "results/bases"
ROW_PHASES = ("init", "p1", "p3")  # P2 leaves the rows as they are


def phases_of(model: Model) -> tuple[str, ...]:
    """Every state of a run that is measured: the base, the initial rows, and the phases that it has."""
    return ("base", "init", *model.phases)


def row_phase(model: Model, phase: str) -> str:
    """The phase that made the rows in use at `phase`: itself, or the last row phase before it.

    >>> row_phase(Model(base="b", corpus="c"), "p2")
    'p1'
    """
    order = phases_of(model)
    return [p for p in order[: order.index(phase) + 1] if p in ROW_PHASES][-1]


def before(model: Model, phase: str) -> str:
    """The state that a phase starts from."""
    order = phases_of(model)
    return order[order.index(phase) - 1]


def rows(name: str, model: Model, phase: str) -> str:
    """The rows.safetensors in use at a phase after `base`."""
    return f"results/{name}/{row_phase(model, phase)}/rows.safetensors"


def weights(name: str, model: Model, phase: str) -> dict[str, str]:
    """The files besides rows that make the model at a phase: `adapter` (PEFT's weights file) and `body` (named weights
    that go on top), each only where there is one.
    """
    files: dict[str, str] = {}
    order = phases_of(model)
    reached = order[: order.index(phase) + 1]
    if "p2" in reached:
        if model.p2.kind == "lora":
            files["adapter"] = f"results/{name}/p2/adapter/adapter_model.safetensors"
        else:
            files["body"] = f"results/{name}/p2/body.safetensors"
    if "p3" in reached and model.p3.adapters == "train":
        files["body"] = f"results/{name}/p3/adapter.safetensors"
    return files


def manifest(base: str) -> str:
    return f"{BASES}/{base}/manifest.json"


def last_rows(model: Model) -> str:
    """The phase whose rows a report shows: the last one that made rows."""
    return row_phase(model, model.phases[-1])


def metrics(model: Model, testbed: bool) -> dict[str, tuple[str, ...]]:
    """Phase -> names of the metrics that are measured there."""
    measured: dict[str, tuple[str, ...]] = {}
    for phase in phases_of(model):
        names = ["likelihood"]
        if phase in ROW_PHASES:
            names += ["norms", "isotropy", "dimension", "similarity", "neighbours"]
            names += ["recovery"] if testbed else []
        if phase in ("p1", "p3"):
            names += ["drift", "overlap"]
        if phase in model.phases:
            names += ["generation"]
        if phase == last_rows(model) != "init":
            names += ["projection"]
        measured[phase] = tuple(names)
    return measured


def figures(model: Model, testbed: bool) -> tuple[str, ...]:
    """Names of the figures that a model's report has."""
    names = ["six_panel", "losses", "likelihood"]
    if last_rows(model) != "init":
        names += ["change", "projection"]
    if "p3" in model.phases:
        names.append("objectives")
    return tuple([*names, "recovery"] if testbed else names)
