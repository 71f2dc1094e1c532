"""A Prefect server of our own: on loopback, at home in the data folder, gone when we are."""

import fcntl
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError
from bench.process import OwnedProcess

_QUIET = {
    # Nothing may call home from a measuring host, and first starts take longer than the default 20 s.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_CLI_PROMPT": "false",
}

_UNUSED_IN_A_RUN = (
    "SCHEDULER",
    "LATE_RUNS",
    "FOREMAN",
    "PAUSE_EXPIRATIONS",
    "CANCELLATION_CLEANUP",
    "REPOSSESSOR",
    "CLEANUP_RECONCILER",
    "TRIGGERS",
    "DB_VACUUM",
)
"""Loops of the server that a single run has no use for; they would take time from what is measured."""


_CLAIM = "serve.lock"
"""File in the data folder that a running `bakeoff serve` holds locked; its text is the API URL."""


def free_port() -> int:
    """A TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_port(port: int) -> None:
    """Make sure that a server can listen on a loopback port.

    Raises:
        BenchError: it is in use or not ours to take.
    """
    with socket.socket() as probe:
        # As the server itself does: connections of a server that has just ended must not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            why = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
            raise BenchError(
                f"port {port}: {why}; choose another, or leave --port out for a free one"
            ) from None


@contextmanager
def claimed(data: Path, api_url: str) -> Iterator[None]:
    """Be the one `bakeoff serve` of a data folder; the kernel gives the claim back however we end.

    Raises:
        BenchError: another one is; two servers on one Prefect database would run every schedule twice.
    """
    data.mkdir(parents=True, exist_ok=True)
    with (data / _CLAIM).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise BenchError(f"{data} is served already: {file.read() or 'by one that starts now'}") from None
        file.truncate(0)
        file.write(api_url)
        file.flush()
        yield


def serving_at(data: Path) -> str | None:
    """API URL of the `bakeoff serve` that works on this data folder now, None if there is none."""
    try:
        with (data / _CLAIM).open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read() or None
    except FileNotFoundError:
        pass
    return None


def server_environment(data: Path, port: int, *, whole: bool) -> dict[str, str]:
    """The environment in which the server, and everything that talks to it, runs.

    Args:
        data: the data folder; Prefect's database lies in `prefect/` below it.
        port: where the API listens. It is set as a setting, not as an option of `prefect server start`:
            the UI takes its address from the setting alone.
        whole: with scheduler, late-run marking and all; False for the server of a single run.
    """
    loops = {} if whole else {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _UNUSED_IN_A_RUN}
    return {
        **os.environ,
        **_QUIET,
        **loops,
        "PREFECT_HOME": str(data / "prefect"),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "BAKEOFF_DATA": str(data),
    }


def own_server(python: str, env: Mapping[str, str], log_path: Path) -> OwnedProcess:
    """The server as a process that ends with us; start it by entering it."""
    return OwnedProcess([python, "-m", "prefect", "server", "start"], env=env, log_path=log_path)
