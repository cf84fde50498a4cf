rule pretrain:
    """Train a small base model and its tokenizer on a plain text."""
    input:
        train=pretraining_text("train.txt"),
        valid=pretraining_text("valid.txt"),
    output:
        [f"results/bases/{{base}}/{name}" for name in BASE_FILES],
        "results/bases/{base}/config.json",
        "results/bases/{base}/model.safetensors",
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
    params:
        base=base_settings,
        state="results/bases/{base}/state",
    message:
        "{wildcards.base}: pretraining the base model"
    script:
        "../scripts/pretrain.py"


rule register_base:
    """Bring a checkpoint from the hub or a folder, and note its revision, matrices and hashes."""
    output:
        [f"results/bases/{{base}}/{name}" for name in BASE_FILES],
    log:
        "results/bases/{base}/logs/register_base.log",
    benchmark:
        "results/bases/{base}/benchmarks/register_base.tsv"
    wildcard_constraints:
        base=names(bases_of_kind("hub", "path")),
    conda:
        "../envs/wake2vec.yaml"
    params:
        base=base_settings,
    message:
        "{wildcards.base}: fetching and describing the checkpoint"
    script:
        "../scripts/register_base.py"
