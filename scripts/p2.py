"""Adapter of the rules `p2` and `p2_full`."""

import json
from pathlib import Path

from wake2vec.job import job
from wake2vec.storage import write_csv, write_json
from wake2vec.training.phases import adapter_phase
from wake2vec.training.preflight import preflight

with job(snakemake) as provenance:
    inputs = dict(snakemake.input.items())
    preflight(inputs, json.loads(snakemake.resources.preflight))
    values, history = adapter_phase(
        inputs,
        snakemake.params.phase | json.loads(snakemake.resources.keeping),
        snakemake.params.model,
        Path(snakemake.params.state),
        Path(snakemake.output[0]),
        json.loads(snakemake.resources.tiers),
    )
    write_csv(snakemake.output.history, history)
    write_json(snakemake.output.run, "run", values, provenance())
