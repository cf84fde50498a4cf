"""Adapter of the rule `change`."""

from wake2vec.geometry.load import injected_forms, load_base_tokens, load_phases
from wake2vec.geometry.measures import measure_change
from wake2vec.job import job
from wake2vec.storage import write_json

with job(snakemake) as provenance:
    files, geometry = snakemake.input, snakemake.params.geometry
    before, after = load_phases(files.manifest, files.before, files.rows)
    tokens, forms = load_base_tokens(files.tokenizer, len(after.base)), injected_forms(files.injection)
    measured = measure_change(before, after, tokens, forms, geometry["seed"], geometry["sample"])
    for name, values in measured.items():
        write_json(snakemake.output[name], name, values, provenance())
