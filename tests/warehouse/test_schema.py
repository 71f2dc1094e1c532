"""The SQL files themselves: commented, headed, runnable, and in step with the records."""

import dataclasses
import re
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

import bench.records
import evaluators.records
import tasks.records
from reports.data import COLUMNS
from warehouse import catalog
from warehouse.store import Warehouse

FILES = sorted(catalog.SQL_ROOT.rglob("*.sql"))

TABLE_OF = {
    "Request": "requests",
    "Answer": "answers",
    "GpuSample": "gpu_samples",
    "HostSample": "host_samples",
    "ServerSample": "server_samples",
    "Environment": "environments",
    "Check": "checks",
    "Score": "scores",
    "RunRow": "runs",
    "CellRow": "cells",
    "StageRow": "stages",
    "TargetRow": "targets",
    "ModelRow": "models",
    "WorkloadRow": "workloads",
    "SuiteRow": "suites",
    "PriceRow": "prices",
    "TraceExportRow": "trace_exports",
}
ADDED = {"run_id", "simulated", "cell_id", "attempt"}


def records(module: ModuleType) -> list[type]:
    found = [value for value in vars(module).values() if dataclasses.is_dataclass(value)]
    return [value for value in found if isinstance(value, type) and value.__module__ == module.__name__]


def test_every_record_is_a_table(schema: dict[str, list[catalog.Column]]) -> None:
    found = [r for module in (bench.records, evaluators.records, tasks.records) for r in records(module)]
    assert {r.__name__ for r in found} == set(TABLE_OF)
    for record in found:
        columns = [column.name for column in schema[TABLE_OF[record.__name__]]]
        fields = [field.name for field in dataclasses.fields(record)]
        assert fields == [name for name in columns if name not in ADDED], record


def test_every_row_knows_its_run_and_whether_it_is_simulated(schema: dict[str, list[catalog.Column]]) -> None:
    for table, columns in schema.items():
        required = {column.name for column in columns if column.required}
        assert {"run_id", "simulated"} <= required, table
        below_a_cell = "cell_id" in {column.name for column in columns}
        assert not below_a_cell or {"cell_id", "attempt"} <= required, table


def test_every_table_and_column_says_what_it_holds() -> None:
    con = duckdb.connect(":memory:")
    for step in catalog.migrations():
        con.execute(step.text)
    tables = con.execute("select table_name, comment from duckdb_tables()").fetchall()
    columns = con.execute(
        "select table_name || '.' || column_name, comment, is_nullable from duckdb_columns() where not internal"
    ).fetchall()
    con.close()
    assert [name for name, comment in tables if not comment] == []
    assert [name for name, comment, _ in columns if not comment] == []
    assert len(columns) > 200


def test_migrations_count_from_one_and_views_are_in_order() -> None:
    assert [step.version for step in catalog.migrations()] == list(range(1, catalog.schema_version() + 1))
    names = [definition.name.split("/")[1] for definition in catalog.definitions()]
    assert names == sorted(names)
    assert len({name.split("_")[0] for name in names}) == len(names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(catalog.SQL_ROOT)))
def test_every_file_begins_by_saying_what_it_is(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].startswith("-- ")
    assert lines[0].endswith((".", ";", ",")) or lines[1].startswith("-- ")
    head = "\n".join(line for line in lines[:12] if line.startswith("--"))
    folder = path.relative_to(catalog.SQL_ROOT).parts[0]
    if folder in ("views", "macros"):
        assert "-- grain: " in head
    if folder == "queries":
        assert "-- grain: " in head
        assert re.search(r"^-- params: \S", head, re.MULTILINE)


@pytest.mark.parametrize("name", catalog.query_names())
def test_every_query_runs_and_names_the_parameters_that_it_uses(empty: Warehouse, name: str) -> None:
    text = catalog.query(name).text
    known = catalog.parameters(text)
    assert set(re.findall(r"getvariable\('(\w+)'\)", text)) == set(known)
    given = {key: False if key == "simulated" else "R1" for key, needed in known.items() if needed}
    assert empty.rows(name, **given) == []
    code = catalog.statement(text)
    assert ";" not in code


@pytest.mark.parametrize(
    ("part", "query"),
    [
        ("run", "run"),
        ("leaderboard", "leaderboard"),
        ("model_card", "model_card"),
        ("cell_resources", "cell_resources"),
        ("stages", "stage_durations"),
        ("vram_timeline", "vram_timeline"),
        ("failures", "failures"),
        ("failed_checks", "checks_failed"),
        ("requests_series", "requests_series"),
    ],
)
def test_a_report_finds_the_columns_it_needs(empty: Warehouse, part: str, query: str) -> None:
    known = catalog.parameters(catalog.query(query).text)
    columns, _ = empty.columns_and_rows(query, **dict.fromkeys(known, "R1"))
    assert set(COLUMNS[part]) <= {name for name, _ in columns}


def test_views_name_their_columns() -> None:
    """A `select *` of a table would take in whatever a later migration adds to it."""
    con = catalog.memory_database()
    tables = {name for (name,) in con.execute("select table_name from duckdb_tables()").fetchall()}
    con.close()
    for definition in catalog.definitions():
        for source in re.findall(r"select\s+\*\s+from\s+(\w+)", definition.text):
            assert source not in tables, definition.name


def test_no_view_needs_python() -> None:
    con = duckdb.connect(":memory:")
    for step in (*catalog.migrations(), *catalog.definitions()):
        con.execute(step.text)
    assert con.execute("select * from leaderboard").fetchall() == []
    assert con.execute("select * from pick_model(null, null, null, simulated := true)").fetchall() == []
    con.close()
