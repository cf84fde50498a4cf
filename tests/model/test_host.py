"""What jobs ask a cluster for, against numbers worked out by hand, and against what a plan says of merging."""

import pytest

from wake2vec.model import host

# Qwen 2.5 14B: 14,770,033,664 parameters; embedding and head of 152,064 rows of 5,120
QWEN = {"parameters": 14_770_033_664, "rows": 152_064, "hidden": 5_120, "tied": False}
MATRICES = 2 * 152_064 * 5_120
SMALL = {"parameters": 1000, "rows": 10, "hidden": 8, "tied": True}
GIB = 2**30


def test_a_base_of_14b_is_asked_for_whole_in_its_precision_and_in_four_bits_too():
    for quantisation in ("none", "nf4"):
        asked = host.holding(QWEN, 10**9, "bfloat16", quantisation)
        assert asked == 29_540_067_328 + 8 * MATRICES + 4 * 10**9 + 4 * GIB
    assert host.megabytes(asked) == 50_293  # 29,540.1 + 12,457.1 + 4,000 + 4,295.0 MB
    assert host.holding(QWEN, 0, "float32", "none") - host.holding(QWEN, 0, "bfloat16", "none") == 29_540_067_328


@pytest.mark.parametrize(("trains", "more"), [("nothing", 0), ("rows", 80), ("body", 1000)])
def test_what_trains_is_there_four_times_in_float32(trains, more):
    asked = host.holding(SMALL, 0, "float32", "none", trains)
    assert asked == 4 * GIB + 4 * 1000 + 8 * 80 + 4 * 4 * more


def test_a_head_of_its_own_counts_and_measuring_needs_no_weights():
    assert host.measuring(SMALL, 0) == 4 * GIB + 8 * 80
    assert host.measuring(SMALL | {"tied": False}, 100) == 4 * GIB + 2 * 8 * 80 + 400


def test_megabytes_are_rounded_up():
    assert (host.megabytes(10**6), host.megabytes(10**6 + 1)) == (1, 2)
