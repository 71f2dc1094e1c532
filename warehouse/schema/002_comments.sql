-- What each table and column holds, its unit, and when it is NULL.

comment on table runs
is 'One execution of an experiment; landed when it begins and again when it ends, the last one stays.';
comment on column runs.run_id is 'id of the run, sorts by time';
comment on column runs.simulated is 'true if the run has a simulated target';
comment on column runs.experiment_id is 'id of the experiment, EXP-YYYYMMDD-NN';
comment on column runs.experiment_name is 'name of the experiment';
comment on column runs.owner is 'who answers for it; NULL if not said';
comment on column runs.purpose is 'what it is for; NULL if not said';
comment on column runs.hypothesis is 'what is believed before measuring; NULL if not said';
comment on column runs.expected_result is 'what would confirm it; NULL if not said';
comment on column runs.tags is 'free words';
comment on column runs.priority is 'as in the experiment; NULL if not said';
comment on column runs.goals is 'JSON list of goals: metric, comparison, value; NULL if none';
comment on column runs.experiment is 'the experiment as it was run, JSON without secrets';
comment on column runs.config_hash is 'SHA-256 of the configuration';
comment on column runs.seed is 'seed of everything drawn at random';
comment on column runs.n_cells is 'cells planned';
comment on column runs.started_at is 'when it began, UTC';
comment on column runs.ended_at is 'when it ended, UTC; NULL while it runs or if it was killed';
comment on column runs.status is 'running, completed, partial (some cells failed), failed (all did) or interrupted';
comment on column runs.reason is 'why not completed, one line; NULL if completed';
comment on column runs.isolation
is 'how code written by a model was isolated (strict); NULL if it could not be, then nothing of it was executed';
comment on column runs.isolation_reason is 'why there was no isolation; NULL if there was';
comment on column runs.gpu_reason is 'why GPU columns are NULL in some cell; NULL if they are not';

comment on table environments is 'What a run was measured on: enough to repeat it.';
comment on column environments.run_id is 'run that this row belongs to';
comment on column environments.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column environments.hostname is 'measuring host; NULL if unknown';
comment on column environments.os is 'operating system; NULL if unknown';
comment on column environments.kernel is 'kernel release; NULL if unknown';
comment on column environments.cpu_model is 'processor; NULL if unknown';
comment on column environments.cpu_count is 'logical processors usable; NULL if unknown';
comment on column environments.memory_mib is 'main memory, MiB; NULL if unknown';
comment on column environments.python_version is 'Python that measured; NULL if unknown';
comment on column environments.bakeoff_version is 'version of Bakeoff; NULL if unknown';
comment on column environments.commit_sha is 'commit of Bakeoff; NULL outside a repository';
comment on column environments.commit_dirty is 'true if files differed from the commit; NULL outside a repository';
comment on column environments.config_hash is 'SHA-256 of the configuration; NULL if unknown';
comment on column environments.gpu_names is 'names of the GPUs of this host; NULL if none can be read';
comment on column environments.gpu_driver_version is 'GPU driver; NULL if none';
comment on column environments.gpu_cuda_version is 'CUDA version of the driver; NULL if none';
comment on column environments.packages is 'JSON object: library to version; NULL if unknown';

comment on table targets is 'A server as configured for a run, without its secrets.';
comment on column targets.run_id is 'run that this row belongs to';
comment on column targets.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column targets.target is 'name of the target';
comment on column targets.kind is 'kind of server: openai, simulator, transformers, …';
comment on column targets.base_url is 'address; NULL for a managed one, which chooses its port';
comment on column targets.life is 'managed (started and stopped by us) or attached (only called)';

comment on table models is 'A model as configured for a run.';
comment on column models.run_id is 'run that this row belongs to';
comment on column models.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column models.model is 'name in the configuration';
comment on column models.served_name is 'name that the server knows it by; NULL if the same';
comment on column models.family is 'model family; NULL if unknown';
comment on column models.parameters_b is 'parameters in 10^9; NULL if unknown';
comment on column models.quantisation is 'quantisation; NULL if none or unknown';
comment on column models.context_tokens is 'context window in tokens; NULL if unknown';
comment on column models.licence is 'licence; NULL if unknown';
comment on column models.note is 'free text; NULL if none';

comment on table workloads is 'A load shape as configured for a run.';
comment on column workloads.run_id is 'run that this row belongs to';
comment on column workloads.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column workloads.workload is 'name of the workload';
comment on column workloads.arrivals is 'closed (n at once), constant or poisson (a rate)';
comment on column workloads.rate_rps is 'requests per second; NULL for a closed loop';
comment on column workloads.concurrency is 'requests in flight; NULL for an open loop';
comment on column workloads.n_requests is 'requests to send; NULL if the duration ends it';
comment on column workloads.duration_s is 'seconds; NULL if the number ends it';
comment on column workloads.prompt_set is 'set of prompts';
comment on column workloads.max_tokens is 'limit on output tokens of a request';

