"""From the warehouse's rows to a report's file; knows nothing of Prefect, so that the verb starts fast."""

import os
from pathlib import Path
from typing import Literal

from reports.data import ReportData, ReportError
from reports.html import render_report
from tasks.warehouse_wait import open_when_free
from warehouse.store import Warehouse, example_queries


def write_report(
    warehouse: Path,
    folder: Path,
    run_id: str | None,
    *,
    lang: Literal["en", "ko"],
    output: Path | None = None,
    wait_s: float = 0.0,
) -> Path:
    """Render the report of a run, the newest if `run_id` is None, and return its file.

    `wait_s`: how long to wait for a warehouse that another process has open.

    Raises:
        ReportError: the warehouse holds no such run, or no run at all, or the file cannot be written.
        WarehouseError: the warehouse cannot be read.
    """
    with open_when_free(warehouse, read_only=True, wait_s=wait_s) as store:
        data = report_data(store, run_id)
    suffix = "" if lang == "en" else f".{lang}"
    path = output or folder / f"{data.run['run_id']}{suffix}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.part")
        partial.write_text(render_report(data, lang=lang), encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise ReportError(f"{path}: cannot be written: {error.strerror}") from None
    return path


def report_data(store: Warehouse, run_id: str | None) -> ReportData:
    """Everything the report of a run shows.

    Raises:
        ReportError: there is no such run.
    """
    runs = store.rows("runs")
    if not runs:
        raise ReportError("the warehouse holds no run yet; `bakeoff run` makes one")
    chosen = runs[0]["run_id"] if run_id is None else run_id
    if chosen not in {row["run_id"] for row in runs}:
        newest = ", ".join(row["run_id"] for row in runs[:3])
        raise ReportError(f"run {chosen!r} is not in the warehouse; the newest are {newest}")
    environment = store.rows("environment", run_id=chosen)
    return ReportData(
        run=store.rows("run", run_id=chosen)[0],
        environment=environment[0] if environment else None,
        leaderboard=store.rows("leaderboard", run_id=chosen),
        model_card=store.rows("model_card", run_id=chosen),
        stages=store.rows("stage_durations", run_id=chosen),
        vram_timeline=store.rows("vram_timeline", run_id=chosen),
        failures=store.rows("failures", run_id=chosen),
        failed_checks=store.rows("checks_failed", run_id=chosen),
        requests_series=store.rows("requests_series", run_id=chosen),
        cell_resources=store.rows("cell_resources", run_id=chosen),
        sql=example_queries(simulated=any(row["simulated"] for row in runs if row["run_id"] == chosen)),
    )
