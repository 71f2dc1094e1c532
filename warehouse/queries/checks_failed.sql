-- Tests and checklist items of a run's finished cells that did not pass, or could not be judged.
-- grain: one row per check of an answer
-- params: run_id

select
    k.cell_id,
    k.attempt,
    a.suite,
    a.case_id,
    a.case_kind,
    a.language,
    a.repeat,
    k.check_id,
    k.status,
    k.passed,
    k.evidence,
    c.model,
    c.target
from checks as k
inner join answers as a
    on k.run_id = a.run_id and k.cell_id = a.cell_id and k.attempt = a.attempt and k.answer_id = a.answer_id
inner join finished_cells as f on k.run_id = f.run_id and k.cell_id = f.cell_id and k.attempt = f.attempt
inner join cells as c on k.run_id = c.run_id and k.cell_id = c.cell_id and k.attempt = c.attempt
where k.run_id = getvariable('run_id') and k.passed is distinct from true
order by
    c.cell_index asc, a.suite asc, a.case_id asc, a.language asc, a.repeat asc, k.check_id asc;
