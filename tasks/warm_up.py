"""Stage warm_up: the first requests, measured but never mixed with the load test's."""

from bench.driver import read_log, run_load
from tasks.session import CellSession, StageOutcome, StageYield
from tasks.stage import stage_task


def run_warm_up(session: CellSession) -> StageOutcome:
    """Send the warm-up requests one after another; the first one's duration is kept."""
    return session.stage("warm_up", lambda: _warm_up(session))


def _warm_up(session: CellSession) -> StageYield:
    log_path = session.work.log_dir / "warm_up.jsonl"
    summary = run_load(session.backend.endpoint(), session.work.warm_up, log_path=log_path)
    requests = sorted(read_log(log_path), key=lambda r: r.intended_ns)
    good = [r for r in requests if r.outcome == "ok"]
    failure = None
    if not good:
        why = next((r.error or r.outcome for r in requests), "nothing was sent")
        failure = f"no warm-up request of {summary.n_intended} succeeded: {why}"
    first = requests[0] if requests and requests[0].outcome == "ok" else None
    first_ms = (
        (first.closed_ns - first.sent_ns) / 1e6 if first and first.closed_ns and first.sent_ns else None
    )
    return StageYield(
        line=failure or f"{len(good)} of {summary.n_intended} requests succeeded",
        tables={"requests": requests},
        failure=failure,
        first_request_ms=first_ms,
    )


warm_up = stage_task("warm_up", run_warm_up)
