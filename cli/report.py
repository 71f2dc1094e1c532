"""Write a run's report: one HTML file that needs nothing else and still opens in ten years."""

import argparse
from pathlib import Path

from cli.output import add_json, add_lang, write_json
from flows.config import data_dir
from reports.data import ReportError
from tasks.reporting import write_report
from warehouse.store import WarehouseError

EXAMPLE = """examples: bakeoff report                       the newest run
          bakeoff report R20261121T023000Z-9f3a --lang ko -o report.html"""
FAILURES = (WarehouseError, ReportError)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `bakeoff report` takes."""
    parser.add_argument("run", nargs="?", metavar="RUN_ID", help="the newest run if absent")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to write; data/reports/RUN_ID.html if absent"
    )
    add_lang(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the report and print its path."""
    data = data_dir()
    path = write_report(
        data / "warehouse.duckdb",
        data / "reports",
        args.run,
        lang=args.lang,
        output=Path(args.output) if args.output else None,
    )
    if args.json:
        write_json({"report": str(path)}, args.json)
    else:
        print(path)
    return 0
