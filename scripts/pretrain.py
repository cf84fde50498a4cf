"""Adapter of the rule `pretrain`."""

from pathlib import Path

from wake2vec.bases.pretrain import pretrain
from wake2vec.job import job
from wake2vec.storage import write_csv, write_json

with job(snakemake) as provenance:
    manifest = Path(snakemake.output.manifest)
    architecture, values, history = pretrain(
        Path(snakemake.input.train),
        Path(snakemake.input.valid),
        snakemake.params.base,
        manifest.parent,
        Path(snakemake.params.state),
    )
    write_csv(snakemake.output.history, history)
    write_json(snakemake.output[0], "architecture", architecture, provenance())
    write_json(manifest, "base", values, provenance())
