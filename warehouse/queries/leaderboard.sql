-- All that is known about each cell, best quality first; cells without a quality come last.
-- grain: one row per cell of a run, its latest finished attempt
-- params: run_id?

select leaderboard.*
from leaderboard
where getvariable('run_id')::varchar is null or leaderboard.run_id = getvariable('run_id')
order by
    leaderboard.started_at desc, leaderboard.quality desc nulls last, leaderboard.ttft_p95_ms asc nulls last,
    leaderboard.cell_index asc;
