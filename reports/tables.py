"""Rows into tables of text: aligned digits, the best value marked, every dash with its numbered reason."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports.columns import Column
from reports.data import Row
from reports.missing import Known, reason_for
from reports.names import CellName
from reports.numbers import NULL, decimals_of, measured, shown


@dataclass(frozen=True)
class Value:
    """One place of a table; `note` is the number of its reason in the table's notes, if it is NULL.

    `interval` is the value's 95 % interval as text, '' if the row has none.
    """

    text: str
    reason: str | None = None
    note: int | None = None
    best: bool = False
    interval: str = ""


@dataclass(frozen=True)
class Line:
    """One row of a table; `rank` is None where the row has no place in the order."""

    row: Row
    name: CellName
    rank: int | None
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Table:
    """A table's columns, its lines in blocks (one per comparable group), and its numbered notes."""

    columns: tuple[Column, ...]
    blocks: tuple[tuple[Line, ...], ...]
    notes: tuple[str, ...]


def build_table(
    blocks: Sequence[Sequence[Row]],
    columns: Sequence[Column],
    names: Sequence[CellName],
    known: Known,
) -> Table:
    """A table of text.

    Args:
        blocks: rows, in the order they are shown; the best value is marked within a block.
        columns: what to show of each row.
        names: one name for each row of all blocks, in the same order.
        known: what explains a NULL.
    """
    every = [row for block in blocks for row in block]
    digits = {column.key: decimals_of(column.kind, [row[column.key] for row in every]) for column in columns}
    given = iter(names)
    plain = tuple(
        tuple(
            Line(
                row,
                next(given),
                None,
                tuple(_value(row, column, digits[column.key], known) for column in columns),
            )
            for row in block
        )
        for block in blocks
    )
    marked = tuple(_with_best(_with_ranks(block), columns) for block in plain)
    return _with_notes(Table(tuple(columns), marked, ()))


def _value(row: Row, column: Column, digits: int, known: Known) -> Value:
    text = shown(row[column.key], column.kind, digits)
    if text == NULL:
        return Value(text, reason_for(row, column.key, known))
    return Value(text, interval=_interval(row, column, digits))


def _interval(row: Row, column: Column, digits: int) -> str:
    """The interval, if the row has both ends: `x_ms` has `x_low_ms` and `x_high_ms`."""
    stem = column.key.removesuffix("_ms")
    low, high = (measured(row.get(f"{stem}_{end}_ms")) for end in ("low", "high"))
    if low is None or high is None:
        return ""
    return f"{shown(low, column.kind, digits)}–{shown(high, column.kind, digits)}"


def _with_ranks(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Ranks by quality where it is known; equal figures as shown share a rank."""
    ranked: list[Line] = []
    for position, line in enumerate(lines, start=1):
        quality = line.row.get("quality")
        rank = None if measured(quality) is None else position
        if rank and ranked and shown(quality, "score") == shown(ranked[-1].row.get("quality"), "score"):
            rank = ranked[-1].rank
        ranked.append(replace(line, rank=rank))
    return tuple(ranked)


def _with_best(lines: Sequence[Line], columns: Sequence[Column]) -> tuple[Line, ...]:
    best = [_best_text(lines, index, column) for index, column in enumerate(columns)]
    return tuple(
        replace(
            line,
            values=tuple(
                replace(value, best=best[index] is not None and value.text == best[index])
                for index, value in enumerate(line.values)
            ),
        )
        for line in lines
    )


def _best_text(lines: Sequence[Line], index: int, column: Column) -> str | None:
    """The text of the best value, None where there is nothing to be better than."""
    known = [
        (number, line.values[index].text)
        for line in lines
        if (number := measured(line.row[column.key])) is not None
    ]
    if not column.better or len({text for _, text in known}) < 2:
        return None
    return (max(known) if column.better == "high" else min(known))[1]


def _with_notes(table: Table) -> Table:
    reasons = [v.reason for block in table.blocks for line in block for v in line.values if v.reason]
    notes = {reason: number for number, reason in enumerate(dict.fromkeys(reasons), start=1)}
    blocks = tuple(
        tuple(
            replace(
                line,
                values=tuple(replace(v, note=notes[v.reason]) if v.reason else v for v in line.values),
            )
            for line in block
        )
        for block in table.blocks
    )
    return replace(table, blocks=blocks, notes=tuple(notes))
