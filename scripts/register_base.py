"""Adapter of the rule `register_base`."""

from wake2vec.bases.checkpoint import register
from wake2vec.job import job
from wake2vec.storage import read_values, write_json

with job(snakemake) as provenance:
    values = register(snakemake.wildcards.base, read_values(snakemake.input.architecture))
    write_json(snakemake.output.manifest, "base", values, provenance())
