rule sweep:
    """What each term of P3 does to held-out words at each λ, and what it costs in bits per byte."""
    input:
        unpack(sweep_inputs),
    output:
        sweep="results/sweeps/{sweep}/sweep.json",
        table="results/sweeps/{sweep}/sweep.md",
    log:
        "results/sweeps/{sweep}/logs/sweep.log",
    benchmark:
        "results/sweeps/{sweep}/benchmarks/sweep.tsv"
    conda:
        "../envs/wake2vec.yaml"
    resources:
        mem_mb=memory_of_rows,
        runtime=RUNTIME["rows"],
    params:
        sweep=swept_settings,
    message:
        "{wildcards.sweep}: comparing the runs of the sweep"
    script:
        "../scripts/sweep.py"


rule figure_sweep:
    """Gains of trained and held-out words and of their controls against λ, beside the cost in bits per byte."""
    input:
        sweep="results/sweeps/{sweep}/sweep.json",
    output:
        svg="results/sweeps/{sweep}/sweep.svg",
        png="results/sweeps/{sweep}/sweep.png",
    log:
        "results/sweeps/{sweep}/logs/figure_sweep.log",
    benchmark:
        "results/sweeps/{sweep}/benchmarks/figure_sweep.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        figures=FIGURE_STYLE,
    message:
        "{wildcards.sweep}: drawing the sweep"
    script:
        "../scripts/figure_sweep.py"
