"""Ids of experiments and runs: drawn once, never shared, never a path."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.identity import check_run_id, experiment_id, new_run_id
from flows.yaml_lines import ConfigError

NOW = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)


def test_given_id_is_kept_and_nothing_is_written(tmp_path: Path) -> None:
    assert experiment_id("EXP-20250101-07", "x", tmp_path / "ids", NOW) == "EXP-20250101-07"
    assert not (tmp_path / "ids").exists()


def test_an_experiment_keeps_its_drawn_id_over_its_runs(tmp_path: Path) -> None:
    first = experiment_id(None, "nightly", tmp_path, NOW)
    assert first == "EXP-20261121-01"
    assert experiment_id(None, "other", tmp_path, NOW) == "EXP-20261121-02"
    assert experiment_id(None, "nightly", tmp_path, NOW.replace(day=22)) == first


def test_experiments_drawn_at_once_never_share_a_number(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda i: experiment_id(None, f"e{i}", tmp_path, NOW), range(24)))
    assert sorted(drawn) == [f"EXP-20261121-{n:02d}" for n in range(1, 25)]


def test_run_id_has_the_shape_that_is_checked() -> None:
    assert check_run_id(new_run_id(NOW)).startswith("R20261121T023000Z-")


@pytest.mark.parametrize(
    "bad", ["", "../../etc", "R20261121T023000Z-9f3a/..", "R20261121T023000Z-9f3a\n", "run"]
)
def test_what_is_no_run_id_never_becomes_a_path(bad: str) -> None:
    with pytest.raises(ConfigError, match="not a run id"):
        check_run_id(bad)
