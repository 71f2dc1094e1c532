"""A cell whose opening cannot be landed leaves no sampler behind."""

import threading
from pathlib import Path

import pytest

from bench.backends import open_backend
from evaluators.sandbox import Sandbox
from flows.setup import Request, cell_work, prepare
from tasks.progress import ProgressLog
from tasks.session import CellSession
from warehouse.landing import LandingError


def test_a_refused_opening_stops_the_sampler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path))
    run = prepare(Request())
    run.landing_root.write_text("a file where the landings should be")
    cell = run.todo[0]
    before = set(threading.enumerate())
    with ProgressLog(tmp_path / "progress.jsonl") as progress:
        session = CellSession(
            cell_work(run, cell), open_backend(run.targets[cell.target]), progress, Sandbox()
        )
        with pytest.raises(LandingError), session:
            pytest.fail("entered")
    assert set(threading.enumerate()) <= before
