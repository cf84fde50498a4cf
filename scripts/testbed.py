"""Adapter of the rule `testbed`."""

from wake2vec.job import job
from wake2vec.storage import write_json, write_jsonl, write_text
from wake2vec.text.build import build_testbed

with job(snakemake) as provenance:
    train, valid, values, gold = build_testbed(snakemake.wildcards.corpus, snakemake.params.text)
    write_text(snakemake.output.train, train)
    write_text(snakemake.output.valid, valid)
    write_jsonl(snakemake.output.gold, gold)
    write_json(snakemake.output.description, "corpus", values, provenance())
