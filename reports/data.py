"""The rows a report is made of: which columns each list must have, in what unit, and when they are NULL.

The lists come from the warehouse's queries; extra columns are ignored. NULL arrives as None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict

Row = Mapping[str, Any]
"""One row of a query, by column name."""


class LeaderboardRow(TypedDict):
    """One cell, its latest finished attempt. Scores and ratios are 0..1; NULL means not measured."""

    run_id: str
    cell_id: str
    attempt: int
    simulated: bool
    target: str
    target_kind: str
    model: str
    settings: str | dict[str, Any]
    workload: str
    outcome: str
    quality: float | None
    quality_reason: str | None
    correctness: float | None
    n_correctness: int | None
    consistency: float | None
    n_consistency: int | None
    code_quality: float | None
    n_code_quality: int | None
    clarity: float | None
    n_clarity: int | None
    n_answers: int | None
    n_requests: int | None
    n_ok: int | None
    error_rate: float | None
    ttft_p50_ms: float | None
    ttft_p95_ms: float | None
    ttft_p99_ms: float | None
    tpot_p50_ms: float | None
    tpot_p95_ms: float | None
    tpot_p99_ms: float | None
    e2e_p50_ms: float | None
    e2e_p95_ms: float | None
    e2e_p99_ms: float | None
    percentile_note: str | None
    output_tokens_per_s: float | None
    goodput_ratio: float | None
    goodput_rps: float | None
    load_ms: float | None
    first_request_ms: float | None
    vram_after_load_mib: float | None
    vram_peak_mib: float | None
    gpu_source: str | None
    usd_per_million_output_tokens: float | None


class ModelCardRow(TypedDict):
    """One model on one server with one setting: does it load, how long it takes, what it occupies."""

    model: str
    target: str
    target_kind: str
    settings: str | dict[str, Any]
    workload: str
    supported: bool | None
    load_ms: float | None
    inference_ms: float | None
    vram_after_load_mib: float | None
    vram_inference_mib: float | None
    note: str | None


class CellResourcesRow(TypedDict):
    """What one cell occupied and drew; means and energy are those of the load test."""

    cell_id: str
    attempt: int
    vram_idle_mib: float | None
    vram_after_load_mib: float | None
    vram_peak_mib: float | None
    utilization_mean_pct: float | None
    power_mean_w: float | None
    energy_j: float | None
    gpu_source: str | None


class StageRow(TypedDict):
    """One stage of a cell's attempt, in the order they ran."""

    cell_id: str
    attempt: int
    stage: str
    outcome: str
    reason: str | None
    duration_ms: float


class VramRow(TypedDict):
    """One reading of a cell's GPU memory, summed over its devices.

    `t_s` is seconds since the cell's first reading, ascending within a cell.
    """

    cell_id: str
    attempt: int
    t_s: float
    stage: str
    memory_used_mib: float | None
    memory_total_mib: float | None
    source: str


class FailureRow(TypedDict):
    """Something that did not work, with one example of the reason.

    `scope` is `cell` or `stage` (one event: `n` = `n_of` = 1), or `requests` or `answers`
    (`n` of `n_of` of that cell ended with `outcome`).
    """

    cell_id: str
    attempt: int
    scope: str
    stage: str | None
    outcome: str
    n: int
    n_of: int
    reason: str | None


class FailedCheckRow(TypedDict):
    """One test or checklist item that an answer did not pass, or that could not be judged."""

    cell_id: str
    attempt: int
    suite: str
    case_id: str
    case_kind: str
    language: str
    repeat: int
    check_id: str
    status: str
    evidence: str | None


class RequestRow(TypedDict):
    """One request of the load test; `t_s` is its intended time after the cell's first intended one."""

    cell_id: str
    attempt: int
    t_s: float
    ttft_intended_ms: float | None
    e2e_ms: float | None
    outcome: str


class RunRow(TypedDict):
    """The run itself: the columns of `runs` that a report shows."""

    run_id: str
    simulated: bool
    experiment_id: str
    experiment_name: str
    owner: str | None
    purpose: str | None
    hypothesis: str | None
    expected_result: str | None
    goals: str | list[dict[str, Any]] | None
    seed: int
    n_cells: int
    started_at: datetime | str
    ended_at: datetime | str | None
    status: str
    reason: str | None
    isolation: str | None
    isolation_reason: str | None
    gpu_reason: str | None


COLUMNS: dict[str, tuple[str, ...]] = {
    "run": tuple(RunRow.__annotations__),
    "leaderboard": tuple(LeaderboardRow.__annotations__),
    "model_card": tuple(ModelCardRow.__annotations__),
    "cell_resources": tuple(CellResourcesRow.__annotations__),
    "stages": tuple(StageRow.__annotations__),
    "vram_timeline": tuple(VramRow.__annotations__),
    "failures": tuple(FailureRow.__annotations__),
    "failed_checks": tuple(FailedCheckRow.__annotations__),
    "requests_series": tuple(RequestRow.__annotations__),
}
"""The columns each part of `ReportData` must have, by the part's name."""

OK = frozenset({"ok", "completed"})
"""Outcomes of a request, a stage or a cell that ended well; anything else did not."""


class ReportError(Exception):
    """Rows handed to a report lack what it needs; one line."""


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """All that one report shows, of one run. `environment` is a row of `environments` or None."""

    run: Row
    environment: Row | None
    leaderboard: Sequence[Row]
    model_card: Sequence[Row]
    stages: Sequence[Row]
    vram_timeline: Sequence[Row]
    failures: Sequence[Row]
    failed_checks: Sequence[Row]
    requests_series: Sequence[Row]
    sql: Sequence[tuple[str, str]]
    cell_resources: Sequence[Row] = field(default_factory=tuple)


def check_columns(data: ReportData) -> None:
    """Refuse rows that lack a column, before anything is drawn.

    Raises:
        ReportError: names the part and the columns that are missing.
    """
    for part, columns in COLUMNS.items():
        rows = [data.run] if part == "run" else getattr(data, part)
        missing = sorted({column for row in rows for column in columns if column not in row})
        if missing:
            raise ReportError(f"report: rows of {part} lack the column(s) {', '.join(missing)}")
