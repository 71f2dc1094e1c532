-- Everything known about a cell in one row: quality, speed, errors, load time, VRAM, energy, money.
-- grain: one row per cell of a run, its latest finished attempt; scores and ratios are 0..1, NULL is not measured

create or replace view leaderboard as
select
    r.run_id,
    r.experiment_id,
    r.experiment_name,
    r.started_at,
    c.cell_id,
    c.attempt,
    c.simulated,
    c.target,
    c.target_kind,
    c.model,
    c.settings,
    c.workload,
    c.outcome,
    q.quality,
    case
        when q.n_answers = 0 and c.failed_stage is not null then concat('no answers: failed at ', c.failed_stage)
        else q.quality_reason
    end as quality_reason,
    q.correctness,
    q.n_correctness,
    q.consistency,
    q.n_consistency,
    q.code_quality,
    q.n_code_quality,
    q.clarity,
    q.n_clarity,
    q.n_answers,
    p.n_requests,
    p.n_ok,
    p.error_rate,
    p.ttft_p50_ms,
    p.ttft_p50_low_ms,
    p.ttft_p50_high_ms,
    p.ttft_p95_ms,
    p.ttft_p95_low_ms,
    p.ttft_p95_high_ms,
    p.ttft_p99_ms,
    p.tpot_p50_ms,
    p.tpot_p95_ms,
    p.tpot_p95_low_ms,
    p.tpot_p95_high_ms,
    p.tpot_p99_ms,
    p.e2e_p50_ms,
    p.e2e_p95_ms,
    p.e2e_p95_low_ms,
    p.e2e_p95_high_ms,
    p.e2e_p99_ms,
    p.percentile_note,
    p.output_tokens_per_s,
    p.goodput_ratio,
    p.goodput_rps,
    t.load_ms,
    t.first_request_ms,
    g.vram_after_load_mib,
    g.vram_peak_mib,
    g.gpu_source,
    usd.usd_per_hour / 3600 / nullif(p.output_tokens_per_s, 0) * 1e6 as usd_per_million_output_tokens,
    g.energy_j,
    g.energy_j / nullif(p.tokens_out_total, 0) as energy_j_per_output_token,
    g.gpu_reason,
    c.failed_stage,
    c.reason,
    c.cell_index
from finished_cells as f
inner join cells as c on f.run_id = c.run_id and f.cell_id = c.cell_id and f.attempt = c.attempt
inner join runs as r on c.run_id = r.run_id
inner join cell_quality as q on c.run_id = q.run_id and c.cell_id = q.cell_id and c.attempt = q.attempt
inner join cell_performance as p on c.run_id = p.run_id and c.cell_id = p.cell_id and c.attempt = p.attempt
inner join cell_resources as g on c.run_id = g.run_id and c.cell_id = g.cell_id and c.attempt = g.attempt
inner join cell_times as t on c.run_id = t.run_id and c.cell_id = t.cell_id and c.attempt = t.attempt
left join prices as usd on c.run_id = usd.run_id and c.target = usd.target;
