# What the rules ask the study: settings as plain values, and files by name. The logic is in wake2vec/layout.py.
import json
import re
from pathlib import Path

from wake2vec.settings import REGIMES


def names(keys):
    """A wildcard constraint that matches exactly these keys (and nothing where there are none)."""
    return "|".join(re.escape(key) for key in keys) or "(?!)"


def corpora_of_kind(kind):
    return [name for name, corpus in study.corpora.items() if corpus.kind == kind]


def model_of(wildcards):
    if wildcards.model not in study.models:
        raise WorkflowError(configuration.unknown_model(wildcards.model, study))
    return study.models[wildcards.model]


def model_with(wildcards, phase):
    """The model of a file, which must have that phase."""
    model = model_of(wildcards)
    if phase not in layout.phases_of(model):
        raise WorkflowError(
            f"results/{wildcards.model}: this run has no {phase}. Its phases are {', '.join(model.phases)} "
            f"(models.{wildcards.model}.phases)."
        )
    return model


def corpus_of(wildcards):
    return study.corpora[model_of(wildcards).corpus]


def is_testbed(wildcards):
    return corpus_of(wildcards).kind == "testbed"


def settings(*blocks):
    """A `params` function: exactly these blocks of the model's settings, as plain values."""

    def of(wildcards):
        return model_of(wildcards).model_dump(mode="json", include=set(blocks))

    return of


def block(name):
    """A `params` function: one block of the model's settings."""
    return lambda wildcards: getattr(model_of(wildcards), name).model_dump(mode="json")


def corpus_file(name):
    return lambda wildcards: f"{layout.CORPORA}/{model_of(wildcards).corpus}/{name}"


def base_file(name):
    return lambda wildcards: f"{layout.BASES}/{model_of(wildcards).base}/{name}"


def model_figure(name):
    """The two files of a figure."""
    return {kind: f"results/{{model}}/figures/{name}.{kind}" for kind in ("svg", "png")}


FIGURE_STYLE = study.figures.model_dump(mode="json")


def gpu_of(wildcards):
    """Jobs of real checkpoints have the accelerator to themselves; built-in bases are small enough to share it."""
    return int(study.bases[model_of(wildcards).base].kind != "pretrain")


# Texts ----------------------------------------------------------------------------------------------------------------


def text_settings(*left_out):
    """A corpus's settings as plain values, without the blocks that other rules use."""
    return lambda wildcards: study.corpora[wildcards.corpus].model_dump(mode="json", exclude=set(left_out))


def text_block(name):
    return lambda wildcards: getattr(study.corpora[wildcards.corpus], name).model_dump(mode="json")


def corpus_sources(wildcards):
    """The files of a corpus; a missing one is explained with its configuration key."""
    from wake2vec.text.source import require_source

    try:
        files = study.corpora[wildcards.corpus].files
        return [
            str(require_source(file.path, f"corpora.{wildcards.corpus}.files.{i}.path")) for i, file in enumerate(files)
        ]
    except UserError as error:
        raise WorkflowError(str(error)) from None


def lexicon_sources(wildcards):
    """The training text; the held-out text and a user's list only for a lexicon that looks at them."""
    lexicon = study.corpora[wildcards.corpus].lexicon
    files = {"train": "results/corpora/{corpus}/train.txt"}
    if lexicon.scope == "whole" or lexicon.source == "file":
        files["valid"] = "results/corpora/{corpus}/valid.txt"
    if lexicon.source == "file":
        files["listed"] = lexicon.path
    return files


# Bases ----------------------------------------------------------------------------------------------------------------


BASE_FILES = ("architecture.json", "config.json", "tokenizer.json", "tokenizer_config.json")


def bases_of_kind(*kinds):
    return [name for name, base in study.bases.items() if base.kind in kinds]


def base_settings(wildcards):
    return study.bases[wildcards.base].model_dump(mode="json")


def pretraining_text(name):
    return lambda wildcards: f"{layout.CORPORA}/{study.bases[wildcards.base].corpus}/{name}"


# Training -------------------------------------------------------------------------------------------------------------


TRAINED_MODEL = settings("head", "precision", "quantisation", "evaluation", "seed")


def training_inputs(phase):
    """What a phase trains from: base, tokenizer, text, and the rows and weights of the state before it."""

    def files(wildcards):
        model = model_with(wildcards, phase)
        start = layout.before(model, phase)
        inputs = {
            "manifest": layout.manifest(model.base),
            "tokenizer": "results/{model}/tokenizer/tokenizer.json",
            "injection": "results/{model}/tokenizer/injection.json",
            "rows": layout.rows(wildcards.model, model, start),
            "train": corpus_file("train.txt")(wildcards),
            "valid": corpus_file("valid.txt")(wildcards),
        }
        inputs |= layout.weights(wildcards.model, model, start)
        texts = getattr(getattr(model, phase), "texts", ())
        if "synthetic" in texts:
            inputs["synthetic"] = corpus_file("synthetic.txt")(wildcards)
        if "lexicon" in texts:
            inputs["lexicon"] = corpus_file("wake_lexicon.txt")(wildcards)
        if phase == "p3":
            inputs["segmentation"] = corpus_file("segmentation.jsonl")(wildcards)
            inputs["morphemes"] = corpus_file("morphemes.json")(wildcards)
        return inputs

    return files


