"""Adapter of the rule `regimes`."""

from wake2vec.job import job
from wake2vec.storage import write_json
from wake2vec.training.regimes import describe

with job(snakemake) as provenance:
    files = snakemake.input
    values = describe(files.history, files.run, files.snapshots, snakemake.params.regimes)
    write_json(snakemake.output.regimes, "regimes", values, provenance())
