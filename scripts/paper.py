"""Adapter of the rule `paper`."""

from pathlib import Path

from wake2vec.job import job
from wake2vec.report.render import render_paper
from wake2vec.storage import read_values

with job(snakemake):
    values = [read_values(path) for path in snakemake.input.summaries]
    summaries = dict(zip(snakemake.params.models, values, strict=True))
    figures = Path(snakemake.input.figures[0]).parent
    renderer = render_paper(summaries, snakemake.input.tables, figures, snakemake.output.paper)
    print(f"rendered by {renderer}: {snakemake.output.paper}")
