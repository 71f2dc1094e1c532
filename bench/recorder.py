"""What happens to a request after it has ended: decoded, counted and written, in a thread of its own."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from bench.backends.reply import Capture, assemble
from bench.clock import NS_PER_S, now_ns
from bench.load import Load, Planned, answered, intended_offsets
from bench.log import LogWriter
from bench.records import Request

_PROGRESS_NS = NS_PER_S // 2


class Recorder:
    """Decodes, writes and counts what has ended.

    `tell` gets progress about twice a second while requests end; `abort` the reason to stop early, possibly
    several times. Both are called in the recorder's thread.
    """

    def __init__(
        self,
        load: Load,
        *,
        secrets: Sequence[str],
        log: LogWriter,
        tell: Callable[[dict[str, Any]], None],
        abort: Callable[[str], None],
    ) -> None:
        self._load = load
        self._secrets = secrets
        self._log = log
        self._tell = tell
        self._abort = abort
        offsets = intended_offsets(load)
        self._n_intended = None if offsets is None else len(offsets)
        self.log_error: str | None = None
        self._came_to_its_end = False
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="recorder")
        self._recent: deque[bool] = deque(maxlen=load.abort_after)
        self._n_begun = self._n_finished = self._n_ok = 0
        self._told_ns = self._started_ns = now_ns()

    def start(self, started_ns: int) -> None:
        """Begin to work; offsets of the schedule count from `started_ns`."""
        self._started_ns = self._told_ns = started_ns
        self._inbox.put(lambda: self._log.started(started_ns))
        self._thread.start()

    def begun(self, planned: Planned) -> None:
        """A request is about to be sent."""
        self._inbox.put(lambda: self._take_begun(planned))

    def ended(self, planned: Planned, capture: Capture) -> None:
        """A request has ended, one way or the other."""
        self._inbox.put(lambda: self._take_ended(planned, capture))

    def finish(self) -> None:
        """Write what is left and end the thread.

        Raises:
            RuntimeError: it broke on the way; its traceback is on standard error, and rows are missing.
        """
        self._inbox.put(None)
        self._thread.join()
        if not self._came_to_its_end:
            raise RuntimeError("the recorder broke")

    def _run(self) -> None:
        try:
            while (work := self._inbox.get()) is not None:
                self._do(work)
            self._came_to_its_end = True
        finally:
            if not self._came_to_its_end:
                self._abort("the recorder broke")

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
            self._tell_progress()
        except OSError as error:
            self.log_error = self.log_error or (error.strerror or str(error))
            self._abort(f"the load's log cannot be written: {self.log_error}")

    def _take_begun(self, planned: Planned) -> None:
        self._n_begun += 1
        self._log.begun(planned.request_id, planned.intended_ns)

    def _take_ended(self, planned: Planned, capture: Capture) -> None:
        request = answered(self._load, planned, assemble(capture, self._secrets))
        self._log.ended(request)
        if request.outcome != "aborted":
            self._count(request)

    def _count(self, request: Request) -> None:
        self._n_finished += 1
        self._n_ok += request.outcome == "ok"
        self._recent.append(request.outcome == "ok")
        limit = self._load.abort_error_rate
        if limit is None or self._n_finished < self._load.abort_after:
            return
        n_failed = self._n_finished - self._n_ok
        why = f"last: {request.outcome}: {request.error}"
        if n_failed / self._n_finished > limit:
            self._abort(f"{n_failed} of {self._n_finished} requests failed, limit {limit:g}; {why}")
        elif not any(self._recent):
            # A server that died late would otherwise be called until the share of all is reached.
            self._abort(f"the last {len(self._recent)} requests all failed; {why}")

    def _tell_progress(self) -> None:
        now = now_ns()
        if now - self._told_ns < _PROGRESS_NS:
            return
        self._told_ns = now
        progress = {
            "n_intended": self._n_intended,
            "n_begun": self._n_begun,
            "n_finished": self._n_finished,
            "n_ok": self._n_ok,
            "elapsed_s": (now - self._started_ns) / NS_PER_S,
        }
        self._tell({"progress": progress})
