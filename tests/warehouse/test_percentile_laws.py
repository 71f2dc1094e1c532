"""The percentile macros against exact arithmetic in Python, on data that nobody chose."""

import math
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.catalog import memory_database

POINTS = ("0.5", "0.9", "0.95", "0.99")
VALUES = st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=0, max_size=450)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    con = memory_database()
    con.execute("create table t (x double)")
    # One cell, for the view; its own values matter to nothing here.
    con.execute(
        "insert into cells by name select 'R' as run_id, false as simulated, 'c' as cell_id, 1 as attempt, "
        "1 as cell_index, 't' as target, 'openai' as target_kind, 'attached' as life, 'm' as model, "
        "'{}' as settings, 'w' as workload, []::varchar[] as suites, 1 as repeats, '{}' as sampling, "
        "0.4 as weight_correctness, 0.2 as weight_consistency, 0.2 as weight_code_quality, "
        "0.2 as weight_clarity, 'completed' as outcome, now() as started_at, 0 as clock_monotonic_ns, "
        "0 as clock_unix_ns"
    )
    yield con
    con.close()


def fill(con: duckdb.DuckDBPyConnection, values: Sequence[float | None]) -> None:
    con.execute("delete from t")
    if values:
        rows = ", ".join(f"({'null' if x is None else repr(str(x))}::double)" for x in values)
        con.execute(f"insert into t values {rows}")


def exact_percentile(values: Sequence[float], point: str) -> float | None:
    """The smallest value v with at least a share `point` of all values at or below v."""
    needed = 1 if point == "0.5" else math.ceil(math.log(0.025) / math.log(float(point)))
    if len(values) < needed:
        return None
    return next(
        v for v in sorted(values) if Fraction(sum(u <= v for u in values), len(values)) >= Fraction(point)
    )


def exact_ranks(n: int, point: str) -> tuple[int | None, int | None]:
    """Order statistics that enclose the percentile with 2.5 % left on either side, in exact fractions."""
    p, below, low, high = Fraction(point), Fraction(0), None, None
    for k in range(n):
        below += math.comb(n, k) * p**k * (1 - p) ** (n - k)
        if below <= Fraction("0.025"):
            low = k + 1
        if below >= Fraction("0.975"):
            high = k + 1
            break
    return low, high


@settings(max_examples=40, deadline=None)
@given(values=VALUES, nulls=st.integers(0, 3))
def test_a_percentile_is_the_inverse_of_the_empirical_distribution(
    con: duckdb.DuckDBPyConnection, values: list[float], nulls: int
) -> None:
    fill(con, [*values, *[None] * nulls])
    asked = ", ".join(f"percentile(x, {p})" for p in POINTS)
    found = con.execute(f"select {asked} from t").fetchone()
    from_list = ", ".join(f"sorted_percentile(xs, {p})" for p in POINTS)
    listed = con.execute(
        f"select {from_list} from (select coalesce(list(x order by x) filter (where x is not null), []) as xs from t)"
    ).fetchone()
    assert found == listed == tuple(exact_percentile(values, p) for p in POINTS)


@pytest.mark.parametrize(("point", "least"), [("0.5", 1), ("0.9", 36), ("0.95", 72), ("0.99", 368)])
def test_a_percentile_exists_from_its_least_sample_on(
    con: duckdb.DuckDBPyConnection, point: str, least: int
) -> None:
    for n, expected in ((least - 1, False), (least, True)):
        fill(con, [float(i) for i in range(n)])
        (found,) = con.execute(f"select percentile(x, {point}) from t").fetchall()[0]
        assert (found is not None) == expected, n
    if point != "0.5":
        ranks = con.execute(f"select high_rank({least - 1}, {point}), high_rank({least}, {point})").fetchone()
        assert ranks == (None, least)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(0, 400), point=st.sampled_from(POINTS))
def test_interval_ranks_are_those_of_exact_binomial_tails(
    con: duckdb.DuckDBPyConnection, n: int, point: str
) -> None:
    found = con.execute(f"select low_rank({n}, {point}), high_rank({n}, {point})").fetchone()
    assert found == exact_ranks(n, point)


def test_intervals_cover_the_true_percentile_as_often_as_they_say(con: duckdb.DuckDBPyConnection) -> None:
    rng = random.Random(7)
    ranks = con.execute("select low_rank(120, 0.9), high_rank(120, 0.9)").fetchone()
    assert ranks is not None
    covered = 0
    for _ in range(2000):
        values = sorted(rng.random() for _ in range(120))
        covered += values[ranks[0] - 1] <= 0.9 <= values[ranks[1] - 1]
    # At least 95 % by construction, and 5 standard errors of room below.
    assert covered / 2000 > 0.925


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.integers(0, 1000), min_size=1, max_size=150), n_failed=st.integers(0, 90))
def test_counting_failures_as_infinitely_slow_never_makes_a_percentile_smaller(
    con: duckdb.DuckDBPyConnection, values: list[int], n_failed: int
) -> None:
    con.execute("delete from requests")
    stamps = [str(v * 10**6) for v in values] + ["null"] * n_failed
    rows = ", ".join(
        f"('R', false, 'c', 1, '{i}', 'load_test', 0, 'p', 's', 'user', 0, 0, {stamp}, "
        f"'{'timeout' if stamp == 'null' else 'ok'}')"
        for i, stamp in enumerate(stamps)
    )
    con.execute(
        "insert into requests (run_id, simulated, cell_id, attempt, request_id, phase, worker, prompt_id, "
        f"prompt_set, stamp_source, intended_ns, sent_ns, first_token_ns, outcome) values {rows}"
    )
    found = con.execute(
        "select percentile::varchar, value_ms, all_ms from cell_latency where metric = 'ttft_intended_ms'"
    ).fetchall()
    assert len(found) == len(POINTS)
    for point, value, inclusive in found:
        point = point.rstrip("0")
        assert value == exact_percentile(values, point)
        assert inclusive == exact_percentile([*map(float, values), *[math.inf] * n_failed], point)
        assert value is None or inclusive >= value
