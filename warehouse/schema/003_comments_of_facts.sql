-- What each table of measurements and judgements holds, its unit, and when it is NULL.

comment on table requests is 'One call of a load test or warm-up; a failed or never sent one is a row like any other.';
comment on column requests.run_id is 'run that this row belongs to';
comment on column requests.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column requests.cell_id
is 'cell: one combination of target, model, settings and workload; the same combination has the same id in every run';
comment on column requests.attempt is 'attempt at the cell, from 1; a resumed run opens a new one';
comment on column requests.request_id is 'id, unique in its attempt and phase';
comment on column requests.phase is 'load_test or warm_up; metrics are of load_test';
comment on column requests.worker is 'number of the worker process that sent it';
comment on column requests.prompt_id is 'prompt it was made from';
comment on column requests.prompt_set is 'set of the prompt';
comment on column requests.language is 'language of the prompt (ko, en); NULL if none';
comment on column requests.max_tokens is 'limit on output tokens that was asked for; NULL if none';
comment on column requests.intended_ns
is 'when the schedule wanted it sent; monotonic clock of the measuring host, ns; equals sent_ns in a closed loop';
comment on column requests.sent_ns
is 'request bytes handed to the kernel; monotonic clock of the measuring host, ns; NULL if never sent';
comment on column requests.headers_ns
is 'response headers arrived; monotonic clock of the measuring host, ns; NULL if they did not';
comment on column requests.first_byte_ns
is 'first body byte arrived; monotonic clock of the measuring host, ns; NULL if none';
comment on column requests.first_token_ns
is 'chunk with the first non-empty content, reasoning or tool text; host clock, ns; NULL if none';
comment on column requests.first_answer_ns
is 'chunk with the first non-empty text that is not reasoning; monotonic clock of the measuring host, ns; NULL if none';
comment on column requests.last_token_ns
is 'chunk with the last non-empty text; monotonic clock of the measuring host, ns; NULL if none';
comment on column requests.closed_ns
is 'stream closed; monotonic clock of the measuring host, ns; NULL if it never was';
comment on column requests.chunk_offsets_ns is 'arrival of each content chunk after sent_ns, ns; NULL if none';
comment on column requests.tokens_in is 'prompt tokens as the server counts; NULL if it does not tell';
comment on column requests.tokens_out is 'output tokens; NULL if unknown';
comment on column requests.tokens_out_source
is 'what tokens_out was counted by: usage, chunk_usage, tokenizer or chunks; NULL if unknown';
comment on column requests.tokens_out_usage is 'output tokens in the server''s usage; NULL if it gives none';
comment on column requests.content_chunks is 'chunks with content; NULL if no stream';
comment on column requests.cached_tokens is 'prompt tokens the server took from a cache; NULL if it does not tell';
comment on column requests.finish_reason is 'as the server says; NULL if it did not';
comment on column requests.outcome is 'ok, or the class of the failure';
comment on column requests.http_status is 'HTTP status; NULL if no response';
comment on column requests.error is 'what went wrong, one line; NULL if ok';
comment on column requests.model_echo is 'model named in the response; NULL if none';
comment on column requests.stamp_source is 'user or kernel: where arrivals were stamped';

