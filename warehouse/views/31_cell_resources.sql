-- What a cell occupied and drew: VRAM before and after the load, and the load test's peak, means and energy.
-- grain: one row per cell attempt; NULL without a GPU of ours to read

create or replace view cell_resources as
with
rounds as (
    select
        run_id,
        cell_id,
        attempt,
        min(source) as gpu_source,
        max(memory_total_mib) as vram_total_mib,
        max(memory_used_mib) filter (where stage = 'load_test') as vram_peak_mib,
        avg(utilization_pct) filter (where stage = 'load_test') as utilization_mean_pct,
        avg(power_w) filter (where stage = 'load_test') as power_mean_w
    from gpu_rounds
    group by all
),

devices as (
    select
        run_id,
        cell_id,
        attempt,
        device_index,
        -- A counter that went backwards was reset: unknown. One reading is no interval.
        case
            when count(energy_mj) >= 2 and arg_max(energy_mj, t_ns) >= arg_min(energy_mj, t_ns)
                then (arg_max(energy_mj, t_ns) - arg_min(energy_mj, t_ns)) / 1000
        end as energy_j
    from gpu_samples
    where stage = 'load_test'
    group by all
),

energy as (
    select
        run_id,
        cell_id,
        attempt,
        case when count(energy_j) = count(*) then sum(energy_j) end as energy_j
    from devices
    group by all
),

loads as (
    select
        run_id,
        cell_id,
        attempt,
        vram_before_mib,
        case when outcome = 'ok' then vram_after_mib end as vram_after_mib
    from stages
    where stage = 'load_model'
)

select
    c.run_id,
    c.simulated,
    c.cell_id,
    c.attempt,
    l.vram_before_mib as vram_idle_mib,
    l.vram_after_mib as vram_after_load_mib,
    r.vram_peak_mib,
    r.vram_total_mib,
    r.utilization_mean_pct,
    r.power_mean_w,
    e.energy_j,
    coalesce(r.gpu_source, c.gpu_source) as gpu_source,
    c.gpu_reason
from cells as c
left join loads as l on c.run_id = l.run_id and c.cell_id = l.cell_id and c.attempt = l.attempt
left join rounds as r on c.run_id = r.run_id and c.cell_id = r.cell_id and c.attempt = r.attempt
left join energy as e on c.run_id = e.run_id and c.cell_id = e.cell_id and c.attempt = e.attempt;
