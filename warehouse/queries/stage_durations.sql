-- The stages of a run's cells in the order they ran, of every attempt.
-- grain: one row per stage of a cell attempt
-- params: run_id

select
    s.cell_id,
    s.attempt,
    s.stage,
    s.outcome,
    s.reason,
    s.duration_ms,
    s.vram_before_mib,
    s.vram_after_mib,
    c.model,
    c.target,
    c.workload,
    c.outcome as cell_outcome,
    (s.started_ns - c.clock_monotonic_ns) / 1e9 as started_s
from stages as s
inner join cells as c on s.run_id = c.run_id and s.cell_id = c.cell_id and s.attempt = c.attempt
where s.run_id = getvariable('run_id')
order by c.cell_index asc, s.attempt asc, s.started_ns asc;
