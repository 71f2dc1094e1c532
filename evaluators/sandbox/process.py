"""A running sandbox as a process: started behind the walls, ended with all it started, its end explained."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from evaluators.sandbox import cgroup, policy

GUEST = (Path(__file__).parent / "guest.py").read_text(encoding="utf-8")


class SandboxFault(Exception):
    """The sandbox itself failed before it ran any of the answer's code: nothing is known of the answer."""


class SessionDied(Exception):
    """The answer's program is gone; `status` is a value of `Check.status`, the text says what happened."""

    def __init__(self, status: str, evidence: str) -> None:
        super().__init__(evidence)
        self.status = status


@dataclass(kw_only=True)
class SandboxProcess:
    """Pipes and handles of one sandbox; `requests` and `printed` are the program's standard streams."""

    child: subprocess.Popen[bytes]
    requests: IO[bytes]
    printed: IO[bytes]
    replies: int
    limits: policy.Limits
    group: cgroup.Group | None
    init_pidfd: int | None = None
    buffer: bytearray = field(default_factory=bytearray)
    output: bytearray = field(default_factory=bytearray)
    n_output: int = 0
    started_s: float = field(default_factory=time.monotonic)


@contextlib.contextmanager
def running(
    launcher: policy.Launcher, limits: policy.Limits, group: cgroup.Group | None
) -> Iterator[SandboxProcess]:
    """Start the guest in a fresh sandbox; all of its processes are gone afterwards.

    It dies with the thread that started it, so a session stays within one thread.

    Raises:
        SandboxFault: the launcher's programs could not be started.
    """
    info_read, info_write = os.pipe()
    replies_read, replies_write = os.pipe()
    program = ["-c", GUEST, str(replies_write), *limits.for_guest()]
    groups = group.folders if group else ()
    try:
        child = subprocess.Popen(
            policy.command(launcher, limits, program, info_fd=info_write, groups=groups),
            bufsize=0,
            env={},  # and not --clearenv alone: /proc/1/environ in the sandbox is bubblewrap's own
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(info_write, replies_write),
        )
    except OSError as error:
        os.close(info_read)
        os.close(replies_read)
        raise SandboxFault(f"the sandbox did not start: {error}") from error
    finally:
        os.close(info_write)
        os.close(replies_write)
    assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018 both are pipes
    process = SandboxProcess(
        child=child,
        requests=child.stdin,
        printed=child.stdout,
        replies=replies_read,
        limits=limits,
        group=group,
    )
    try:
        process.init_pidfd = _first_process(info_read)
        os.set_blocking(process.requests.fileno(), False)
        yield process
    finally:
        _end(process)
        os.close(info_read)
        os.close(replies_read)
        process.requests.close()
        process.printed.close()


def _first_process(info_fd: int) -> int | None:
    """A handle on the sandbox' first process; None if the sandbox did not come up."""
    report = bytearray()
    while chunk := os.read(info_fd, 4096):
        report += chunk
        if report.rstrip().endswith(b"}"):
            break
    try:
        return os.pidfd_open(int(json.loads(report)["child-pid"]))
    except (ValueError, KeyError, OSError):
        return None


def _end(process: SandboxProcess) -> None:
    """Kill the sandbox' first process and wait for it: it is gone only when its whole namespace is."""
    if process.init_pidfd is not None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process.init_pidfd, signal.SIGKILL)
        select.select([process.init_pidfd], [], [])
        os.close(process.init_pidfd)
        process.init_pidfd = None
    elif process.child.returncode is None:
        process.child.kill()
    process.child.wait()


def explain_death(process: SandboxProcess) -> SessionDied:
    """Why a program that closed its channel is gone. Whatever its exit status, it is a failure."""
    ran_s = time.monotonic() - process.started_s
    status = _exit_status(process.child, patience_s=1.0)
    limits = process.limits
    if out_of_memory(process):
        return SessionDied("oom", f"used more than {limits.memory_mib} MiB of memory")
    # SIGXCPU comes at the soft limit; who ignores it gets SIGKILL a second of CPU time later.
    killed = status == 128 + signal.SIGKILL and ran_s >= limits.cpu_s
    if status == 128 + signal.SIGXCPU or killed:
        return SessionDied("cpu_timeout", f"used more than {limits.cpu_s} s of CPU time")
    what = "closed its reply channel" if status is None else f"ended with exit status {status}"
    return SessionDied("killed", f"the program {what} before it gave a result")


def out_of_memory(process: SandboxProcess) -> bool:
    """Whether the kernel has killed a process of this sandbox for memory."""
    return process.group is not None and process.group.oom_kills() > 0


def _exit_status(child: subprocess.Popen[bytes], patience_s: float) -> int | None:
    """Exit status of the sandbox once it ended; None if it still lives after that time."""
    pidfd = os.pidfd_open(child.pid)
    try:
        if not select.select([pidfd], [], [], patience_s)[0]:
            return None
    finally:
        os.close(pidfd)
    return child.wait()


def guest_cpu_ms(process: SandboxProcess) -> float | None:
    """CPU time of the program's first process so far, in milliseconds; None if it cannot be read."""
    pid = _guest_pid(process)
    if pid is None:
        return None
    try:
        # The CPU clock of another process, numbered as clock_getcpuclockid(3) does: Python has no name for it
        return time.clock_gettime((~pid << 3) | 2) * 1000.0
    except OSError:
        return None


def _guest_pid(process: SandboxProcess) -> int | None:
    """The host's number of the guest: the only child of the sandbox' first process; None if unknown."""
    if process.init_pidfd is None:
        return None
    try:
        fields = Path(f"/proc/self/fdinfo/{process.init_pidfd}").read_text().split()
        init = int(fields[fields.index("Pid:") + 1])
        children = Path(f"/proc/{init}/task/{init}/children").read_text().split()
    except (OSError, ValueError):
        return None
    return int(children[0]) if children else None
