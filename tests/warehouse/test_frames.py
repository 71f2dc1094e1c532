"""Frames keep what is unknown apart from what is zero, empty or not a number."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from warehouse.frames import frame
from warehouse.store import QueryError, Warehouse


def test_unknown_stays_unknown_in_every_type(
    tmp_path: Path, memory: Warehouse, land_all: Callable[..., None]
) -> None:
    gpu = {"stage": "load_test", "source": "nvml", "device_index": 0}
    given: dict[str, list[dict[str, Any]]] = {
        "runs": [{}],
        "cells": [{"cell_id": "c1", "cell_index": 1}, {"cell_id": "c2", "cell_index": 2}],
        "gpu_samples": [
            {"cell_id": "c1", "t_ns": 0, **gpu, "memory_used_mib": 0.0},
            {"cell_id": "c2", "t_ns": 0, **gpu, "memory_used_mib": None},
        ],
    }
    land_all(tmp_path, given)
    memory.ingest(tmp_path)
    found = frame(memory, "leaderboard", run_id="R1")
    assert list(found["cell_id"]) == ["c1", "c2"]
    assert found.dtypes.astype(str)[["quality", "n_answers", "simulated", "reason"]].to_dict() == {
        "quality": "Float64",
        "n_answers": "Int64",
        "simulated": "boolean",
        "reason": "string",
    }
    assert found["vram_peak_mib"][0] == 0.0
    assert found["vram_peak_mib"][1] is pd.NA
    assert found["quality"].isna().all()
    assert str(found["started_at"].dtype) == "datetime64[us, UTC]"
    run = frame(memory, "run", run_id="R1")
    assert run["ended_at"][0] is pd.NaT
    assert list(run["tags"]) == [None]


def test_no_rows_are_a_frame_with_columns(empty: Warehouse) -> None:
    found = frame(empty, "leaderboard")
    assert len(found) == 0
    assert "quality" in found.columns
    assert str(found["quality"].dtype) == "Float64"
    with pytest.raises(QueryError):
        frame(empty, "nothing")
