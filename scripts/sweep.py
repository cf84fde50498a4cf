"""Adapter of the rule `sweep`."""

from wake2vec.job import job
from wake2vec.report.objective_tables import sweep_table
from wake2vec.storage import write_json, write_text
from wake2vec.training.sweep import compare_runs

with job(snakemake) as provenance:
    settings = snakemake.params.sweep
    values = compare_runs(dict(snakemake.input.items()), settings["runs"], settings, settings["seed"])
    write_json(snakemake.output.sweep, "sweep", values, provenance())
    write_text(snakemake.output.table, sweep_table(values))
