-- One line per model on one server: does it load, how long does that take, what does it occupy, why not.
-- grain: one row per cell of a run, its latest finished attempt; `supported` is NULL if that was not found out

create or replace view model_card as
select
    b.run_id,
    b.simulated,
    b.model,
    b.target,
    b.target_kind,
    b.settings,
    b.workload,
    -- A server that could not be reached has not said no; neither has one that loaded and then answered nothing.
    case
        when b.n_ok > 0 or b.first_request_ms is not null then true
        when t.load_outcome = 'failed' then false
        when t.load_outcome = 'ok' and b.n_requests = 0 and b.failed_stage is null then true
    end as supported,
    b.load_ms,
    b.e2e_p50_ms as inference_ms,
    b.vram_after_load_mib,
    b.vram_peak_mib as vram_inference_mib,
    case
        when t.load_outcome = 'failed' then coalesce(t.load_reason, 'the load failed')
        when b.outcome = 'failed' then concat_ws(': ', b.failed_stage, b.reason)
        when b.vram_peak_mib is null then b.gpu_reason
    end as note,
    b.cell_id,
    b.attempt
from leaderboard as b
inner join cell_times as t on b.run_id = t.run_id and b.cell_id = t.cell_id and b.attempt = t.attempt;
