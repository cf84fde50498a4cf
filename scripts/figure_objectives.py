"""Adapter of the rule `figure_objectives`."""

import pandas as pd

from wake2vec.figures.objectives import draw_objectives
from wake2vec.figures.style import save
from wake2vec.job import job
from wake2vec.storage import read_values

with job(snakemake):
    chosen = read_values(snakemake.input.run)["hyperparameters"]
    weights = {name.removeprefix("lambda_"): value for name, value in chosen.items() if name.startswith("lambda_")}
    figure = draw_objectives(pd.read_csv(snakemake.input.history), weights, **snakemake.params.figures)
    save(figure, snakemake.output.svg, snakemake.output.png)
