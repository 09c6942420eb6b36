"""Statistics of the harness on data whose answers are known."""

from __future__ import annotations

import numpy
import pytest

from benchmarks.harness.statistics import ratio_of_medians, summarise


def test_summary_of_known_values() -> None:
    found = summarise([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (found.median, found.minimum, found.maximum, found.repetitions) == (3.0, 1.0, 5.0, 5)
    assert found.p10 == pytest.approx(1.4)


def test_median_of_an_even_number_of_values() -> None:
    assert summarise([1.0, 2.0, 10.0, 11.0]).median == 6.0


@pytest.mark.parametrize("call", [lambda: summarise([]), lambda: ratio_of_medians([], [1.0])])
def test_nothing_measured_is_an_error(call) -> None:
    with pytest.raises(ValueError):
        call()


def test_ratio_of_constant_values_has_no_width() -> None:
    found = ratio_of_medians([6.0] * 9, [2.0] * 9)
    assert (found.value, found.low, found.high) == (3.0, 3.0, 3.0)


def test_ratio_is_inside_its_interval_and_repeats() -> None:
    random = numpy.random.default_rng(1)
    slow, fast = 3 + random.normal(0, 0.2, 25), 1 + random.normal(0, 0.1, 25)
    first, second = ratio_of_medians(slow, fast), ratio_of_medians(slow, fast)
    assert first == second
    assert first.low < first.value < first.high
    assert first.low < 3 < first.high


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = numpy.random.default_rng(7)
    covered = 0
    for _ in range(60):
        found = ratio_of_medians(random.gamma(4, 1, 25), random.gamma(4, 1, 25))
        covered += found.low <= 1 <= found.high
    assert covered >= 52  # 95 % of 60 is 57


def test_load_that_hits_both_peers_of_a_repetition_does_not_widen_the_interval() -> None:
    load = numpy.random.default_rng(3).uniform(1, 4, 25)
    paired = ratio_of_medians(2.0 * load, 1.0 * load)
    assert (paired.low, paired.high) == pytest.approx((2.0, 2.0))


def test_one_repetition_gives_a_ratio_without_interval() -> None:
    found = ratio_of_medians([4.0], [2.0])
    assert (found.value, found.low, found.high) == (2.0, 2.0, 2.0)
