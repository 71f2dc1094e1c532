-- Which cells stay under every limit, best quality first: the latest time that each combination completed.
-- A limit of NULL does not bind; a value that is not known (NULL) never satisfies a limit.
-- Simulated and real cells are never mixed: real ones, unless `simulated := true`.
-- grain: one row per combination of target, model, settings and workload

create or replace macro pick_model(max_ttft_p95_ms, min_quality, max_vram_mib, simulated := false) as table
with
latest as (
    select b.*
    from leaderboard as b
    where b.outcome = 'completed'
    qualify row_number() over (
        partition by b.simulated, b.target, b.target_kind, b.model, b.settings::varchar, b.workload
        order by b.started_at desc, b.run_id desc
    ) = 1
)

select
    latest.model,
    latest.target,
    latest.target_kind,
    latest.settings,
    latest.workload,
    latest.quality,
    latest.ttft_p95_ms,
    latest.tpot_p95_ms,
    latest.output_tokens_per_s,
    latest.goodput_ratio,
    latest.error_rate,
    latest.vram_peak_mib,
    latest.usd_per_million_output_tokens,
    latest.simulated,
    latest.run_id,
    latest.cell_id,
    latest.started_at
from latest
where
    latest.simulated = simulated -- noqa: RF03
    and (max_ttft_p95_ms is null or latest.ttft_p95_ms <= max_ttft_p95_ms) -- noqa: RF03
    and (min_quality is null or latest.quality >= min_quality) -- noqa: RF03
    and (max_vram_mib is null or latest.vram_peak_mib <= max_vram_mib) -- noqa: RF03
order by latest.quality desc nulls last, latest.ttft_p95_ms asc nulls last, latest.target asc, latest.model asc;
