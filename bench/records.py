"""What the instrument writes down: one frozen record per row, field names equal to the table's columns.

The writer adds `run_id`, `simulated` and, below a cell, `cell_id` and `attempt`.
All `*_ns` fields are stamps of this host's monotonic clock in nanoseconds; None means not measured.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of a load test or warm-up; a failed call is a row like any other.

    `outcome` is `ok` or a failure class of `bench.errors.FAILURES`. `chunk_offsets_ns` holds the arrival
    of each content chunk after `sent_ns`. `tokens_out_source` says what `tokens_out` was counted by
    (`usage`, `chunk_usage`, `tokenizer`, `chunks`). `stamp_source` is `user` or `kernel`.
    """

    request_id: str
    phase: str
    worker: int
    prompt_id: str
    prompt_set: str
    language: str | None
    max_tokens: int | None
    intended_ns: int
    sent_ns: int | None
    headers_ns: int | None
    first_byte_ns: int | None
    first_token_ns: int | None
    first_answer_ns: int | None
    last_token_ns: int | None
    closed_ns: int | None
    chunk_offsets_ns: list[int] | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_out_source: str | None
    tokens_out_usage: int | None
    content_chunks: int | None
    cached_tokens: int | None
    finish_reason: str | None
    outcome: str
    http_status: int | None
    error: str | None
    model_echo: str | None
    stamp_source: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One reply to one suite case in one repeat; `text` is None if none came."""

    answer_id: str
    suite: str
    case_id: str
    case_kind: str
    language: str
    repeat: int
    seed: int | None
    prompt: str
    text: str | None
    sent_ns: int | None
    first_token_ns: int | None
    last_token_ns: int | None
    closed_ns: int | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_out_source: str | None
    finish_reason: str | None
    outcome: str
    error: str | None


@dataclass(frozen=True, kw_only=True)
class GpuSample:
    """One reading of one device; each field the card does not offer is None.

    `source` is `nvml` or `simulated`; `energy_mj` is the card's running counter in millijoules.
    """

    t_ns: int
    stage: str
    source: str
    device_index: int
    device_uuid: str | None
    device_name: str | None
    memory_used_mib: float | None
    memory_reserved_mib: float | None
    memory_total_mib: float | None
    process_memory_mib: float | None
    utilization_pct: float | None
    memory_utilization_pct: float | None
    power_w: float | None
    energy_mj: int | None
    temperature_c: float | None
    sm_clock_mhz: float | None
    memory_clock_mhz: float | None
    throttle_reasons: list[str] | None


@dataclass(frozen=True, kw_only=True)
class HostSample:
    """One reading of the measuring host and of the measuring process; network fields are counters."""

    t_ns: int
    stage: str
    cpu_pct: float | None
    load_1m: float | None
    memory_used_mib: float | None
    memory_available_mib: float | None
    net_rx_bytes: int | None
    net_tx_bytes: int | None
    client_cpu_pct: float | None
    client_rss_mib: float | None


@dataclass(frozen=True, kw_only=True)
class ServerSample:
    """One value of one metric that the server publishes about itself; `labels` is a JSON object."""

    t_ns: int
    stage: str
    metric: str
    labels: str | None
    value: float | None


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What a run was measured on: enough to repeat it, impossible to recover later."""

    hostname: str | None
    os: str | None
    kernel: str | None
    cpu_model: str | None
    cpu_count: int | None
    memory_mib: float | None
    python_version: str | None
    bakeoff_version: str | None
    commit_sha: str | None
    commit_dirty: bool | None
    config_hash: str | None
    gpu_names: list[str] | None
    gpu_driver_version: str | None
    gpu_cuda_version: str | None
    packages: str | None
