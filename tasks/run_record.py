"""The run's own rows: written when it opens, again when it ends, and the marks on interrupted attempts."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.environment import read_environment
from evaluators.sandbox import Sandbox
from tasks.records import RunRow
from warehouse.landing import LandingError, land_run, land_stage, landed_stages, read_landed


@dataclass(frozen=True, kw_only=True)
class CellEnd:
    """How a cell ended; `reason` is None if it completed."""

    cell_id: str
    label: str
    outcome: str
    reason: str | None
    gpu_reason: str | None


@contextmanager
def recorded_run(
    landing_root: Path,
    *,
    run_id: str,
    part: str,
    simulated: bool,
    row: RunRow,
    dimensions: Mapping[bool, Mapping[str, Iterable[Any]]],
    root: Path,
    sandbox: Sandbox,
) -> Iterator[list[CellEnd]]:
    """Land the run as running, and how it ended when the block is left.

    The block appends a `CellEnd` for each cell it runs. The sandbox is probed and the environment read
    before anything is measured; attempts that an earlier, killed process left open are marked first. If
    the block is left by an exception (Ctrl-C, a full disk), the run and its open attempt are marked
    interrupted, as far as that can still be written. `simulated` says that any cell of the run is;
    `dimensions` holds the rows of what the cells name by whether they are simulated themselves.
    """
    mark_interrupted(
        landing_root, run_id, reason="the process that ran this attempt ended before the cell did"
    )
    proven = sandbox.probe()
    row = dataclasses.replace(row, isolation=proven.isolation, isolation_reason=proven.reason)
    environment = read_environment(config_hash=row.config_hash, root=root)
    where: dict[str, Any] = {"run_id": run_id, "simulated": simulated}
    tables: dict[str, Iterable[Any]] = {"runs": [row], "environments": [environment]}
    land_run(landing_root, **where, part=f"open-{part}", tables=tables)
    ends: list[CellEnd] = []
    try:
        for pretended, named in dimensions.items():
            kind = "simulated" if pretended else "real"
            land_run(
                landing_root, run_id=run_id, simulated=pretended, part=f"named-{kind}-{part}", tables=named
            )
        yield ends
    except BaseException as error:
        with suppress(LandingError):
            why = f"interrupted: {_cause(error)}"
            mark_interrupted(landing_root, run_id, reason=why)
            row = dataclasses.replace(row, status="interrupted", reason=why, ended_at=datetime.now(UTC))
            land_run(landing_root, **where, part=f"close-{part}", tables={"runs": [row]})
        raise
    status, reason = verdict(finished_cells(landing_root, run_id), ends)
    gpu_reasons = sorted({end.gpu_reason for end in ends if end.gpu_reason})
    row = dataclasses.replace(
        row,
        status=status,
        reason=reason,
        ended_at=datetime.now(UTC),
        gpu_reason="; ".join(gpu_reasons) or None,
    )
    land_run(landing_root, **where, part=f"close-{part}", tables={"runs": [row]})


def _cause(error: BaseException) -> str:
    """What ended a run from outside, in words; an error of its own as it is."""
    if isinstance(error, KeyboardInterrupt):
        return "Ctrl-C"
    # By its name: this module also serves `run --plan`, which does not wait for Prefect's import.
    if type(error).__name__ == "TerminationSignal":
        return "cancelled, or its worker was stopped"
    return str(error) or type(error).__name__


def verdict(outcomes: Mapping[str, str], ends: Iterable[CellEnd]) -> tuple[str, str | None]:
    """Status of a run whose cells ended as `outcomes`, and the reason to show.

    Returns:
        `completed`, `partial` (some cells failed) or `failed` (all did), and which failed and why.
    """
    failed = [cell for cell, outcome in outcomes.items() if outcome != "completed"]
    if not failed:
        return "completed", None
    reasons = [f"{end.label}: {end.reason}" for end in ends if end.outcome != "completed"]
    reason = f"{len(failed)} of {len(outcomes)} cells failed: " + "; ".join(reasons or sorted(failed))
    return ("failed" if len(failed) == len(outcomes) else "partial"), reason


def finished_cells(landing_root: Path, run_id: str) -> dict[str, str]:
    """Cells of a run that ended, with their outcome: a cell has ended when its teardown has landed."""
    ended: dict[str, str] = {}
    for (cell_id, attempt), stages in landed_stages(landing_root, run_id).items():
        if "teardown" in stages:
            rows = read_landed(
                landing_root, run_id=run_id, cell_id=cell_id, attempt=attempt, stage="teardown", table="cells"
            )
            ended[cell_id] = rows[0]["outcome"]
    return ended


def last_attempts(landing_root: Path, run_id: str) -> dict[str, int]:
    """The highest attempt of each cell that has landed anything."""
    attempts: dict[str, int] = {}
    for cell_id, attempt in landed_stages(landing_root, run_id):
        attempts[cell_id] = max(attempt, attempts.get(cell_id, 0))
    return attempts


def mark_interrupted(landing_root: Path, run_id: str, *, reason: str) -> list[str]:
    """Mark every attempt that began and never ended; it is kept, and never ranked.

    Returns:
        the cells whose attempts were marked now.
    """
    marked = []
    for (cell_id, attempt), stages in landed_stages(landing_root, run_id).items():
        if "open" not in stages or stages & {"teardown", "interrupted"}:
            continue
        where: dict[str, Any] = {"run_id": run_id, "cell_id": cell_id, "attempt": attempt}
        (cell,) = read_landed(landing_root, **where, stage="open", table="cells")
        simulated = cell["simulated"]
        row = {k: v for k, v in cell.items() if k not in {*where, "simulated"}}
        row |= {"outcome": "interrupted", "reason": reason}
        land_stage(landing_root, **where, stage="interrupted", simulated=simulated, tables={"cells": [row]})
        marked.append(cell_id)
    return marked