comment on table gpu_samples is 'One reading of one GPU.';
comment on column gpu_samples.run_id is 'run that this row belongs to';
comment on column gpu_samples.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column gpu_samples.cell_id
is 'cell: one combination of target, model, settings and workload; the same combination has the same id in every run';
comment on column gpu_samples.attempt is 'attempt at the cell, from 1; a resumed run opens a new one';
comment on column gpu_samples.t_ns is 'when it was read; monotonic clock of the measuring host, ns';
comment on column gpu_samples.stage is 'stage of the cell during which it was read';
comment on column gpu_samples.source is 'nvml or simulated';
comment on column gpu_samples.device_index is 'number of the device';
comment on column gpu_samples.device_uuid is 'the device itself; NULL if not told';
comment on column gpu_samples.device_name is 'product name; NULL if not told';
comment on column gpu_samples.memory_used_mib is 'memory used by everyone, MiB; NULL if not told';
comment on column gpu_samples.memory_reserved_mib is 'memory kept by the driver, MiB; NULL if not told';
comment on column gpu_samples.memory_total_mib is 'memory of the device, MiB; NULL if not told';
comment on column gpu_samples.process_memory_mib
is 'memory of the managed server''s processes, MiB; NULL if not told or not managed';
comment on column gpu_samples.utilization_pct is 'time with a kernel running, percent; NULL if not told';
comment on column gpu_samples.memory_utilization_pct is 'time with memory traffic, percent; NULL if not told';
comment on column gpu_samples.power_w is 'power draw, W; NULL if not told';
comment on column gpu_samples.energy_mj
is 'running energy counter, mJ; only differences mean something; NULL if not told';
comment on column gpu_samples.temperature_c is 'degrees Celsius; NULL if not told';
comment on column gpu_samples.sm_clock_mhz is 'clock of the multiprocessors, MHz; NULL if not told';
comment on column gpu_samples.memory_clock_mhz is 'memory clock, MHz; NULL if not told';
comment on column gpu_samples.throttle_reasons is 'why clocks were held down; empty if they were not, NULL if not told';

comment on table host_samples is 'One reading of the measuring host and of the measuring processes.';
comment on column host_samples.run_id is 'run that this row belongs to';
comment on column host_samples.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column host_samples.cell_id
is 'cell: one combination of target, model, settings and workload; the same combination has the same id in every run';
comment on column host_samples.attempt is 'attempt at the cell, from 1; a resumed run opens a new one';
comment on column host_samples.t_ns is 'when it was read; monotonic clock of the measuring host, ns';
comment on column host_samples.stage is 'stage of the cell during which it was read';
comment on column host_samples.cpu_pct is 'processor use of the host, percent of all; NULL if not read';
comment on column host_samples.load_1m is 'load average of one minute; NULL if not read';
comment on column host_samples.memory_used_mib is 'memory used, MiB; NULL if not read';
comment on column host_samples.memory_available_mib is 'memory available, MiB; NULL if not read';
comment on column host_samples.net_rx_bytes is 'counter of bytes received; NULL if not read';
comment on column host_samples.net_tx_bytes is 'counter of bytes sent; NULL if not read';
comment on column host_samples.client_cpu_pct
is 'processor use of the measuring processes, percent of one processor; NULL if not read';
comment on column host_samples.client_rss_mib is 'memory of the measuring processes, MiB; NULL if not read';

comment on table server_samples is 'One value of one metric that a server publishes about itself.';
comment on column server_samples.run_id is 'run that this row belongs to';
comment on column server_samples.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column server_samples.cell_id
is 'cell: one combination of target, model, settings and workload; the same combination has the same id in every run';
comment on column server_samples.attempt is 'attempt at the cell, from 1; a resumed run opens a new one';
comment on column server_samples.t_ns is 'when it was read; monotonic clock of the measuring host, ns';
comment on column server_samples.stage is 'stage of the cell during which it was read';
comment on column server_samples.metric is 'name, as published';
comment on column server_samples.labels is 'JSON object of labels; NULL if none';
comment on column server_samples.value is 'value; NULL if the server says NaN';

comment on table answers is 'One reply to one suite case in one language and repeat.';
comment on column answers.run_id is 'run that this row belongs to';
comment on column answers.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column answers.cell_id
is 'cell: one combination of target, model, settings and workload; the same combination has the same id in every run';
comment on column answers.attempt is 'attempt at the cell, from 1; a resumed run opens a new one';
comment on column answers.answer_id is 'id, unique in its attempt';
comment on column answers.suite is 'name of the suite';
comment on column answers.case_id is 'case of the suite';
comment on column answers.case_kind is 'completion, debugging, review or architecture';
comment on column answers.language is 'ko or en';
comment on column answers.repeat is 'number of the repeat, from 0';
comment on column answers.seed is 'seed sent with the request; NULL if none';
comment on column answers.prompt is 'what was asked';
comment on column answers.text is 'what came; NULL if nothing did. Written by a model: never to be trusted';
comment on column answers.sent_ns
is 'request handed to the kernel; monotonic clock of the measuring host, ns; NULL if never sent';
comment on column answers.first_token_ns
is 'first token arrived; monotonic clock of the measuring host, ns; NULL if none';
comment on column answers.last_token_ns
is 'last token arrived; monotonic clock of the measuring host, ns; NULL if none';
comment on column answers.closed_ns is 'stream closed; monotonic clock of the measuring host, ns; NULL if it never was';
comment on column answers.tokens_in is 'prompt tokens as the server counts; NULL if it does not tell';
comment on column answers.tokens_out is 'output tokens; NULL if unknown';
comment on column answers.tokens_out_source is 'what tokens_out was counted by; NULL if unknown';
comment on column answers.finish_reason is 'as the server says; NULL if it did not';
comment on column answers.outcome is 'ok, or the class of the failure';
comment on column answers.error is 'what went wrong, one line; NULL if ok';

