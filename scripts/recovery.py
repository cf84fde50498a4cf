"""Adapter of the rule `recovery`."""

from wake2vec.geometry.load import earlier, injected_forms, load_rows, part_pieces
from wake2vec.geometry.measures import recover
from wake2vec.job import job
from wake2vec.storage import read_jsonl, write_json

with job(snakemake) as provenance:
    files = snakemake.input
    gold = read_jsonl(files.gold)
    rows, forms = load_rows(files.manifest, files.rows), injected_forms(files.injection)
    pieces, words = part_pieces(files.tokenizer, gold), earlier(dict(files.items()))
    measured = recover(rows, gold, forms, pieces, snakemake.params.seed, **words)
    write_json(snakemake.output.recovery, "recovery", measured["recovery"], provenance())
