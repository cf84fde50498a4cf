"""Adapter of the rules `p2` and `p2_full`."""

import json
from pathlib import Path

from wake2vec.job import job
from wake2vec.storage import write_csv, write_json
from wake2vec.training.phases import adapter_phase

with job(snakemake) as provenance:
    values, history = adapter_phase(
        dict(snakemake.input.items()),
        snakemake.params.phase | json.loads(snakemake.resources.keeping),
        snakemake.params.model,
        Path(snakemake.params.state),
        Path(snakemake.output[0]),
        json.loads(snakemake.resources.tiers),
    )
    write_csv(snakemake.output.history, history)
    write_json(snakemake.output.run, "run", values, provenance())
