"""Send a run's calls to Langfuse as traces, after the measurement, and write down what arrived."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.records import TraceExportRow
from tasks.run_log import say
from tasks.warehouse_wait import open_when_free
from tracing.export import export_run
from tracing.records import LangfuseSettings, TracedCall, TracedScore, TraceRows
from warehouse.landing import land_run
from warehouse.store import WarehouseError

TOLD = (
    "target",
    "target_kind",
    "settings",
    "workload",
    "stage",
    "cell_outcome",
    "finish_reason",
    "language",
    "suite",
    "case_kind",
    "repeat",
)
"""Columns that become a trace's metadata, where they are known."""


@task(name="export_traces", task_run_name="export traces", cache_policy=NO_CACHE, persist_result=False)
def export_traces(
    warehouse: Path, landing_root: Path, run_id: str, simulated: bool, settings: LangfuseSettings
) -> State[None]:
    """Export every request and answer; without keys nothing is sent, and that is said once."""
    now = datetime.now(UTC)
    try:
        with open_when_free(warehouse, read_only=True) as store:
            rows = store.rows("trace_rows", run_id=run_id)
        report = export_run(TraceRows(calls=[traced_call(row) for row in rows]), settings=settings)
        export = TraceExportRow(exported_at=now, **asdict(report))
        part = f"traces-{now:%Y%m%dT%H%M%S%f}"
        land_run(
            landing_root, run_id=run_id, simulated=simulated, part=part, tables={"trace_exports": [export]}
        )
        with open_when_free(warehouse) as store:
            store.ingest(landing_root, run_id)
    except WarehouseError as error:
        say(f"langfuse: {error}", ok=False)
        return Failed(message=str(error))
    sent = f"{report.n_spans_sent} of {report.n_spans_expected} calls and "
    sent += f"{report.n_scores_sent} of {report.n_scores_expected} scores acknowledged"
    line = f"{sent}: {report.reason}" if report.reason else sent
    if report.status == "skipped":
        line = str(report.reason)
    ok = report.status in ("ok", "skipped")
    say(f"langfuse: {line}", ok=ok)
    return Completed(message=line) if ok else Failed(message=line)


def traced_call(row: Mapping[str, Any]) -> TracedCall:
    """One row of the query `trace_rows` as a call; one that was never sent has no duration."""
    failed = row["outcome"] != "ok"
    return TracedCall(
        key=row["key"],
        run_id=row["run_id"],
        cell_id=row["cell_id"],
        attempt=row["attempt"],
        kind=row["kind"],
        name=row["name"],
        model=row["model"],
        started_unix_ns=row["started_unix_ns"],
        first_token_unix_ns=row["first_token_unix_ns"],
        ended_unix_ns=row["ended_unix_ns"],
        tokens_in=row["tokens_in"],
        tokens_out=row["tokens_out"],
        cost_usd=row["cost_usd"],
        input=row["input"],
        output=row["output"],
        level="ERROR" if failed else "DEFAULT",
        status_message=f"{row['outcome']}: {row['error']}" if failed else None,
        simulated=row["simulated"],
        metadata={key: row[key] for key in TOLD if row[key] is not None},
        tags=[row["kind"], row["target"], row["workload"]],
        scores=[TracedScore(s["name"], s["value"], s["comment"]) for s in row["scores"] or ()],
    )
