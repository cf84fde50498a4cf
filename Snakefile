"""wake2vec: the words of Finnegans Wake in a language model's vocabulary.

snakemake results/tiny/report.html      one model's report and all that it needs
snakemake results/paper.html            the comparison of all configured models
snakemake                               both, for every model
snakemake --list                        what each rule does
"""

from snakemake.exceptions import WorkflowError

from wake2vec import config as configuration
from wake2vec import layout, sweeps
from wake2vec.errors import UserError
from wake2vec.workdir import forget_dead_runs

try:
    configuration.refuse_bad_yaml("config/config.yaml")  # of which Snakemake would not say the line
except UserError as error:
    raise WorkflowError(str(error)) from None


configfile: "config/config.yaml"


if workflow.is_main_process:
    forget_dead_runs()  # so that the same command goes on after a kill

try:
    for written in workflow.configfiles:
        configuration.refuse_bad_yaml(written)
    study = configuration.load(config)
except UserError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    model=r"(?!paper/)[A-Za-z0-9][A-Za-z0-9._-]*",
    corpus=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    base=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    sweep=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    phase="base|init|p1|p2|p3",


# these need the hub, which a cluster's nodes often cannot reach
localrules:
    describe_base,
    register_base,


rule all:
    """Every model's report, every sweep, and the paper that compares the models."""
    input:
        expand("results/{model}/report.html", model=study.models),
        expand("results/sweeps/{sweep}/sweep.svg", sweep=study.sweeps),
        "results/paper.html",


include: "rules/common.smk"
include: "rules/common_measures.smk"
include: "rules/text.smk"
include: "rules/bases.smk"
include: "rules/vocabulary.smk"
include: "rules/training.smk"
include: "rules/sweeps.smk"
include: "rules/model.smk"
include: "rules/geometry.smk"
include: "rules/language.smk"
include: "rules/figures.smk"
include: "rules/report.smk"
