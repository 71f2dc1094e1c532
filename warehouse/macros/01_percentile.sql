-- Percentiles as DESIGN says: inverse empirical CDF, refused where the sample is too small.
-- grain: aggregates, one value per group; `p` is a decimal literal such as 0.95

-- The smallest n for which a 95 % interval of the p-quantile has an upper end: the largest of n values lies
-- below the quantile with probability p^n, and that must be at most 2.5 %. 36 for p90, 72 for p95, 368 for p99;
-- the median is always given.
create or replace macro min_samples(p) as
case when p <= 0.5 then 1 else ceil(ln(0.025) / ln(p))::bigint end;

-- The smallest value at or below which a share p of all values lies; NULL values do not count.
-- NULL if there are fewer than min_samples(p).
create or replace macro percentile(x, p) as
case when count(x) >= min_samples(p) then quantile_disc(x, p) end;

-- The same from a sorted list without NULLs, for a `p` that is not a constant.
create or replace macro sorted_percentile(xs, p) as
case when len(xs) >= min_samples(p) then xs[greatest(1, ceil(len(xs) * p::decimal(9, 6)))::bigint] end;
