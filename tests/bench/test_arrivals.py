import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import arrivals
from bench.clock import NS_PER_S

RATES = st.floats(0.01, 10_000)
COUNTS = st.integers(0, 200)


@given(COUNTS)
def test_a_closed_loop_wants_all_at_once(n: int) -> None:
    assert arrivals.closed(n) == [0] * n


@given(RATES, COUNTS)
def test_a_constant_rate_does_not_drift(rate: float, n: int) -> None:
    offsets = arrivals.constant(rate, n)
    assert len(offsets) == n
    for i, offset in enumerate(offsets):
        assert abs(offset * rate / NS_PER_S - i) <= rate / NS_PER_S


@given(RATES, COUNTS, st.integers())
def test_a_poisson_schedule_is_ordered_and_repeatable(rate: float, n: int, seed: int) -> None:
    offsets = arrivals.poisson(rate, n, random.Random(seed))
    assert len(offsets) == n
    assert offsets == sorted(offsets)
    assert all(offset >= 0 for offset in offsets)
    assert offsets == arrivals.poisson(rate, n, random.Random(seed))


@given(RATES, COUNTS, st.integers(), st.floats(0.001, 10))
def test_the_two_bounds_of_a_poisson_schedule_agree(
    rate: float, n: int, seed: int, duration_s: float
) -> None:
    bounded = arrivals.within(arrivals.poisson(rate, n, random.Random(seed)), duration_s)
    assert all(offset < duration_s * NS_PER_S for offset in bounded)
    if rate * duration_s < 100:
        full = arrivals.poisson_for(rate, duration_s, random.Random(seed))
        assert full[: len(bounded)] == bounded


def test_poisson_gaps_have_the_moments_of_an_exponential() -> None:
    offsets = arrivals.poisson(100.0, 20_000, random.Random(1))
    gaps = [b - a for a, b in zip([0, *offsets], offsets, strict=False)]
    mean = statistics.fmean(gaps)
    assert mean == pytest.approx(NS_PER_S / 100, rel=0.03)
    assert statistics.stdev(gaps) / mean == pytest.approx(1.0, abs=0.03)
    assert statistics.correlation(gaps[:-1], gaps[1:]) == pytest.approx(0.0, abs=0.03)
    # Counts per second of a Poisson process vary as much as they amount to; bursts would give more.
    counts = [0] * (offsets[-1] // NS_PER_S)
    for offset in offsets:
        if offset // NS_PER_S < len(counts):
            counts[offset // NS_PER_S] += 1
    assert statistics.variance(counts) / statistics.fmean(counts) == pytest.approx(1.0, abs=0.35)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    for draw in (
        lambda: arrivals.constant(rate, 1),
        lambda: arrivals.poisson(rate, 1, random.Random(0)),
        lambda: arrivals.poisson_for(rate, 1.0, random.Random(0)),
    ):
        with pytest.raises(ValueError, match="rate_rps must be > 0"):
            draw()


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="n must be >= 0, got -1"):
        arrivals.closed(-1)
