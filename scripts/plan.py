"""Adapter of the rule `plan`."""

from wake2vec.job import job
from wake2vec.model.plan import plan
from wake2vec.model.plan_page import page
from wake2vec.storage import read_values, write_json, write_text

with job(snakemake) as provenance:
    architecture, injection = (read_values(snakemake.input[name]) for name in ("architecture", "injection"))
    needs = plan(
        snakemake.wildcards.model, snakemake.input.config, architecture, injection, **dict(snakemake.params.items())
    )
    write_json(snakemake.output.values, "plan", needs, provenance())
    write_text(snakemake.output.plan, page(needs))
