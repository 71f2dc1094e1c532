-- Seconds a cell took when it last completed, in any run: what an estimate of the next run rests on.
-- grain: one row per cell id
-- params: none

select
    c.cell_id,
    epoch(c.ended_at - c.started_at) as duration_s
from cells as c
where c.outcome = 'completed'
qualify row_number() over (partition by c.cell_id order by c.ended_at desc, c.run_id desc) = 1
order by c.cell_id;
