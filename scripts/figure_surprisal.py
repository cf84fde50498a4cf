"""Adapter of the rule `figure_surprisal`."""

from wake2vec.figures.style import save
from wake2vec.figures.surprisal import draw_surprisal
from wake2vec.job import job
from wake2vec.language.surprisal import read_surprisal

with job(snakemake):
    frames = {phase: read_surprisal(path) for phase, path in snakemake.input.items()}
    figure = draw_surprisal(frames, **snakemake.params.figures)
    save(figure, snakemake.output.svg, snakemake.output.png)
