rule summary:
    """Gather every number of a model in one file."""
    input:
        unpack(report_inputs),
    output:
        summary="results/{model}/summary.json",
    log:
        "results/{model}/logs/summary.log",
    benchmark:
        "results/{model}/benchmarks/summary.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        model=settings("title", "base", "recipe"),
    message:
        "{wildcards.model}: gathering the summary"
    script:
        "../scripts/summary.py"


rule tables:
    """Write the report's tables as Markdown."""
    input:
        unpack(report_inputs),
        neighbour_map="results/{model}/neighbour_map.json",
        summary="results/{model}/summary.json",
    output:
        directory("results/{model}/tables"),
    log:
        "results/{model}/logs/tables.log",
    benchmark:
        "results/{model}/benchmarks/tables.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        model=settings("title", "base", "recipe"),
    message:
        "{wildcards.model}: writing the tables"
    script:
        "../scripts/tables.py"


rule report:
    """One self-contained HTML file: what was run and what came out."""
    input:
        REPORT_SOURCES,
        summary="results/{model}/summary.json",
        tables="results/{model}/tables",
        figures=report_figures,
        template="report/model.qmd",
    output:
        report="results/{model}/report.html",
    log:
        "results/{model}/logs/report.log",
    benchmark:
        "results/{model}/benchmarks/report.tsv"
    conda:
        "../envs/wake2vec.yaml"
    message:
        "{wildcards.model}: rendering the report"
    script:
        "../scripts/report.py"


rule paper_tables:
    """The tables that compare all configured models."""
    input:
        summaries=expand("results/{model}/summary.json", model=study.models),
    output:
        directory("results/paper/tables"),
    log:
        "results/paper/logs/paper_tables.log",
    benchmark:
        "results/paper/benchmarks/paper_tables.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        models=list(study.models),
    message:
        "comparing the models"
    script:
        "../scripts/paper_tables.py"


rule figure_comparison:
    """Held-out bits per byte of all configured models at every phase."""
    input:
        corpora=[f"{layout.CORPORA}/{model.corpus}/corpus.json" for model in study.models.values()],
        likelihoods=[
            f"results/{name}/metrics/{phase}/likelihood.json"
            for name, model in study.models.items()
            for phase in layout.phases_of(model)
        ],
    output:
        svg="results/paper/figures/comparison.svg",
        png="results/paper/figures/comparison.png",
    log:
        "results/paper/logs/figure_comparison.log",
    benchmark:
        "results/paper/benchmarks/figure_comparison.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        figures=FIGURE_STYLE,
        models=list(study.models),
    message:
        "drawing the comparison of models"
    script:
        "../scripts/figure_comparison.py"


rule paper:
    """The paper: all configured models side by side."""
    input:
        REPORT_SOURCES,
        summaries=expand("results/{model}/summary.json", model=study.models),
        tables="results/paper/tables",
        figures=["results/paper/figures/comparison.svg", "results/paper/figures/comparison.png"],
        template="report/paper.qmd",
    output:
        paper="results/paper.html",
    log:
        "results/paper/logs/paper.log",
    benchmark:
        "results/paper/benchmarks/paper.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        models=list(study.models),
    message:
        "rendering the paper"
    script:
        "../scripts/paper.py"
