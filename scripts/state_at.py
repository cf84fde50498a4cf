"""Adapter of the rule `state_at`."""

from wake2vec.job import job
from wake2vec.training.regimes import use_state

with job(snakemake):
    names = snakemake.wildcards
    use_state(names.model, names.state, dict(snakemake.input.items()), snakemake.output.rows)
