"""Rows for the warehouse's tests: given in part, completed from the schema, landed and ingested for real."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from warehouse.catalog import Column, schema_database, tables
from warehouse.landing import land_run, land_stage
from warehouse.store import Warehouse, open_warehouse

BY_KIND: dict[str, Any] = {
    "VARCHAR": "x",
    "INTEGER": 1,
    "BIGINT": 0,
    "DOUBLE": 1.0,
    "BOOLEAN": False,
    "JSON": "{}",
    "DATE": date(2026, 1, 1),
    "TIMESTAMP WITH TIME ZONE": datetime(2026, 1, 1, tzinfo=UTC),
    "VARCHAR[]": [],
}
BY_COLUMN: dict[str, Any] = {
    "phase": "load_test",
    "outcome": "ok",
    "weight_correctness": 0.4,
    "weight_consistency": 0.2,
    "weight_code_quality": 0.2,
    "weight_clarity": 0.2,
}
BY_TABLE: dict[tuple[str, str], Any] = {
    ("cells", "outcome"): "completed",
    ("scores", "status"): "scored",
    ("runs", "status"): "completed",
}
PLACE = ("run_id", "simulated", "cell_id", "attempt")


@pytest.fixture(scope="session")
def schema() -> dict[str, list[Column]]:
    con = schema_database()
    try:
        return tables(con)
    finally:
        con.close()


@pytest.fixture(scope="session")
def make_row(schema: dict[str, list[Column]]) -> Callable[..., dict[str, Any]]:
    """A whole row of a table without the columns that the writer adds: given values, else plain ones, else None."""

    def make(table: str, **given: Any) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for column in schema[table]:
            if column.name in PLACE:
                continue
            plain = BY_COLUMN.get(column.name, BY_KIND[column.kind]) if column.required else None
            row[column.name] = given.pop(column.name, BY_TABLE.get((table, column.name), plain))
        assert not given, f"{table} has no {sorted(given)}"
        return row

    return make


@pytest.fixture
def land_all(
    make_row: Callable[..., dict[str, Any]],
) -> Callable[[Path, dict[str, list[dict[str, Any]]]], None]:
    """Land rows given in part, one landing per cell attempt and one per run.

    `times: n` makes n requests out of one, a second apart.
    """

    def land(root: Path, given: dict[str, list[dict[str, Any]]]) -> None:
        cells: dict[tuple[str, str, int], dict[str, list[dict[str, Any]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        runs: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
        simulated: dict[str, bool] = defaultdict(bool)
        for table, rows in given.items():
            for row in (single for many in rows for single in spread(many)):
                run_id = row.pop("run_id", "R1")
                simulated[run_id] |= row.pop("simulated", False)
                if table in ("runs", "prices", "environments"):
                    runs[run_id][table].append(make_row(table, **row))
                else:
                    key = (run_id, row.pop("cell_id", "c1"), row.pop("attempt", 1))
                    cells[key][table].append(make_row(table, **row))
        for run_id, run_tables in runs.items():
            land_run(root, run_id=run_id, simulated=simulated[run_id], part="all", tables=run_tables)
        for (run_id, cell_id, attempt), cell_tables in cells.items():
            place: dict[str, Any] = {"run_id": run_id, "cell_id": cell_id, "attempt": attempt, "stage": "all"}
            land_stage(root, **place, simulated=simulated[run_id], tables=cell_tables)

    return land


def spread(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    times = row.get("times")
    if times is None:
        yield dict(row)
        return
    stamps = [name for name, value in row.items() if name.endswith("_ns") and isinstance(value, int)]
    for i in range(times):
        one = {name: value for name, value in row.items() if name != "times"}
        yield (
            one | {name: row[name] + i * 10**9 for name in stamps} | {"request_id": f"{row['request_id']}{i}"}
        )


@pytest.fixture
def memory() -> Iterator[Warehouse]:
    with open_warehouse(None) as warehouse:
        yield warehouse


@pytest.fixture(scope="session")
def empty() -> Iterator[Warehouse]:
    """A warehouse that tests only ask, and never fill."""
    with open_warehouse(None) as warehouse:
        yield warehouse
