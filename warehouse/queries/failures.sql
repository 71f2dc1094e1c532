-- Everything in a run that did not work: cells, stages, and requests and answers by kind of failure.
-- grain: one row per failed cell or stage (n = n_of = 1), or per outcome of a stage's requests or answers
-- params: run_id

with
calls as (
    select
        cell_id,
        attempt,
        'requests' as scope,
        phase as stage,
        outcome,
        error
    from requests
    where run_id = getvariable('run_id')
    union all
    select
        cell_id,
        attempt,
        'answers' as scope,
        'answer' as stage,
        outcome,
        error
    from answers
    where run_id = getvariable('run_id')
),

counted as (
    select
        cell_id,
        attempt,
        scope,
        stage,
        outcome,
        count(*) as n,
        sum(count(*)) over (partition by cell_id, attempt, scope, stage)::bigint as n_of,
        min(error) as reason
    from calls
    group by cell_id, attempt, scope, stage, outcome
),

failed as (
    select
        cell_id,
        attempt,
        'cell' as scope,
        failed_stage as stage,
        outcome,
        1 as n,
        1 as n_of,
        reason
    from cells
    where run_id = getvariable('run_id') and outcome <> 'completed'
    union all
    select
        cell_id,
        attempt,
        'stage' as scope,
        stage,
        outcome,
        1 as n,
        1 as n_of,
        reason
    from stages
    where run_id = getvariable('run_id') and outcome <> 'ok'
    union all
    select *
    from counted
    where outcome <> 'ok'
)

select
    failed.*,
    cells.model,
    cells.target,
    cells.workload
from failed
inner join cells on failed.cell_id = cells.cell_id and failed.attempt = cells.attempt
where cells.run_id = getvariable('run_id')
order by
    cells.cell_index asc, failed.attempt asc,
    list_position(['cell', 'stage', 'requests', 'answers'], failed.scope) asc, failed.n desc, failed.outcome asc,
    failed.stage asc;
