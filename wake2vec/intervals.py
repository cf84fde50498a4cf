"""The interval of a bootstrap, and how much longer it must be where it draws from few.

The quantiles of a bootstrap lie too close where it draws from as few as passages, samples or coinages often are: of two
they hold the truth in half of all cases. Of k drawn from, its spread is that of a population of k, too small by
√(k / (k - 1)), and it is estimated, as Student's t with k - 1 degrees of freedom knows (Hesterberg 2015, What teachers
should know about the bootstrap, on both causes).
"""

import numpy as np
from scipy.special import ndtri, stdtrit


def bootstrap_interval(
    value: float, drawn: np.ndarray, count: int, low: float = -np.inf, high: float = np.inf
) -> tuple[float, float]:
    """The 95 % interval of a figure from its draws [draws] over so many units, 2 or more, within the possible range."""
    ends = value + widening(count) * (np.quantile(drawn, [0.025, 0.975]) - value)
    return max(low, float(ends[0])), min(high, float(ends[1]))


def widening(count: int) -> float:
    """By how much the quantiles of a bootstrap that draws from so many, 2 or more, are too near for 95 %.

    >>> [round(widening(count), 2) for count in (2, 3, 5, 25)]
    [9.17, 2.69, 1.58, 1.07]
    """
    return t_over_normal(count) * (count / (count - 1)) ** 0.5


def t_over_normal(count: int) -> float:
    """Where 95 % of Student's t end with count - 1 degrees of freedom, over where they end of a normal distribution."""
    return float(stdtrit(count - 1, 0.975) / ndtri(0.975))
