rule figure_six_panel:
    """The six-panel analysis of the last trained rows."""
    input:
        unpack(at_last_rows("norms", "similarity", "dimension", "drift")),
    output:
        **model_figure("six_panel"),
    log:
        "results/{model}/logs/figure_six_panel.log",
    benchmark:
        "results/{model}/benchmarks/figure_six_panel.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        figures=FIGURE_STYLE,
    message:
        "{wildcards.model}: drawing the six panels"
    script:
        "../scripts/figure_six_panel.py"


rule figure_losses:
    """Loss of all phases, with the gap between training and held-out text."""
    input:
        histories=of_every_phase("history.csv"),
        runs=of_every_phase("run.json"),
    output:
        **model_figure("losses"),
    log:
        "results/{model}/logs/figure_losses.log",
    benchmark:
        "results/{model}/benchmarks/figure_losses.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        figures=FIGURE_STYLE,
    message:
        "{wildcards.model}: drawing the loss curves"
    script:
        "../scripts/figure_losses.py"


rule figure_likelihood:
    """Held-out bits per byte by phase, and the loss by class of token."""
    input:
        unpack(at_every("likelihood")),
    output:
        **model_figure("likelihood"),
    log:
        "results/{model}/logs/figure_likelihood.log",
    benchmark:
        "results/{model}/benchmarks/figure_likelihood.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        figures=FIGURE_STYLE,
    message:
        "{wildcards.model}: drawing the held-out scores"
    script:
        "../scripts/figure_likelihood.py"


rule figure_surprisal:
    """Surprisal of words by their frequency in English, of coinages by how often training showed them."""
    input:
        unpack(surprisal_at_every),
    output:
        **model_figure("surprisal"),
    log:
        "results/{model}/logs/figure_surprisal.log",
    benchmark:
        "results/{model}/benchmarks/figure_surprisal.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        figures=FIGURE_STYLE,
    message:
        "{wildcards.model}: drawing the surprisal of words"
    script:
        "../scripts/figure_surprisal.py"


rule figure_change:
    """Neighbour overlap and norm change of the last trained rows, and the one against the other."""
    input:
        unpack(at_last_rows("overlap")),
    output:
        **model_figure("change"),
    log:
        "results/{model}/logs/figure_change.log",
    benchmark:
        "results/{model}/benchmarks/figure_change.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        figures=FIGURE_STYLE,
    message:
        "{wildcards.model}: drawing overlap and norm change"
    script:
        "../scripts/figure_change.py"


rule figure_projection:
    """The t-SNE of new rows and their initial neighbours' centroids."""
    input:
        unpack(at_last_rows("projection")),
    output:
        **model_figure("projection"),
    log:
        "results/{model}/logs/figure_projection.log",
    benchmark:
        "results/{model}/benchmarks/figure_projection.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        figures=FIGURE_STYLE,
    message:
        "{wildcards.model}: drawing the projection"
    script:
        "../scripts/figure_projection.py"


rule figure_objectives:
    """P3's terms: their values, their gradients, and the cosines of trained, held-out and random pairs."""
    input:
        history="results/{model}/p3/history.csv",
        run="results/{model}/p3/run.json",
    output:
        **model_figure("objectives"),
    log:
        "results/{model}/logs/figure_objectives.log",
    benchmark:
        "results/{model}/benchmarks/figure_objectives.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        figures=FIGURE_STYLE,
    message:
        "{wildcards.model}: drawing P3's terms"
    script:
        "../scripts/figure_objectives.py"


rule figure_recovery:
    """On the testbed: ranks of the true parts by training count."""
    input:
        unpack(at_every("recovery")),
    output:
        **model_figure("recovery"),
    log:
        "results/{model}/logs/figure_recovery.log",
    benchmark:
        "results/{model}/benchmarks/figure_recovery.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        figures=FIGURE_STYLE,
    message:
        "{wildcards.model}: drawing the recovery of true parts"
    script:
        "../scripts/figure_recovery.py"


rule figure_register:
    """Every measure of the register battery by temperature and phase, beside its landmarks."""
    input:
        unpack(at_every("register")),
    output:
        **model_figure("register"),
    log:
        "results/{model}/logs/figure_register.log",
    benchmark:
        "results/{model}/benchmarks/figure_register.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        figures=FIGURE_STYLE,
    message:
        "{wildcards.model}: drawing the register of the samples"
    script:
        "../scripts/figure_register.py"


rule figure_register_validation:
    """On the testbed: what the register battery makes of mixtures of known proportions."""
    input:
        validation="results/{model}/register_validation.json",
    output:
        **model_figure("register_validation"),
    log:
        "results/{model}/logs/figure_register_validation.log",
    benchmark:
        "results/{model}/benchmarks/figure_register_validation.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        figures=FIGURE_STYLE,
    message:
        "{wildcards.model}: drawing the register battery's trial"
    script:
        "../scripts/figure_register_validation.py"
