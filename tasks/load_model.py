"""Stage load_model: bring the server up if it is ours, load the model, time both."""

from tasks.session import CellSession, StageOutcome, StageYield
from tasks.stage import stage_task


def run_load_model(session: CellSession) -> StageOutcome:
    """Start a managed server that is not running, then load the cell's model with its settings."""
    return session.stage("load_model", lambda: _load(session))


def _load(session: CellSession) -> StageYield:
    work, backend = session.work, session.backend
    backend.start(log_dir=work.log_dir)
    report = backend.load_model(work.served_name, work.settings)
    session.server_version = report.server_version
    ready = f"in {report.model_ready_ms:.0f} ms" if report.model_ready_ms is not None else "already loaded"
    return StageYield(
        line=f"{work.model} is ready ({ready})",
        process_ready_ms=report.process_ready_ms,
        model_ready_ms=report.model_ready_ms,
    )


load_model = stage_task("load_model", run_load_model)
