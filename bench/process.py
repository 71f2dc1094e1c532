"""Own a child process that cannot outlive us, not even if we are killed with SIGKILL."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import psutil

from bench.errors import BenchError

_WATCHDOG = Path(__file__).with_name("watchdog.py")
_ORPHAN_GRACE_S = 2.0
_START_TIMEOUT_S = 20.0
_TAIL_BYTES = 65_536

_PASSED_ON = {
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "OMP_NUM_THREADS",
}  # fmt: skip
_PASSED_ON_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "HF_", "TRANSFORMERS_", "TORCH_", "VLLM_")


def child_environment(
    extra: Mapping[str, str] | None = None, *, own: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment a managed server gets: what programs and GPU libraries need, nothing else.

    An allow-list, because our own environment holds keys (Langfuse, other servers) that a server, which may
    run code from a model repository, has no business to see.

    Args:
        extra: variables to add or replace, as the target's configuration asks for.
        own: our environment; the process's own if None.
    """
    source = os.environ if own is None else own
    kept = {k: v for k, v in source.items() if k in _PASSED_ON or k.startswith(_PASSED_ON_PREFIXES)}
    return {**kept, **(extra or {})}


class OwnedProcess:
    """A program that runs as long as we want it and no longer than we live.

    It is the leader of its own session under a small watchdog, which ends it, with all its descendants, when
    the pipe that only we hold closes: on `stop`, on our exit, and on our death by any signal. Standard input
    is empty; standard output and error go to `log_path`, appended.
    """

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], log_path: Path, cwd: Path | None = None
    ) -> None:
        self._argv = list(argv)
        self._env = dict(env)
        self._log_path = log_path
        self._log_start = 0
        self._cwd = cwd
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._life: int | None = None
        self._status: IO[bytes] | None = None
        self._pid: int | None = None
        self._handle: int | None = None
        self._code: int | None = None
        # The sampler asks for process ids from its own thread while a stage starts or stops the server.
        self._lock = threading.Lock()

    def __enter__(self) -> "OwnedProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the program itself, which is also its process group.

        Raises:
            BenchError: it was never started.
        """
        if self._pid is None:
            raise BenchError(f"{self._argv[0]} was not started")
        return self._pid

    def start(self) -> None:
        """Spawn the program; does nothing if it runs.

        Raises:
            BenchError: the program cannot be executed (not found, not permitted).
        """
        if self.running:
            return
        self._release()
        self._pid = self._code = None
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        life_read, self._life = os.pipe()
        status_read, status_write = os.pipe()
        self._status = os.fdopen(status_read, "rb", buffering=0)
        command = [sys.executable, "-I", "-S", str(_WATCHDOG), str(life_read), str(status_write)]
        try:
            with self._log_path.open("ab") as log:
                self._log_start = log.tell()
                self._watchdog = subprocess.Popen(
                    [*command, str(_ORPHAN_GRACE_S), *self._argv],
                    env=self._env, cwd=self._cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    pass_fds=(life_read, status_write), start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            self._release()
            raise BenchError(f"cannot start {self._argv[0]}: {error.strerror}") from error
        finally:
            os.close(life_read)
            os.close(status_write)
        self._read_start()

    def _read_start(self) -> None:
        """Take the program's id from the watchdog, then make sure that it was really executed."""
        report = self._status_line(_START_TIMEOUT_S)
        if report.startswith("pid "):
            self._pid = int(report.removeprefix("pid "))
            with suppress(ProcessLookupError):
                self._handle = os.pidfd_open(self._pid)
            return
        self.stop()
        raise BenchError(f"cannot start {self._argv[0]}: {report.removeprefix('error ') or 'no answer'}")

    def _status_line(self, timeout_s: float) -> str:
        if self._status is None or not select.select([self._status], [], [], timeout_s)[0]:
            return ""
        return self._status.readline().decode("ascii", "replace").strip()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._watchdog is not None and self.poll() is None

    def poll(self) -> int | None:
        """Exit status, None while it runs or was never started; negative is the signal that ended it."""
        with self._lock:
            if self._code is None and self._ended():
                self._code = self._exit_code()
            return self._code

    def _exit_code(self) -> int:
        """What the watchdog reports; it does so at once, whatever else it still has to end."""
        line = self._status_line(_START_TIMEOUT_S)
        if line.startswith("exit "):
            return int(line.removeprefix("exit "))
        # Somebody killed the watchdog itself; what it guarded must not stay behind.
        self._signal(signal.SIGKILL)
        return -signal.SIGKILL

    def _ended(self) -> bool:
        """Whether the program, or the watchdog that would tell of its end, has ended."""
        if self._watchdog is None:
            return False
        # No handle: it was gone before we could take one.
        gone = self._handle is None or bool(select.select([self._handle], [], [], 0)[0])
        return gone or self._watchdog.poll() is not None

    def _signal(self, number: int) -> None:
        if self._pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, number)

    def stop(self, grace_s: float = 5.0) -> None:
        """End the program and all it started: SIGTERM, after `grace_s` seconds SIGKILL. Idempotent."""
        if self._watchdog is None:
            return
        if self.poll() is None:
            self._signal(signal.SIGTERM)
            if not self._wait(grace_s):
                self._signal(signal.SIGKILL)
            # Closing the life line makes the watchdog sweep what left the group.
            self._close_life()
            if not self._wait(_ORPHAN_GRACE_S + 5.0):
                self._watchdog.kill()
                self._watchdog.wait()
            self.poll()
        self._release()

    def _wait(self, timeout_s: float) -> bool:
        if self._watchdog is None:
            return True
        try:
            self._watchdog.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _close_life(self) -> None:
        if self._life is not None:
            os.close(self._life)
            self._life = None

    def _release(self) -> None:
        """Close our ends of the pipes and let the watchdog go; the exit status stays known."""
        self._close_life()
        with self._lock:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None
            if self._status is not None:
                self._status.close()
                self._status = None
            if self._watchdog is not None:
                self._watchdog.wait()
                self._watchdog = None

    def _output(self) -> bytes:
        """What this start of the program wrote, at most the last 64 KiB."""
        with suppress(FileNotFoundError), self._log_path.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - _TAIL_BYTES))
            return log.read()
        return b""

    def tail(self, n: int = 20) -> list[str]:
        """The last `n` lines the program wrote, oldest first; empty if it wrote none."""
        return self._output().decode("utf-8", "replace").splitlines()[-n:]

    def first_line(self, timeout_s: float, *, prefix: str = "") -> str:
        """The first complete line of output that begins with `prefix`, without its line end.

        Raises:
            BenchError: the program ended, or `timeout_s` seconds passed, before it wrote one; the message
                carries its last line.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            code = self.poll()
            *complete, _ = self._output().decode("utf-8", "replace").split("\n")
            for line in complete:
                if line.startswith(prefix):
                    return line.rstrip("\r")
            if code is not None or time.monotonic() > deadline:
                state = f"ended with status {code}" if code is not None else f"was silent for {timeout_s:g} s"
                raise BenchError(f"{self._argv[0]} {state}; last output: {self.last_line() or 'none'}")
            time.sleep(0.01)

    def last_line(self) -> str | None:
        """The last line of output that is not blank, shortened to 200 characters; None if there is none."""
        lines = [line.strip() for line in self.tail() if line.strip()]
        return lines[-1][:200] if lines else None


def tree_of(process: OwnedProcess | None) -> list[int]:
    """Ids of a running program and of all it started, its own first; empty if it does not run."""
    if process is None or not process.running:
        return []
    try:
        below = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [process.pid, *(child.pid for child in below)]
