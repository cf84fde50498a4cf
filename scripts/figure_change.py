"""Adapter of the rule `figure_change`."""

from wake2vec.figures.change import draw_change
from wake2vec.figures.style import save
from wake2vec.job import job
from wake2vec.storage import read_values

with job(snakemake):
    figure = draw_change(read_values(snakemake.input.overlap), **snakemake.params.figures)
    save(figure, snakemake.output.svg, snakemake.output.png)
