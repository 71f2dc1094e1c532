"""The warehouse: one DuckDB file, opened for writing by one process or for reading by several."""

import os
import re
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from warehouse.catalog import (
    CONFIG,
    database_version,
    is_current,
    literal,
    memory_database,
    migrate,
    parameters,
    query,
    query_names,
    set_utc,
    statement,
)
from warehouse.errors import (
    LandingError,
    NotAWarehouse,
    QueryError,
    WarehouseError,
    WarehouseLocked,
    WarehouseMissing,
    WarehouseNewer,
    one_line,
)
from warehouse.ingest import IngestReport, ingest_landings

__all__ = [
    "IngestReport",
    "LandingError",
    "NotAWarehouse",
    "QueryError",
    "Warehouse",
    "WarehouseError",
    "WarehouseLocked",
    "WarehouseMissing",
    "WarehouseNewer",
    "example_queries",
    "open_warehouse",
]


QUESTIONS = frozenset({"SELECT", "EXPLAIN"})
"""Kinds of statement that only read; `with`, `from`, `describe`, `show` and `summarize` are SELECT."""

_SWITCHES = re.compile(r"(en|dis)able_(logging|profiling)", re.IGNORECASE)
"""Table functions that read nothing: they switch the process, and may end it where files are out of reach."""


