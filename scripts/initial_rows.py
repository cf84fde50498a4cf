"""Adapter of the rule `initial_rows`."""

from wake2vec.job import job
from wake2vec.storage import save_arrays, write_json
from wake2vec.vocabulary.initialisation import place_rows

with job(snakemake) as provenance:
    rows, statistics = place_rows(snakemake.input, **snakemake.params.model)
    save_arrays(snakemake.output.rows, rows)
    write_json(snakemake.output.statistics, "initial_rows", statistics, provenance())
