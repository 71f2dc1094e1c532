"""Landings into an open warehouse: all that are whole, once each, in one transaction."""

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from warehouse.catalog import LEDGER, literal, parquet, schema_database, schema_version, tables
from warehouse.errors import LandingError, one_line
from warehouse.manifest import (
    MANIFEST,
    RUN_CELL,
    Manifest,
    check_files,
    file_sha256,
    landing_folders,
    read_manifest,
)

LAST_WRITTEN_WINS = frozenset(
    {"runs", "environments", "targets", "models", "workloads", "suites", "prices", "cells"}
)
"""Tables whose rows are landed again when more is known. A key twice in any other table is a fault."""


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """What one ingest took in; `skipped` holds (folder, reason) of landings that were left where they are."""

    stages_ingested: int
    rows_by_table: dict[str, int] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def ingest_landings(con: duckdb.DuckDBPyConnection, root: Path, run_id: str | None) -> IngestReport:
    """Take in every whole landing that is not in yet, oldest first, all or none.

    A landing that is broken, or clashes with rows that are there, is left out with its reason and tried
    again by the next ingest.

    Raises:
        duckdb.Error: the database refused; the transaction is rolled back.
    """
    whole, skipped = _whole_landings(con, root, run_id)
    counts: dict[str, int] = {}
    n_stages = 0
    con.begin()
    try:
        for folder, manifest in whole:
            clash = _clash(con, folder, manifest)
            if clash:
                skipped.append((str(folder), clash))
                continue
            for table, file in manifest.tables.items():
                _insert(con, folder, manifest, table)
                counts[table] = counts.get(table, 0) + file.n_rows
            _note(con, folder, manifest)
            n_stages += 1
        con.commit()
    except BaseException:
        _roll_back(con)
        raise
    return IngestReport(stages_ingested=n_stages, rows_by_table=counts, skipped=skipped)


def _roll_back(con: duckdb.DuckDBPyConnection) -> None:
    try:
        con.rollback()
    except duckdb.Error:
        # A failed commit has rolled back already; the error that led here is the one to show.
        return


def _whole_landings(
    con: duckdb.DuckDBPyConnection, root: Path, run_id: str | None
) -> tuple[list[tuple[Path, Manifest]], list[tuple[str, str]]]:
    query = "select run_id, cell_id, attempt::varchar, stage from landings"
    known = set(con.execute(query).fetchall())
    whole, skipped = [], []
    scratch = schema_database()
    try:
        for folder in landing_folders(root, run_id):
            if folder.parts[-4:] in known:
                continue
            try:
                manifest = read_manifest(folder)
                _check(scratch, folder, manifest)
                whole.append((folder, manifest))
            except (LandingError, OSError) as error:
                skipped.append((str(folder), str(error).removeprefix(f"{folder}: ")))
    finally:
        scratch.close()
    whole.sort(key=lambda pair: (pair[1].written_unix_ns, pair[0]))
    return whole, skipped


def _check(scratch: duckdb.DuckDBPyConnection, folder: Path, manifest: Manifest) -> None:
    """Refuse a landing that the warehouse could not take whole.

    The rows go through empty tables in memory first: one bad landing must not abort the transaction that
    holds the good ones.
    """
    if manifest.schema_version > schema_version():
        raise LandingError(f"{folder}: landed by a newer version (schema {manifest.schema_version})")
    check_files(folder, manifest)
    scratch.begin()
    try:
        schema = tables(scratch)
        for table, file in manifest.tables.items():
            if table not in schema or table == LEDGER:
                raise LandingError(f"{folder}: unknown table {table!r}")
            _insert(scratch, folder, manifest, table)
            _check_rows(scratch, folder, manifest, table, file.n_rows)
    except duckdb.Error as error:
        raise LandingError(f"{folder}: {one_line(error)}") from None
    finally:
        scratch.rollback()


def _check_rows(
    scratch: duckdb.DuckDBPyConnection, folder: Path, manifest: Manifest, table: str, n_rows: int
) -> None:
    place = manifest.place
    own = {"run_id": place.run_id, "simulated": manifest.simulated}
    if place.cell_id != RUN_CELL:
        own |= {"cell_id": place.cell_id, "attempt": place.attempt}
    belongs = " and ".join(f"{name} = {literal(value)}" for name, value in own.items())
    query = f"select count(*), count(*) filter (where {belongs}) from {table}"  # noqa: S608 quoted by literal
    total, n_own = scratch.execute(query).fetchall()[0]
    if total != n_rows:
        raise LandingError(f"{folder}: {table} has {total} rows, the manifest says {n_rows}")
    if n_own != total:
        raise LandingError(
            f"{folder}: {table} has {total - n_own} rows of another run, cell, attempt or kind"
        )


def _insert(con: duckdb.DuckDBPyConnection, folder: Path, manifest: Manifest, table: str) -> None:
    """Insert one file; columns that an older version did not land yet become NULL."""
    how = "insert"
    if table in LAST_WRITTEN_WINS:
        how = "insert or ignore" if _newer_is_in(con, manifest, table) else "insert or replace"
    con.execute(f"{how} into {table} by name from {parquet(folder / f'{table}.parquet')}")


def _newer_is_in(con: duckdb.DuckDBPyConnection, manifest: Manifest, table: str) -> bool:
    """Whether a landing written later has already spoken about the same run or attempt."""
    place = manifest.place
    own = f"(run_id, cell_id, attempt) = ({literal(place.run_id)}, {literal(place.cell_id)}, {place.attempt})"
    later = f"written_unix_ns > {manifest.written_unix_ns} and list_contains(tables, {literal(table)})"
    query = f"select 1 from landings where {own} and {later}"  # noqa: S608 quoted by literal
    found = con.execute(query).fetchone()
    return found is not None


def _clash(con: duckdb.DuckDBPyConnection, folder: Path, manifest: Manifest) -> str | None:
    """Why a landing cannot go in beside what is there: keys that only one of them may have."""
    schema = tables(con)
    for table in manifest.tables:
        key = [column.name for column in schema[table] if column.key]
        if table in LAST_WRITTEN_WINS or not key:
            continue
        landed = parquet(folder / f"{table}.parquet")
        query = f"select count(*) from {table} semi join {landed} using ({', '.join(key)})"  # noqa: S608
        (found,) = con.execute(query).fetchall()[0]
        if found:
            return f"{table}: {found} rows with the same key are in the warehouse already"
    return None


def _note(con: duckdb.DuckDBPyConnection, folder: Path, manifest: Manifest) -> None:
    place = manifest.place
    values = [
        place.run_id,
        manifest.simulated,
        place.cell_id,
        place.attempt,
        place.stage,
        sorted(manifest.tables),
        sum(file.n_rows for file in manifest.tables.values()),
        manifest.schema_version,
        file_sha256(folder / MANIFEST),
        manifest.written_unix_ns,
    ]
    con.execute(f"insert into landings values ({', '.join(map(literal, values))}, now())")  # noqa: S608 quoted
