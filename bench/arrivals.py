"""When requests are wanted: pure schedules, all offsets in nanoseconds from the start of the load."""

import random

from bench.clock import NS_PER_S


def closed(n: int) -> list[int]:
    """A closed loop wants every request at once; its users, not the clock, decide when each is sent.

    Args:
        n: number of requests, >= 0.

    Returns:
        `n` zeros.
    """
    return [0] * _count(n)


def constant(rate_rps: float, n: int) -> list[int]:
    """Request i is wanted at exactly i / rate.

    Args:
        rate_rps: requests per second, > 0.
        n: number of requests, >= 0.

    Returns:
        `n` offsets, the first 0; each is rounded by itself, so that no error adds up.
    """
    _positive(rate_rps)
    return [round(i * NS_PER_S / rate_rps) for i in range(_count(n))]


def poisson(rate_rps: float, n: int, rng: random.Random) -> list[int]:
    """Independent exponential gaps of mean 1 / rate: a Poisson process.

    The gaps are left as drawn. Rescaling them to an exact total, as some tools do, would make them depend on
    each other. One generator draws for all: splitting a schedule over generators of one seed repeats gaps.

    Args:
        rate_rps: mean requests per second, > 0.
        n: number of requests, >= 0.
        rng: the only source of chance.

    Returns:
        `n` offsets that never decrease; the first comes after a gap like any other.
    """
    _positive(rate_rps)
    offsets = []
    t_s = 0.0
    for _ in range(_count(n)):
        t_s += rng.expovariate(rate_rps)
        offsets.append(round(t_s * NS_PER_S))
    return offsets


def within(offsets: list[int], duration_s: float) -> list[int]:
    """Those wanted before `duration_s` seconds have passed; `offsets` never decrease."""
    limit_ns = duration_s * NS_PER_S
    return [offset for offset in offsets if offset < limit_ns]


def poisson_for(rate_rps: float, duration_s: float, rng: random.Random) -> list[int]:
    """The Poisson process of `poisson`, drawn until `duration_s` seconds are full."""
    _positive(rate_rps)
    offsets = []
    t_s = rng.expovariate(rate_rps)
    while t_s < duration_s:
        offsets.append(round(t_s * NS_PER_S))
        t_s += rng.expovariate(rate_rps)
    return offsets


def _positive(rate_rps: float) -> None:
    if not 0 < rate_rps < float("inf"):
        raise ValueError(f"rate_rps must be > 0 and finite, got {rate_rps}")


def _count(n: int) -> int:
    if n < 0:
        raise ValueError(f"n must be >= 0, got {n}")
    return n