comment on table suites is 'A quality suite as it was on the day of the run.';
comment on column suites.run_id is 'run that this row belongs to';
comment on column suites.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column suites.suite is 'name of the suite';
comment on column suites.version is 'its version';
comment on column suites.content_hash is 'SHA-256 of its files';
comment on column suites.n_cases is 'cases asked';

comment on table prices is 'What an hour of a target cost in the eyes of a run.';
comment on column prices.run_id is 'run that this row belongs to';
comment on column prices.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column prices.target is 'name of the target';
comment on column prices.usd_per_hour is 'US dollars per hour of the whole target';
comment on column prices.source is 'where the price is from';
comment on column prices.as_of is 'day of the price';

comment on table cells
is 'One attempt at one combination; landed as running when it begins, again when it ends, the last one stays.';
comment on column cells.run_id is 'run that this row belongs to';
comment on column cells.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column cells.cell_id
is 'cell: one combination of target, model, settings and workload; the same combination has the same id in every run';
comment on column cells.attempt is 'attempt at the cell, from 1; a resumed run opens a new one';
comment on column cells.cell_index is 'place in the plan, from 1';
comment on column cells.target is 'name of the target';
comment on column cells.target_kind is 'kind of server';
comment on column cells.life is 'managed or attached';
comment on column cells.model is 'name of the model in the configuration';
comment on column cells.settings is 'JSON object of what was turned, keys sorted';
comment on column cells.workload is 'name of the workload';
comment on column cells.suites is 'suites asked; empty if none';
comment on column cells.repeats is 'times each question was asked';
comment on column cells.sampling is 'JSON object: temperature, top_p, max_tokens, seed';
comment on column cells.weight_correctness is 'weight of correctness in quality, 0..1; the four weights sum to 1';
comment on column cells.weight_consistency is 'weight of consistency in quality, 0..1';
comment on column cells.weight_code_quality is 'weight of code quality in quality, 0..1';
comment on column cells.weight_clarity is 'weight of clarity in quality, 0..1';
comment on column cells.slo_ttft_ms is 'limit on TTFT from the intended time, ms; NULL if none';
comment on column cells.slo_tpot_ms is 'limit on time per output token, ms; NULL if none';
comment on column cells.slo_e2e_ms is 'limit on the time from intended to last token, ms; NULL if none';
comment on column cells.outcome
is 'running, completed, failed or interrupted; only completed and failed attempts are ranked';
comment on column cells.failed_stage is 'stage that failed; NULL if none';
comment on column cells.reason is 'why it failed or was interrupted, one line; NULL otherwise';
comment on column cells.started_at is 'when it began, UTC';
comment on column cells.ended_at is 'when it ended, UTC; NULL while it runs or if it was killed';
comment on column cells.clock_monotonic_ns
is 'monotonic clock of the measuring host, ns, at the moment of clock_unix_ns';
comment on column cells.clock_unix_ns
is 'UTC in ns since 1970, at the moment of clock_monotonic_ns: ties all stamps of the cell to UTC';
comment on column cells.server_version is 'version that the server told; NULL if it does not';
comment on column cells.gpu_source is 'nvml or simulated; NULL if no GPU was read';
comment on column cells.gpu_reason is 'why no GPU was read; NULL if one was';

comment on table stages is 'One stage of a cell attempt.';
comment on column stages.run_id is 'run that this row belongs to';
comment on column stages.simulated is 'true if a simulated server gave this; never mixed with real rows';
comment on column stages.cell_id
is 'cell: one combination of target, model, settings and workload; the same combination has the same id in every run';
comment on column stages.attempt is 'attempt at the cell, from 1; a resumed run opens a new one';
comment on column stages.stage is 'unload, load_model, warm_up, load_test, answer, score or teardown';
comment on column stages.outcome is 'ok or failed';
comment on column stages.reason is 'why it failed, one line; NULL if ok';
comment on column stages.started_ns is 'when it began; monotonic clock of the measuring host, ns';
comment on column stages.ended_ns is 'when it ended; monotonic clock of the measuring host, ns';
comment on column stages.duration_ms is 'ended minus started, ms';
comment on column stages.vram_before_mib is 'GPU memory used on all devices before the stage, MiB; NULL if not read';
comment on column stages.vram_after_mib is 'the same after the stage, MiB; NULL if not read';
comment on column stages.process_ready_ms
is 'start of the server''s process to its first answer, ms; NULL unless load_model started it';
comment on column stages.model_ready_ms is 'order to load to loaded, ms; NULL unless load_model loaded it';
comment on column stages.first_request_ms is 'first request sent to closed, ms; NULL unless warm_up measured it';
