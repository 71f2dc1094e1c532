"""The SQL files of the warehouse: migrations, macros, views and queries, and how a database gets them."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from warehouse.errors import QueryError, WarehouseError, WarehouseNewer, one_line

SQL_ROOT = Path(__file__).parent

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # Nothing is ever fetched from an extension server: json, parquet and icu are compiled in.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""Settings of every connection; two connections of one process to one file must agree on them."""


LEDGER = "landings"
"""The table in which the ingest notes what it has taken in; nobody lands rows for it."""


@dataclass(frozen=True)
class SqlFile:
    """One .sql file: `name` without folder and suffix."""

    name: str
    text: str


@dataclass(frozen=True)
class Migration:
    """One step of the schema; applied once, in order of `version`, never edited afterwards."""

    version: int
    name: str
    text: str


@dataclass(frozen=True)
class Column:
    """One column of a table: `kind` is DuckDB's type name, `key` says that it is in the primary key."""

    name: str
    kind: str
    required: bool
    key: bool


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations, by version, which count from 1 without a gap."""
    files = sorted((SQL_ROOT / "schema").glob("*.sql"))
    steps = tuple(Migration(int(f.stem.split("_")[0]), f.stem, f.read_text("utf-8")) for f in files)
    if [step.version for step in steps] != list(range(1, len(steps) + 1)):
        raise WarehouseError("warehouse/schema: migration numbers must be 1, 2, 3, … without a gap")
    return steps


@cache
def definitions() -> tuple[SqlFile, ...]:
    """Macros and views in the order of their numbers: each may use those before it."""
    files = [f for folder in ("macros", "views") for f in (SQL_ROOT / folder).glob("*.sql")]
    files.sort(key=lambda f: f.name)
    return tuple(SqlFile(f"{f.parent.name}/{f.stem}", f.read_text("utf-8")) for f in files)


def schema_version() -> int:
    """The version that this code writes."""
    return migrations()[-1].version


def definitions_hash() -> str:
    """SHA-256 of all macros and views: tells whether a file's own are those of this code."""
    return hashlib.sha256("\0".join(d.text for d in definitions()).encode()).hexdigest()


def query_names() -> list[str]:
    """Names that `query` knows; examples are `examples/NAME`."""
    root = SQL_ROOT / "queries"
    return sorted(str(f.relative_to(root).with_suffix("")) for f in root.rglob("*.sql"))


def query(name: str) -> SqlFile:
    """The named query.

    Raises:
        QueryError: there is none of this name (names are looked up in a list, never joined to a path).
    """
    if name not in query_names():
        raise QueryError(f"unknown query {name!r}; known: {', '.join(query_names())}")
    return SqlFile(name, (SQL_ROOT / "queries" / f"{name}.sql").read_text("utf-8"))


def parameters(text: str) -> dict[str, bool]:
    """Parameters of a query as its header lists them (`-- params: run_id, limit?`): name -> required."""
    match = re.search(r"^-- params: *(.*)$", text, re.MULTILINE)
    listed = match.group(1) if match else ""
    names = [word.strip() for word in listed.split(",") if word.strip() not in ("", "none")]
    return {name.removesuffix("?"): not name.endswith("?") for name in names}


def statement(text: str) -> str:
    """A query without its comments, as one line."""
    code = (line.split("--")[0].strip() for line in text.splitlines())
    return " ".join(line for line in code if line).removesuffix(";")


def literal(value: object) -> str:
    """A value as DuckDB writes it, quoted.

    Instead of bound parameters: binding even one makes DuckDB's Python client import pandas, a second in
    which `bakeoff sql` would already have answered.

    Raises:
        QueryError: text with a NUL in it, which would end the statement early, or a value of another type
            than text, boolean, number, None and lists of them.
    """
    if isinstance(value, list):
        return f"[{', '.join(literal(item) for item in value)}]"
    if isinstance(value, str):
        if "\0" in value:
            raise QueryError(f"{value[:40]!r} holds a NUL character")
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, float):
        return f"'{value!r}'::double"
    if value is None or isinstance(value, (bool, int)):
        return "null" if value is None else str(value).lower()
    raise QueryError(f"a {type(value).__name__} cannot be a parameter")


