-- The best simulated model under limits of your own: p95 TTFT in ms, least quality, most VRAM in MiB.
-- grain: one row per combination that stays under every limit
-- params: none

select
    model,
    target,
    workload,
    quality,
    ttft_p95_ms,
    vram_peak_mib
from pick_model(500, 0.5, 24000, simulated := true);
