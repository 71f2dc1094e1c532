"""Measure an experiment's cells and land them in the warehouse.

Uses the Prefect server at PREFECT_API_URL if that is set, else that of a `bakeoff serve` on the same data
folder, else starts one of its own for the time of the run.
"""

import argparse
import os
import signal
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench.errors import BenchError
from bench.process import OwnedProcess
from cli.display import Display, Event, follow
from cli.output import add_json, add_lang, check_data_dir, command, console, write_json
from cli.prefect_server import free_port, own_server, server_environment, serving_at
from flows.identity import new_run_id
from flows.plan import estimate_s
from flows.setup import PreparedRun, Request, checked_overrides, label, prepare
from flows.yaml_lines import ConfigError
from reports.goals import goals_of, holds
from reports.terminal import leaderboard_table
from tasks.run_lock import RunIsAlive, refuse_living
from tasks.warehouse_wait import WAIT_S, open_when_free
from warehouse.store import WarehouseError, example_queries, open_warehouse

EXAMPLE = """examples: bakeoff run quick-start
          bakeoff run nightly --plan
          bakeoff run --resume R20261121T023000Z-9f3a"""
FAILURES = (BenchError, WarehouseError)

STOP_GRACE_S = 30.0
"""How long an interrupted run gets to stop its servers and write down how it ended."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `bakeoff run` takes."""
    parser.add_argument(
        "experiment", nargs="?", help="a name in configs/experiments, or a file; quick-start if absent"
    )
    parser.add_argument(
        "--plan", action="store_true", help="show the cells and an estimate of time; start nothing"
    )
    parser.add_argument(
        "--resume", metavar="RUN_ID", help="continue a run that was killed; ended cells are kept"
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="with --resume: also run cells that had failed"
    )
    for name in ("target", "model", "workload"):
        parser.add_argument(
            f"--{name}", action="append", metavar="NAME", help=f"only this {name} (may be repeated)"
        )
    parser.add_argument("--repeats", type=int, metavar="N", help="answers to each question")
    add_lang(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run it; exit 1 if a cell failed or a goal was missed."""
    check_options(args)
    request = Request(
        experiment=args.experiment or Request().experiment,
        overrides=checked_overrides(
            targets=args.target, models=args.model, workloads=args.workload, repeats=args.repeats
        ),
        resume=args.resume,
        retry_failed=args.retry_failed,
        run_id=None if args.resume else new_run_id(datetime.now(UTC)),
    )
    prepared = prepare(request)
    if args.plan:
        return show_plan(prepared, args)
    check_data_dir(prepared.data)
    try:
        refuse_living(prepared.data / "run.lock", prepared.run_id)
    except RunIsAlive as error:
        raise ConfigError(str(error)) from None
    show = console(stderr=args.json == "-", patient=True)
    end = measure(request, prepared, show)
    if end["status"] == "broken":
        raise BenchError(f"{end['message']}{way_on(prepared)}")
    return conclude(prepared, end, args, show)


def check_options(args: argparse.Namespace) -> None:
    """Refuse options that would change nothing.

    Raises:
        ConfigError: a run that is resumed keeps its experiment, and only such a run has cells to retry.
    """
    if args.retry_failed and not args.resume:
        raise ConfigError("--retry-failed goes with --resume RUN_ID only")
    given = {"an experiment": args.experiment, "--repeats": args.repeats}
    given |= {f"--{name}": getattr(args, name) for name in ("target", "model", "workload")}
    wrong = [name for name, value in given.items() if value is not None]
    if args.resume and wrong:
        raise ConfigError(f"{wrong[0]} cannot go with --resume: the run keeps the experiment it began with")


def way_on(run_: PreparedRun) -> str:
    """How to go on with a run that broke off, as the end of a sentence; empty if nothing of it has landed."""
    landed = (run_.landing_root / run_.run_id).is_dir()
    return f"; to go on: {command()} run --resume {run_.run_id}" if landed else ""


def show_plan(run_: PreparedRun, args: argparse.Namespace) -> int:
    """Print the cells, an estimate of time, and what would be skipped and why."""
    measured = measured_durations(run_.data / "warehouse.duckdb")
    rows = [(cell, estimate_s(cell, run_.experiment, run_.catalog, measured)) for cell in run_.todo]
    total_s = sum(seconds for _, seconds in rows)
    skipped = [(f"{s.model} on {s.target}", s.reason) for s in run_.plan.skipped]
    skipped += [(cell_id, f"{outcome} before") for cell_id, outcome in run_.kept.items()]
    if args.json:
        cells = [
            {
                "cell_id": c.cell_id,
                "cell": label(c),
                "estimate_s": s,
                "measured_before": c.cell_id in measured,
            }
            for c, s in rows
        ]
        left_out = [{"what": what, "reason": reason} for what, reason in skipped]
        write_json({"cells": cells, "skipped": left_out, "estimate_s": total_s}, args.json)
        return 0
    show = console()
    for cell, seconds in rows:
        source = "as last time" if cell.cell_id in measured else "rule of thumb"
        show.print(f"{cell.index:>3}  {label(cell)}  ~{seconds:.0f} s ({source})")
    for what, reason in skipped:
        show.print(f"  -  {what}: skipped, {reason}")
    show.print(f"{len(rows)} cells, about {total_s / 60:.1f} min; nothing was started")
    return 0


def measured_durations(warehouse: Path) -> dict[str, float]:
    """Seconds that each cell took when it last completed; empty without a warehouse."""
    if not warehouse.exists():
        return {}
    try:
        with open_warehouse(warehouse, read_only=True) as store:
            return {row["cell_id"]: row["duration_s"] for row in store.rows("cell_durations")}
    except WarehouseError:
        return {}


def measure(request: Request, run_: PreparedRun, show: Console) -> Event:
    """Run the flow in a process of its own and show its progress; returns its last event.

    Raises:
        BenchError: the process, or the Prefect server we started for it, ended before the run did.
    """
    logs = run_.log_dir
    logs.mkdir(parents=True, exist_ok=True)
    given_url = os.environ.get("PREFECT_API_URL")
    source = "PREFECT_API_URL" if given_url else "bakeoff serve"
    given_url = given_url or serving_at(run_.data)
    with ExitStack() as owned:
        if given_url:
            env = {
                **os.environ,
                "PREFECT_API_URL": given_url,
                "BAKEOFF_DATA": str(run_.data),
                "DO_NOT_TRACK": "1",
            }
            server = None
        else:
            env = server_environment(run_.data, free_port(), whole=False)
            server = owned.enter_context(own_server(sys.executable, env, logs / "prefect-server.log"))
        words = [sys.executable, "-m", "cli.child", request.model_dump_json(), "own" if server else source]
        child = owned.enter_context(OwnedProcess(words, env=env, log_path=logs / "run.log"))
        display = Display(show)
        if server:
            display.starting("starting Prefect (a first start makes its database: up to 40 s) …")
        progress = logs / "progress.jsonl"
        skip = progress.stat().st_size if progress.exists() else 0
        try:
            display.show(follow(progress, lambda: alive(child, server), skip=skip))
        except KeyboardInterrupt:
            print("\nstopping …", file=sys.stderr)
            interrupt(child)
            print(f"stopped{way_on(run_)}", file=sys.stderr)
            raise
        if display.end is None:
            why = ended_early(child, server, logs)
            raise BenchError(f"run {run_.run_id} ended early: {why}{way_on(run_)}")
        return display.end


def alive(child: OwnedProcess, server: OwnedProcess | None) -> bool:
    """Whether the run can still go on: its process lives, and so does the server we started for it."""
    return child.poll() is None and (server is None or server.poll() is None)


def ended_early(child: OwnedProcess, server: OwnedProcess | None, logs: Path) -> str:
    """Why a run has no end; the measuring process is stopped if it still works."""
    if server is not None and server.poll() is not None:
        # Asked for before the process is stopped: what it says then is no reason.
        why = server.last_line() or f"exit status {server.poll()}"
        print("the Prefect server ended; stopping …", file=sys.stderr)
        interrupt(child)
        return f"the Prefect server ended: {why}; see {logs / 'prefect-server.log'}"
    return f"{child.last_line() or f'exit status {child.poll()}'}; see {logs / 'run.log'}"


def interrupt(child: OwnedProcess) -> None:
    """Pass Ctrl-C on, and give the run time to stop its servers and to write down how it ended."""
    if child.poll() is None:
        os.kill(child.pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_GRACE_S
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)


def conclude(run_: PreparedRun, end: Event, args: argparse.Namespace, show: Console) -> int:
    """Show the leaderboard, the report's path and what to try next; exit status as DESIGN.md section 7."""
    warehouse = run_.data / "warehouse.duckdb"
    try:
        # A flow that could not store its rows has waited already.
        wait_s = WAIT_S if end["stored"] else 0.0
        with open_when_free(warehouse, read_only=True, wait_s=wait_s) as store:
            rows = store.rows("leaderboard", run_id=run_.run_id)
            failures = store.rows("failures", run_id=run_.run_id)
            stored = store.rows("run", run_id=run_.run_id)
    except WarehouseError as error:
        print(f"bakeoff run: {error}; the landings wait, `bakeoff ingest` takes them later", file=sys.stderr)
        return 1
    if not stored:
        print(
            "bakeoff run: not in the warehouse; the landings wait, `bakeoff ingest` takes them",
            file=sys.stderr,
        )
        return 1
    goals = goals_of(stored[0])
    missed = [str(goal) for goal in goals if not holds(goal, rows)]
    if args.json:
        verdict = {"run_id": run_.run_id, "status": end["status"], "message": end["message"]}
        write_json(
            {**verdict, "missed_goals": missed, "report": end["report"], "leaderboard": rows}, args.json
        )
    show.print()
    show.print(leaderboard_table(rows, lang=args.lang, failures=failures))
    for line in missed:
        show.print(f"goal missed: {line}", style="yellow")
    if end["report"]:
        show.print(f"\nreport  {end['report']}", soft_wrap=True)
    show.print("\nthree queries to try next:")
    for title, query in example_queries(simulated=run_.simulated):
        show.print(f"  # {title}", style="dim")
        show.print(f'  {command()} sql "{query}"', soft_wrap=True)
    if end["status"] != "completed":
        print(f"bakeoff run: {end['message']}", file=sys.stderr)
    return 0 if end["status"] == "completed" and not missed else 1
