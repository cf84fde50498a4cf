"""Adapter of the rule `tables`."""

from pathlib import Path

from wake2vec.job import job
from wake2vec.report.neighbour_page import DATA, packed
from wake2vec.report.results import read_results
from wake2vec.report.tables import model_tables
from wake2vec.storage import read_values, write_text

with job(snakemake):
    files = {name: path for name, path in snakemake.input.items() if name != "summary"}
    results = read_results(snakemake.wildcards.model, **files, **snakemake.params.model)
    for name, text in model_tables(results, read_values(snakemake.input.summary)).items():
        write_text(Path(snakemake.output[0]) / f"{name}.md", text)
    write_text(Path(snakemake.output[0]) / DATA, packed(results.neighbour_map))
