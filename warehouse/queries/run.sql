-- One run, as its own row says.
-- grain: one row, or none
-- params: run_id

select runs.*
from runs
where runs.run_id = getvariable('run_id');
