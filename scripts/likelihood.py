"""Adapter of the rule `likelihood`."""

from wake2vec.job import job
from wake2vec.language.likelihood import score_phase
from wake2vec.storage import write_json

with job(snakemake) as provenance:
    values = score_phase(dict(snakemake.input.items()), snakemake.params.model)
    write_json(snakemake.output.likelihood, "likelihood", values, provenance())
