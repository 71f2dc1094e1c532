-- What a run's finished cells occupied and drew.
-- grain: one row per cell
-- params: run_id

select r.*
from cell_resources as r
inner join finished_cells as f on r.run_id = f.run_id and r.cell_id = f.cell_id and r.attempt = f.attempt
where r.run_id = getvariable('run_id')
order by r.cell_id;
