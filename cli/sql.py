"""Query the warehouse in SQL; read-only, also while nothing else is running."""

import argparse
import sys
from pathlib import Path

from cli.output import add_json, show_rows, write_json
from flows.config import data_dir
from warehouse.store import WarehouseError, open_warehouse

EXAMPLE = """example: bakeoff sql "select model, quality, ttft_p95_ms from leaderboard order by quality desc"
         bakeoff sql --file my.sql --json out.json"""
FAILURES = (WarehouseError,)
MOST_ROWS = 1_000
"""Rows that a table for people shows: laying out 200,000 takes half a minute, and nobody reads them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `bakeoff sql` takes."""
    parser.add_argument("query", nargs="?", help="one SQL statement; '-' reads it from standard input")
    parser.add_argument("--file", metavar="FILE", help="read the statement from FILE instead")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the statement and show its rows."""
    if bool(args.query) == bool(args.file):
        print("bakeoff sql: give one query, or --file FILE", file=sys.stderr)
        return 2
    try:
        query = _text_of(args)
    except (OSError, UnicodeError) as error:
        why = "is not UTF-8 text" if isinstance(error, UnicodeError) else f"cannot be read: {error.strerror}"
        print(f"bakeoff sql: {args.file or 'standard input'} {why}", file=sys.stderr)
        return 2
    with open_warehouse(data_dir() / "warehouse.duckdb", read_only=True) as store:
        columns, rows = store.sql(query)
    if args.json:
        write_json([dict(zip(columns, row, strict=True)) for row in rows], args.json)
    else:
        show_rows(columns, rows[:MOST_ROWS])
        if len(rows) > MOST_ROWS:
            print(f"… and {len(rows) - MOST_ROWS:,} rows more; --json gives all {len(rows):,}")
    return 0


def _text_of(args: argparse.Namespace) -> str:
    if args.file:
        return Path(args.file).read_text(encoding="utf-8")
    return sys.stdin.read() if args.query == "-" else str(args.query)
