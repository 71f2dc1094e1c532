-- Durations of every request, in ms, each from the one monotonic clock; NULL where an end was not measured.
-- grain: one row per request of any phase and attempt, failed ones included

create or replace view request_metrics as
select
    r.run_id,
    r.simulated,
    r.cell_id,
    r.attempt,
    r.phase,
    r.request_id,
    r.prompt_id,
    r.prompt_set,
    r.language,
    r.outcome,
    r.http_status,
    r.error,
    r.intended_ns,
    r.sent_ns,
    r.closed_ns,
    r.tokens_in,
    r.tokens_out,
    r.tokens_out_source,
    (r.sent_ns - r.intended_ns) / 1e6 as lag_ms,
    (r.first_token_ns - r.sent_ns) / 1e6 as ttft_ms,
    (r.first_token_ns - r.intended_ns) / 1e6 as ttft_intended_ms,
    (r.first_answer_ns - r.sent_ns) / 1e6 as ttft_answer_ms,
    case when r.tokens_out >= 2 then (r.last_token_ns - r.first_token_ns) / 1e6 / (r.tokens_out - 1) end as tpot_ms,
    (r.last_token_ns - r.sent_ns) / 1e6 as e2e_ms,
    (r.last_token_ns - r.intended_ns) / 1e6 as e2e_intended_ms,
    (r.closed_ns - r.sent_ns) / 1e6 as closed_ms,
    (r.tokens_out_usage - r.content_chunks)::double / nullif(r.tokens_out_usage, 0) as usage_chunk_gap
from requests as r;
