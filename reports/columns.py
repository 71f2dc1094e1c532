"""The columns of each table of a report: which field, which heading, which unit, which end is better."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Column:
    """One column: `key` of the row, heading `label`, `unit`, `kind` of numbers.KINDS, `better` high or low.

    `group` is the label of a heading above several columns ('' for none).
    """

    key: str
    label: str
    unit: str
    kind: str
    better: str = ""
    group: str = ""


LEADERBOARD: tuple[Column, ...] = (
    Column("quality", "column.total", "", "score", "high", "group.quality"),
    Column("correctness", "column.correctness", "", "score", "high", "group.quality"),
    Column("consistency", "column.consistency", "", "score", "high", "group.quality"),
    Column("code_quality", "column.code_quality", "", "score", "high", "group.quality"),
    Column("clarity", "column.clarity", "", "score", "high", "group.quality"),
    Column("ttft_p50_ms", "column.ttft_p50", "ms", "ms", "low", "group.latency"),
    Column("ttft_p95_ms", "column.ttft_p95", "ms", "ms", "low", "group.latency"),
    Column("tpot_p95_ms", "column.tpot_p95", "ms", "ms", "low", "group.latency"),
    Column("e2e_p95_ms", "column.e2e_p95", "ms", "ms", "low", "group.latency"),
    Column("output_tokens_per_s", "column.throughput", "tok/s", "rate", "high", "group.load"),
    Column("goodput_ratio", "column.goodput", "%", "percent", "high", "group.load"),
    Column("error_rate", "column.errors", "%", "percent", "low", "group.load"),
    Column("load_ms", "column.load", "s", "s", "low", "group.cost"),
    Column("vram_peak_mib", "column.vram_peak", "GiB", "gib", "low", "group.cost"),
    Column("usd_per_million_output_tokens", "column.usd", "$/1M", "usd", "low", "group.cost"),
)

TERMINAL: tuple[Column, ...] = tuple(
    replace(column, label="column.quality") if column.key == "quality" else column
    for column in LEADERBOARD
    if column.key
    in {
        "quality",
        "ttft_p50_ms",
        "ttft_p95_ms",
        "tpot_p95_ms",
        "output_tokens_per_s",
        "error_rate",
        "load_ms",
        "vram_peak_mib",
    }
)

LATENCY: tuple[Column, ...] = tuple(
    Column(f"{metric}_{name}_ms", f"column.{name}", "ms", "ms", "low", f"group.{metric}")
    for metric in ("ttft", "tpot", "e2e")
    for name in ("p50", "p95", "p99")
)

MODEL_CARD: tuple[Column, ...] = (
    Column("load_ms", "column.load", "s", "s", "low"),
    Column("inference_ms", "column.inference", "ms", "ms", "low"),
    Column("vram_after_load_mib", "column.vram_after_load", "GiB", "gib", "low"),
    Column("vram_inference_mib", "column.vram_inference", "GiB", "gib", "low"),
)

RESOURCES: tuple[Column, ...] = (
    Column("vram_idle_mib", "column.vram_idle", "GiB", "gib"),
    Column("vram_after_load_mib", "column.vram_after_load", "GiB", "gib"),
    Column("vram_peak_mib", "column.vram_peak", "GiB", "gib"),
    Column("utilization_mean_pct", "column.utilization", "%", "pct"),
    Column("power_mean_w", "column.power", "W", "watt"),
    Column("energy_j", "column.energy", "J", "joule"),
)

QUALITY_PARTS = ("quality", "correctness", "consistency", "code_quality", "clarity")
"""The judgements of the quality profile, the weighted total first."""

COUNTS = {
    "quality": "n_answers",
    "correctness": "n_correctness",
    "consistency": "n_consistency",
    "code_quality": "n_code_quality",
    "clarity": "n_clarity",
}
"""The column that says how many answers a judgement's mean rests on."""
