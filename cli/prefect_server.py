"""A Prefect server of our own: on loopback, at home in the data folder, gone when we are."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

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


def free_port() -> int:
    """A TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
