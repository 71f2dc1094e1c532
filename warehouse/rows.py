"""Rows of Python values as lines of JSON that DuckDB reads with the schema's types."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from warehouse.catalog import Column
from warehouse.errors import LandingError

_SURROGATE = re.compile("[\ud800-\udfff]")

JSON_KINDS = {
    "JSON": "VARCHAR",
    "TIMESTAMP WITH TIME ZONE": "VARCHAR",
    "DATE": "VARCHAR",
    "DOUBLE": "VARCHAR",
}
"""Types that travel as text and are cast by the insert: JSON stays as written, no double loses a digit."""


def write_lines(
    path: Path, table: str, columns: Sequence[Column], rows: Iterable[Any], added: Mapping[str, Any]
) -> tuple[int, int]:
    """Write one JSON line per row; `added` holds the columns that the writer knows (run_id, …).

    Returns:
        number of rows, length of the longest line in bytes.

    Raises:
        LandingError: a row's fields are not the table's columns, or a value has another type.
        OSError: the disk is full.
    """
    writers = {column.name: (column, _writer(column.kind)) for column in columns}
    expected = set(writers) - set(added)
    known = {name: value for name, value in added.items() if name in writers}
    n_rows, longest = 0, 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            values = row if isinstance(row, Mapping) else _fields(table, row)
            if values.keys() != expected:
                raise LandingError(_difference(table, set(values), expected))
            line: dict[str, Any] = dict(known)
            for name, value in values.items():
                column, write = writers[name]
                line[name] = None if value is None else _written(table, column, write, value)
            text = json.dumps(line) + "\n"
            file.write(text)
            n_rows, longest = n_rows + 1, max(longest, len(text))
    return n_rows, longest


def _fields(table: str, record: Any) -> dict[str, Any]:
    """Values of a dataclass by field, without the deep copy of `dataclasses.asdict`."""
    names = getattr(record, "__dataclass_fields__", None)
    if names is None:
        raise LandingError(f"landing {table}: a row is a {type(record).__name__}, not a dataclass or mapping")
    return {name: getattr(record, name) for name in names}


def _difference(table: str, found: set[str], expected: set[str]) -> str:
    parts = [("missing", expected - found), ("unknown", found - expected)]
    words = "; ".join(f"{what}: {', '.join(sorted(names))}" for what, names in parts if names)
    return f"landing {table}: a row's fields are not the table's columns ({words})"


def _written(table: str, column: Column, write: Callable[[Any], Any], value: Any) -> Any:
    try:
        return write(value)
    except (TypeError, ValueError) as error:
        shown = repr(value)[:60]
        raise LandingError(f"landing {table}.{column.name} ({column.kind}): {shown}: {error}") from None


def _writer(kind: str) -> Callable[[Any], Any]:
    if kind.endswith("[]"):
        inner = _writer(kind.removesuffix("[]"))
        return lambda values: _list(values, inner)
    return _WRITERS[kind]


def _list(values: Any, inner: Callable[[Any], Any]) -> list[Any]:
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"a {type(values).__name__} is not a list")
    return [None if value is None else inner(value) for value in values]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} is not text")
    # A lone surrogate (half an escaped pair, from a hostile or cut reply) is not valid UTF-8.
    return _SURROGATE.sub("\ufffd", value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"a {type(value).__name__} is not a whole number")
    return value


def _number(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"a {type(value).__name__} is not a number")
    # NaN says "not measured", which is NULL here.
    return None if math.isnan(value) else repr(float(value))


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"a {type(value).__name__} is not a boolean")
    return value


def _stamp(value: Any) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError("not a datetime with a time zone")
    return value.isoformat()


def _day(value: Any) -> str:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError(f"a {type(value).__name__} is not a date")
    return value.isoformat()


def _json_text(value: Any) -> str:
    text = _text(value)
    json.loads(text)
    return text


_WRITERS: dict[str, Callable[[Any], Any]] = {
    "VARCHAR": _text,
    "INTEGER": _whole,
    "BIGINT": _whole,
    "DOUBLE": _number,
    "BOOLEAN": _boolean,
    "TIMESTAMP WITH TIME ZONE": _stamp,
    "DATE": _day,
    "JSON": _json_text,
}
