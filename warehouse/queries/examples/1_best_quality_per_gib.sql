-- Quality per GiB of VRAM: which model gives most for the memory it takes.
-- grain: one row per cell with a known VRAM
-- params: none

select
    model,
    target,
    quality,
    vram_peak_mib / 1024 as vram_gib,
    quality / (vram_peak_mib / 1024) as quality_per_gib
from leaderboard
where vram_peak_mib is not null
order by quality_per_gib desc nulls last;
