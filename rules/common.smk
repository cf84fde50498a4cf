# What the rules ask the study: settings as plain values, and files by name. The logic is in wake2vec/layout.py.
import json
import os
import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from snakemake.logging import logger

from wake2vec.model import host
from wake2vec.settings import REGIMES, held_in
from wake2vec.storage import read_values

RUNS = study.models | sweeps.swept(study)  # the paper compares models; a sweep's runs are runs like them


def names(keys):
    """A wildcard constraint that matches exactly these keys (and nothing where there are none)."""
    return "|".join(re.escape(key) for key in keys) or "(?!)"


def corpora_of_kind(kind):
    return [name for name, corpus in study.corpora.items() if corpus.kind == kind]


def model_of(wildcards):
    if wildcards.model not in RUNS:
        raise WorkflowError(configuration.unknown_target(f"results/{wildcards.model}", study.models))
    return RUNS[wildcards.model]


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


def settings(*blocks, phase=None):
    """A `params` function: exactly these blocks of the model's settings, as plain values, with the precision and
    quantisation of a phase: the one that is named, or the wildcard.
    """

    def of(wildcards):
        model = model_of(wildcards).model_dump(mode="json")
        model |= held_in(model, phase or wildcards.get("phase", "base"))
        return {name: model[name] for name in blocks}

    return of


def block(name, *left_out):
    """A `params` function: one block of the model's settings, without the keys that other rules use."""
    return lambda wildcards: getattr(model_of(wildcards), name).model_dump(mode="json", exclude=set(left_out))


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


# Minutes on a cluster, where a job that takes longer is stopped. A phase then goes on from its last checkpoint, as often
# as `retries` says. Another limit: `--set-resources p1:runtime=4320`, or `set-resources:` of a profile.
RUNTIME = {"training": 1440, "model": 240, "rows": 120}


def memory_of(phase=None, whole=False):
    """A `resources` function: megabytes of main memory of a job that holds a model, at a phase (the one that is named,
    the wildcard, or the last), or with `whole` the unquantised one in float32. Unknown until base and rows are there.
    """

    def of(wildcards, input):
        model = model_of(wildcards)
        at = phase or wildcards.get("phase", model.phases[-1])
        held = {"precision": "float32", "quantisation": "none"} if whole else held_in(model.model_dump(), at)
        trains = layout.trained_of_base(model, at)
        return host.megabytes(host.holding(read_values(input.manifest), size_of(input, "rows"), **held, trains=trains))

    return of


def memory_of_rows(wildcards, input):
    """A `resources` function: megabytes of main memory of a job that measures rows beside the base's matrices."""
    size = sum(size_of(input, name) for name in ("rows", "before", "initial"))
    return host.megabytes(host.measuring(read_values(input.manifest), size))


def size_of(input, name):
    """Bytes of a job's input of that name: none, one file or several."""
    files = input.get(name, [])
    return sum(os.path.getsize(path) for path in ([files] if isinstance(files, str) else files))


# Texts ----------------------------------------------------------------------------------------------------------------


def text_settings(*left_out):
    """A corpus's settings as plain values, without the blocks that other rules use."""
    return lambda wildcards: study.corpora[wildcards.corpus].model_dump(mode="json", exclude=set(left_out))


def text_block(name):
    return lambda wildcards: getattr(study.corpora[wildcards.corpus], name).model_dump(mode="json")


def refuse(why):
    """Stop for a file of the user's that is missing. Where results are there already Snakemake goes on all the same and
    takes them as they are, so it is said in any case, once.
    """
    warn(f"{why}\nResults that were made of it before are used as they are.")
    raise WorkflowError(why)


warn = cache(logger.warning)


def corpus_sources(wildcards):
    """The files of a corpus; a missing one is explained with its configuration key."""
    from wake2vec.text.source import require_source

    try:
        files = study.corpora[wildcards.corpus].files
        return [
            str(require_source(file.path, f"corpora.{wildcards.corpus}.files.{i}.path")) for i, file in enumerate(files)
        ]
    except UserError as error:
        refuse(str(error))


def lexicon_sources(wildcards):
    """The training text; the held-out text and a user's list only for a lexicon that looks at them."""
    lexicon = study.corpora[wildcards.corpus].lexicon
    if lexicon.source == "file" and not Path(lexicon.path).is_file():
        refuse(
            f"corpora.{wildcards.corpus}.lexicon.path: there is no file {lexicon.path} (looked for "
            f"{Path(lexicon.path).absolute()}). Accepted: a text file in UTF-8, one word a line."
        )
    files = {"train": "results/corpora/{corpus}/train.txt"}
    if lexicon.scope == "whole" or lexicon.source == "file":
        files["valid"] = "results/corpora/{corpus}/valid.txt"
    if lexicon.source == "file":
        files["listed"] = lexicon.path
    return files


def coined_words(wildcards):
    """Synthetic coinages and their parts, for a run that gives them rows; nothing for others."""
    if not model_of(wildcards).vocabulary.synthetic:
        return {}
    return {"coined": corpus_file("synthetic.jsonl")(wildcards)}


