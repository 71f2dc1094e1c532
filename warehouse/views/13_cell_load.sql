-- Counts and rates of the load test: every intended request counts, also one that was never sent.
-- grain: one row per cell attempt that has requests of the load test

create or replace view cell_load as
with
judged as (
    select
        m.run_id,
        c.simulated as is_simulated,
        m.cell_id,
        m.attempt,
        m.intended_ns,
        m.closed_ns,
        m.tokens_out,
        m.tokens_in,
        m.outcome = 'ok' as is_ok,
        m.outcome = 'ok' and m.tokens_out is null as is_uncounted,
        coalesce(c.slo_ttft_ms, c.slo_tpot_ms, c.slo_e2e_ms) is not null as has_slo,
        -- From the intended time, so that a client that sends late does not flatter the server. A reply of one
        -- token has no time per token, so that goal cannot be missed by it.
        m.outcome = 'ok'
        and (c.slo_ttft_ms is null or coalesce(m.ttft_intended_ms <= c.slo_ttft_ms, false))
        and (c.slo_e2e_ms is null or coalesce(m.e2e_intended_ms <= c.slo_e2e_ms, false))
        and (c.slo_tpot_ms is null or coalesce(m.tokens_out < 2 or m.tpot_ms <= c.slo_tpot_ms, false)) as is_good
    from request_metrics as m
    inner join cells as c on m.run_id = c.run_id and m.cell_id = c.cell_id and m.attempt = c.attempt
    where m.phase = 'load_test'
),

totals as (
    select
        run_id,
        is_simulated,
        cell_id,
        attempt,
        count(*) as n_requests,
        count(*) filter (where is_ok) as n_ok,
        count(*) filter (where is_good) as n_good,
        bool_or(has_slo) as has_slo,
        bool_or(is_uncounted) as has_uncounted,
        sum(tokens_in)::bigint as tokens_in_total,
        sum(tokens_out)::bigint as tokens_out_total,
        (max(closed_ns) - min(intended_ns)) / 1e9 as window_s
    from judged
    group by all
)

select
    run_id,
    is_simulated as simulated,
    cell_id,
    attempt,
    n_requests,
    n_ok,
    n_requests - n_ok as n_failed,
    (n_requests - n_ok) / n_requests as error_rate,
    case when window_s > 0 then window_s end as window_s,
    n_ok / nullif(greatest(window_s, 0), 0) as ok_rps,
    tokens_in_total,
    -- One reply with an unknown count makes the sum unknown, not smaller.
    case when not has_uncounted then tokens_out_total end as tokens_out_total,
    case when not has_uncounted then tokens_out_total / nullif(greatest(window_s, 0), 0) end as output_tokens_per_s,
    case when has_slo then n_good end as n_good,
    case when has_slo then n_good / n_requests end as goodput_ratio,
    case when has_slo then n_good / nullif(greatest(window_s, 0), 0) end as goodput_rps
from totals;
