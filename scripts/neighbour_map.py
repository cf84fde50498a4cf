"""Adapter of the rule `neighbour_map`."""

from wake2vec.geometry.neighbour_map import map_files
from wake2vec.job import job
from wake2vec.storage import write_json

with job(snakemake) as provenance:
    values = map_files(dict(snakemake.input.items()), **snakemake.params.geometry)
    write_json(snakemake.output.neighbour_map, "neighbour_map", values, provenance(), compact=True)
