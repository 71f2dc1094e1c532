"""A data folder whose warehouse holds a simulated and a real run, for the commands that documents show."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.conftest import land_all, make_row, schema  # noqa: F401 fixtures, found by their names
from warehouse.store import open_warehouse

SIMULATED_RUN = "R20261120T023000Z-0001"
REAL_RUN = "R20261121T023000Z-0002"


def run_rows(run_id: str, day: int, *, simulated: bool) -> dict[str, list[dict[str, Any]]]:
    """One completed cell with 80 requests and one judged answer."""
    place = {"run_id": run_id, "simulated": simulated}
    ms = 1_000_000
    target = "simulator" if simulated else "my-server"
    began = datetime(2026, 11, day, 2, 30, tzinfo=UTC)
    stamps = {"intended_ns": 0, "sent_ns": 0, "first_token_ns": 20 * ms, "last_token_ns": 50 * ms}
    answer = {**place, "answer_id": "s.fib.en.0"}
    judged = ("correctness", "consistency", "code_quality", "clarity")
    return {
        "runs": [
            {
                **place,
                "experiment_id": "EXP-20261120-01",
                "experiment_name": "nightly",
                "n_cells": 1,
                "goals": "[]",
                "started_at": began,
                "ended_at": began,
            }
        ],
        "cells": [{**place, "model": "m", "target": target, "target_kind": "openai", "started_at": began}],
        "stages": [
            {**place, "stage": "load_model", "outcome": "ok", "duration_ms": 9.0, "vram_after_mib": 1.0}
        ],
        "requests": [
            {**place, "request_id": "q", "times": 80, "tokens_out": 4, "closed_ns": 51 * ms, **stamps}
        ],
        "gpu_samples": [{**place, "stage": "load_test", "source": "nvml", "memory_used_mib": 900.0}],
        "answers": [{**answer, "suite": "s", "case_id": "fib", "case_kind": "completion", "language": "en"}],
        "checks": [{**answer, "check_id": "first", "status": "wrong", "passed": False, "evidence": "got 1"}],
        "scores": [{**answer, "judgement": name, "score": 0.75} for name in judged],
    }


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the data folder is made once; each test gets a copy of it."""
    return tmp_path_factory.mktemp("documents") / "data"


@pytest.fixture
def data_folder(tmp_path: Path, template: Path, land_all: Callable[..., None]) -> Path:  # noqa: F811 a fixture
    """A data folder with both runs landed and ingested."""
    if not template.exists():
        for run_id, day, simulated in ((SIMULATED_RUN, 20, True), (REAL_RUN, 21, False)):
            land_all(template / "landing", run_rows(run_id, day, simulated=simulated))
        with open_warehouse(template / "warehouse.duckdb") as store:
            assert store.ingest(template / "landing").skipped == []
    return shutil.copytree(template, tmp_path / "data")
