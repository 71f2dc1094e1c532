-- Percentiles of the load test: value, n and distribution-free 95 % interval, for each metric and percentile.
-- `value_ms` is over requests that succeeded; `all_ms` over all intended ones, with a failed request infinitely
-- slow. Both are NULL below min_samples(percentile).
-- grain: one row per cell attempt, metric and percentile (p50, p90, p95, p99)

create or replace view cell_latency as
with
metrics as (
    unpivot (
        select
            run_id,
            cell_id,
            attempt,
            outcome,
            lag_ms,
            ttft_ms,
            ttft_intended_ms,
            ttft_answer_ms,
            tpot_ms,
            e2e_ms,
            e2e_intended_ms,
            closed_ms
        from request_metrics
        where phase = 'load_test'
    )
    on columns(* exclude (run_id, cell_id, attempt, outcome))
    into name metric value value_ms
),

measured as (
    select
        run_id,
        cell_id,
        attempt,
        metric,
        list(value_ms order by value_ms) as sorted_ms
    from metrics
    where outcome = 'ok'
    group by all
),

failures as (
    select
        run_id,
        cell_id,
        attempt,
        count(*) filter (where outcome <> 'ok') as n_failed
    from requests
    where phase = 'load_test'
    group by all
),

points as (
    select
        m.*,
        c.simulated as is_simulated,
        p.percentile,
        len(m.sorted_ms) as n,
        len(m.sorted_ms) + f.n_failed as n_all
    from measured as m
    inner join failures as f on m.run_id = f.run_id and m.cell_id = f.cell_id and m.attempt = f.attempt
    inner join cells as c on m.run_id = c.run_id and m.cell_id = c.cell_id and m.attempt = c.attempt
    cross join (values (0.50), (0.90), (0.95), (0.99)) as p (percentile)
)

select
    run_id,
    is_simulated as simulated,
    cell_id,
    attempt,
    metric,
    percentile,
    n,
    sorted_percentile(sorted_ms, percentile) as value_ms,
    sorted_ms[low_rank(n, percentile)] as low_ms,
    sorted_ms[high_rank(n, percentile)] as high_ms,
    n_all,
    case
        when n_all < min_samples(percentile) then null
        else coalesce(sorted_ms[greatest(1, ceil(n_all * percentile))::bigint], 'infinity'::double)
    end as all_ms
from points;
