"""Adapter of the rule `geometry`."""

from wake2vec.geometry.load import earlier, injected_forms, load_base_tokens, load_rows, root_pieces
from wake2vec.geometry.measures import measure_rows
from wake2vec.job import job
from wake2vec.storage import read_jsonl, write_json

with job(snakemake) as provenance:
    files, geometry = snakemake.input, snakemake.params.geometry
    rows = load_rows(files.manifest, files.rows)
    tokens, forms = load_base_tokens(files.tokenizer, len(rows.base)), injected_forms(files.injection)
    segmentation = read_jsonl(files.segmentation)
    words = {"segmentation": segmentation, "root_ids": root_pieces(files.tokenizer, segmentation)}
    words |= earlier(dict(files.items()))
    measured = measure_rows(rows, tokens, forms, geometry["seed"], geometry["sample"], **words)
    for name, values in measured.items():
        write_json(snakemake.output[name], name, values, provenance())
