-- The requests (of both phases) and the answers of a run, as an export of traces needs them, with their scores.
-- *_unix_ns is UTC in nanoseconds since 1970, NULL if not measured; a call that was never sent starts when it was
-- given up, or with its cell. `scores` lists judgements that have a value. cost_usd is the price of its output tokens
-- at the cost per token of its cell's load test, NULL without a price.
-- grain: one row per request or answer of every attempt, also interrupted ones
-- params: run_id

with
calls as (
    select
        run_id,
        cell_id,
        attempt,
        'request' as kind,
        concat(phase, '-', request_id) as key,
        prompt_id as name,
        phase as stage,
        coalesce(sent_ns, intended_ns) as started_ns,
        first_token_ns,
        coalesce(closed_ns, last_token_ns) as ended_ns,
        tokens_in,
        tokens_out,
        null::varchar as input,
        null::varchar as output,
        outcome,
        error,
        finish_reason,
        language,
        null::varchar as suite,
        null::varchar as case_kind,
        null::integer as repeat,
        null::varchar as answer_id
    from requests
    where run_id = getvariable('run_id')
    union all
    select
        run_id,
        cell_id,
        attempt,
        'answer' as kind,
        answer_id as key,
        case_id as name,
        'answer' as stage,
        sent_ns as started_ns,
        first_token_ns,
        coalesce(closed_ns, last_token_ns) as ended_ns,
        tokens_in,
        tokens_out,
        prompt as input,
        text as output,
        outcome,
        error,
        finish_reason,
        language,
        suite,
        case_kind,
        repeat,
        answer_id
    from answers
    where run_id = getvariable('run_id')
),

judged as (
    select
        run_id,
        cell_id,
        attempt,
        answer_id,
        list({ 'name': judgement, 'value': score, 'comment': reason } order by judgement) as scores
    from scores
    where run_id = getvariable('run_id') and score is not null
    group by run_id, cell_id, attempt, answer_id
)

select
    k.run_id,
    k.cell_id,
    k.attempt,
    k.kind,
    k.key,
    k.name,
    k.stage,
    c.simulated,
    c.target,
    c.target_kind,
    c.model,
    c.settings,
    c.workload,
    c.outcome as cell_outcome,
    coalesce(k.started_ns, k.ended_ns, c.clock_monotonic_ns) - c.clock_monotonic_ns + c.clock_unix_ns
        as started_unix_ns,
    k.first_token_ns - c.clock_monotonic_ns + c.clock_unix_ns as first_token_unix_ns,
    k.ended_ns - c.clock_monotonic_ns + c.clock_unix_ns as ended_unix_ns,
    k.tokens_in,
    k.tokens_out,
    k.tokens_out * b.usd_per_million_output_tokens / 1e6 as cost_usd,
    k.input,
    k.output,
    k.outcome,
    k.error,
    k.finish_reason,
    k.language,
    k.suite,
    k.case_kind,
    k.repeat,
    j.scores
from calls as k
inner join cells as c on k.run_id = c.run_id and k.cell_id = c.cell_id and k.attempt = c.attempt
left join leaderboard as b on k.run_id = b.run_id and k.cell_id = b.cell_id and k.attempt = b.attempt
left join judged as j
    on k.run_id = j.run_id and k.cell_id = j.cell_id and k.attempt = j.attempt and k.answer_id = j.answer_id
order by c.cell_index asc, k.attempt asc, k.started_ns asc nulls last, k.key asc;
