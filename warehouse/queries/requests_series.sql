-- The requests of the finished cells' load tests in the order in which they were wanted.
-- grain: one row per request; t_s is seconds since the first intended one of the cell
-- params: run_id

select
    m.cell_id,
    m.attempt,
    (m.intended_ns - min(m.intended_ns) over (partition by m.cell_id, m.attempt)) / 1e9 as t_s,
    m.ttft_intended_ms,
    m.ttft_ms,
    m.tpot_ms,
    m.e2e_ms,
    m.lag_ms,
    m.outcome
from request_metrics as m
inner join finished_cells as f on m.run_id = f.run_id and m.cell_id = f.cell_id and m.attempt = f.attempt
where m.run_id = getvariable('run_id') and m.phase = 'load_test'
order by m.cell_id asc, m.intended_ns asc, m.request_id asc;
