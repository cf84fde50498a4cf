"""Adapter of the rule `generation`."""

from wake2vec.job import job
from wake2vec.language.generation import generate_phase
from wake2vec.storage import write_json

with job(snakemake) as provenance:
    values = generate_phase(dict(snakemake.input.items()), snakemake.params.model, snakemake.params.generation)
    write_json(snakemake.output.generation, "generation", values, provenance())
