"""What the tests of the whole pipeline share: one Prefect server for the session, a workspace for each test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.prefect_server import free_port, own_server, server_environment
from tests.pipeline.workspace import Workspace, new_workspace


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API URL of a Prefect server of the session's own."""
    home = tmp_path_factory.mktemp("prefect")
    env = server_environment(home, free_port(), whole=True)
    with own_server(sys.executable, env, home / "server.log"):
        yield env["PREFECT_API_URL"]


@pytest.fixture
def workspace(tmp_path: Path, prefect_api: str) -> Workspace:
    """A fresh workspace with the workload `tiny`, on the session's Prefect server."""
    return new_workspace(tmp_path, prefect_api)
