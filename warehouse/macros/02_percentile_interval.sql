-- The distribution-free 95 % interval of a percentile: which two order statistics enclose it.
-- grain: scalars; ranks count from 1, NULL where that end does not exist

-- Probability of exactly k successes in n draws of probability p.
create or replace macro binomial_pmf(k, n, p) as
exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * ln(p) + (n - k) * ln(1 - p));

-- Where the summation begins and ends: 10 standard deviations around the mean; what lies outside is below 1e-20.
create or replace macro binomial_from(n, p) as
greatest(0, floor(n * p - 10 * sqrt(n * p * (1 - p)) - 10))::bigint;
create or replace macro binomial_to(n, p) as
least(n, ceil(n * p + 10 * sqrt(n * p * (1 - p)) + 10))::bigint;

-- How many successes k have P[B <= k] at most 2.5 % (`low`), and how many below 97.5 % (`high`).
create or replace macro binomial_tails(n, p) as
list_reduce( -- noqa: PRS
    list_prepend(
        { 'below': 0.0::double, 'low': binomial_from(n, p), 'high': binomial_from(n, p) },
        list_transform(
            range(binomial_from(n, p), binomial_to(n, p) + 1),
            lambda k: { 'below': binomial_pmf(k, n, p::double), 'low': 0::bigint, 'high': 0::bigint }
        )
    ),
    lambda total, one: {
        'below': total.below + one.below,
        'low': total.low + (total.below + one.below <= 0.025)::bigint,
        'high': total.high + (total.below + one.below < 0.975)::bigint
    }
);

-- With B ~ Binomial(n, p), the r-th smallest value lies above the p-quantile with P[B <= r - 1] and below it with
-- at most P[B >= r]: `low` is the largest rank with the first at most 2.5 %, `high` the smallest with the second
-- at most 2.5 %.
create or replace macro low_rank(n, p) as nullif(binomial_tails(n, p).low, 0);
create or replace macro high_rank(n, p) as
case when binomial_tails(n, p).high < n then binomial_tails(n, p).high + 1 end;
