"""Adapter of the rule `register`."""

from wake2vec.job import job
from wake2vec.language.register import measure_phase
from wake2vec.storage import write_json

with job(snakemake) as provenance:
    values = measure_phase(dict(snakemake.input.items()), snakemake.params.battery)
    write_json(snakemake.output.register, "register", values, provenance())
