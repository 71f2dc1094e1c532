"""Stage load_test: drive the workload and keep every intended request as a row."""

from bench.driver import LoadSummary, Progress, read_log, run_load
from bench.records import Request
from tasks.session import CellSession, StageOutcome, StageYield
from tasks.stage import stage_task


def run_load_test(session: CellSession) -> StageOutcome:
    """Run the cell's load; it fails if nothing completed, it was aborted or the server died."""
    return session.stage("load_test", lambda: _load_test(session))


def _load_test(session: CellSession) -> StageYield:
    work = session.work
    log_path = work.log_dir / "load_test.jsonl"

    def show(progress: Progress) -> None:
        session.progress.event(
            "load",
            finished=progress.n_finished,
            ok=progress.n_ok,
            total=progress.n_intended,
            rps=progress.n_finished / progress.elapsed_s if progress.elapsed_s > 0 else 0.0,
        )

    summary = run_load(session.backend.endpoint(), work.load, log_path=log_path, on_progress=show)
    requests = list(read_log(log_path))
    failure = _failure(session, summary, requests)
    line = f"{summary.n_ok} of {summary.n_intended} requests succeeded"
    return StageYield(line=failure or line, tables={"requests": requests}, failure=failure)


def _failure(session: CellSession, summary: LoadSummary, requests: list[Request]) -> str | None:
    first = next((r.error or r.outcome for r in requests if r.outcome not in ("ok", "aborted")), None)
    if not session.backend.alive():
        return f"the server died during the load test ({summary.n_ok} of {summary.n_intended} requests done)"
    if summary.aborted_reason:
        return f"aborted: {summary.aborted_reason}" + (f"; first failure: {first}" if first else "")
    if summary.n_ok == 0:
        return f"none of {summary.n_intended} requests succeeded" + (f": {first}" if first else "")
    return None


load_test = stage_task("load_test", run_load_test)
