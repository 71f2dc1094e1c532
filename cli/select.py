"""Pick a model: the best quality among the cells that stay under every limit; ties and misses are named."""

import argparse

from cli.output import add_json, show_rows, write_json
from flows.config import data_dir
from warehouse.store import WarehouseError, open_warehouse

EXAMPLE = "example: bakeoff select --max-ttft-p95-ms 500 --min-quality 0.6 --max-vram-mib 24000 --simulated"
FAILURES = (WarehouseError,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `bakeoff select` takes."""
    parser.add_argument(
        "--max-ttft-p95-ms", type=float, metavar="MS", help="limit on the p95 time to first token"
    )
    parser.add_argument("--min-quality", type=float, metavar="SHARE", help="least quality total, 0 to 1")
    parser.add_argument("--max-vram-mib", type=float, metavar="MIB", help="limit on the peak VRAM")
    parser.add_argument(
        "--simulated", action="store_true", help="choose among simulated cells, never mixed with real"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Show the cells under the limits, best first; exit 1 if there is none."""
    with open_warehouse(data_dir() / "warehouse.duckdb", read_only=True) as store:
        rows = store.rows(
            "pick_model",
            max_ttft_p95_ms=args.max_ttft_p95_ms,
            min_quality=args.min_quality,
            max_vram_mib=args.max_vram_mib,
            simulated=args.simulated,
        )
    if args.json:
        write_json(rows, args.json)
    elif rows:
        show_rows(list(rows[0]), [list(row.values()) for row in rows])
    else:
        kind = "simulated" if args.simulated else "real"
        print(f'no {kind} cell meets these limits; `bakeoff sql "from leaderboard"` shows all cells')
    return 0 if rows else 1
