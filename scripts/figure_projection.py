"""Adapter of the rule `figure_projection`."""

from wake2vec.figures.projection import draw_projection
from wake2vec.figures.style import save
from wake2vec.job import job
from wake2vec.storage import read_values

with job(snakemake):
    figure = draw_projection(read_values(snakemake.input.projection), **snakemake.params.figures)
    save(figure, snakemake.output.svg, snakemake.output.png)