def parquet(path: Path) -> str:
    """A Parquet file as a table of a query; a folder named like `x=1` above it does not become a column."""
    return f"read_parquet({literal(str(path))}, hive_partitioning = false)"


def database_version(con: duckdb.DuckDBPyConnection) -> tuple[int, str | None]:
    """Version of an open database and the hash of its macros and views; (0, None) for an empty one."""
    found = con.execute("select 1 from duckdb_tables() where table_name = 'schema_migrations'").fetchone()
    if found is None:
        return 0, None
    row = con.execute(
        "select max(version), max_by(definitions_sha256, applied_at) from schema_migrations"
    ).fetchone()
    return (row[0] or 0, row[1]) if row else (0, None)


def is_current(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether an open database has this code's schema, macros and views.

    Raises:
        WarehouseNewer: it was written by a newer version of Bakeoff.
    """
    version, sha256 = database_version(con)
    if version > schema_version():
        raise WarehouseNewer(
            f"the warehouse has schema version {version}, newer than {schema_version()}: update Bakeoff"
        )
    return version == schema_version() and sha256 == definitions_hash()


def migrate(con: duckdb.DuckDBPyConnection) -> None:
    """Bring an open database to this code's schema, macros and views, in one transaction.

    Raises:
        WarehouseNewer: it was written by a newer version; nothing is changed.
        WarehouseError: a step was refused; nothing is changed.
    """
    if is_current(con):
        return
    version, _ = database_version(con)
    con.begin()
    try:
        con.execute(
            "create table if not exists schema_migrations (version integer not null, name varchar not null, "
            "definitions_sha256 varchar not null, applied_at timestamptz not null)"
        )
        for step in migrations()[version:]:
            con.execute(step.text)
        for definition in definitions():
            con.execute(definition.text)
        values = ", ".join(map(literal, (schema_version(), migrations()[-1].name, definitions_hash())))
        con.execute(f"insert into schema_migrations values ({values}, now())")  # noqa: S608 quoted by literal
        con.commit()
    except duckdb.Error as error:
        con.rollback()
        raise WarehouseError(f"the warehouse could not be migrated: {one_line(error)}") from error


def memory_database() -> duckdb.DuckDBPyConnection:
    """A whole warehouse in memory, empty: for measurements that are looked at once and not kept."""
    con = _empty_database()
    migrate(con)
    return con


def schema_database() -> duckdb.DuckDBPyConnection:
    """The tables alone, empty and in memory: what checks rows before they are written down."""
    con = _empty_database()
    for step in migrations():
        # Comments check nothing, and would take most of the time of a small landing.
        if "comments" not in step.name:
            con.execute(step.text)
    return con


def _empty_database() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(":memory:", config=CONFIG | {"threads": 1})
    set_utc(con)
    return con


def set_utc(con: duckdb.DuckDBPyConnection) -> None:
    """Give times in UTC on this connection, and on the later ones of this process to the same file.

    A connection to a file that another one has sealed (`Warehouse.sql`) may set nothing more, and needs not.
    """
    if con.execute("select current_setting('TimeZone')").fetchone() != ("UTC",):
        con.execute("set global TimeZone = 'UTC'")


def tables(con: duckdb.DuckDBPyConnection) -> dict[str, list[Column]]:
    """Columns of every table in the database, in table order."""
    keys = con.execute(
        "select table_name, unnest(constraint_column_names) from duckdb_constraints() "
        "where constraint_type = 'PRIMARY KEY'"
    ).fetchall()
    rows = con.execute(
        "select table_name, column_name, data_type, is_nullable from duckdb_columns() "
        "where not internal and table_name in (select table_name from duckdb_tables()) "
        "order by table_name, column_index"
    ).fetchall()
    found: dict[str, list[Column]] = {}
    for table, name, kind, nullable in rows:
        column = Column(name=name, kind=kind, required=not nullable, key=(table, name) in keys)
        found.setdefault(table, []).append(column)
    return found
