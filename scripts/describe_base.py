"""Adapter of the rule `describe_base`."""

from pathlib import Path

from wake2vec.bases.describe import describe_base
from wake2vec.job import job
from wake2vec.storage import write_json

with job(snakemake) as provenance:
    architecture = Path(snakemake.output[0])
    values = describe_base(snakemake.wildcards.base, snakemake.params.base, architecture.parent)
    write_json(architecture, "architecture", values, provenance())
