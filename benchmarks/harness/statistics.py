"""Statistics of repetitions: summaries and ratios with confidence intervals. No I/O lives here."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy
import scipy.stats

_RESAMPLES = 9_999
_SEED = 20_240_607


@dataclasses.dataclass(frozen=True)
class Summary:
    """Figures of one peer in one quantity, in the unit of the values given."""

    median: float
    minimum: float
    maximum: float
    p10: float
    repetitions: int


@dataclasses.dataclass(frozen=True)
class Ratio:
    """``value`` = median(a) / median(b); ``low`` and ``high`` bound its 95 % bootstrap confidence interval."""

    value: float
    low: float
    high: float


def summarise(values: Sequence[float]) -> Summary:
    """Median, smallest, largest and 10th percentile; raises ValueError on an empty sequence."""
    if not len(values):
        raise ValueError("no values to summarise")
    array = numpy.asarray(values, dtype=float)
    return Summary(
        median=float(numpy.median(array)),
        minimum=float(array.min()),
        maximum=float(array.max()),
        p10=float(numpy.percentile(array, 10)),
        repetitions=len(array),
    )


def ratio_of_medians(numerator: Sequence[float], denominator: Sequence[float]) -> Ratio:
    """median(numerator) / median(denominator) with a percentile bootstrap.

    Repetitions of equal index ran next to each other in time, so they are resampled as pairs: load that hits both
    does not widen the interval. Sequences of different length are cut to the shorter one for the interval only.
    """
    upper, lower = numpy.asarray(numerator, dtype=float), numpy.asarray(denominator, dtype=float)
    if not len(upper) or not len(lower):
        raise ValueError("no values to compare")
    value = float(numpy.median(upper) / numpy.median(lower))
    paired = min(len(upper), len(lower))
    if paired < 2:
        return Ratio(value, value, value)
    interval = scipy.stats.bootstrap(
        (upper[:paired], lower[:paired]),
        lambda a, b, axis: numpy.median(a, axis=axis) / numpy.median(b, axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=numpy.random.default_rng(_SEED),
    ).confidence_interval
    return Ratio(value, float(interval.low), float(interval.high))
