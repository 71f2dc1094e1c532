"""What a run's log in Prefect's UI holds: one line for each thing that happened, for people."""

import logging

from prefect import get_run_logger
from prefect.exceptions import FailedRun

_LOGGERS = ("prefect.task_runs", "prefect.flow_runs", "prefect.engine")


class _SaidAlready(logging.Filter):
    """Leaves out what Prefect adds to a line of ours.

    That is the state in which a task or flow has finished, whose message is the line we logged; and the
    traceback of `FailedRun`, by which Prefect tells its own engine that a flow returned a Failed state.
    Tracebacks of real exceptions are kept.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record says something new."""
        if record.exc_info and isinstance(record.exc_info[1], FailedRun):
            return False
        return not str(record.msg).startswith("Finished in state ")


_FILTER = _SaidAlready()


def say_once() -> None:
    """Leave Prefect's repetitions out of this process's logs; may be called again."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)


def say(line: str, *, ok: bool = True) -> None:
    """Log one line of the flow or task that runs now: as information, or as an error."""
    get_run_logger().log(logging.INFO if ok else logging.ERROR, line)
