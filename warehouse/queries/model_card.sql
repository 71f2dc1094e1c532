-- Does a model load on a server, how long does it take, what does it occupy, and why not.
-- grain: one row per cell of a run
-- params: run_id?

select model_card.*
from model_card
where getvariable('run_id')::varchar is null or model_card.run_id = getvariable('run_id')
order by
    model_card.run_id desc, model_card.model asc, model_card.target asc, model_card.workload asc,
    model_card.cell_id asc;
