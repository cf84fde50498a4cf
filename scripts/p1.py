"""Adapter of the rule `p1`."""

import json
from pathlib import Path

from wake2vec.job import job
from wake2vec.storage import write_csv, write_json
from wake2vec.training.phases import publish_rows, rows_phase
from wake2vec.training.preflight import preflight

with job(snakemake) as provenance:
    inputs, state = dict(snakemake.input.items()), Path(snakemake.params.state)
    preflight(inputs, json.loads(snakemake.resources.preflight))
    states, values, history = rows_phase(
        "p1",
        inputs,
        snakemake.params.phase | json.loads(snakemake.resources.keeping),
        snakemake.params.model,
        state,
        json.loads(snakemake.resources.tiers),
    )
    publish_rows(states, values, state, snakemake.output)
    write_csv(snakemake.output.history, history)
    write_json(snakemake.output.run, "run", values, provenance())
