"""Adapter of the rule `projection`."""

from wake2vec.geometry.load import injected_forms, load_phases
from wake2vec.geometry.measures import project
from wake2vec.job import job
from wake2vec.storage import write_json

with job(snakemake) as provenance:
    files = snakemake.input
    before, after = load_phases(files.manifest, files.before, files.rows)
    measured = project(before, after, injected_forms(files.injection), snakemake.params.seed)
    write_json(snakemake.output.projection, "projection", measured["projection"], provenance())
