-- Readings of all devices of a host taken together: one round of the sampler.
-- grain: one row per cell attempt and round; a sum is NULL if one device did not tell

create or replace view gpu_rounds as
with
numbered as (
    select
        g.*,
        c.simulated as is_simulated,
        -- Devices are read one after another, so their stamps differ; the n-th readings belong together.
        row_number() over (partition by g.run_id, g.cell_id, g.attempt, g.device_index order by g.t_ns) as round
    from gpu_samples as g
    inner join cells as c on g.run_id = c.run_id and g.cell_id = c.cell_id and g.attempt = c.attempt
)

select
    run_id,
    is_simulated as simulated,
    cell_id,
    attempt,
    round,
    min(t_ns) as t_ns,
    min_by(stage, t_ns) as stage,
    min(source) as source,
    case when count(memory_used_mib) = count(*) then sum(memory_used_mib) end as memory_used_mib,
    case when count(memory_total_mib) = count(*) then sum(memory_total_mib) end as memory_total_mib,
    avg(utilization_pct) as utilization_pct,
    case when count(power_w) = count(*) then sum(power_w) end as power_w
from numbered
group by run_id, is_simulated, cell_id, attempt, round;
