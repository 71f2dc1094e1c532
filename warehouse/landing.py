"""Rows in, a landing out: Parquet written through DuckDB, complete or not there at all."""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from warehouse.catalog import LEDGER, Column, literal, parquet, schema_database, schema_version, tables
from warehouse.errors import LandingError, one_line
from warehouse.manifest import (
    MANIFEST,
    RUN_CELL,
    LandedFile,
    Manifest,
    Place,
    check_files,
    checked_place,
    file_sha256,
    landing_folders,
    read_manifest,
)
from warehouse.rows import JSON_KINDS, write_lines

__all__ = ["LandingError", "land_run", "land_stage", "landed_stages", "read_landed"]


def land_stage(
    root: Path,
    *,
    run_id: str,
    cell_id: str,
    attempt: int,
    stage: str,
    simulated: bool,
    tables: Mapping[str, Iterable[Any]],
) -> Path:
    """Land the rows of one stage of a cell's attempt.

    Args:
        root: the folder of all landings.
        run_id: with cell_id and stage, a name of letters, digits, '.', '_' and '-'.
        cell_id: the cell; `run` is reserved.
        attempt: counts from 1.
        stage: each stage of an attempt is landed once.
        simulated: whether any server behind these rows pretended; written into every row.
        tables: rows by table; dataclasses or mappings whose fields are the table's columns except
            run_id, simulated, cell_id and attempt, which are added here. No row at all is fine.

    Returns:
        the landing's folder.

    Raises:
        LandingError: wrong names, fields or values, a key twice, a full disk, or landed before. Nothing of
            this landing stays on disk.
    """
    if cell_id == RUN_CELL:
        raise LandingError(f"landing: cell_id {RUN_CELL!r} is reserved for the run's own rows")
    return _land(root, checked_place(run_id, cell_id, attempt, stage), simulated, tables)


def land_run(
    root: Path, *, run_id: str, simulated: bool, part: str, tables: Mapping[str, Iterable[Any]]
) -> Path:
    """Land rows of the run itself (runs, environments, dimensions, exports) as one part of it.

    The same row may be landed again in a later part; the ingest keeps what was written last.

    Raises:
        LandingError: as for `land_stage`.
    """
    return _land(root, checked_place(run_id, RUN_CELL, 0, part), simulated, tables)


def landed_stages(root: Path, run_id: str) -> dict[tuple[str, int], set[str]]:
    """Stages of each (cell, attempt) of a run that are landed whole; broken landings are not among them."""
    checked_place(run_id, "-", 0, "-")
    found: dict[tuple[str, int], set[str]] = {}
    for folder in landing_folders(root, run_id):
        try:
            manifest = read_manifest(folder)
            check_files(folder, manifest)
        except LandingError:
            continue
        place = manifest.place
        if place.cell_id != RUN_CELL:
            found.setdefault((place.cell_id, place.attempt), set()).add(place.stage)
    return found


def read_landed(
    root: Path, run_id: str, cell_id: str, attempt: int, stage: str, table: str
) -> list[dict[str, Any]]:
    """Rows of one table of a landing, in the order in which they were given.

    Raises:
        LandingError: there is no such landing, it is not whole, or it has no such table.
    """
    folder = checked_place(run_id, cell_id, attempt, stage).folder(root)
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    if table not in manifest.tables:
        raise LandingError(
            f"{folder}: no table {table!r}; it has {', '.join(sorted(manifest.tables)) or 'none'}"
        )
    con = schema_database()
    try:
        cursor = con.execute(f"from {parquet(folder / f'{table}.parquet')}")
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except duckdb.Error as error:
        raise LandingError(f"{folder}: {table}.parquet cannot be read: {one_line(error)}") from None
    finally:
        con.close()


def _land(root: Path, place: Place, simulated: bool, rows: Mapping[str, Iterable[Any]]) -> Path:
    folder = place.folder(root)
    if folder.exists():
        raise LandingError(f"{folder}: landed before; a stage is landed once")
    # A sibling, so that the rename stays inside one file system; the dot keeps readers away.
    temporary = folder.parent / f".{place.stage}.{uuid.uuid4().hex}"
    try:
        temporary.mkdir(parents=True)
        files = _write_tables(temporary, place, simulated, rows)
        manifest = Manifest(
            place=place,
            simulated=simulated,
            schema_version=schema_version(),
            written_unix_ns=time.time_ns(),
            tables=files,
        )
        (temporary / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        _flush(temporary / MANIFEST)
        _flush(temporary)
        temporary.rename(folder)
        _flush(folder.parent)
    except OSError as error:
        raise LandingError(_refused(folder, error)) from error
    except duckdb.Error as error:
        raise LandingError(f"{folder}: {one_line(error)}") from error
    finally:
        # After the rename there is nothing left to remove.
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _refused(folder: Path, error: OSError) -> str:
    if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
        return f"{folder}: landed before; a stage is landed once"
    return f"{folder}: cannot be written: {error.strerror or error}"


def _write_tables(
    folder: Path, place: Place, simulated: bool, rows: Mapping[str, Iterable[Any]]
) -> dict[str, LandedFile]:
    added: dict[str, Any] = {"run_id": place.run_id, "simulated": simulated}
    if place.cell_id != RUN_CELL:
        added |= {"cell_id": place.cell_id, "attempt": place.attempt}
    con = schema_database()
    try:
        schema = tables(con)
        files = {}
        for table, table_rows in rows.items():
            if table not in schema or table == LEDGER:
                raise LandingError(f"landing: unknown table {table!r}; known: {', '.join(sorted(schema))}")
            files[table] = _write_table(con, folder, table, schema[table], table_rows, added)
        return files
    finally:
        con.close()


def _write_table(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    table: str,
    columns: list[Column],
    rows: Iterable[Any],
    added: Mapping[str, Any],
) -> LandedFile:
    lines = folder / f"{table}.ndjson"
    n_rows, longest = write_lines(lines, table, columns, rows, added)
    if n_rows:
        kinds = ", ".join(f"{c.name}: {literal(JSON_KINDS.get(c.kind, c.kind))}" for c in columns)
        # Through the table itself: its types, its NOT NULLs and its key are what the ingest will ask for.
        con.execute(
            f"insert into {table} from read_json({literal(str(lines))}, format = 'newline_delimited', "
            f"columns = {{{kinds}}}, maximum_object_size = {max(16 * 2**20, 2 * longest)}, "
            "hive_partitioning = false)"
        )
    lines.unlink()
    path = folder / f"{table}.parquet"
    con.execute(f"copy {table} to {literal(str(path))} (format parquet)")
    _flush(path)
    return LandedFile(n_rows=n_rows, n_bytes=path.stat().st_size, sha256=file_sha256(path))


def _flush(path: Path) -> None:
    """Make a file or folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
