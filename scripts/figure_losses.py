"""Adapter of the rule `figure_losses`."""

from pathlib import Path

import pandas as pd

from wake2vec.figures.losses import draw_losses
from wake2vec.figures.style import save
from wake2vec.job import job
from wake2vec.storage import read_values

with job(snakemake):
    # one of each a phase, in their folders: results/{model}/{phase}/…
    histories = {Path(path).parent.name: pd.read_csv(path) for path in snakemake.input.histories}
    runs = {Path(path).parent.name: read_values(path) for path in snakemake.input.runs}
    figure = draw_losses(histories, runs, **snakemake.params.figures)
    save(figure, snakemake.output.svg, snakemake.output.png)