class Warehouse:
    """An open warehouse; a context manager that closes it. Made by `open_warehouse`."""

    def __init__(self, con: duckdb.DuckDBPyConnection, name: str) -> None:
        self._con = con
        self.name = name
        self._sealed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; closing twice is fine."""
        self._con.close()

    def ingest(self, landing_root: Path, run_id: str | None = None) -> IngestReport:
        """Take in every whole landing below `landing_root` (of one run, if given) that is not in yet.

        Returns:
            what went in and, with their reasons, the landings that were left out. Nothing is removed from
            the landing folder.

        Raises:
            WarehouseLocked: another ingest of this process is at work.
            WarehouseError: the database refused (a full disk, a read-only warehouse); nothing went in.
        """
        try:
            return ingest_landings(self._con, landing_root, run_id)
        except (duckdb.TransactionException, duckdb.ConstraintException) as error:
            # Every row has met the same constraints before, so only another ingest can be in the way.
            raise WarehouseLocked(
                f"{self.name}: another ingest is at work; nothing was taken in", pid=os.getpid()
            ) from error
        except duckdb.Error as error:
            raise WarehouseError(f"{self.name}: nothing was taken in: {one_line(error)}") from error

    def columns_and_rows(
        self, query_name: str, **params: Any
    ) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
        """Rows of a named query, and its columns as (name, DuckDB's type name).

        Raises:
            QueryError: unknown query, a parameter missing or unknown, or refused by the database.
        """
        file = query(query_name)
        known = parameters(file.text)
        required = {name for name, needed in known.items() if needed}
        if wrong := (params.keys() - known.keys()) | (required - params.keys()):
            raise QueryError(
                f"query {query_name}: parameter {', '.join(sorted(wrong))} missing or unknown; "
                f"it takes {', '.join(known) or 'none'}"
            )
        try:
            # Session variables, so that the same file also runs in a plain DuckDB shell. One that is not
            # given is NULL, which the queries with optional parameters read as "all".
            for name in known:
                self._con.execute(f"set variable {name} = {literal(params.get(name))}")
            cursor = self._con.execute(file.text)
            return [(column[0], str(column[1])) for column in cursor.description or []], cursor.fetchall()
        except duckdb.Error as error:
            raise QueryError(f"query {query_name}: {one_line(error)}") from error

    def rows(self, query_name: str, **params: Any) -> list[dict[str, Any]]:
        """Rows of a named query (warehouse/queries/NAME.sql) as dicts; NULL is None.

        Raises:
            QueryError: as for `columns_and_rows`.
        """
        columns, rows = self.columns_and_rows(query_name, **params)
        names = [name for name, _ in columns]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def sql(self, text: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run a user's SQL; the last statement's columns and rows.

        Nothing but this warehouse can be read, and nothing be written, here or elsewhere on the host. From
        the first question on, the connection reads no other file: ingest before.

        Raises:
            QueryError: not a question, or refused by the database; in one line.
        """
        if "\0" in text:
            raise QueryError("sql: the text holds a NUL character")
        if _SWITCHES.search(text):
            raise QueryError("sql: logging and profiling are not for you: every question is read-only")
        try:
            text.encode()
            # Before the text is even parsed: parsing `import database` reads files.
            self._seal()
            kinds = [statement.type.name for statement in self._con.extract_statements(text)]
            if not kinds:
                raise QueryError("sql: no statement given")
            if others := sorted(set(kinds) - QUESTIONS):
                raise QueryError(
                    f"sql: every question is read-only: select, from, with, describe, show, summarize or "
                    f"explain, not {', '.join(kind.lower() for kind in others)}"
                )
            self._con.execute("begin transaction read only")
            try:
                cursor = self._con.execute(text)
                return [column[0] for column in cursor.description or []], cursor.fetchall()
            finally:
                self._con.rollback()
        except (duckdb.Error, UnicodeError) as error:
            raise QueryError(f"sql: {one_line(error)}") from error

    def _seal(self) -> None:
        """Take files, extensions and settings from the connection, for good."""
        if not self._sealed:
            if self._con.execute("select current_setting('lock_configuration')").fetchone() != (True,):
                self._con.execute("set enable_external_access = false")
                self._con.execute("set lock_configuration = true")
            self._sealed = True


def example_queries(*, simulated: bool) -> list[tuple[str, str]]:
    """Queries to try next after a simulated or a real run, each with what it answers.

    A query is one line of SQL without double quotes, so that a shell takes it in them.
    """
    other = "_real" if simulated else "_simulated"
    names = [n for n in query_names() if n.startswith("examples/") and not n.endswith(other)]
    texts = [query(name).text for name in names]
    return [(text.splitlines()[0].removeprefix("-- "), statement(text)) for text in texts]


def open_warehouse(path: Path | None, *, read_only: bool = False) -> Warehouse:
    """Open the warehouse file, creating or migrating it first where that is needed.

    Args:
        path: the file; None for an empty warehouse in memory.
        read_only: several processes may read at once. A file of an older version is migrated even then,
            which for a moment needs it for writing.

    Raises:
        WarehouseLocked: another process has it.
        NotAWarehouse: it is something else.
        WarehouseMissing: to be read, and not there.
        WarehouseNewer: made by a newer Bakeoff or a newer DuckDB.
        WarehouseError: the file cannot be opened or written for another reason.
    """
    if path is None:
        return Warehouse(memory_database(), "memory")
    if read_only:
        if not path.exists():
            raise WarehouseMissing(
                f"{path}: there is no warehouse yet; `bakeoff run` or `bakeoff ingest` makes one"
            )
        con = _connect(path, read_only=True)
        if _current_or_closed(con, path):
            return Warehouse(con, str(path))
    else:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WarehouseError(f"{path}: cannot be written: {error.strerror}") from error
    con = _connect(path, read_only=False)
    if not _current_or_closed(con, path):
        con = _connect(path, read_only=False)
        try:
            migrate(con)
            con.execute("checkpoint")
        except (WarehouseError, duckdb.Error) as error:
            con.close()
            raise WarehouseError(f"{path}: {one_line(error)}") from error
    if read_only:
        con.close()
        con = _connect(path, read_only=True)
    return Warehouse(con, str(path))


def _connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    _refuse_other_formats(path)
    try:
        # Absolute, so that no name can read as one of DuckDB's own prefixes (`md:`, `sqlite:`).
        con = duckdb.connect(str(path.absolute()), read_only=read_only, config=CONFIG)
        set_utc(con)
        return con
    except duckdb.Error as error:
        raise _why_not_opened(path, error) from error


def _refuse_other_formats(path: Path) -> None:
    """DuckDB itself would look for an extension that reads SQLite, and go to the network for it."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except FileNotFoundError:
        return
    except OSError as error:
        raise WarehouseError(f"{path}: cannot be opened: {error.strerror}") from error
    if head[8:12] != b"DUCK":
        raise NotAWarehouse(f"{path}: not a warehouse (not a DuckDB file)")


def _why_not_opened(path: Path, error: duckdb.Error) -> WarehouseError:
    """DuckDB tells its refusals apart only by their text."""
    text = str(error)
    if "Could not set lock" in text or "Conflicting lock" in text:
        found = re.search(r"PID (\d+)", text)
        holder = f"process {found.group(1)}" if found else "another process"
        return WarehouseLocked(
            f"{path}: {holder} has the warehouse open", pid=int(found.group(1)) if found else None
        )
    if isinstance(error, duckdb.ConnectionException) or "already attached" in text:
        return WarehouseLocked(f"{path}: this process has the warehouse open already", pid=os.getpid())
    if "newer version of DuckDB" in text or "can only read version" in text:
        return WarehouseNewer(f"{path}: written by a newer DuckDB: {one_line(error)}")
    if isinstance(error, duckdb.SerializationException):
        return NotAWarehouse(f"{path}: not a warehouse: {one_line(error)}")
    return WarehouseError(f"{path}: cannot be opened: {one_line(error)}")


def _current_or_closed(con: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Whether an open file is up to date; if not, it is closed, to be opened again and migrated."""
    try:
        if is_current(con):
            return True
        _refuse_strangers(con, path)
    except WarehouseError:
        con.close()
        raise
    except duckdb.Error as error:
        con.close()
        raise NotAWarehouse(f"{path}: not a warehouse: {one_line(error)}") from error
    con.close()
    return False


def _refuse_strangers(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    version, _ = database_version(con)
    others = con.execute("select table_name from duckdb_tables() order by 1").fetchall()
    if version == 0 and others:
        raise NotAWarehouse(
            f"{path}: a DuckDB file, but not a warehouse of ours (it has the table {others[0][0]!r})"
        )