def state_inputs(wildcards):
    """What a state of P1's rows is taken from: regimes only where it is one, so that no other waits for thresholds."""
    files = {"snapshots": "results/{model}/p1/snapshots"}
    if wildcards.state in REGIMES:
        files["regimes"] = "results/{model}/p1/regimes.json"
    if wildcards.state.startswith("step-"):
        files["run"] = "results/{model}/p1/run.json"
    return files


def tiers_of(phase):
    """A `resources` function: where a phase's checkpoints are copied, {tier: folder} as JSON, the only text that a
    resource may be. No `params`: a changed mirror must not retrain.
    """

    def of(wildcards):
        return json.dumps(layout.tier_folders(study.tiers, wildcards.model, phase))

    return of


def p3_trains_adapters(name):
    model = study.models[name]
    return "p3" in model.phases and model.p3.adapters == "train"


# Model ----------------------------------------------------------------------------------------------------------------


PLANNED_MODEL = settings("phases", "head", "precision", "quantisation", "vocabulary", "evaluation", "p1", "p2", "p3")


def finished_model(wildcards):
    """The files that a model consists of after its last phase."""
    return files_at(wildcards, model_of(wildcards).phases[-1])


# Geometry -------------------------------------------------------------------------------------------------------------


def rows_at(wildcards):
    """The rows in use at the phase of a file."""
    if wildcards.phase == "base":
        raise WorkflowError(f"results/{wildcards.model}/metrics/base: the base model has no new rows to measure.")
    return layout.rows(wildcards.model, model_with(wildcards, wildcards.phase), wildcards.phase)


def first_rows(wildcards):
    """The rows that a run begins with: its initial ones, or those of another's P1."""
    return layout.rows(wildcards.model, model_of(wildcards), "init")


# Language -------------------------------------------------------------------------------------------------------------


def model_at(wildcards):
    """The files that a model consists of at the phase of a file."""
    return files_at(wildcards, wildcards.phase)


def files_at(wildcards, phase):
    """The files that a model consists of at a phase."""
    model = model_with(wildcards, phase)
    files = {"manifest": layout.manifest(model.base)}
    if phase == "base":
        return files | {"tokenizer": base_file("tokenizer.json")(wildcards)}
    files |= {
        "tokenizer": "results/{model}/tokenizer/tokenizer.json",
        "injection": "results/{model}/tokenizer/injection.json",
        "rows": layout.rows(wildcards.model, model, phase),
    }
    return files | layout.weights(wildcards.model, model, phase)


def drift_at(wildcards):
    """The drift that a phase's prompts are chosen by: none where no phase has trained rows."""
    phase = layout.row_phase(model_with(wildcards, wildcards.phase), wildcards.phase)
    return {} if phase == "init" else {"drift": f"results/{{model}}/metrics/{phase}/drift.json"}


# Figures --------------------------------------------------------------------------------------------------------------


def at_last_rows(*metrics):
    """Metrics of the phase whose rows the report shows."""

    def files(wildcards):
        phase = layout.last_rows(model_of(wildcards))
        found = [name for name in metrics if phase != "init" or name not in ("drift", "overlap", "projection")]
        return {name: f"results/{{model}}/metrics/{phase}/{name}.json" for name in found}

    return files


def at_every(metric):
    """One metric of every phase that has it, as {phase: file}."""

    def files(wildcards):
        measured = layout.metrics(model_of(wildcards), is_testbed(wildcards))
        return {
            phase: f"results/{{model}}/metrics/{phase}/{metric}.json" for phase in measured if metric in measured[phase]
        }

    return files


def of_every_phase(name):
    """A file of every phase that was trained, such as history.csv."""
    return lambda wildcards: [f"results/{{model}}/{phase}/{name}" for phase in model_of(wildcards).phases]


# Report ---------------------------------------------------------------------------------------------------------------


def report_inputs(wildcards):
    """Everything that summary and tables are gathered from."""
    model = model_of(wildcards)
    measured = layout.metrics(model, is_testbed(wildcards))
    own = {} if model.start else {"initial": "results/{model}/init/statistics.json"}
    own |= {"regimes": "results/{model}/p1/regimes.json"} if "p1" in model.phases else {}
    return own | {
        "corpus": corpus_file("corpus.json")(wildcards),
        "lexicon": corpus_file("lexicon.csv")(wildcards),
        "segmentation": corpus_file("segmentation.jsonl")(wildcards),
        "injection": "results/{model}/tokenizer/injection.json",
        "runs": [f"results/{{model}}/{phase}/run.json" for phase in model.phases],
        "histories": [f"results/{{model}}/{phase}/history.csv" for phase in model.phases],
        "metrics": [
            f"results/{{model}}/metrics/{phase}/{name}.json"
            for phase in measured
            for name in measured[phase]
            if name != "projection"  # a map to look at: it is drawn, and nothing is read off it
        ],
    }


def report_figures(wildcards):
    shown = layout.figures(model_of(wildcards), is_testbed(wildcards))
    return [f"results/{{model}}/figures/{name}.{kind}" for name in shown for kind in ("svg", "png")]


REPORT_SOURCES = ["report/_quarto.yml", "report/references.bib", *sorted(map(str, Path("report/theme").iterdir()))]
