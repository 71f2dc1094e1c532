"""An event loop that wakes microseconds after a deadline; epoll alone rounds up to a millisecond."""

import asyncio
import select
import selectors


def precise_loop() -> asyncio.AbstractEventLoop:
    """A new event loop; the ordinary one on systems without epoll."""
    if not hasattr(selectors, "EpollSelector"):
        return asyncio.new_event_loop()

    class PreciseSelector(selectors.EpollSelector):
        """Waits with select(2), which takes microseconds, on the one descriptor of the epoll set."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is not None and timeout > 0:
                select.select([self.fileno()], [], [], timeout)
                timeout = 0
            return super().select(timeout)

    return asyncio.SelectorEventLoop(PreciseSelector())
