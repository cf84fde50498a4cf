"""Adapter of the rule `paper_tables`."""

from pathlib import Path

from wake2vec.job import job
from wake2vec.report.paper import paper_tables
from wake2vec.storage import read_values, write_text

with job(snakemake):
    values = [read_values(path) for path in snakemake.input.summaries]
    for name, text in paper_tables(dict(zip(snakemake.params.models, values, strict=True))).items():
        write_text(Path(snakemake.output[0]) / f"{name}.md", text)
