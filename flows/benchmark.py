"""The benchmark flow: plan, then cell after cell its stages, then warehouse, traces and report."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from evaluators.sandbox import Sandbox
from flows.config import ROOT, langfuse_settings
from flows.plan import Cell
from flows.setup import (
    Overrides,
    PreparedRun,
    Request,
    cell_work,
    dimensions,
    label,
    prepare,
    run_row,
)
from flows.yaml_lines import ConfigError
from reports.data import ReportError
from tasks.answer import answer
from tasks.artifacts import ProgressArtifact, publish_artifacts
from tasks.export import export_traces
from tasks.gpu_slot import gpu_slot
from tasks.ingest import ingest
from tasks.load_model import load_model
from tasks.load_test import load_test
from tasks.prefect_errors import PREFECT_ERRORS
from tasks.progress import ProgressLog
from tasks.report import render_report
from tasks.run_lock import RunIsAlive, run_lock
from tasks.run_log import say, say_once
from tasks.run_record import CellEnd, finished_cells, recorded_run, verdict
from tasks.score import score
from tasks.servers import Servers
from tasks.session import CellSession
from tasks.teardown import teardown
from tasks.unload import unload
from tasks.warm_up import warm_up
from warehouse.landing import LandingError
from warehouse.store import WarehouseError

AS_WRITTEN = Overrides()
"""No change to the experiment file."""

END_ERRORS: tuple[type[Exception], ...] = (WarehouseError, ReportError, *PREFECT_ERRORS)
"""What may go wrong after the measurement; none of it undoes the run."""

STAGES = (unload, load_model, warm_up, load_test, answer, score)


def run_name() -> str:
    """What the flow run is called in Prefect's UI: its experiment, or the run that it continues."""
    given = flow_run.parameters
    return f"resume {given['resume']}" if given.get("resume") else str(given["experiment"])


@flow(name="benchmark", flow_run_name=run_name, persist_result=False)
def benchmark(
    experiment: str = "quick-start",
    overrides: Overrides = AS_WRITTEN,
    resume: str | None = None,
    retry_failed: bool = False,
    run_id: str | None = None,
) -> State[Any]:
    """Measure every cell of an experiment, score its answers and land all of it in the warehouse.

    The form of Prefect's UI shows the texts of the arguments.

    Args:
        experiment: What to measure: the name of a file in configs/experiments, such as quick-start.
        overrides: What this run does differently from the experiment's file; leave a field at None to keep
            what the file says.
        resume: Continue a run that was interrupted: its id, such as R20261121T023000Z-9f3a (its log and
            its artifacts show it). Its finished cells are kept; experiment and overrides are
            then taken from that run.
        retry_failed: With resume: run the cells again that had failed, not only those that had not ended.
        run_id: Leave this at None: a new run draws its own id. For programs that must know the id beforehand.

    Returns:
        Completed if at least one cell completed (the message names those that failed), else Failed.
    """
    say_once()
    request = Request(
        experiment=experiment, overrides=overrides, resume=resume, retry_failed=retry_failed, run_id=run_id
    )
    try:
        run = prepare(request)
        with ProgressLog(run.log_dir / "progress.jsonl") as progress:
            return alone(request, run, progress)
    except (ConfigError, RunIsAlive) as error:
        return refused(str(error))
    except OSError as error:
        return refused(_one_line(error))


def refused(line: str) -> State[Any]:
    """The end of a flow that did not get to its end, with its reason in one line."""
    say(line, ok=False)
    return Failed(message=line)


def alone(request: Request, run: PreparedRun, progress: ProgressLog) -> State[Any]:
    """Measure and conclude while no other run works on the data folder.

    Raises:
        RunIsAlive: another process works on this run; its progress is its own, so nothing is written there.
    """

    def note(text: str) -> None:
        progress.note(text)
        say(text)

    with run_lock(run.data / "run.lock", run.run_id, note):
        try:
            if request.resume is not None:
                # Whoever held the lock may have worked on this run: only now is it known what is left.
                run = prepare(request)
            return conclude(run, measure(run, progress, note), progress)
        except (ConfigError, LandingError, OSError) as error:
            line = _one_line(error) if isinstance(error, OSError) else str(error)
            with suppress(OSError):  # The disk that is full may be the one with the progress on it.
                progress.event("end", status="broken", message=line, report=None, stored=False)
            return refused(line)


def _one_line(error: OSError) -> str:
    """What the system refused, without a traceback."""
    why = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {why}" if error.filename else f"the run cannot go on: {why}"


