rule pretrain:
    """Train a small base model and its tokenizer on a plain text."""
    input:
        train=pretraining_text("train.txt"),
        valid=pretraining_text("valid.txt"),
    output:
        [f"results/bases/{{base}}/{name}" for name in BASE_FILES],
        "results/bases/{base}/model.safetensors",
        manifest="results/bases/{base}/manifest.json",
        history="results/bases/{base}/history.csv",
    log:
        "results/bases/{base}/logs/pretrain.log",
    benchmark:
        "results/bases/{base}/benchmarks/pretrain.tsv"
    wildcard_constraints:
        base=names(bases_of_kind("pretrain")),
    conda:
        "../envs/wake2vec.yaml"
    threads: 2
    resources:
        runtime=RUNTIME["model"],
    params:
        base=base_settings,
        state="results/bases/{base}/state",
    message:
        "{wildcards.base}: pretraining the base model"
    script:
        "../scripts/pretrain.py"


rule describe_base:
    """Bring a checkpoint's configuration and tokenizer, without its weights, from the hub or a folder."""
    output:
        [f"results/bases/{{base}}/{name}" for name in BASE_FILES],
    log:
        "results/bases/{base}/logs/describe_base.log",
    benchmark:
        "results/bases/{base}/benchmarks/describe_base.tsv"
    wildcard_constraints:
        base=names(bases_of_kind("hub", "path")),
    conda:
        "../envs/wake2vec.yaml"
    params:
        base=base_settings,
    message:
        "{wildcards.base}: reading the checkpoint's configuration and tokenizer"
    script:
        "../scripts/describe_base.py"


rule register_base:
    """Bring a checkpoint's weights, and note its commit, matrices and hashes."""
    input:
        architecture="results/bases/{base}/architecture.json",
    output:
        manifest="results/bases/{base}/manifest.json",
    log:
        "results/bases/{base}/logs/register_base.log",
    benchmark:
        "results/bases/{base}/benchmarks/register_base.tsv"
    wildcard_constraints:
        base=names(bases_of_kind("hub", "path")),
    conda:
        "../envs/wake2vec.yaml"
    message:
        "{wildcards.base}: fetching and hashing the weights"
    script:
        "../scripts/register_base.py"
