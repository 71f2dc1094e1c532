"""One measuring run at a time on one Prefect server: its runs usually share a GPU."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from prefect.concurrency.sync import concurrency

GPU_LIMIT = "bakeoff-gpu"
"""The concurrency limit that keeps two runs apart."""

LEASE_S = 60.0
"""The shortest that Prefect grants: a living run renews it, a killed one gives its slot back after it."""

_AT_ONCE_S = 2.0


@contextmanager
def gpu_slot(on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the slot of the limit; if another run has it, say so once through `on_wait` and wait."""
    with ExitStack() as held:
        try:
            at_once = concurrency(GPU_LIMIT, occupy=1, lease_duration=LEASE_S, timeout_seconds=_AT_ONCE_S)
            held.enter_context(at_once)
        except TimeoutError:
            on_wait(f"waiting for the Prefect limit {GPU_LIMIT}; a killed run gives it back after a minute")
            held.enter_context(concurrency(GPU_LIMIT, occupy=1, lease_duration=LEASE_S))
        yield
