"""Times, sizes and trends, against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wake2vec.heartbeat import words


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [
        (0, "0 seconds", "0 s"),
        (1, "1 second", "1 s"),
        (59.9, "59 seconds", "59 s"),
        (60, "1 minute", "1 min"),
        (14 * 60 + 59, "14 minutes", "14 min"),
        (3600, "1 hour", "1 h"),
        (4800, "1 hour 20 minutes", "1 h 20 min"),
        (86400 * 3 + 4 * 3600 + 59 * 60, "3 days 4 hours", "3 d 4 h"),
        (86400 * 2000, "2,000 days", "2,000 d"),
        (-5, "0 seconds", "0 s"),
    ],
)
def test_durations(seconds, long, short):
    assert (words.duration(seconds), words.short(seconds)) == (long, short)


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (None, "at an unknown time"),
        (0.0, "just now"),
        (-9.0, "just now"),  # two clocks that are right may differ by that
        (30.0, "30 seconds ago"),
        (240.0, "4 minutes ago"),
        (-720.0, "12 minutes in the future: a clock is wrong"),
    ],
)
def test_ages(age, said):
    assert words.ago(age) == said


@pytest.mark.parametrize(
    ("number_of_bytes", "said"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (1.4 * 2**30, "1.4 GiB"), (812 * 2**20, "812 MiB")]
    + [(5000 * 2**40, "5,000 TiB")],
)
def test_sizes(number_of_bytes, said):
    assert words.size(number_of_bytes) == said


def test_trends():
    assert words.trend([(1, 5.0)]) is None and words.trend([(1, 5.0), (1, 4.0)]) is None
    assert words.trend([(10, 4.0), (20, 3.0)]) == "falling" and words.trend([(10, 3.0), (20, 4.0)]) == "rising"
    assert words.trend([(10, 3.000), (20, 3.005)]) == "flat"  # 0.17 % of its level
    assert words.trend([(10, 3.000), (20, 3.007)]) == "rising"  # 0.23 %
    # up and down around one line: its slope is 0.02 a step, with a standard error of 0.19
    assert words.trend([(0, 3.0), (1, 4.0), (2, 3.0), (3, 4.0), (4, 3.1)]) == "flat"


@given(st.floats(-0.05, 0.05), st.integers(0, 2**32 - 1))
def test_a_trend_is_that_of_the_least_squares_line(slope, seed):
    x = np.arange(10.0)
    y = 3.0 + slope * x + np.random.default_rng(seed).normal(0, 0.02, 10)
    (fitted, _), covariance = np.polyfit(x, y, 1, cov=True)
    change, error = 9 * fitted, 9 * np.sqrt(covariance[0, 0])  # numpy scales it by the residuals' variance, as we do
    flat = abs(change) <= max(0.002 * abs(y.mean()), 2 * error)
    said = words.trend(list(zip(x.tolist(), y.tolist(), strict=True)))
    if abs(abs(change) - max(0.002 * abs(y.mean()), 2 * error)) > 1e-9:
        assert said == ("flat" if flat else "falling" if change < 0 else "rising")


def test_no_control_character_is_printed():
    hostile = {"a\x1b[31m": ["x\ny", "\u202eevil", "\udc80", ("é – ↓", 3)]}
    assert words.printable(hostile) == {"a\ufffd[31m": ["x y", "\ufffdevil", "\ufffd", ["é – ↓", 3]]}
