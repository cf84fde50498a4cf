rule testbed:
    """Write a text of the built-in testbed, split it, and list its coinages' true parts."""
    output:
        train="results/corpora/{corpus}/train.txt",
        valid="results/corpora/{corpus}/valid.txt",
        description="results/corpora/{corpus}/corpus.json",
        gold="results/corpora/{corpus}/gold.jsonl",
    log:
        "results/corpora/{corpus}/logs/testbed.log",
    benchmark:
        "results/corpora/{corpus}/benchmarks/testbed.tsv"
    wildcard_constraints:
        corpus=names(corpora_of_kind("testbed")),
    conda:
        "../envs/wake2vec.yaml"
    params:
        text=text_settings("lexicon", "synthetic"),
    message:
        "{wildcards.corpus}: writing the testbed's text"
    script:
        "../scripts/testbed.py"


rule corpus:
    """Clean a corpus's files and split them, once for everything that follows."""
    input:
        corpus_sources,
    output:
        train="results/corpora/{corpus}/train.txt",
        valid="results/corpora/{corpus}/valid.txt",
        description="results/corpora/{corpus}/corpus.json",
    log:
        "results/corpora/{corpus}/logs/corpus.log",
    benchmark:
        "results/corpora/{corpus}/benchmarks/corpus.tsv"
    wildcard_constraints:
        corpus=names(corpora_of_kind("file")),
    conda:
        "../envs/wake2vec.yaml"
    params:
        text=text_settings("lexicon", "synthetic"),
    message:
        "{wildcards.corpus}: cleaning and splitting the text"
    script:
        "../scripts/corpus.py"


rule lexicon:
    """Say of every word whether it is a coinage, and why not."""
    input:
        unpack(lexicon_sources),
    output:
        lexicon="results/corpora/{corpus}/lexicon.csv",
        words="results/corpora/{corpus}/wake_lexicon.txt",
        report="results/corpora/{corpus}/lexicon.json",
    log:
        "results/corpora/{corpus}/logs/lexicon.log",
    benchmark:
        "results/corpora/{corpus}/benchmarks/lexicon.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        lexicon=text_block("lexicon"),
    message:
        "{wildcards.corpus}: choosing the lexicon"
    script:
        "../scripts/lexicon.py"


rule morphology:
    """Segment the lexicon into prefixes, roots, suffixes and compounds."""
    input:
        lexicon="results/corpora/{corpus}/lexicon.csv",
        morphemes="data/morphemes.csv",
        blocklist="data/false_segmentations.csv",
    output:
        morphemes="results/corpora/{corpus}/morphemes.json",
        segmentation="results/corpora/{corpus}/segmentation.jsonl",
    log:
        "results/corpora/{corpus}/logs/morphology.log",
    benchmark:
        "results/corpora/{corpus}/benchmarks/morphology.tsv"
    conda:
        "../envs/wake2vec.yaml"
    message:
        "{wildcards.corpus}: segmenting the lexicon"
    script:
        "../scripts/morphology.py"


rule synthetic:
    """Coin words from the lexicon's own parts, and write sentences that show them: only for runs that ask for them."""
    input:
        lexicon="results/corpora/{corpus}/lexicon.csv",
        found="results/corpora/{corpus}/morphemes.json",
        morphemes="data/morphemes.csv",
        blocklist="data/false_segmentations.csv",
        frames="data/sentence_frames.txt",
    output:
        forms="results/corpora/{corpus}/synthetic.jsonl",
        sentences="results/corpora/{corpus}/synthetic.txt",
    log:
        "results/corpora/{corpus}/logs/synthetic.log",
    benchmark:
        "results/corpora/{corpus}/benchmarks/synthetic.tsv"
    conda:
        "../envs/wake2vec.yaml"
    params:
        synthetic=text_block("synthetic"),
    message:
        "{wildcards.corpus}: coining synthetic words"
    script:
        "../scripts/synthetic.py"