comment on table checks is 'One test or checklist item of an answer.';
comment on column checks.run_id is 'run that this row belongs to';
comment on column checks.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column checks.cell_id
is 'cell: one combination of target, model, settings and workload; the same combination has the same id in every run';
comment on column checks.attempt is 'attempt at the cell, from 1; a resumed run opens a new one';
comment on column checks.answer_id is 'answer it judges';
comment on column checks.check_id is 'the test or item, unique in its answer';
comment on column checks.status
is 'pass, wrong, exception, syntax, no_code, cpu_timeout, wall_timeout, oom, output_cap, killed, infra or not_run';
comment on column checks.passed is 'whether it passed; NULL if it could not be judged (infra, not_run)';
comment on column checks.evidence
is 'quoted from the answer, or expected and found; may hold text of a model; NULL if none';
comment on column checks.cpu_ms is 'processor time, ms; NULL if nothing was executed';
comment on column checks.wall_ms is 'elapsed time, ms; NULL if nothing was executed';

comment on table scores is 'One judgement of one answer.';
comment on column scores.run_id is 'run that this row belongs to';
comment on column scores.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column scores.cell_id
is 'cell: one combination of target, model, settings and workload; the same combination has the same id in every run';
comment on column scores.attempt is 'attempt at the cell, from 1; a resumed run opens a new one';
comment on column scores.answer_id is 'answer it judges';
comment on column scores.judgement is 'correctness, consistency, code_quality or clarity';
comment on column scores.score is '0..1, higher is better; NULL unless status is scored';
comment on column scores.status
is 'scored, not_run (could not be judged: quality becomes NULL) or not_applicable (does not concern this case)';
comment on column scores.reason is 'why there is no score, or why it is what it is; NULL if there is nothing to say';
comment on column scores.detail is 'JSON object of what the score was made of; NULL if none';
comment on column scores.evaluator_version is 'version of the judgement';

comment on table trace_exports is 'One export of a run to Langfuse: what was to be sent, what was acknowledged.';
comment on column trace_exports.run_id is 'run that this row belongs to';
comment on column trace_exports.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column trace_exports.exported_at is 'when, UTC';
comment on column trace_exports.status is 'ok, skipped, incomplete or failed';
comment on column trace_exports.n_traces_expected is 'traces to send';
comment on column trace_exports.n_traces_sent is 'traces acknowledged by the receiver';
comment on column trace_exports.n_spans_expected is 'spans to send';
comment on column trace_exports.n_spans_sent is 'spans acknowledged';
comment on column trace_exports.n_scores_expected is 'scores to send';
comment on column trace_exports.n_scores_sent is 'scores acknowledged';
comment on column trace_exports.reason is 'why not ok, one line; NULL if ok';

comment on table landings is 'What the ingest has taken in: one landing folder, once.';
comment on column landings.run_id is 'run that this row belongs to';
comment on column landings.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column landings.cell_id is 'cell, or run for rows of the run itself';
comment on column landings.attempt is 'attempt, 0 for rows of the run itself';
comment on column landings.stage is 'stage, or the part of the run';
comment on column landings.tables is 'tables it held rows of';
comment on column landings.n_rows is 'rows in it';
comment on column landings.schema_version is 'schema it was written with';
comment on column landings.manifest_sha256 is 'SHA-256 of its manifest';
comment on column landings.written_unix_ns
is 'when it was landed, UTC in ns since 1970: the later one decides a row landed twice';
comment on column landings.ingested_at is 'when it was taken in, UTC';
