-- Facts and dimensions of the first version.
-- Every table carries `run_id` and `simulated`; tables below a cell also `cell_id` and `attempt`.
-- `*_ns` are stamps of the measuring host's monotonic clock; cells.clock_* ties them to UTC.

create table runs (
    run_id varchar not null,
    simulated boolean not null,
    experiment_id varchar not null,
    experiment_name varchar not null,
    owner varchar,
    purpose varchar,
    hypothesis varchar,
    expected_result varchar,
    tags varchar[],
    priority varchar,
    goals json,
    experiment json not null,
    config_hash varchar not null,
    seed bigint not null,
    n_cells integer not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    status varchar not null,
    reason varchar,
    isolation varchar,
    isolation_reason varchar,
    gpu_reason varchar,
    primary key (run_id)
);

create table environments (
    run_id varchar not null,
    simulated boolean not null,
    hostname varchar,
    os varchar,
    kernel varchar,
    cpu_model varchar,
    cpu_count integer,
    memory_mib double,
    python_version varchar,
    bakeoff_version varchar,
    commit_sha varchar,
    commit_dirty boolean,
    config_hash varchar,
    gpu_names varchar[],
    gpu_driver_version varchar,
    gpu_cuda_version varchar,
    packages json,
    primary key (run_id)
);

create table targets (
    run_id varchar not null,
    simulated boolean not null,
    target varchar not null,
    kind varchar not null,
    base_url varchar,
    life varchar not null,
    primary key (run_id, target)
);

create table models (
    run_id varchar not null,
    simulated boolean not null,
    model varchar not null,
    served_name varchar,
    family varchar,
    parameters_b double,
    quantisation varchar,
    context_tokens integer,
    licence varchar,
    note varchar,
    primary key (run_id, model)
);

create table workloads (
    run_id varchar not null,
    simulated boolean not null,
    workload varchar not null,
    arrivals varchar not null,
    rate_rps double,
    concurrency integer,
    n_requests integer,
    duration_s double,
    prompt_set varchar not null,
    max_tokens integer not null,
    primary key (run_id, workload)
);

create table suites (
    run_id varchar not null,
    simulated boolean not null,
    suite varchar not null,
    version varchar not null,
    content_hash varchar not null,
    n_cases integer not null,
    primary key (run_id, suite)
);

create table prices (
    run_id varchar not null,
    simulated boolean not null,
    target varchar not null,
    usd_per_hour double not null,
    source varchar not null,
    as_of date not null,
    primary key (run_id, target)
);

create table cells (
    run_id varchar not null,
    simulated boolean not null,
    cell_id varchar not null,
    attempt integer not null,
    cell_index integer not null,
    target varchar not null,
    target_kind varchar not null,
    life varchar not null,
    model varchar not null,
    settings json not null,
    workload varchar not null,
    suites varchar[] not null,
    repeats integer not null,
    sampling json not null,
    weight_correctness double not null,
    weight_consistency double not null,
    weight_code_quality double not null,
    weight_clarity double not null,
    slo_ttft_ms double,
    slo_tpot_ms double,
    slo_e2e_ms double,
    outcome varchar not null,
    failed_stage varchar,
    reason varchar,
    started_at timestamptz not null,
    ended_at timestamptz,
    clock_monotonic_ns bigint not null,
    clock_unix_ns bigint not null,
    server_version varchar,
    gpu_source varchar,
    gpu_reason varchar,
    primary key (run_id, cell_id, attempt)
);

create table stages (
    run_id varchar not null,
    simulated boolean not null,
    cell_id varchar not null,
    attempt integer not null,
    stage varchar not null,
    outcome varchar not null,
    reason varchar,
    started_ns bigint not null,
    ended_ns bigint not null,
    duration_ms double not null,
    vram_before_mib double,
    vram_after_mib double,
    process_ready_ms double,
    model_ready_ms double,
    first_request_ms double,
    primary key (run_id, cell_id, attempt, stage)
);

