"""Query the warehouse in SQL; read-only, also while nothing else is running."""

import argparse
import sys

from cli.output import add_json, show_rows, write_json
from flows.config import data_dir
from warehouse.store import WarehouseError, open_warehouse

EXAMPLE = """example: bakeoff sql "select model, quality, ttft_p95_ms from leaderboard order by quality desc"
         bakeoff sql --file my.sql --json out.json"""
FAILURES = (WarehouseError,)


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
    if args.file:
        with open(args.file, encoding="utf-8") as file:
            query = file.read()
    else:
        query = sys.stdin.read() if args.query == "-" else args.query
    with open_warehouse(data_dir() / "warehouse.duckdb", read_only=True) as store:
        columns, rows = store.sql(query)
    if args.json:
        write_json([dict(zip(columns, row, strict=True)) for row in rows], args.json)
    else:
        show_rows(columns, rows)
    return 0
