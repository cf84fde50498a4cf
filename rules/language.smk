rule likelihood:
    """Score the held-out text at a phase: in bits per byte, and word by word."""
    input:
        unpack(model_at),
        unpack(coinages_of),
        base_tokenizer=base_file("tokenizer.json"),
    output:
        likelihood="results/{model}/metrics/{phase}/likelihood.json",
        surprisal="results/{model}/metrics/{phase}/surprisal.csv",
    log:
        "results/{model}/logs/likelihood_{phase}.log",
    benchmark:
        "results/{model}/benchmarks/likelihood_{phase}.tsv"
    conda:
        "../envs/wake2vec.yaml"
    resources:
        mem_mb=memory_of(),
        runtime=RUNTIME["model"],
        gpu=gpu_of,
    params:
        model=settings("head", "precision", "quantisation", "evaluation"),
        coinages=coinage_rules,
    message:
        "{wildcards.model}: scoring the held-out text at {wildcards.phase}"
    script:
        "../scripts/likelihood.py"


rule generation:
    """Let a phase's model write on from the run's prompts: words that training moved much, and little."""
    input:
        unpack(model_at),
        unpack(prompt_drift),
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
        mem_mb=memory_of(),
        runtime=RUNTIME["model"],
        gpu=gpu_of,
    params:
        generation=block("generation"),
        model=settings("head", "precision", "quantisation"),
    message:
        "{wildcards.model}: generating at {wildcards.phase}"
    script:
        "../scripts/generation.py"


rule register:
    """How near a phase's samples stand to held-out Wake and to plain English, beside both and shuffled Wake."""
    input:
        unpack(register_inputs),
        generation="results/{model}/metrics/{phase}/generation.json",
    output:
        register="results/{model}/metrics/{phase}/register.json",
    log:
        "results/{model}/logs/register_{phase}.log",
    benchmark:
        "results/{model}/benchmarks/register_{phase}.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        battery=register_settings,
    message:
        "{wildcards.model}: measuring the register of {wildcards.phase}"
    script:
        "../scripts/register.py"


rule register_validation:
    """On the testbed: whether the register battery orders mixtures of known proportions."""
    input:
        unpack(register_inputs),
    output:
        validation="results/{model}/register_validation.json",
    log:
        "results/{model}/logs/register_validation.log",
    benchmark:
        "results/{model}/benchmarks/register_validation.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        battery=trial_settings,
    message:
        "{wildcards.model}: trying the register battery on known mixtures"
    script:
        "../scripts/register_validation.py"
