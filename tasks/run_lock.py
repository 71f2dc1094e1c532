"""One measuring run at a time on one data folder: two would measure each other."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class RunIsAlive(Exception):
    """Another process works on the very run that was asked for; the message is one line."""


@contextmanager
def run_lock(path: Path, run_id: str, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock file at `path` for `run_id`; if another run holds it, say so through `on_wait` and wait.

    The kernel lets the lock go when its holder ends, however it ends. The file's text is the holder's
    process id and run id, and nothing when a holder has left in good order.

    Raises:
        RunIsAlive: the holder works on the same run.
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            held = file.read()
            _refuse_same(held, run_id)
            on_wait(f"waiting for another run to end (process {held.split(' ')[0] or 'unknown'})")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"{os.getpid()} {run_id}")
        file.flush()
        yield
        file.truncate(0)


def refuse_living(path: Path, run_id: str) -> None:
    """Make sure that no process holds the lock for `run_id`; waits for nothing and writes nothing.

    Raises:
        RunIsAlive: one does.
    """
    try:
        file = path.open()
    except OSError:
        return  # No lock was ever taken here.
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            _refuse_same(file.read(), run_id)


def _refuse_same(held: str, run_id: str) -> None:
    pid, _, holds = held.partition(" ")
    if holds == run_id:
        raise RunIsAlive(f"run {run_id} is still running (process {pid})")
