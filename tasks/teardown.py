"""Stage teardown: unload the model, end the sampling and write the cell's own row."""

from bench.errors import BackendError
from bench.telemetry.sampler import read_samples
from tasks.session import CellSession, StageOutcome, StageYield
from tasks.stage import stage_task


def run_teardown(session: CellSession, *, failed_stage: str | None, reason: str | None) -> StageOutcome:
    """Land the samples and the cell; `failed_stage` and `reason` say how the cell ended, None if well."""
    return session.stage("teardown", lambda: _teardown(session, failed_stage, reason))


def _teardown(session: CellSession, failed_stage: str | None, reason: str | None) -> StageYield:
    unload_failure = _unload(session)
    session.end_sampling()
    gpu, host, server = read_samples(session.work.log_dir / "telemetry.jsonl")
    outcome = "failed" if failed_stage else "completed"
    return StageYield(
        line=f"cell {outcome}, {len(gpu)} GPU, {len(host)} host and {len(server)} server samples",
        failure=unload_failure,
        tables={
            "gpu_samples": gpu,
            "host_samples": host,
            "server_samples": server,
            "cells": [session.cell_row(outcome, failed_stage, reason)],
        },
    )


def _unload(session: CellSession) -> str | None:
    """Unload the model; a failure to do so is this stage's failure, but never loses the rows."""
    if not session.backend.alive():
        return None
    try:
        session.backend.unload(session.work.served_name)
    except BackendError as error:
        return f"the model could not be unloaded: {error}"
    return None


teardown = stage_task("teardown", run_teardown)
