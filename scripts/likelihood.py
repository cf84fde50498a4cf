"""Adapter of the rule `likelihood`."""

from wake2vec.job import job
from wake2vec.language.surprisal import score_words
from wake2vec.storage import write_csv, write_json

with job(snakemake) as provenance:
    paths, params = dict(snakemake.input.items()), snakemake.params
    values, words = score_words(paths, params.model, params.coinages)
    write_csv(snakemake.output.surprisal, words)
    write_json(snakemake.output.likelihood, "likelihood", values, provenance())