create table requests (
    run_id varchar not null,
    simulated boolean not null,
    cell_id varchar not null,
    attempt integer not null,
    request_id varchar not null,
    phase varchar not null,
    worker integer not null,
    prompt_id varchar not null,
    prompt_set varchar not null,
    language varchar,
    max_tokens integer,
    intended_ns bigint not null,
    sent_ns bigint,
    headers_ns bigint,
    first_byte_ns bigint,
    first_token_ns bigint,
    first_answer_ns bigint,
    last_token_ns bigint,
    closed_ns bigint,
    chunk_offsets_ns bigint[],
    tokens_in integer,
    tokens_out integer,
    tokens_out_source varchar,
    tokens_out_usage integer,
    content_chunks integer,
    cached_tokens integer,
    finish_reason varchar,
    outcome varchar not null,
    http_status integer,
    error varchar,
    model_echo varchar,
    stamp_source varchar not null,
    primary key (run_id, cell_id, attempt, phase, request_id)
);

create table gpu_samples (
    run_id varchar not null,
    simulated boolean not null,
    cell_id varchar not null,
    attempt integer not null,
    t_ns bigint not null,
    stage varchar not null,
    source varchar not null,
    device_index integer not null,
    device_uuid varchar,
    device_name varchar,
    memory_used_mib double,
    memory_reserved_mib double,
    memory_total_mib double,
    process_memory_mib double,
    utilization_pct double,
    memory_utilization_pct double,
    power_w double,
    energy_mj bigint,
    temperature_c double,
    sm_clock_mhz double,
    memory_clock_mhz double,
    throttle_reasons varchar[]
);

create table host_samples (
    run_id varchar not null,
    simulated boolean not null,
    cell_id varchar not null,
    attempt integer not null,
    t_ns bigint not null,
    stage varchar not null,
    cpu_pct double,
    load_1m double,
    memory_used_mib double,
    memory_available_mib double,
    net_rx_bytes bigint,
    net_tx_bytes bigint,
    client_cpu_pct double,
    client_rss_mib double
);

create table server_samples (
    run_id varchar not null,
    simulated boolean not null,
    cell_id varchar not null,
    attempt integer not null,
    t_ns bigint not null,
    stage varchar not null,
    metric varchar not null,
    labels json,
    value double
);

create table answers (
    run_id varchar not null,
    simulated boolean not null,
    cell_id varchar not null,
    attempt integer not null,
    answer_id varchar not null,
    suite varchar not null,
    case_id varchar not null,
    case_kind varchar not null,
    language varchar not null,
    repeat integer not null,
    seed bigint,
    prompt varchar not null,
    text varchar,
    sent_ns bigint,
    first_token_ns bigint,
    last_token_ns bigint,
    closed_ns bigint,
    tokens_in integer,
    tokens_out integer,
    tokens_out_source varchar,
    finish_reason varchar,
    outcome varchar not null,
    error varchar,
    primary key (run_id, cell_id, attempt, answer_id)
);

create table checks (
    run_id varchar not null,
    simulated boolean not null,
    cell_id varchar not null,
    attempt integer not null,
    answer_id varchar not null,
    check_id varchar not null,
    status varchar not null,
    passed boolean,
    evidence varchar,
    cpu_ms double,
    wall_ms double,
    primary key (run_id, cell_id, attempt, answer_id, check_id)
);

create table scores (
    run_id varchar not null,
    simulated boolean not null,
    cell_id varchar not null,
    attempt integer not null,
    answer_id varchar not null,
    judgement varchar not null,
    score double,
    status varchar not null,
    reason varchar,
    detail json,
    evaluator_version varchar not null,
    primary key (run_id, cell_id, attempt, answer_id, judgement)
);

create table trace_exports (
    run_id varchar not null,
    simulated boolean not null,
    exported_at timestamptz not null,
    status varchar not null,
    n_traces_expected integer not null,
    n_traces_sent integer not null,
    n_spans_expected integer not null,
    n_spans_sent integer not null,
    n_scores_expected integer not null,
    n_scores_sent integer not null,
    reason varchar,
    primary key (run_id, exported_at)
);

create table landings (
    run_id varchar not null,
    simulated boolean not null,
    cell_id varchar not null,
    attempt integer not null,
    stage varchar not null,
    tables varchar[] not null,
    n_rows bigint not null,
    schema_version integer not null,
    manifest_sha256 varchar not null,
    written_unix_ns bigint not null,
    ingested_at timestamptz not null,
    primary key (run_id, cell_id, attempt, stage)
);
