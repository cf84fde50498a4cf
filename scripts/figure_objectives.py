"""Adapter of the rule `figure_objectives`."""

import pandas as pd

from wake2vec.figures.objectives import draw_objectives
from wake2vec.figures.style import save
from wake2vec.job import job
from wake2vec.storage import read_values

with job(snakemake):
    chosen = read_values(snakemake.input.run)["hyperparameters"]
    weights = {name: chosen[f"lambda_{name}"] for name in ("morpheme", "repulsion", "norm")}
    figure = draw_objectives(pd.read_csv(snakemake.input.history), weights, **snakemake.params.figures)
    save(figure, snakemake.output.svg, snakemake.output.png)
