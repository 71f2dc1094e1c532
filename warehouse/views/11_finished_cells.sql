-- The attempt that stands for a cell: its latest that completed or failed. An attempt that was interrupted, or
-- is still running, never stands for anything.
-- grain: one row per cell of a run

create or replace view finished_cells as
select
    c.run_id,
    c.cell_id,
    c.attempt
from cells as c
where c.outcome in ('completed', 'failed')
qualify row_number() over (partition by c.run_id, c.cell_id order by c.attempt desc) = 1;
