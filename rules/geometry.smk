rule geometry:
    """Norms, isotropy, dimension, similarity, affix directions and neighbours of a phase's rows, beside their nulls."""
    input:
        unpack(earlier_rows),
        manifest=base_file("manifest.json"),
        tokenizer=base_file("tokenizer.json"),
        injection="results/{model}/tokenizer/injection.json",
        segmentation=corpus_file("segmentation.jsonl"),
        rows=rows_at,
    output:
        norms="results/{model}/metrics/{phase}/norms.json",
        isotropy="results/{model}/metrics/{phase}/isotropy.json",
        dimension="results/{model}/metrics/{phase}/dimension.json",
        similarity="results/{model}/metrics/{phase}/similarity.json",
        directions="results/{model}/metrics/{phase}/directions.json",
        neighbours="results/{model}/metrics/{phase}/neighbours.json",
    log:
        "results/{model}/logs/geometry_{phase}.log",
    benchmark:
        "results/{model}/benchmarks/geometry_{phase}.tsv"
    conda:
        "../envs/wake2vec.yaml"
    resources:
        mem_mb=memory_of_rows,
        runtime=RUNTIME["rows"],
    params:
        geometry=block("geometry", "map_neighbours"),
    message:
        "{wildcards.model}: measuring the geometry of {wildcards.phase}"
    script:
        "../scripts/geometry.py"


rule change:
    """How far a phase moved the rows from where they began, and how many neighbours they kept."""
    input:
        manifest=base_file("manifest.json"),
        tokenizer=base_file("tokenizer.json"),
        injection="results/{model}/tokenizer/injection.json",
        before=first_rows,
        rows=rows_at,
    output:
        drift="results/{model}/metrics/{phase}/drift.json",
        overlap="results/{model}/metrics/{phase}/overlap.json",
    log:
        "results/{model}/logs/change_{phase}.log",
    benchmark:
        "results/{model}/benchmarks/change_{phase}.tsv"
    conda:
        "../envs/wake2vec.yaml"
    resources:
        mem_mb=memory_of_rows,
        runtime=RUNTIME["rows"],
    params:
        geometry=block("geometry", "map_neighbours"),
    message:
        "{wildcards.model}: measuring what {wildcards.phase} changed"
    script:
        "../scripts/change.py"


rule projection:
    """A t-SNE of new rows against the centroids of their initial neighbours."""
    input:
        manifest=base_file("manifest.json"),
        injection="results/{model}/tokenizer/injection.json",
        before=first_rows,
        rows=rows_at,
    output:
        projection="results/{model}/metrics/{phase}/projection.json",
    log:
        "results/{model}/logs/projection_{phase}.log",
    benchmark:
        "results/{model}/benchmarks/projection_{phase}.tsv"
    conda:
        "../envs/wake2vec.yaml"
    resources:
        mem_mb=memory_of_rows,
        runtime=RUNTIME["rows"],
    params:
        seed=lambda wildcards: model_of(wildcards).geometry.seed,
    message:
        "{wildcards.model}: projecting the rows of {wildcards.phase}"
    script:
        "../scripts/projection.py"


rule neighbour_map:
    """Every coinage with its parts, counts and drift, and its nearest base tokens and words at every phase with rows."""
    input:
        unpack(map_inputs),
    output:
        neighbour_map="results/{model}/neighbour_map.json",
    log:
        "results/{model}/logs/neighbour_map.log",
    benchmark:
        "results/{model}/benchmarks/neighbour_map.tsv"
    conda:
        "../envs/wake2vec.yaml"
    resources:
        mem_mb=memory_of_rows,
        runtime=RUNTIME["rows"],
    params:
        geometry=map_settings,
    message:
        "{wildcards.model}: mapping the neighbours of every coinage"
    script:
        "../scripts/neighbour_map.py"


rule recovery:
    """On the testbed: how near the true parts of a coinage are among its base neighbours."""
    input:
        unpack(earlier_rows),
        manifest=base_file("manifest.json"),
        tokenizer=base_file("tokenizer.json"),
        injection="results/{model}/tokenizer/injection.json",
        rows=rows_at,
        gold=corpus_file("gold.jsonl"),
    output:
        recovery="results/{model}/metrics/{phase}/recovery.json",
    log:
        "results/{model}/logs/recovery_{phase}.log",
    benchmark:
        "results/{model}/benchmarks/recovery_{phase}.tsv"
    conda:
        "../envs/wake2vec.yaml"
    resources:
        mem_mb=memory_of_rows,
        runtime=RUNTIME["rows"],
    params:
        seed=lambda wildcards: model_of(wildcards).geometry.seed,
    message:
        "{wildcards.model}: looking for the true parts at {wildcards.phase}"
    script:
        "../scripts/recovery.py"
