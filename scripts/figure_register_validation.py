"""Adapter of the rule `figure_register_validation`."""

from wake2vec.figures.register import draw_validation
from wake2vec.figures.style import save
from wake2vec.job import job
from wake2vec.storage import read_values

with job(snakemake):
    figure = draw_validation(read_values(snakemake.input.validation), **snakemake.params.figures)
    save(figure, snakemake.output.svg, snakemake.output.png)
