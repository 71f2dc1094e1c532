"""Opening, asking, and what is said when that is not possible."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from warehouse import catalog
from warehouse.landing import land_run
from warehouse.store import (
    NotAWarehouse,
    QueryError,
    Warehouse,
    WarehouseError,
    WarehouseLocked,
    WarehouseMissing,
    WarehouseNewer,
    example_queries,
    open_warehouse,
)

REPO = Path(__file__).parents[2]


def one_line(refused: pytest.ExceptionInfo[WarehouseError], path: Path) -> bool:
    text = str(refused.value)
    return "\n" not in text and str(path) in text


def test_what_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    path = tmp_path / "data" / "w.duckdb"
    with pytest.raises(WarehouseMissing) as refused:
        open_warehouse(path, read_only=True)
    assert one_line(refused, path)
    assert list(tmp_path.iterdir()) == []
    open_warehouse(path).close()
    with open_warehouse(path, read_only=True) as one, open_warehouse(path, read_only=True) as two:
        assert one.rows("runs") == two.rows("runs") == []


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 3\0" * 300, b"\0" * 20_000])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_something_else_is_left_as_it_is(
    tmp_path: Path, content: bytes, read_only: bool
) -> None:
    path = tmp_path / "w.duckdb"
    path.write_bytes(content)
    with pytest.raises(NotAWarehouse) as refused:
        open_warehouse(path, read_only=read_only)
    assert one_line(refused, path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("read_only", [True, False])
def test_a_database_of_other_people_is_left_as_it_is(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "theirs.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create table payroll (name varchar)")
    with pytest.raises(NotAWarehouse, match="payroll") as refused:
        open_warehouse(path, read_only=read_only)
    assert one_line(refused, path)
    with duckdb.connect(str(path)) as con:
        assert con.execute("select table_name from duckdb_tables()").fetchall() == [("payroll",)]


def test_a_damaged_warehouse_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    open_warehouse(path).close()
    data = bytearray(path.read_bytes())
    data[4096 * 3 :] = os.urandom(len(data) - 4096 * 3)
    path.write_bytes(data)
    with pytest.raises(WarehouseError) as refused:
        open_warehouse(path).rows("leaderboard")
    assert "\n" not in str(refused.value)


def test_a_folder_and_a_place_without_permission_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError) as refused:
        open_warehouse(tmp_path)
    assert one_line(refused, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(WarehouseError, match="cannot be written") as refused:
        open_warehouse(tmp_path / "file" / "w.duckdb")
    assert one_line(refused, tmp_path)


def test_a_newer_warehouse_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    open_warehouse(path).close()
    with duckdb.connect(str(path)) as con:
        con.execute("insert into schema_migrations values (999, 'from the future', '', now())")
    for read_only in (True, False):
        with pytest.raises(WarehouseNewer, match="999"):
            open_warehouse(path, read_only=read_only)


def test_an_older_warehouse_is_brought_up_to_date_also_by_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as con:
        # A file as it was after the first migration, with rows in it, and an old view.
        con.execute(catalog.migrations()[0].text)
        con.execute(
            "create table schema_migrations (version integer not null, name varchar not null, "
            "definitions_sha256 varchar not null, applied_at timestamptz not null)"
        )
        con.execute("insert into schema_migrations values (1, '001_facts', 'old', now())")
        con.execute("insert into suites values ('R1', true, 's', '1', 'x', 8)")
        con.execute("create view leaderboard as select 1 as old")
    with open_warehouse(path, read_only=True) as warehouse:
        assert warehouse.sql("select n_cases from suites")[1] == [(8,)]
        assert "quality" in warehouse.sql("from leaderboard")[0]
        comments = "select count(*) from duckdb_columns() where table_name = 'runs' and comment is null"
        assert warehouse.sql(comments)[1] == [(0,)]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as con:
        # It says that it has the first migration, and lacks most of it, so that the second one fails.
        con.execute(
            "create table schema_migrations (version integer not null, name varchar not null, "
            "definitions_sha256 varchar not null, applied_at timestamptz not null)"
        )
        con.execute("insert into schema_migrations values (1, '001_facts', '', now())")
        con.execute("create table scores (mine integer)")
    with pytest.raises(WarehouseError, match="could not be migrated"):
        open_warehouse(path)
    with duckdb.connect(str(path)) as con:
        found = con.execute("select table_name from duckdb_tables() order by 1").fetchall()
    assert found == [("schema_migrations",), ("scores",)]


def test_one_process_does_not_write_and_read_only_at_once(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with open_warehouse(path), pytest.raises(WarehouseLocked) as refused:
        open_warehouse(path, read_only=True)
    assert refused.value.pid == os.getpid()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drop table runs", "not drop"),
        ("delete from runs; select 1", "not delete"),
        ("create table t (a integer)", "not create"),
        ("commit; drop table runs", "not drop, transaction"),
        ("rollback", "not transaction"),
        ("explain analyze delete from runs", "read-only mode"),
        ("select nope from runs", 'column "nope" not found'),
        ("selec 1", "syntax error"),
        ("", "no statement given"),
        ("-- nothing", "no statement given"),
        ("select 1 \0", "NUL"),
        ("select '\ud800'", "surrogates not allowed"),
    ],
)
def test_a_wrong_question_is_one_line_and_changes_nothing(empty: Warehouse, text: str, message: str) -> None:
    with pytest.raises(QueryError) as refused:
        empty.sql(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert empty.sql("select count(*) as n from runs") == (["n"], [(0,)])


ATTACKS = (
    "copy (select 1) to '{file}'",
    "explain analyze copy (select 1) to '{file}'",
    "export database '{file}'",
    "import database '{secret}'",
    "from read_csv('{secret}')",
    "from read_text('{secret}')",
    "from read_blob('{secret}')",
    "from '{secret}'",
    "from glob('{secret}*')",
    "from query('from read_text(''{secret}'')')",
    "from sniff_csv('{secret}')",
    "attach '{file}' as other",
    "attach ':memory:' as other",
    "install httpfs",
    "load httpfs",
    "load '{secret}'",
    "set enable_external_access = true",
    "set memory_limit = '1MB'",
    "reset threads",
    "pragma enable_profiling",
    "call enable_logging(storage = 'file', storage_path = '{file}')",
    "from enable_logging(storage_path = '{file}')",
    "from Enable_Profiling(format = 'json', save_location = '{file}.json')",
    "prepare p as select 1",
    "use memory",
    "checkpoint",
    "select 1; copy (select 1) to '{file}'",
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    path = tmp_path_factory.mktemp("data") / "w.duckdb"
    open_warehouse(path).close()
    with open_warehouse(path, read_only=True) as warehouse:
        yield warehouse


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_question_reaches_nothing_but_the_warehouse(reader: Warehouse, tmp_path: Path, attack: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhidden\n")
    with pytest.raises(QueryError) as refused:
        reader.sql(attack.format(file=tmp_path / "written", secret=secret))
    assert "\n" not in str(refused.value)
    assert "hidden" not in str(refused.value)
    assert list(tmp_path.iterdir()) == [secret]
    assert reader.sql("select count(*) from runs")[1] == [(0,)]


READS = (
    "from leaderboard",
    "with r as (from runs) select count(*) as n from r",
    "describe runs",
    "show tables",
    "summarize runs",
    "explain select 1",
    "from pick_model(500, 0.5, 24000)",
    "select n, sum(n) over (order by n) as total from range(3) as r (n)",
    "pivot cells on outcome in ('completed', 'failed') using count(*)",
    """select '{"a": [1]}'::json -> 'a' as a, list_transform([1, 2], lambda x: x + 1) as b""",
    "select table_name, comment from duckdb_tables()",
)


@pytest.mark.parametrize("text", READS)
def test_a_sealed_reader_answers_whatever_only_reads(reader: Warehouse, text: str) -> None:
    columns, _ = reader.sql(text)
    assert columns
    # Named queries share the connection, and set variables on it.
    assert reader.rows("leaderboard", run_id="R1") == []


def test_a_second_reader_opens_a_file_that_the_first_has_sealed(reader: Warehouse) -> None:
    reader.sql("select 1")
    with open_warehouse(Path(reader.name), read_only=True) as other:
        assert other.rows("runs") == []
        assert other.sql("select current_setting('TimeZone')")[1] == [("UTC",)]
        with pytest.raises(QueryError):
            other.sql("from read_text('/etc/hostname')")


def test_questions_of_a_user_are_answered(empty: Warehouse) -> None:
    assert empty.sql("select 1 as a; select '한글' as b, null as c") == (["b", "c"], [("한글", None)])
    assert empty.sql("from runs")[1] == []
    assert empty.sql("describe runs")[1][0][0] == "run_id"
    assert "explain_value" in empty.sql("explain select 1")[0]


def test_a_query_says_what_it_takes(empty: Warehouse) -> None:
    with pytest.raises(QueryError, match=r"unknown query '../schema/001_facts'; known: .*leaderboard"):
        empty.rows("../schema/001_facts")
    with pytest.raises(QueryError, match="run_id missing or unknown; it takes run_id"):
        empty.rows("run")
    with pytest.raises(QueryError, match="colour missing or unknown; it takes none"):
        empty.rows("runs", colour=1)
    with pytest.raises(QueryError, match="NUL"):
        empty.rows("run", run_id="a\0b")
    with pytest.raises(QueryError, match="a date"):
        empty.rows("run", run_id=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(QueryError, match="query pick_model: Conversion Error"):
        empty.rows("pick_model", simulated=False, min_quality="high")


HOSTILE = ("R1' or true --", "'; drop table runs; --", "한글 '\"", "\\", "$1 {} %s getvariable('run_id')")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_parameter_is_a_value_and_nothing_else(memory: Warehouse, text: str) -> None:
    con = memory._con
    con.execute(
        "insert into environments by name select 'R1' as run_id, false as simulated union all "
        f"select {catalog.literal(text)}, false"
    )
    assert [row["run_id"] for row in memory.rows("environment", run_id=text)] == [text]


def test_a_parameter_of_an_earlier_question_is_forgotten(memory: Warehouse) -> None:
    for _ in range(2):
        memory._con.execute(
            "insert into runs by name select 'R' || (select count(*) from runs) as run_id, false as simulated, "
            "'e' as experiment_id, 'e' as experiment_name, '{}' as experiment, 'x' as config_hash, 1 as seed, "
            "1 as n_cells, now() as started_at, 'completed' as status"
        )
    assert memory.rows("leaderboard", run_id="R0") == []
    assert {row["run_id"] for row in memory.rows("runs")} == {"R0", "R1"}
    assert memory.rows("model_card") == []
    assert memory.sql("select getvariable('run_id')")[1] == [(None,)]


def test_times_are_given_in_utc(
    tmp_path: Path, memory: Warehouse, make_row: Callable[..., dict[str, Any]]
) -> None:
    started = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
    run = make_row("runs", started_at=started)
    land_run(tmp_path, run_id="R1", simulated=False, part="open", tables={"runs": [run]})
    memory.ingest(tmp_path)
    found = memory.rows("run", run_id="R1")[0]["started_at"]
    assert found == started
    assert found.utcoffset() == timedelta(0)


def test_examples_are_one_line_each_and_run_as_they_stand(empty: Warehouse) -> None:
    for simulated in (True, False):
        titles = [title for title, _ in example_queries(simulated=simulated)]
        assert len(titles) == 3
        assert ("simulated" in titles[2]) == simulated
    for title, text in [*example_queries(simulated=True), *example_queries(simulated=False)]:
        assert title
        assert "\n" not in text
        assert '"' not in text
        empty.sql(text)


def test_questions_need_no_pandas(tmp_path: Path) -> None:
    """Binding a parameter would import it, which takes longer than all the rest of a command."""
    code = """
import sys
from pathlib import Path
from warehouse.landing import land_run, landed_stages, read_landed
from warehouse.store import open_warehouse
root = Path(sys.argv[1])
suite = {"suite": "s", "version": "1", "content_hash": "x", "n_cases": 1}
land_run(root, run_id="R", simulated=True, part="p", tables={"suites": [suite]})
read_landed(root, "R", "run", 0, "p", "suites")
with open_warehouse(root / "w.duckdb") as warehouse:
    assert warehouse.ingest(root).stages_ingested == 1
    warehouse.rows("leaderboard", run_id="R")
    warehouse.sql("select 1")
print([name for name in ("pandas", "numpy", "pyarrow") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_copied_warehouse_is_a_warehouse(tmp_path: Path) -> None:
    open_warehouse(tmp_path / "w.duckdb").close()
    shutil.copy(tmp_path / "w.duckdb", tmp_path / "한글 복사본.duckdb")
    with open_warehouse(tmp_path / "한글 복사본.duckdb", read_only=True) as copy:
        assert copy.rows("runs") == []
