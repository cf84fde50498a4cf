"""Adapter of the rule `merged`."""

from wake2vec.job import job
from wake2vec.model.export import export
from wake2vec.storage import write_json

with job(snakemake) as provenance:
    values = export(dict(snakemake.input.items()), snakemake.params.model, snakemake.output.folder)
    write_json(snakemake.output.values, "merged", values, provenance())
