rule p1:
    """P1: train the new rows alone; the transformer is frozen."""
    input:
        unpack(training_inputs("p1")),
    output:
        rows="results/{model}/p1/rows.safetensors",
        snapshots=directory("results/{model}/p1/snapshots"),
        history="results/{model}/p1/history.csv",
        run="results/{model}/p1/run.json",
    log:
        "results/{model}/logs/p1.log",
    benchmark:
        "results/{model}/benchmarks/p1.tsv"
    retries: 2  # a preempted job goes on from its last checkpoint
    conda:
        "../envs/wake2vec.yaml"
    threads: 2
    resources:
        mem_mb=memory_of("p1"),
        runtime=RUNTIME["training"],
        gpu=gpu_of,
        tiers=tiers_of("p1"),
        keeping=keeping_of("p1"),
        preflight=preflight_of,
    params:
        phase=trained_phase("p1"),
        model=trained_model("p1"),
        state="results/{model}/state/p1",
    message:
        "{wildcards.model}: P1, training the rows"
    script:
        "../scripts/p1.py"


rule regimes:
    """Find the sweet, the plateau and the fried state of P1, and the saved rows that stand for each."""
    input:
        history="results/{model}/p1/history.csv",
        run="results/{model}/p1/run.json",
        snapshots="results/{model}/p1/snapshots",
    output:
        regimes="results/{model}/p1/regimes.json",
    log:
        "results/{model}/logs/regimes.log",
    benchmark:
        "results/{model}/benchmarks/regimes.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        regimes=block("regimes"),
    message:
        "{wildcards.model}: finding the regimes of P1"
    script:
        "../scripts/regimes.py"


rule state_at:
    """Take P1's rows in one state: best, final, a regime, or a step."""
    input:
        unpack(state_inputs),
    output:
        rows="results/{model}/p1/at/{state}.safetensors",
    log:
        "results/{model}/logs/state_at_{state}.log",
    benchmark:
        "results/{model}/benchmarks/state_at_{state}.tsv"
    wildcard_constraints:
        state="|".join(["best", "final", *REGIMES, "step-[0-9]+"]),
    conda:
        "../envs/wake2vec.yaml"
    message:
        "{wildcards.model}: taking the rows of P1 at {wildcards.state}"
    script:
        "../scripts/state_at.py"


rule p2:
    """P2: train LoRA adapters or, as p2_full, the whole transformer; the rows are frozen."""
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
    retries: 2  # a preempted job goes on from its last checkpoint
    conda:
        "../envs/wake2vec.yaml"
    threads: 2
    resources:
        mem_mb=memory_of("p2"),
        runtime=RUNTIME["training"],
        gpu=gpu_of,
        tiers=tiers_of("p2"),
        keeping=keeping_of("p2"),
        preflight=preflight_of,
    params:
        phase=trained_phase("p2"),
        model=trained_model("p2"),
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
        snapshots=directory("results/{model}/p3/snapshots"),
        history="results/{model}/p3/history.csv",
        run="results/{model}/p3/run.json",
    log:
        "results/{model}/logs/p3.log",
    benchmark:
        "results/{model}/benchmarks/p3.tsv"
    wildcard_constraints:
        model=names(name for name in RUNS if not p3_trains_adapters(name)),
    retries: 2  # a preempted job goes on from its last checkpoint
    conda:
        "../envs/wake2vec.yaml"
    threads: 2
    resources:
        mem_mb=memory_of("p3"),
        runtime=RUNTIME["training"],
        gpu=gpu_of,
        tiers=tiers_of("p3"),
        keeping=keeping_of("p3"),
        preflight=preflight_of,
    params:
        phase=trained_phase("p3"),
        model=trained_model("p3"),
        state="results/{model}/state/p3",
    message:
        "{wildcards.model}: P3, aligning the rows with their parts"
    script:
        "../scripts/p3.py"


use rule p3 as p3_with_adapters with:
    output:
        rows="results/{model}/p3/rows.safetensors",
        snapshots=directory("results/{model}/p3/snapshots"),
        adapter="results/{model}/p3/adapter.safetensors",
        history="results/{model}/p3/history.csv",
        run="results/{model}/p3/run.json",
    wildcard_constraints:
        model=names(name for name in study.models if p3_trains_adapters(name)),
