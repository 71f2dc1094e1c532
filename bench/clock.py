"""The one clock: monotonic nanoseconds of this host, and its tie to UTC."""

import time
from collections.abc import Callable

Now = Callable[[], int]
"""A clock: returns nanoseconds on an axis that never steps back. Passed in, so that a test can advance it."""

now_ns: Now = time.monotonic_ns
"""CLOCK_MONOTONIC: one axis for every process of this host since its boot, so workers' stamps compare."""

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


def wall_anchor() -> tuple[int, int]:
    """Tie the monotonic axis to UTC.

    Returns:
        (monotonic_ns, unix_ns) of the same moment. Of several readings the one with the narrowest bracket
        is kept, so a preemption between the two clocks does not become an offset of all stamps.
    """
    readings = []
    for _ in range(5):
        before = time.monotonic_ns()
        unix = time.time_ns()
        after = time.monotonic_ns()
        readings.append((after - before, (before + after) // 2, unix))
    _, monotonic, unix = min(readings)
    return monotonic, unix
