"""Adapter of the rule `morphology`."""

from wake2vec.job import job
from wake2vec.storage import write_json, write_jsonl
from wake2vec.text.coinage import analyse
from wake2vec.text.lexicon import read_lexicon

with job(snakemake) as provenance:
    files = snakemake.input
    values, segmentation = analyse(read_lexicon(files.lexicon), files.morphemes, files.blocklist)
    write_jsonl(snakemake.output.segmentation, segmentation)
    write_json(snakemake.output.morphemes, "morphemes", values, provenance())
