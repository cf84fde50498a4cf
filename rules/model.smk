rule plan:
    """Say what a run needs in memory, from the configuration alone: no weights are fetched."""
    input:
        config=base_file("config.json"),
        architecture=base_file("architecture.json"),
        injection="results/{model}/tokenizer/injection.json",
    output:
        plan="results/{model}/plan.md",
        values="results/{model}/plan.json",
    log:
        "results/{model}/logs/plan.log",
    benchmark:
        "results/{model}/benchmarks/plan.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        model=PLANNED_MODEL,
        gpus=study.plan.gpus,
    message:
        "{wildcards.model}: planning memory and disk"
    script:
        "../scripts/plan.py"


rule merged:
    """Merge rows and adapter into the full-precision base: a plain checkpoint that transformers loads."""
    input:
        unpack(finished_model),
    output:
        folder=directory("results/{model}/merged"),
        values="results/{model}/merged.json",
    log:
        "results/{model}/logs/merged.log",
    benchmark:
        "results/{model}/benchmarks/merged.tsv"
    conda:
        "../envs/wake2vec.yaml"
    threads: 2
    resources:
        mem_mb=memory_of(whole=True),
        runtime=RUNTIME["model"],
    params:
        model=settings("head"),
    message:
        "{wildcards.model}: merging rows and adapter into the base"
    script:
        "../scripts/merged.py"
