"""Rows that no single measurement gives: the run, its cells and stages, and what they name.

Field names equal the table's columns; the writer adds `run_id`, `simulated` and, below a cell, `cell_id`
and `attempt`.
"""

from dataclasses import dataclass
from datetime import date, datetime

STAGES: tuple[str, ...] = ("unload", "load_model", "warm_up", "load_test", "answer", "score", "teardown")


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One execution of an experiment; `status` is running, completed, partial, failed or interrupted."""

    experiment_id: str
    experiment_name: str
    owner: str | None
    purpose: str | None
    hypothesis: str | None
    expected_result: str | None
    tags: list[str]
    priority: str | None
    goals: str
    experiment: str
    config_hash: str
    seed: int
    n_cells: int
    started_at: datetime
    ended_at: datetime | None
    status: str
    reason: str | None
    isolation: str | None
    isolation_reason: str | None
    gpu_reason: str | None


@dataclass(frozen=True, kw_only=True)
class CellRow:
    """One attempt at one combination; `outcome` is running, completed, failed or interrupted."""

    cell_index: int
    target: str
    target_kind: str
    life: str
    model: str
    settings: str
    workload: str
    suites: list[str]
    repeats: int
    sampling: str
    weight_correctness: float
    weight_consistency: float
    weight_code_quality: float
    weight_clarity: float
    slo_ttft_ms: float | None
    slo_tpot_ms: float | None
    slo_e2e_ms: float | None
    outcome: str
    failed_stage: str | None
    reason: str | None
    started_at: datetime
    ended_at: datetime | None
    clock_monotonic_ns: int
    clock_unix_ns: int
    server_version: str | None
    gpu_source: str | None
    gpu_reason: str | None


@dataclass(frozen=True, kw_only=True)
class StageRow:
    """One stage of a cell; `outcome` is ok or failed; durations that do not apply to it are None."""

    stage: str
    outcome: str
    reason: str | None
    started_ns: int
    ended_ns: int
    duration_ms: float
    vram_before_mib: float | None
    vram_after_mib: float | None
    process_ready_ms: float | None
    model_ready_ms: float | None
    first_request_ms: float | None


@dataclass(frozen=True, kw_only=True)
class TargetRow:
    """A server as configured, without its secrets."""

    target: str
    kind: str
    base_url: str | None
    life: str


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """A model as configured."""

    model: str
    served_name: str | None
    family: str | None
    parameters_b: float | None
    quantisation: str | None
    context_tokens: int | None
    licence: str | None
    note: str | None


@dataclass(frozen=True, kw_only=True)
class WorkloadRow:
    """A load shape as configured."""

    workload: str
    arrivals: str
    rate_rps: float | None
    concurrency: int | None
    n_requests: int | None
    duration_s: float | None
    prompt_set: str
    max_tokens: int


@dataclass(frozen=True, kw_only=True)
class SuiteRow:
    """A quality suite as it was on the day of the run."""

    suite: str
    version: str
    content_hash: str
    n_cases: int


@dataclass(frozen=True, kw_only=True)
class PriceRow:
    """What an hour of a target cost in this run's eyes."""

    target: str
    usd_per_hour: float
    source: str
    as_of: date


@dataclass(frozen=True, kw_only=True)
class TraceExportRow:
    """What an export to Langfuse was to send and what the receiver acknowledged."""

    exported_at: datetime
    status: str
    n_traces_expected: int
    n_traces_sent: int
    n_spans_expected: int
    n_spans_sent: int
    n_scores_expected: int
    n_scores_sent: int
    reason: str | None
