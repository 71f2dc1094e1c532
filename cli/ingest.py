"""Take waiting landings into the warehouse; what is in already is not taken twice."""

import argparse
import sys

from cli.output import add_json, write_json
from flows.config import data_dir
from warehouse.store import WarehouseError, open_warehouse

EXAMPLE = "example: bakeoff ingest"
FAILURES = (WarehouseError,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `bakeoff ingest` takes."""
    parser.add_argument("--run", metavar="RUN_ID", help="only the landings of this run")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ingest; exit 1 if a landing had to be left out."""
    data = data_dir()
    with open_warehouse(data / "warehouse.duckdb") as store:
        report = store.ingest(data / "landing", args.run)
    rows = sum(report.rows_by_table.values())
    if args.json:
        skipped = [{"landing": str(path), "reason": reason} for path, reason in report.skipped]
        write_json(
            {"stages": report.stages_ingested, "rows": report.rows_by_table, "skipped": skipped}, args.json
        )
    else:
        print(f"{rows} rows of {report.stages_ingested} stages ingested")
    for path, reason in report.skipped:
        print(f"bakeoff ingest: left out {path}: {reason}", file=sys.stderr)
    return 1 if report.skipped else 0
