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
    params:
        model=settings("head", "precision"),
    message:
        "{wildcards.model}: merging rows and adapter into the base"
    script:
        "../scripts/merged.py"
