"""A real Prefect server for the whole session, and a fresh workspace for each test."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.prefect_server import free_port, own_server, server_environment
from flows.config import ROOT
from tests.pipeline.workspace import TINY, Workspace


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
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "home").mkdir()
    space = Workspace(tmp_path, prefect_api)
    space.edit("workloads.yaml", lambda c: c["workloads"].update(tiny=TINY))
    space.experiment(
        "tiny",
        matrix={"targets": ["simulator"], "models": ["sim-hasty", "sim-balanced"]},
        workloads=["tiny"],
    )
    return space
