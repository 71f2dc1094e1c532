-- Which cells stay under every limit, best quality first; a limit of NULL does not bind.
-- grain: one row per combination of target, model, settings and workload, its latest completed cell
-- params: max_ttft_p95_ms?, min_quality?, max_vram_mib?, simulated

select pick.*
from
    pick_model(
        getvariable('max_ttft_p95_ms')::double,
        getvariable('min_quality')::double,
        getvariable('max_vram_mib')::double,
        simulated := getvariable('simulated')::boolean
    ) as pick;
