"""Where results lie, and which files a model consists of at a phase. Pure functions of the configuration: no disk
access.
"""

from collections.abc import Mapping

from wake2vec.settings import Base, Model

CORPORA, BASES = "results/corpora", "results/bases"
ROW_PHASES = ("init", "p1", "p3")  # P2 trains no rows


def phases_of(model: Model) -> tuple[str, ...]:
    """Every state of a run that is measured: the base, the initial rows, and the phases that it has."""
    return ("base", "init", *model.phases)


def row_phase(model: Model, phase: str) -> str:
    """The phase that brought the rows in use at `phase`: itself, or the last before it that trained or chose rows.

    >>> row_phase(Model(base="b", corpus="c"), "p2")
    'p1'
    """
    order = phases_of(model)
    return [p for p in order[: order.index(phase) + 1] if p in ROW_PHASES or (p == "p2" and chooses_rows(model))][-1]


def chooses_rows(model: Model) -> bool:
    """Whether P2 stands on a state of P1 that it names itself."""
    return model.p2.start != "kept"


def p1_owner(name: str, model: Model) -> str | None:
    """The run whose P1 the rows come from: this one, or where it has no P1 the one that it starts from, if any."""
    if "p1" in model.phases:
        return name
    return model.start.model if model.start is not None else None


def prompt_drift(name: str, model: Model) -> str | None:
    """The drift that chooses the prompts of all phases of a run: that of the first phase that trained rows, its own P1
    or the one that it starts from, else P3. None where no phase trained rows.

    >>> prompt_drift("tiny", Model(base="b", corpus="c"))
    'results/tiny/metrics/p1/drift.json'
    """
    if (owner := p1_owner(name, model)) is not None:
        return f"results/{owner}/metrics/p1/drift.json"
    return f"results/{name}/metrics/p3/drift.json" if "p3" in model.phases else None


def p1_rows(name: str, state: str | int) -> str:
    """The rows of a model's P1 in one state: a name of `settings.STATES`, or a step.

    >>> p1_rows("tiny", "kept"), p1_rows("tiny", 200)
    ('results/tiny/p1/rows.safetensors', 'results/tiny/p1/at/step-000200.safetensors')
    """
    if state == "kept":
        return f"results/{name}/p1/rows.safetensors"
    return f"results/{name}/p1/at/{step_name(state) if isinstance(state, int) else state}.safetensors"


def step_name(step: int) -> str:
    return f"step-{step:06d}"


def before(model: Model, phase: str) -> str:
    """The state that a phase starts from."""
    order = phases_of(model)
    return order[order.index(phase) - 1]


def rows(name: str, model: Model, phase: str) -> str:
    """The rows in use at a phase after `base`."""
    made = row_phase(model, phase)
    if made == "init" and model.start is not None:
        return p1_rows(model.start.model, model.start.at)
    if made == "p2":
        return p1_rows(p1_owner(name, model), model.p2.start)
    return f"results/{name}/{made}/rows.safetensors"


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


def trained_of_base(model: Model, phase: str) -> str:
    """What of the base has been trained at a phase, the most of it: "nothing", its "rows" or its "body".

    >>> trained_of_base(Model(base="b", corpus="c", p1={"train": "masked"}), "p2")
    'rows'
    """
    order = phases_of(model)
    reached = order[: order.index(phase) + 1]
    if "p2" in reached and model.p2.kind == "full":
        return "body"
    rows = any(getattr(model, phase).train != "new" for phase in ("p1", "p3") if phase in reached)
    return "rows" if rows else "nothing"


def tier_folders(tiers: Mapping[str, str | None], name: str, phase: str) -> dict[str, str]:
    """Where a phase's checkpoints are copied: tier -> folder or URL. A tier that is null is not used.

    >>> tier_folders({"mirror": "s3://bucket/", "safety": None}, "tiny", "p1")
    {'mirror': 's3://bucket/tiny/state/p1'}
    """
    return {
        tier: f"{place if place.endswith('/') else place + '/'}{name}/state/{phase}"
        for tier, place in tiers.items()
        if place is not None
    }


def manifest(base: str) -> str:
    return f"{BASES}/{base}/manifest.json"


def last_rows(model: Model) -> str:
    """The phase whose rows a report shows: the last one that trained rows."""
    return [phase for phase in phases_of(model) if phase in ROW_PHASES][-1]


def metrics(model: Model, testbed: bool) -> dict[str, tuple[str, ...]]:
    """Phase -> names of the metrics that are measured there."""
    measured: dict[str, tuple[str, ...]] = {}
    for phase in phases_of(model):
        names = ["likelihood"]
        if phase in ROW_PHASES:
            names += ["norms", "isotropy", "dimension", "similarity", "directions", "neighbours"]
            names += ["recovery"] if testbed else []
        if phase in ("p1", "p3"):
            names += ["drift", "overlap"]
        if phase in model.phases:
            names += ["generation", "register"]
        if phase == last_rows(model) != "init":
            names += ["projection"]
        measured[phase] = tuple(names)
    return measured


def figures(model: Model, testbed: bool) -> tuple[str, ...]:
    """Names of the figures that a model's report has."""
    names = ["six_panel", "losses", "likelihood", "surprisal"]
    if last_rows(model) != "init":
        names += ["change", "projection"]
    if "p3" in model.phases:
        names.append("objectives")
    if model.phases:
        names.append("register")
    return tuple([*names, "recovery", "register_validation"] if testbed else names)


def plain_corpus(model: Model, base: Base) -> str | None:
    """The corpus of plain English that samples are compared with; None: the testbed's plain text, made on the spot.

    It is the one that the settings name, else what a built-in base was trained on, where that is not the run's own.
    """
    if model.battery.plain is not None:
        return model.battery.plain
    corpus = getattr(base, "corpus", None)
    return None if corpus == model.corpus else corpus
