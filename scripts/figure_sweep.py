"""Adapter of the rule `figure_sweep`."""

from wake2vec.figures.style import save
from wake2vec.figures.sweep import draw_sweep
from wake2vec.job import job
from wake2vec.storage import read_values

with job(snakemake):
    figure = draw_sweep(read_values(snakemake.input.sweep), **snakemake.params.figures)
    save(figure, snakemake.output.svg, snakemake.output.png)
