rule likelihood:
    """Score the held-out text at a phase, in bits per byte."""
    input:
        unpack(model_at),
        valid=corpus_file("valid.txt"),
    output:
        likelihood="results/{model}/metrics/{phase}/likelihood.json",
    log:
        "results/{model}/logs/likelihood_{phase}.log",
    benchmark:
        "results/{model}/benchmarks/likelihood_{phase}.tsv"
    conda:
        "../envs/wake2vec.yaml"
    resources:
        gpu=gpu_of,
    params:
        model=settings("head", "precision", "quantisation", "evaluation"),
    message:
        "{wildcards.model}: scoring the held-out text at {wildcards.phase}"
    script:
        "../scripts/likelihood.py"


rule generation:
    """Let a phase's model write on from words that moved much and words that moved little."""
    input:
        unpack(model_at),
        unpack(drift_at),
        train=corpus_file("train.txt"),
    output:
        generation="results/{model}/metrics/{phase}/generation.json",
    log:
        "results/{model}/logs/generation_{phase}.log",
    benchmark:
        "results/{model}/benchmarks/generation_{phase}.tsv"
    conda:
        "../envs/wake2vec.yaml"
    resources:
        gpu=gpu_of,
    params:
        generation=block("generation"),
        model=settings("head", "precision", "quantisation"),
    message:
        "{wildcards.model}: generating at {wildcards.phase}"
    script:
        "../scripts/generation.py"
