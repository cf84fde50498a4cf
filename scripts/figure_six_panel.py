"""Adapter of the rule `figure_six_panel`."""

from wake2vec.figures.six_panel import draw_six_panel
from wake2vec.figures.style import save
from wake2vec.job import job
from wake2vec.storage import read_values

with job(snakemake):
    values = {name: read_values(path) for name, path in snakemake.input.items()}
    figure = draw_six_panel(**values, **snakemake.params.figures)
    save(figure, snakemake.output.svg, snakemake.output.png)
