-- Each of the four judgements of a cell: its mean with n, and what is missing.
-- grain: one row per cell attempt and judgement, also where there is nothing

create or replace view cell_judgements as
with
expected as (
    select
        c.run_id,
        c.simulated,
        c.cell_id,
        c.attempt,
        j.judgement,
        case j.judgement
            when 'correctness' then c.weight_correctness
            when 'consistency' then c.weight_consistency
            when 'code_quality' then c.weight_code_quality
            else c.weight_clarity
        end as weight
    from cells as c
    cross join (values ('correctness'), ('consistency'), ('code_quality'), ('clarity')) as j (judgement)
),

asked as (
    select
        run_id,
        cell_id,
        attempt,
        count(*) as n_answers
    from answers
    group by all
),

given as (
    select
        run_id,
        cell_id,
        attempt,
        judgement,
        count(*) as n_given,
        count(score) filter (where status = 'scored') as n_scored,
        count(*) filter (where status = 'not_run') as n_not_run,
        count(*) filter (where status = 'not_applicable') as n_not_applicable,
        avg(score) filter (where status = 'scored') as score,
        min(reason) filter (where status = 'not_run') as reason
    from scores
    group by all
)

select
    e.run_id,
    e.simulated,
    e.cell_id,
    e.attempt,
    e.judgement,
    e.weight,
    g.score,
    coalesce(a.n_answers, 0) as n_answers,
    coalesce(g.n_scored, 0) as n_scored,
    coalesce(g.n_not_applicable, 0) as n_not_applicable,
    -- An answer that no judge has seen is as unknown as one that could not be judged.
    coalesce(g.n_not_run, 0) + greatest(coalesce(a.n_answers, 0) - coalesce(g.n_given, 0), 0) as n_not_run,
    case
        when coalesce(g.n_not_run, 0) > 0 then g.reason
        when coalesce(a.n_answers, 0) > coalesce(g.n_given, 0) then 'not judged'
    end as reason
from expected as e
left join asked as a on e.run_id = a.run_id and e.cell_id = a.cell_id and e.attempt = a.attempt
left join given as g
    on e.run_id = g.run_id and e.cell_id = g.cell_id and e.attempt = g.attempt and e.judgement = g.judgement;
