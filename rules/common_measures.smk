# What the rules ask about measures, figures and reports: their files by name. Goes on where common.smk ends.


# Geometry -------------------------------------------------------------------------------------------------------------


def rows_at(wildcards):
    """The rows in use at the phase of a file."""
    if wildcards.phase == "base":
        raise WorkflowError(f"results/{wildcards.model}/metrics/base: the base model has no new rows to measure.")
    return layout.rows(wildcards.model, model_with(wildcards, wildcards.phase), wildcards.phase)


def first_rows(wildcards):
    """The rows that a run begins with: its initial ones, or those of another's P1."""
    return layout.rows(wildcards.model, model_of(wildcards), "init")


def earlier_rows(wildcards):
    """What a trained phase's words are compared with: their initial rows, and of P3 which words its terms left out."""
    initial = {} if wildcards.phase == "init" else {"initial": first_rows(wildcards)}
    return initial | ({"objective": "results/{model}/p3/run.json"} if wildcards.phase == "p3" else {})


def phases_with_rows(wildcards):
    """The phases that brought rows, the initial ones first."""
    return [phase for phase in layout.phases_of(model_of(wildcards)) if phase in layout.ROW_PHASES]


def map_inputs(wildcards):
    """What the neighbour map is made from: the rows of every phase that brought some, and on a testbed the truth."""
    model = model_of(wildcards)
    gold = {"gold": corpus_file("gold.jsonl")(wildcards)} if is_testbed(wildcards) else {}
    return gold | {
        "manifest": layout.manifest(model.base),
        "tokenizer": base_file("tokenizer.json")(wildcards),
        "injection": "results/{model}/tokenizer/injection.json",
        "segmentation": corpus_file("segmentation.jsonl")(wildcards),
        "rows": [layout.rows(wildcards.model, model, phase) for phase in phases_with_rows(wildcards)],
    }


def map_settings(wildcards):
    geometry = model_of(wildcards).geometry
    return {"phases": phases_with_rows(wildcards), "k": geometry.map_neighbours, "seed": geometry.seed}


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


def coinages_of(wildcards):
    """What tells which words of the held-out text are coinages: the truth where the text was made, else a count."""
    files = {"train": corpus_file("train.txt")(wildcards), "valid": corpus_file("valid.txt")(wildcards)}
    return files | ({"gold": corpus_file("gold.jsonl")(wildcards)} if is_testbed(wildcards) else {})


def coinage_rules(wildcards):
    """By which rules a word of a text that was not made is a coinage: the lexicon's, but for how often it occurs."""
    rules = corpus_of(wildcards).lexicon.model_dump(mode="json", include={"max_zipf", "min_length", "names"})
    return {} if is_testbed(wildcards) else rules


def prompt_drift(wildcards):
    """The drift that a run's prompts are chosen by, at every phase alike: none where no phase has trained rows."""
    drift = layout.prompt_drift(wildcards.model, model_of(wildcards))
    return {} if drift is None else {"drift": drift}


def register_inputs(wildcards):
    """What the register battery measures with: the run's own text, plain English where it is a corpus, and affixes."""
    model = model_of(wildcards)
    files = {name: corpus_file(f"{name}.txt")(wildcards) for name in ("train", "valid")}
    plain = layout.plain_corpus(model, study.bases[model.base])
    if plain is not None:
        files |= {f"plain_{name}": f"{layout.CORPORA}/{plain}/{name}.txt" for name in ("train", "valid")}
    return files | {
        "lexicon": corpus_file("lexicon.csv")(wildcards),
        "morphemes": "data/morphemes.csv",
        "blocklist": "data/false_segmentations.csv",
    }


def register_settings(wildcards):
    """How the battery measures, how long samples are, and what the lexicon's rules call a coinage."""
    model = model_of(wildcards)
    limits = corpus_of(wildcards).lexicon.model_dump(mode="json", include={"max_zipf", "min_length", "names"})
    plain = layout.plain_corpus(model, study.bases[model.base])
    return model.battery.model_dump(mode="json") | limits | {"plain": plain, "tokens": model.generation.tokens}


def trial_settings(wildcards):
    """The same for the trial on the testbed, with the samples at a temperature, and how the text was made."""
    made = model_of(wildcards).generation
    text = corpus_of(wildcards).model_dump(mode="json", exclude={"lexicon", "synthetic"})
    return register_settings(wildcards) | {"pieces": (2 * made.prompts + len(made.own)) * made.seeds, "text": text}


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


def surprisal_at_every(wildcards):
    """The words of the held-out text at every phase, as {phase: file}."""
    phases = layout.phases_of(model_of(wildcards))
    return {phase: f"results/{{model}}/metrics/{phase}/surprisal.csv" for phase in phases}


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
    own |= {"register_validation": "results/{model}/register_validation.json"} if is_testbed(wildcards) else {}
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
        "surprisals": list(surprisal_at_every(wildcards).values()),
        "valid": corpus_file("valid.txt")(wildcards),
    }


def report_figures(wildcards):
    shown = layout.figures(model_of(wildcards), is_testbed(wildcards))
    return [f"results/{{model}}/figures/{name}.{kind}" for name in shown for kind in ("svg", "png")]


REPORT_SOURCES = ["report/_quarto.yml", "report/references.bib", *sorted(map(str, Path("report/theme").iterdir()))]