def measure(run: PreparedRun, progress: ProgressLog, note: Callable[[str], None]) -> list[CellEnd]:
    """Run the cells one after another: they share this client, and usually the GPU."""
    cells = [{"cell_id": c.cell_id, "label": label(c)} for c in run.todo]
    progress.event("plan", run_id=run.run_id, cells=cells, kept=len(run.kept), n_cells=len(run.plan.cells))
    say(f"run {run.run_id}: {len(run.todo)} of {len(run.plan.cells)} cells to run of {run.experiment.name}")
    artifact = ProgressArtifact(run.run_id, n_cells=len(run.todo), n_stages=len(STAGES) + 1)

    sandbox = Sandbox()
    record = recorded_run(
        run.landing_root,
        run_id=run.run_id,
        part=run.part,
        simulated=run.simulated,
        row=run_row(run),
        dimensions=dimensions(run),
        root=ROOT,
        sandbox=sandbox,
    )
    with (
        gpu_slot(note),
        record as ends,
        Servers() as servers,
    ):
        for number, cell in enumerate(run.todo, start=1):
            progress.event("cell", cell_id=cell.cell_id, label=label(cell), i=number, n=len(run.todo))
            artifact.begin_cell()
            ends.append(run_cell(run, cell, servers, progress, artifact, sandbox))
    artifact.finish(f"{len(ends)} cells ended")
    return ends


def run_cell(
    run: PreparedRun,
    cell: Cell,
    servers: Servers,
    progress: ProgressLog,
    artifact: ProgressArtifact,
    sandbox: Sandbox,
) -> CellEnd:
    """Run one cell's stages until one fails, and its teardown in any case."""
    target = run.targets[cell.target]
    failed_stage, reason = None, servers.dead.get(cell.target)
    with CellSession(cell_work(run, cell), servers.backend(target), progress, sandbox) as session:
        if reason is not None:
            failed_stage = "unload"
        for number, stage in enumerate(STAGES if reason is None else (), start=1):
            state = stage(session, return_state=True)
            artifact.stage_done(number, f"{label(cell)} · {stage.name}")
            if state.is_failed():
                failed_stage, reason = stage.name, state.message
                break
        if session.landing_error is None:
            teardown(session, failed_stage=failed_stage, reason=reason, return_state=True)
        if session.landing_error is not None:
            raise session.landing_error
        artifact.stage_done(len(STAGES) + 1, f"{label(cell)} · {teardown.name}")
        if reason is not None:
            servers.note_failure(target, reason)
        return CellEnd(
            cell_id=cell.cell_id,
            label=label(cell),
            outcome="failed" if failed_stage else "completed",
            reason=f"{failed_stage}: {reason}" if failed_stage else None,
            gpu_reason=session.gpu_reason,
        )


def conclude(run: PreparedRun, ends: list[CellEnd], progress: ProgressLog) -> State[Any]:
    """Say how the run ended, after its last steps; a step that fails never undoes the run."""
    report, stored = None, False
    try:
        stored = take_in(run, progress)
        if stored:
            report = show(run, progress)
    except END_ERRORS as error:
        line = " ".join(str(error).split())[:300] or type(error).__name__
        progress.event("step", step="finish", ok=False, line=line)
        say(f"after the measurement: {line}", ok=False)
    status, reason = verdict(finished_cells(run.landing_root, run.run_id), ends)
    message = reason or f"{len(run.plan.cells)} of {len(run.plan.cells)} cells completed"
    progress.event("end", status=status, message=message, report=report, stored=stored)
    say(f"run {run.run_id}: {message}", ok=status == "completed")
    return Failed(message=message) if status == "failed" else Completed(message=message)


def take_in(run: PreparedRun, progress: ProgressLog) -> bool:
    """Ingest what has landed; whether the warehouse took it."""
    stored = ingest(run.data / "warehouse.duckdb", run.landing_root, return_state=True)
    progress.event("step", step="ingest", ok=stored.is_completed(), line=stored.message)
    return stored.is_completed()


def show(run: PreparedRun, progress: ProgressLog) -> str | None:
    """Export the traces, render the report, publish the artifacts; the report's path if there is one."""
    warehouse = run.data / "warehouse.duckdb"
    exported = export_traces(
        warehouse, run.landing_root, run.run_id, run.simulated, langfuse_settings(), return_state=True
    )
    progress.event("step", step="export", ok=exported.is_completed(), line=exported.message)
    rendered = render_report(warehouse, run.data / "reports", run.run_id, return_state=True)
    progress.event("step", step="report", ok=rendered.is_completed(), line=rendered.message)
    report = rendered.message if rendered.is_completed() else None
    try:
        publish_artifacts(warehouse, run.run_id, report)
    except END_ERRORS as error:
        line = " ".join(str(error).split())[:300] or type(error).__name__
        progress.event("step", step="artifacts", ok=False, line=line)
        say(f"artifacts: {line}", ok=False)
    return report
