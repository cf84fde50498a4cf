rule tokenizer:
    """Give the lexicon's words tokens of their own in a standard tokenizer."""
    input:
        unpack(coined_text),
        architecture=base_file("architecture.json"),
        tokenizer=base_file("tokenizer.json"),
        tokenizer_config=base_file("tokenizer_config.json"),
        lexicon=corpus_file("lexicon.csv"),
        report=corpus_file("lexicon.json"),
        train=corpus_file("train.txt"),
        valid=corpus_file("valid.txt"),
    output:
        tokenizer="results/{model}/tokenizer/tokenizer.json",
        tokenizer_config="results/{model}/tokenizer/tokenizer_config.json",
        injection="results/{model}/tokenizer/injection.json",
    log:
        "results/{model}/logs/tokenizer.log",
    benchmark:
        "results/{model}/benchmarks/tokenizer.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        vocabulary=block("vocabulary"),
    message:
        "{wildcards.model}: injecting the lexicon into the tokenizer"
    script:
        "../scripts/tokenizer.py"


rule initial_rows:
    """Place the new rows of embedding and head."""
    input:
        unpack(coined_words),
        manifest=base_file("manifest.json"),
        tokenizer=base_file("tokenizer.json"),
        injection="results/{model}/tokenizer/injection.json",
        segmentation=corpus_file("segmentation.jsonl"),
        morphemes=corpus_file("morphemes.json"),
    output:
        rows="results/{model}/init/rows.safetensors",
        statistics="results/{model}/init/statistics.json",
    log:
        "results/{model}/logs/initial_rows.log",
    benchmark:
        "results/{model}/benchmarks/initial_rows.tsv"
    conda:
        "../envs/wake2vec.yaml"
    resources:
        mem_mb=memory_of_rows,
        runtime=RUNTIME["rows"],
    params:
        model=settings("initialisation", "head", "seed"),
    message:
        "{wildcards.model}: placing the new rows"
    script:
        "../scripts/initial_rows.py"
