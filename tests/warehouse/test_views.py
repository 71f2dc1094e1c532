"""Views and queries against rows worked out by hand; the rows are data in tests/cases/warehouse."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from warehouse.store import Warehouse

CASES = sorted((Path(__file__).parents[1] / "cases" / "warehouse").glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_given_rows_make_the_expected_ones(
    path: Path, tmp_path: Path, memory: Warehouse, land_all: Callable[..., None]
) -> None:
    case = yaml.safe_load(path.read_text("utf-8"))
    land_all(tmp_path, case["given"])
    report = memory.ingest(tmp_path)
    assert report.skipped == []
    for expected in case["expect"]:
        found = ask(memory, expected)
        wanted = expected["rows"]
        columns = list(wanted[0]) if wanted else []
        shown = [{name: row[name] for name in columns} for row in found]
        assert len(found) == len(wanted), (expected, shown)
        for got, want in zip(shown, wanted, strict=True):
            assert got == {k: near(v) for k, v in want.items()}, expected.get("why")


def ask(memory: Warehouse, expected: dict[str, Any]) -> list[dict[str, Any]]:
    if "sql" in expected:
        columns, rows = memory.sql(expected["sql"])
        return [dict(zip(columns, row, strict=True)) for row in rows]
    return memory.rows(expected["query"], **expected.get("params", {}))


def near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def test_there_are_cases() -> None:
    assert len(CASES) >= 8
