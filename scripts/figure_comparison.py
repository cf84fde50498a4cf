"""Adapter of the rule `figure_comparison`."""

from pathlib import Path

from wake2vec.figures.comparison import draw_comparison
from wake2vec.figures.style import save
from wake2vec.job import job
from wake2vec.storage import read_values

with job(snakemake):
    models: dict = {name: {} for name in snakemake.params.corpora}
    for path in map(Path, snakemake.input.likelihoods):  # results/{model}/metrics/{phase}/likelihood.json
        models[path.parents[2].name][path.parent.name] = read_values(path)
    figure = draw_comparison(models, snakemake.params.corpora, **snakemake.params.figures)
    save(figure, snakemake.output.svg, snakemake.output.png)
