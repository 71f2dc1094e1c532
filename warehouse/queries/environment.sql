-- What a run was measured on.
-- grain: one row, or none
-- params: run_id

select environments.*
from environments
where environments.run_id = getvariable('run_id');
