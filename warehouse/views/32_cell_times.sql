-- How long a cell's model took to be ready, and its first request. A load time is the model's own: the start of
-- its server stands beside it, as only the first cell on a server has one.
-- grain: one row per cell attempt; the load's times are NULL unless the load succeeded, and was ours:
-- of a model that an attached server holds already only a check was made, whose duration is no load time

create or replace view cell_times as
select
    c.run_id,
    c.simulated,
    c.cell_id,
    c.attempt,
    max(s.outcome) filter (where s.stage = 'load_model') as load_outcome,
    max(s.reason) filter (where s.stage = 'load_model') as load_reason,
    max(coalesce(s.model_ready_ms, s.process_ready_ms)) filter (
        where s.stage = 'load_model' and s.outcome = 'ok'
    ) as load_ms,
    max(s.process_ready_ms) filter (where s.stage = 'load_model' and s.outcome = 'ok') as process_ready_ms,
    max(s.model_ready_ms) filter (where s.stage = 'load_model' and s.outcome = 'ok') as model_ready_ms,
    min_by(s.first_request_ms, s.started_ns) as first_request_ms,
    sum(s.duration_ms) as stages_ms
from cells as c
left join stages as s on c.run_id = s.run_id and c.cell_id = s.cell_id and c.attempt = s.attempt
group by c.run_id, c.simulated, c.cell_id, c.attempt;
