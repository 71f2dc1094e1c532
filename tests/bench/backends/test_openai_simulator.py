"""The simulator behind kind `openai` would pass for a real server: it is refused, in one line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.backends import open_backend
from bench.backends.base import Target
from bench.errors import BackendError


@pytest.fixture
def simulator_url(tmp_path: Path) -> Iterator[str]:
    backend = open_backend(Target(name="sim", kind="simulator", life="managed"))
    backend.start(log_dir=tmp_path)
    try:
        yield backend.endpoint().base_url
    finally:
        backend.stop()


def test_simulator_is_refused_as_a_real_server(simulator_url: str) -> None:
    backend = open_backend(Target(name="mine", kind="openai", life="attached", base_url=simulator_url))
    with pytest.raises(BackendError, match="is Bakeoff's simulator: give target 'mine' the kind 'simulator'"):
        backend.load_model("sim-hasty", {})
