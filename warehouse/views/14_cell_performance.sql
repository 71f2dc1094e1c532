-- Speed of a cell: counts and rates of its load test, and its latencies with their intervals.
-- `ttft_*` is from the intended time, `ttft_sent_*` from the sending; `*_all_ms` counts failures as infinitely slow.
-- grain: one row per cell attempt; NULL where nothing was measured or the sample is too small

create or replace view cell_performance as
with
latency as (
    select
        run_id,
        cell_id,
        attempt,
        max(n) filter (where metric = 'ttft_intended_ms') as n_ttft,
        max(n) filter (where metric = 'tpot_ms') as n_tpot,
        max(n) filter (where metric = 'e2e_ms') as n_e2e,
        max(value_ms) filter (where metric = 'ttft_intended_ms' and percentile = 0.50) as ttft_p50_ms,
        max(value_ms) filter (where metric = 'ttft_intended_ms' and percentile = 0.90) as ttft_p90_ms,
        max(value_ms) filter (where metric = 'ttft_intended_ms' and percentile = 0.95) as ttft_p95_ms,
        max(value_ms) filter (where metric = 'ttft_intended_ms' and percentile = 0.99) as ttft_p99_ms,
        max(low_ms) filter (where metric = 'ttft_intended_ms' and percentile = 0.50) as ttft_p50_low_ms,
        max(high_ms) filter (where metric = 'ttft_intended_ms' and percentile = 0.50) as ttft_p50_high_ms,
        max(low_ms) filter (where metric = 'ttft_intended_ms' and percentile = 0.95) as ttft_p95_low_ms,
        max(high_ms) filter (where metric = 'ttft_intended_ms' and percentile = 0.95) as ttft_p95_high_ms,
        max(all_ms) filter (where metric = 'ttft_intended_ms' and percentile = 0.95) as ttft_p95_all_ms,
        max(all_ms) filter (where metric = 'ttft_intended_ms' and percentile = 0.99) as ttft_p99_all_ms,
        max(value_ms) filter (where metric = 'ttft_ms' and percentile = 0.50) as ttft_sent_p50_ms,
        max(value_ms) filter (where metric = 'ttft_ms' and percentile = 0.95) as ttft_sent_p95_ms,
        max(value_ms) filter (where metric = 'ttft_ms' and percentile = 0.99) as ttft_sent_p99_ms,
        max(value_ms) filter (where metric = 'tpot_ms' and percentile = 0.50) as tpot_p50_ms,
        max(value_ms) filter (where metric = 'tpot_ms' and percentile = 0.90) as tpot_p90_ms,
        max(value_ms) filter (where metric = 'tpot_ms' and percentile = 0.95) as tpot_p95_ms,
        max(value_ms) filter (where metric = 'tpot_ms' and percentile = 0.99) as tpot_p99_ms,
        max(low_ms) filter (where metric = 'tpot_ms' and percentile = 0.95) as tpot_p95_low_ms,
        max(high_ms) filter (where metric = 'tpot_ms' and percentile = 0.95) as tpot_p95_high_ms,
        max(value_ms) filter (where metric = 'e2e_ms' and percentile = 0.50) as e2e_p50_ms,
        max(value_ms) filter (where metric = 'e2e_ms' and percentile = 0.90) as e2e_p90_ms,
        max(value_ms) filter (where metric = 'e2e_ms' and percentile = 0.95) as e2e_p95_ms,
        max(value_ms) filter (where metric = 'e2e_ms' and percentile = 0.99) as e2e_p99_ms,
        max(low_ms) filter (where metric = 'e2e_ms' and percentile = 0.95) as e2e_p95_low_ms,
        max(high_ms) filter (where metric = 'e2e_ms' and percentile = 0.95) as e2e_p95_high_ms,
        max(value_ms) filter (where metric = 'lag_ms' and percentile = 0.50) as lag_p50_ms,
        max(value_ms) filter (where metric = 'lag_ms' and percentile = 0.99) as lag_p99_ms
    from cell_latency
    group by all
)

select
    c.run_id,
    c.simulated,
    c.cell_id,
    c.attempt,
    coalesce(d.n_requests, 0) as n_requests,
    coalesce(d.n_ok, 0) as n_ok,
    coalesce(d.n_failed, 0) as n_failed,
    d.* exclude (run_id, simulated, cell_id, attempt, n_requests, n_ok, n_failed),
    q.* exclude (run_id, cell_id, attempt),
    percentile_note(coalesce(q.n_ttft, 0)) as percentile_note
from cells as c
left join cell_load as d on c.run_id = d.run_id and c.cell_id = d.cell_id and c.attempt = d.attempt
left join latency as q on c.run_id = q.run_id and c.cell_id = q.cell_id and c.attempt = q.attempt;
