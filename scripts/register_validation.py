"""Adapter of the rule `register_validation`."""

from wake2vec.job import job
from wake2vec.language.register_validation import validate_testbed
from wake2vec.storage import write_json

with job(snakemake) as provenance:
    values = validate_testbed(dict(snakemake.input.items()), snakemake.params.battery)
    write_json(snakemake.output.validation, "register_validation", values, provenance())
