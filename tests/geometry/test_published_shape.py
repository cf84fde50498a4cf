"""Rows of the published shape, Gaussian: the published figure, and what the report says of it."""

import numpy as np

from wake2vec.geometry.isotropy import null_sampled, sampled_ratio
from wake2vec.geometry.nulls import band
from wake2vec.geometry.vectors import norms, sampled
from wake2vec.report.findings import isotropy
from wake2vec.report.multiplicity import adjusted

COUNT, DIMENSION, SAMPLE, DRAWS = 44_195, 2048, 5000, 10  # draws as in the pipeline


def test_gaussian_rows_of_the_published_shape_read_as_published_and_as_no_structure():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((COUNT, DIMENSION), dtype=np.float32)
    lengths, index = norms(rows), sampled(COUNT, SAMPLE, rng)
    value = sampled_ratio(rows[index])[0]
    assert 0.9976 <= round(value, 4) <= 0.9979
    drawn = [null_sampled(lengths, index, DIMENSION, rng)["sampled_ratio"] for _ in range(DRAWS)]
    name = "p1.isotropy.new.sampled_ratio"
    summary = adjusted({name: value, f"{name}.null": band(value, drawn, 0.0, 1.0)})
    assert "indistinguishable from no structure" in isotropy(summary)
    assert summary["geometry.chance.tests"] == 1
