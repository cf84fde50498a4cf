"""Adapter of the rule `tokenizer`."""

from wake2vec.job import job
from wake2vec.storage import read_text, write_json, write_text
from wake2vec.vocabulary.injection import inject_lexicon

with job(snakemake) as provenance:
    tokenizer, values = inject_lexicon(snakemake.input, snakemake.params.vocabulary)
    write_text(snakemake.output.tokenizer, tokenizer.to_str())
    write_text(snakemake.output.tokenizer_config, read_text(snakemake.input.tokenizer_config))
    write_json(snakemake.output.injection, "injection", values, provenance())
