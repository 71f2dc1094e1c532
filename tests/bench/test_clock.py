import time

from bench.clock import wall_anchor


def test_the_anchor_ties_both_axes_to_one_moment() -> None:
    offset_before = time.time_ns() - time.monotonic_ns()
    monotonic_ns, unix_ns = wall_anchor()
    offset_after = time.time_ns() - time.monotonic_ns()
    low, high = sorted((offset_before, offset_after))
    assert low - 5_000_000 <= unix_ns - monotonic_ns <= high + 5_000_000
    assert monotonic_ns <= time.monotonic_ns()
