"""Adapter of the rule `synthetic`."""

from wake2vec.job import job
from wake2vec.storage import read_values, write_jsonl, write_text
from wake2vec.text.coinage import coin
from wake2vec.text.lexicon import read_lexicon

with job(snakemake):
    files = snakemake.input
    forms, sentences = coin(
        read_lexicon(files.lexicon),
        read_values(files.found)["counts"],
        files.morphemes,
        files.blocklist,
        files.frames,
        **snakemake.params.synthetic,
    )
    write_jsonl(snakemake.output.forms, forms)
    write_text(snakemake.output.sentences, sentences)
