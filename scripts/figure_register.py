"""Adapter of the rule `figure_register`."""

from wake2vec.figures.register import draw_register
from wake2vec.figures.style import save
from wake2vec.job import job
from wake2vec.storage import read_values

with job(snakemake):
    values = {phase: read_values(path) for phase, path in snakemake.input.items()}
    figure = draw_register(values, **snakemake.params.figures)
    save(figure, snakemake.output.svg, snakemake.output.png)
