-- GPU memory of a run's finished cells over time, all devices of a reading together.
-- grain: one row per cell and reading; t_s is seconds since the first reading of the cell
-- params: run_id

select
    g.cell_id,
    g.attempt,
    (g.t_ns - min(g.t_ns) over (partition by g.cell_id, g.attempt)) / 1e9 as t_s,
    g.stage,
    g.memory_used_mib,
    g.memory_total_mib,
    g.source,
    g.utilization_pct,
    g.power_w
from gpu_rounds as g
inner join finished_cells as f on g.run_id = f.run_id and g.cell_id = f.cell_id and g.attempt = f.attempt
where g.run_id = getvariable('run_id')
order by g.cell_id asc, g.t_ns asc;
