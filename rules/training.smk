rule p1:
    """P1: train the new rows alone; the transformer is frozen."""
    input:
        unpack(training_inputs("p1")),
    output:
        rows="results/{model}/p1/rows.safetensors",
        best="results/{model}/p1/snapshots/best.safetensors",
        final="results/{model}/p1/snapshots/final.safetensors",
        history="results/{model}/p1/history.csv",
        run="results/{model}/p1/run.json",
    log:
        "results/{model}/logs/p1.log",
    benchmark:
        "results/{model}/benchmarks/p1.tsv"
    conda:
        "../envs/wake2vec.yaml"
    threads: 2
    resources:
        gpu=gpu_of,
    params:
        phase=block("p1"),
        model=TRAINED_MODEL,
        state="results/{model}/state/p1",
    message:
        "{wildcards.model}: P1, training the rows"
    script:
        "../scripts/p1.py"


rule p2:
    """P2: train LoRA adapters; the rows are frozen."""
    input:
        unpack(training_inputs("p2")),
    output:
        adapter="results/{model}/p2/adapter/adapter_model.safetensors",
        adapter_config="results/{model}/p2/adapter/adapter_config.json",
        history="results/{model}/p2/history.csv",
        run="results/{model}/p2/run.json",
    log:
        "results/{model}/logs/p2.log",
    benchmark:
        "results/{model}/benchmarks/p2.tsv"
    wildcard_constraints:
        model=names(name for name, model in study.models.items() if model.p2.kind == "lora"),
    conda:
        "../envs/wake2vec.yaml"
    threads: 2
    resources:
        gpu=gpu_of,
    params:
        phase=block("p2"),
        model=TRAINED_MODEL,
        state="results/{model}/state/p2",
    message:
        "{wildcards.model}: P2, training the transformer around the rows"
    script:
        "../scripts/p2.py"


use rule p2 as p2_full with:
    output:
        body="results/{model}/p2/body.safetensors",
        history="results/{model}/p2/history.csv",
        run="results/{model}/p2/run.json",
    wildcard_constraints:
        model=names(name for name, model in study.models.items() if model.p2.kind == "full"),


rule p3:
    """P3: train the rows again, drawn towards their parts."""
    input:
        unpack(training_inputs("p3")),
    output:
        rows="results/{model}/p3/rows.safetensors",
        best="results/{model}/p3/snapshots/best.safetensors",
        final="results/{model}/p3/snapshots/final.safetensors",
        history="results/{model}/p3/history.csv",
        run="results/{model}/p3/run.json",
    log:
        "results/{model}/logs/p3.log",
    benchmark:
        "results/{model}/benchmarks/p3.tsv"
    wildcard_constraints:
        model=names(name for name in study.models if not p3_trains_adapters(name)),
    conda:
        "../envs/wake2vec.yaml"
    threads: 2
    resources:
        gpu=gpu_of,
    params:
        phase=block("p3"),
        model=TRAINED_MODEL,
        state="results/{model}/state/p3",
    message:
        "{wildcards.model}: P3, aligning the rows with their parts"
    script:
        "../scripts/p3.py"


use rule p3 as p3_with_adapters with:
    output:
        rows="results/{model}/p3/rows.safetensors",
        best="results/{model}/p3/snapshots/best.safetensors",
        final="results/{model}/p3/snapshots/final.safetensors",
        adapter="results/{model}/p3/adapter.safetensors",
        history="results/{model}/p3/history.csv",
        run="results/{model}/p3/run.json",
    wildcard_constraints:
        model=names(name for name in study.models if p3_trains_adapters(name)),
