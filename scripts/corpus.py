"""Adapter of the rule `corpus`."""

from wake2vec.job import job
from wake2vec.storage import write_json, write_text
from wake2vec.text.corpus import build_corpus

with job(snakemake) as provenance:
    text = snakemake.params.text
    train, valid, values = build_corpus(
        name=snakemake.wildcards.corpus, files=text["files"], cleaning=text["cleaning"], **text["split"]
    )
    write_text(snakemake.output.train, train)
    write_text(snakemake.output.valid, valid)
    write_json(snakemake.output.description, "corpus", values, provenance())
