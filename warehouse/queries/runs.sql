-- The runs in the warehouse, newest first.
-- grain: one row per run
-- params: none

select
    r.run_id,
    r.simulated,
    r.experiment_id,
    r.experiment_name,
    r.status,
    r.reason,
    r.started_at,
    r.ended_at,
    r.n_cells,
    count(f.cell_id) as n_cells_finished
from runs as r
left join finished_cells as f on r.run_id = f.run_id
group by all
order by r.started_at desc, r.run_id desc;
