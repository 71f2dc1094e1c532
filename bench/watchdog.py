"""Run one program and see to it that nothing of it outlives the process that asked for it.

Started by `bench.process` as `python -I -S watchdog.py LIFE STATUS GRACE_S ARGV...`; standard library only.
LIFE is the read end of a pipe that only the owner can write to: end of file means that the owner is gone,
however it went. STATUS is where we report `pid N`, `error TEXT` or `exit CODE`, one line each.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent dies, so that they can be found and ended."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def spawn(argv: list[str]) -> int:
    """Start `argv` as the leader of its own session.

    Raises:
        OSError: it cannot be executed; learnt through a pipe that a successful exec closes.
    """
    failure_read, failure_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            os.execvp(argv[0], argv)  # noqa: S606 - starting a program without a shell is the point
        except OSError as error:
            os.write(failure_write, str(error.errno).encode())
        os._exit(127)
    os.close(failure_write)
    with os.fdopen(failure_read, "rb") as failure:
        if errno := failure.read():
            os.waitpid(pid, 0)
            raise OSError(int(errno), os.strerror(int(errno)))
    return pid


def wait_for_end(pid: int, life: int) -> None:
    """Wait until the program ends or its owner does."""
    handle = os.pidfd_open(pid)
    ready = select.poll()
    ready.register(handle, select.POLLIN)
    ready.register(life, select.POLLIN)
    ready.poll()


def children() -> list[int]:
    """Direct children of this process, those inherited from a dead parent included."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as text:
            return [int(word) for word in text.read().split()]
    except OSError:
        return []


def signal_all(pids: set[int], number: int) -> None:
    """Signal each process and its group; those that are gone already are no error."""
    for pid in pids:
        for send in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(pid, number)


def reap(codes: dict[int, int]) -> bool:
    """Collect what has ended into `codes` (exit code by pid, negative for a signal).

    Returns:
        Whether a child is left.
    """
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, raw = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return True
            codes[pid] = os.waitstatus_to_exitcode(raw)
    return False


def report(status: int, line: str) -> None:
    """Tell the owner; if it is gone there is nobody to tell (Python ignores SIGPIPE by itself)."""
    with contextlib.suppress(OSError):
        os.write(status, f"{line}\n".encode())


def sweep(leader: int, status: int, grace_s: float) -> None:
    """End every process below us: politely first, by force after `grace_s` seconds.

    The leader's exit code is reported as soon as it is known, before its descendants have gone.
    """
    codes: dict[int, int] = {}
    asked: set[int] = set()
    force_at = time.monotonic() + grace_s
    left, told = True, False
    while left:
        # The leader's group too: it holds what the leader left behind without being our child yet.
        below = {*children(), leader} - codes.keys()
        if time.monotonic() > force_at:
            signal_all(below, signal.SIGKILL)
        signal_all(below - asked, signal.SIGTERM)
        asked |= below
        left = reap(codes)
        if leader in codes and not told:
            report(status, f"exit {codes[leader]}")
            told = True
        if left:
            time.sleep(0.01)


def main() -> None:
    """Spawn, wait, sweep, report."""
    life, status, grace_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    os.set_inheritable(life, False)
    os.set_inheritable(status, False)
    # A signal meant for a terminal's whole group must not end the one that cleans up.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    adopt_orphans()
    try:
        leader = spawn(sys.argv[4:])
    except OSError as error:
        report(status, f"error {error.strerror}")
        return
    report(status, f"pid {leader}")
    wait_for_end(leader, life)
    sweep(leader, status, grace_s)


if __name__ == "__main__":
    main()
