"""Adapter of the rule `lexicon`."""

from wake2vec.job import job
from wake2vec.storage import read_text, write_csv, write_json, write_text
from wake2vec.text.build import lexicon_with_report

with job(snakemake) as provenance:
    held_out = snakemake.input.get("valid")
    frame, words, report = lexicon_with_report(
        read_text(snakemake.input.train), read_text(held_out) if held_out else "", snakemake.params.lexicon
    )
    write_csv(snakemake.output.lexicon, frame)
    write_text(snakemake.output.words, "".join(f"{word}\n" for word in words))
    write_json(snakemake.output.report, "lexicon", report, provenance())
