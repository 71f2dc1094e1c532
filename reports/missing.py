"""Why a value is NULL, in words: a dash in a table must lead to its reason."""

from collections.abc import Mapping
from dataclasses import dataclass

from reports.data import Row
from reports.ranking import finished
from reports.text import Labels
from reports.visible import one_line

PERCENTILE_NEEDS = {"p50": 1, "p95": 72, "p99": 368}
"""Samples below which a percentile's interval has no upper end (DESIGN section 6)."""

_LONGEST_REASON = 240
_VRAM = {
    "vram_after_load_mib",
    "vram_peak_mib",
    "vram_inference_mib",
    "vram_idle_mib",
    "utilization_mean_pct",
    "power_mean_w",
    "energy_j",
}
_OF_THE_LOAD_TEST = {"output_tokens_per_s", "goodput_ratio", "goodput_rps", "usd_per_million_output_tokens"}
_PARTS = {"correctness", "consistency", "code_quality", "clarity"}


@dataclass(frozen=True)
class Known:
    """What a report knows beside a row: the GPU's reason of the run, and why each failed cell failed."""

    labels: Labels
    gpu_reason: str | None
    failed: Mapping[str, str]


def reason_for(row: Row, column: str, known: Known) -> str:
    """One sentence that says why `row[column]` is NULL, the most specific one that is known."""
    labels = known.labels
    if not finished(row):
        return _failed_reason(row, known)
    if column == "quality" and row.get("quality_reason"):
        return one_line(row["quality_reason"], limit=_LONGEST_REASON)
    if column in _PARTS:
        return labels("missing.part")
    if column in _VRAM:
        why = row.get("gpu_reason") or known.gpu_reason
        return labels(
            "missing.gpu", reason=one_line(why, limit=_LONGEST_REASON) if why else labels("missing.unknown")
        )
    name = _percentile_of(column)
    if name is not None:
        return _percentile_reason(row, name, known)
    if column in _OF_THE_LOAD_TEST and not row.get("n_ok"):
        return labels("missing.unknown" if row.get("n_ok") is None else "missing.no_request")
    return labels.get(f"missing.{column}", labels("missing.unknown"))


def sample_size(row: Row) -> int | None:
    """How many values a row's percentiles rest on: the completed requests of the load test."""
    count = row.get("n_ok")
    return None if count is None else int(count)


def _failed_reason(row: Row, known: Known) -> str:
    why = known.failed.get(str(row.get("cell_id")))
    if not why and row.get("reason"):
        why = one_line(f"{row['failed_stage']}: {row['reason']}", limit=_LONGEST_REASON)
    if why:
        return known.labels("missing.cell_failed_because", reason=why)
    return known.labels("missing.cell_failed", outcome=one_line(row["outcome"]))


def _percentile_of(column: str) -> str | None:
    return next((name for name in PERCENTILE_NEEDS if f"_{name}_" in column), None)


def _percentile_reason(row: Row, name: str, known: Known) -> str:
    n = sample_size(row)
    if n is None:
        return known.labels("missing.unknown")
    if n == 0:
        return known.labels("missing.no_request")
    needed = PERCENTILE_NEEDS[name]
    if n < needed:
        return known.labels("missing.samples_needed", n=n, percentile=name, needed=needed)
    return known.labels("missing.percentile")
