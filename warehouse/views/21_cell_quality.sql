-- Quality of a cell: the weighted sum of its four judgements' means, each 0..1, and why there is none.
-- grain: one row per cell attempt; `quality` is NULL, with its reason, if a judgement that has weight has an item that
-- could not be judged, or no scored item at all

create or replace view cell_quality as
with
judged as (
    select
        j.* exclude (simulated),
        c.simulated as is_simulated,
        weight > 0 and (n_not_run > 0 or n_scored = 0) as is_missing,
        case
            when weight = 0 then null
            when n_not_run > 0
                then format('{}: {} of {} not judged ({})', judgement, n_not_run, n_answers, coalesce(j.reason, '?'))
            when n_scored = 0 then format('{}: nothing to judge', judgement)
        end as missing
    from cell_judgements as j
    inner join cells as c on j.run_id = c.run_id and j.cell_id = c.cell_id and j.attempt = c.attempt
)

select
    run_id,
    is_simulated as simulated,
    cell_id,
    attempt,
    max(n_answers) as n_answers,
    case when not bool_or(is_missing) then sum(weight * score) filter (where weight > 0) end as quality,
    case
        when max(n_answers) = 0 then 'no answers'
        else string_agg(missing, '; ' order by weight desc, judgement asc)
    end as quality_reason,
    max(score) filter (where judgement = 'correctness') as correctness,
    max(n_scored) filter (where judgement = 'correctness') as n_correctness,
    max(score) filter (where judgement = 'consistency') as consistency,
    max(n_scored) filter (where judgement = 'consistency') as n_consistency,
    max(score) filter (where judgement = 'code_quality') as code_quality,
    max(n_scored) filter (where judgement = 'code_quality') as n_code_quality,
    max(score) filter (where judgement = 'clarity') as clarity,
    max(n_scored) filter (where judgement = 'clarity') as n_clarity,
    sum(n_not_run)::bigint as n_not_run
from judged
group by all;
