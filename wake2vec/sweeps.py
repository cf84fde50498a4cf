"""A λ sweep as runs: P3 again and again from one start, with one term at a time and one run with none.

    sweeps: {terms: {model: tiny, terms: {direction: [0.3, 1]}}}
        ->  terms.none, terms.direction-0.3, terms.direction-1

Each is the run that the sweep names, with P3 alone, started from its P1 (before any P2), every λ at 0 but one. They are
no entries of `models:`, so that neither the paper nor `snakemake` without a target takes them for models of the study.
"""

from wake2vec import layout
from wake2vec.errors import guess
from wake2vec.settings import Model, Start, Study

LAMBDAS = ("lambda_morpheme", "lambda_direction", "lambda_device", "lambda_repulsion", "lambda_norm")


def runs_of(name: str, study: Study) -> dict[str, tuple[str | None, float]]:
    """Runs of a sweep, with the term and the λ of each; the first has none.

    >>> from wake2vec.settings import Sweep
    >>> runs_of("s", Study(sweeps={"s": Sweep(model="m", terms={"norm": (0.1, 10)})}))
    {'s.none': (None, 0.0), 's.norm-0.1': ('norm', 0.1), 's.norm-10': ('norm', 10.0)}
    """
    made: dict[str, tuple[str | None, float]] = {f"{name}.none": (None, 0.0)}
    for term, values in study.sweeps[name].terms.items():
        made |= {f"{name}.{term}-{_written(value)}": (term, float(value)) for value in values}
    return made


def _written(value: float) -> str:
    """A λ as a folder's name has it: 0.001, 30, 1e06."""
    return f"{value:g}".replace("+", "")


def swept(study: Study) -> dict[str, Model]:
    """The runs of all sweeps."""
    return {
        run: _run(study.sweeps[name].model, study, term, value)
        for name in study.sweeps
        for run, (term, value) in runs_of(name, study).items()
    }


def _run(name: str, study: Study, term: str | None, value: float) -> Model:
    model = study.models[name]
    weights = dict.fromkeys(LAMBDAS, 0.0) | ({f"lambda_{term}": value} if term else {})
    p3 = model.p3.model_copy(update=weights | {"keep": "final", "adapters": "frozen"})
    owner = layout.p1_owner(name, model)
    start = model.start if owner != name else Start(**{"from": name})
    title = f"{model.title or name}, " + (f"λ of {term} {value:g}" if term else "no term")
    return model.model_copy(update={"p3": p3, "phases": ("p3",), "start": start, "title": title})


def problems(study: Study) -> list[str]:
    """What keeps the sweeps from being run, in words."""
    found = []
    for name, sweep in study.sweeps.items():
        where = f"sweeps.{name}"
        if sweep.model not in study.models:
            known = ", ".join(study.models) or "(none configured)"
            found.append(
                f"{where}.model: there is no {sweep.model!r}. Accepted: {known}.{guess(sweep.model, study.models)}"
            )
            continue
        model = study.models[sweep.model]
        made = getattr(study.corpora.get(model.corpus), "kind", "testbed")  # one that is missing is said elsewhere
        if "device" in sweep.terms and model.p3.devices is None and made != "testbed":
            found.append(
                f"{where}.terms.device: nothing says by which device the words of {model.corpus!r} were made. Name a "
                f"CSV file `word,device` under models.{sweep.model}.p3.devices, or leave the term out."
            )
        highest = max((value for values in sweep.terms.values() for value in values), default=0)
        if model.p3.objective == "decoupled" and highest * model.p3.learning_rate > 1:
            found.append(
                f"{where}.terms: λ = {highest:g} times the learning rate of P3 ({model.p3.learning_rate:g}) is more "
                "than 1: a step cannot take a row further than its whole way."
            )
        for term, values in sweep.terms.items():
            if len(set(map(_written, values))) < len(values):
                shown = ", ".join(map(str, values))
                found.append(
                    f"{where}.terms.{term}: found {shown}. Accepted: each λ once; of two that are alike in their first "
                    "six digits leave one out."
                )
        if taken := [run for run in runs_of(name, study) if run in study.models]:
            found.append(f"{where}: models.{taken[0]} has the name of one of its runs. Give one of the two another.")
    return found