def coined_text(wildcards):
    """The same with the sentences that show them."""
    words = coined_words(wildcards)
    return words | ({"sentences": corpus_file("synthetic.txt")(wildcards)} if words else {})


# Bases ----------------------------------------------------------------------------------------------------------------


BASE_FILES = ("architecture.json", "config.json", "tokenizer.json", "tokenizer_config.json")


def bases_of_kind(*kinds):
    return [name for name, base in study.bases.items() if base.kind in kinds]


def base_settings(wildcards):
    return study.bases[wildcards.base].model_dump(mode="json")


def pretraining_text(name):
    return lambda wildcards: f"{layout.CORPORA}/{study.bases[wildcards.base].corpus}/{name}"


# Training -------------------------------------------------------------------------------------------------------------


def trained_model(phase):
    return settings("head", "precision", "quantisation", "evaluation", "seed", phase=phase)


KEEPING = ("checkpoint_every", "keep_checkpoints")


def trained_phase(phase):
    return block(phase, "precision", "quantisation", *KEEPING)


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
        files = {"synthetic": "synthetic.txt", "lexicon": "wake_lexicon.txt"}
        texts = getattr(getattr(model, phase), "texts", ())
        inputs |= {name: corpus_file(file)(wildcards) for name, file in files.items() if name in texts}
        if phase == "p3" or getattr(getattr(model, phase), "rows", "free") != "free":
            inputs["segmentation"] = corpus_file("segmentation.jsonl")(wildcards)
            inputs["morphemes"] = corpus_file("morphemes.json")(wildcards)
            inputs |= coined_words(wildcards)
        return inputs | (devices_of(wildcards) if phase == "p3" else {})

    return files


def devices_of(wildcards):
    """What says by which device words were made: a user's file, or the testbed's gold; nothing elsewhere."""
    if named := model_of(wildcards).p3.devices:
        if not Path(named).is_file():
            refuse(
                f"models.{wildcards.model}.p3.devices: there is no file {named} (looked for {Path(named).absolute()}). "
                "Accepted: a CSV file in UTF-8 with a first line `word,device`. Put it there, or set the key to null."
            )
        return {"devices": named}
    return {"devices": corpus_file("gold.jsonl")(wildcards)} if is_testbed(wildcards) else {}


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


def keeping_of(phase):
    """A `resources` function: how often a phase's checkpoints are saved and how many stay, as JSON like the tiers. No
    `params`: nothing of the training depends on it.
    """
    return lambda wildcards: getattr(model_of(wildcards), phase).model_dump_json(include=set(KEEPING))


def preflight_of(wildcards):
    """A `resources` function: the settings of all of a run's phases that are held against its base and files before any
    of them trains, as JSON. No `params`: what P3 is to do must not retrain P1.
    """
    model = model_of(wildcards)
    kept = {"sequence", "texts", "kind", "targets", "lambda_device"}
    settings = {phase: getattr(model, phase).model_dump(mode="json", include=kept) for phase in model.phases}
    devices = model.p3.devices or (corpus_file("gold.jsonl")(wildcards) if is_testbed(wildcards) else None)
    return json.dumps({"phases": settings, "context": model.evaluation.context, "devices": devices})


def p3_trains_adapters(name):
    model = RUNS[name]
    return "p3" in model.phases and model.p3.adapters == "train"


# Sweeps ---------------------------------------------------------------------------------------------------------------


def runs_of_sweep(wildcards):
    """Run -> (term, λ) of a sweep, the run with no term first."""
    if wildcards.sweep not in study.sweeps:
        raise WorkflowError(configuration.unknown_target(f"results/sweeps/{wildcards.sweep}", study.sweeps))
    return sweeps.runs_of(wildcards.sweep, study)


def swept_settings(wildcards):
    """What a sweep's words are drawn by, and what its runs are."""
    model = study.models[study.sweeps[wildcards.sweep].model]
    return {"seed": model.seed, "held_out_pairs": model.p3.held_out_pairs, "runs": runs_of_sweep(wildcards)}


def sweep_inputs(wildcards):
    """The rows and scores of a sweep's runs, and what their words are measured against."""
    runs = list(runs_of_sweep(wildcards))
    of_first = training_inputs("p3")(SimpleNamespace(model=runs[0]))
    shared = {name: of_first[name].format(model=runs[0]) for name in SWEEP_MATERIAL if name in of_first}
    return shared | {
        "rows": [f"results/{run}/p3/rows.safetensors" for run in runs],
        "likelihoods": [f"results/{run}/metrics/p3/likelihood.json" for run in runs],
    }


SWEEP_MATERIAL = ("manifest", "injection", "segmentation", "morphemes", "coined", "devices")


# Model ----------------------------------------------------------------------------------------------------------------


PLANNED_MODEL = settings("phases", "head", "precision", "quantisation", "vocabulary", "evaluation", "p1", "p2", "p3")


def finished_model(wildcards):
    """The files that a model consists of after its last phase."""
    return files_at(wildcards, model_of(wildcards).phases[-1])
