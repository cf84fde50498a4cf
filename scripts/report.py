"""Adapter of the rule `report`."""

from pathlib import Path

from wake2vec.job import job
from wake2vec.report.render import render_model
from wake2vec.storage import read_values

with job(snakemake):
    figures = Path(snakemake.input.figures[0]).parent
    summary = read_values(snakemake.input.summary)
    renderer = render_model(summary, snakemake.input.tables, figures, snakemake.output.report)
    print(f"rendered by {renderer}: {snakemake.output.report}")
