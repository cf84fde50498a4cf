"""Adapter of the rule `summary`."""

from wake2vec.job import job
from wake2vec.report.results import read_results
from wake2vec.report.summary import summarise
from wake2vec.storage import write_json

with job(snakemake) as provenance:
    results = read_results(snakemake.wildcards.model, **dict(snakemake.input.items()), **snakemake.params.model)
    write_json(snakemake.output.summary, "summary", summarise(results), provenance())
