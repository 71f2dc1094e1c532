-- Which of p95 and p99 are missing because there are too few samples; NULL if none is, or if there are no samples.
-- grain: scalar; `n` is the number of samples

create or replace macro percentile_note(n) as
case
    when n = 0 then null
    when n < min_samples(0.95)
        then format('p95 and p99: insufficient samples (n={}, need {} and {})', n, min_samples(0.95), min_samples(0.99))
    when n < min_samples(0.99)
        then format('p99: insufficient samples (n={}, needs {})', n, min_samples(0.99))
end;
