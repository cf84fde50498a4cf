"""Adapter of the rule `recovery`."""

from wake2vec.geometry.load import injected_forms, load_rows, part_pieces
from wake2vec.geometry.measures import recover
from wake2vec.job import job
from wake2vec.storage import read_jsonl, write_json

with job(snakemake) as provenance:
    files = snakemake.input
    gold = read_jsonl(files.gold)
    rows, forms = load_rows(files.manifest, files.rows), injected_forms(files.injection)
    measured = recover(rows, gold, forms, part_pieces(files.tokenizer, gold), snakemake.params.seed)
    write_json(snakemake.output.recovery, "recovery", measured["recovery"], provenance())
