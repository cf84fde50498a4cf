"""Adapter of the rule `register_base`."""

from pathlib import Path

from wake2vec.bases.hub import register
from wake2vec.job import job
from wake2vec.storage import write_json

with job(snakemake) as provenance:
    manifest = Path(snakemake.output[0])
    write_json(manifest, "base", register(snakemake.params.base, manifest.parent), provenance())
