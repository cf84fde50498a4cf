"""Adapter of the rule `figure_comparison`."""

from pathlib import Path

from wake2vec.figures.comparison import draw_comparison, held_out_texts
from wake2vec.figures.style import save
from wake2vec.job import job
from wake2vec.storage import read_values

with job(snakemake):
    corpora = [read_values(path) for path in snakemake.input.corpora]  # one a model
    texts = held_out_texts(dict(zip(snakemake.params.models, corpora, strict=True)))
    models: dict = {name: {} for name in texts}
    for path in map(Path, snakemake.input.likelihoods):  # results/{model}/metrics/{phase}/likelihood.json
        models[path.parents[2].name][path.parent.name] = read_values(path)
    figure = draw_comparison(models, texts, **snakemake.params.figures)
    save(figure, snakemake.output.svg, snakemake.output.png)
