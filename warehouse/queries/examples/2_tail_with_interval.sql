-- How sure is the p95 time to first token: value, 95 % interval and n.
-- grain: one row per cell attempt
-- params: none

select
    c.model,
    c.workload,
    l.n,
    l.value_ms,
    l.low_ms,
    l.high_ms
from cell_latency as l
inner join cells as c
    on l.run_id = c.run_id and l.cell_id = c.cell_id and l.attempt = c.attempt
where l.metric = 'ttft_intended_ms' and l.percentile = 0.95
order by l.value_ms asc nulls last;
