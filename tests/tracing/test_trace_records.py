"""What a traced call may be, how its ids follow from it, and how stamps become dates."""

import dataclasses
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langfuse import Langfuse

from tracing import ids, payloads
from tracing.records import ExportReport, LangfuseSettings, TracedCall, TracedScore, TraceRows, unix_ns

SCHEMA = Path(__file__).parents[2] / "warehouse" / "schema" / "001_facts.sql"
START = 1_760_000_000_123_456_789


def test_the_reports_fields_are_the_columns_of_trace_exports():
    with duckdb.connect() as connection:
        connection.execute(SCHEMA.read_text(encoding="utf-8"))
        columns = [row[0] for row in connection.execute("describe trace_exports").fetchall()]
    written_by_the_writer = {"run_id", "simulated", "exported_at"}
    assert [c for c in columns if c not in written_by_the_writer] == [
        f.name for f in dataclasses.fields(ExportReport)
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "thought"}, "request, answer"),
        ({"level": "FATAL"}, "DEFAULT, ERROR"),
        ({"ended_unix_ns": START - 1}, "1 ns before its start"),
        ({"first_token_unix_ns": 0}, "before its start"),
        ({"scores": [TracedScore("clarity", float("nan"))]}, "score clarity is nan"),
        ({"scores": [("clarity", 1.0, None), ("clarity", 0.5, None)]}, "two scores"),
    ],
)
def test_a_call_that_cannot_be_is_refused(make_call, changes, says):
    with pytest.raises(ValueError, match="r0") as caught:
        make_call(**changes)
    assert says in str(caught.value)


def test_two_calls_of_one_identity_are_refused(make_call):
    with pytest.raises(ValueError, match="key 'r1'"):
        TraceRows(calls=[make_call(1), make_call(1)])


def test_a_request_and_an_answer_may_share_a_key(make_call):
    calls = TraceRows(calls=[make_call(1), make_call(1, kind="answer"), make_call(1, attempt=2)]).calls
    assert len({ids.trace_id(call) for call in calls}) == 3


@pytest.mark.parametrize("changes", [{"timeout_s": 0}, {"timeout_s": float("nan")}, {"batch_size": 0}])
def test_settings_that_cannot_work_are_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        LangfuseSettings(**changes)


def test_the_secret_key_is_in_no_text_of_the_settings():
    assert "sk-1" not in f"{LangfuseSettings(secret_key='sk-1')!r} {LangfuseSettings(secret_key='sk-1')}"


def test_the_simulated_tag_is_there_once_and_only_when_simulated(make_call):
    assert make_call(simulated=True, tags=["a", "simulated", "a"]).all_tags == ("a", "simulated")
    assert make_call(simulated=True).all_tags == ("simulated",)
    assert make_call(tags=["a"]).all_tags == ("a",)


words = st.text(max_size=8)
identities = st.tuples(words, words, st.integers(0, 9), st.sampled_from(["request", "answer"]), words)


@given(identities, identities)
def test_ids_are_equal_exactly_when_the_identities_are(one, other):
    first, second = (ids.seed(_call(i)) for i in (one, other))
    assert (first == second) == (one == other)
    assert (ids.trace_id(_call(one)) == ids.trace_id(_call(other))) == (one == other)


@given(identities)
def test_the_trace_id_is_the_one_that_the_sdk_makes_of_the_seed(identity):
    call = _call(identity)
    assert ids.trace_id(call).hex() == Langfuse.create_trace_id(seed=ids.seed(call))


def test_ids_do_not_change_between_versions(make_call):
    # Traces exported last month must be updated by a re-export of today, not doubled.
    call = make_call()
    assert ids.seed(call) == '["run-1","cell-1",1,"request","r0"]'
    assert ids.trace_id(call).hex() == "42f04dcfa13d5307e720dc2806a0f0a8"
    assert ids.span_id(call).hex() == "db97a33f9a16ab91"
    assert ids.score_id(call, "clarity") == "96f11f40a771c520b86440acb0bb7198"


@given(
    st.integers(0, 10**15), st.integers(0, 10**15), st.integers(1_600_000_000 * 10**9, 2_000_000_000 * 10**9)
)
def test_stamps_keep_their_distance_as_dates(stamp_ns, anchor_ns, utc_ns):
    date_ns = unix_ns(stamp_ns, clock_monotonic_ns=anchor_ns, clock_unix_ns=utc_ns)
    assert date_ns - utc_ns == stamp_ns - anchor_ns
    assert unix_ns(None, clock_monotonic_ns=anchor_ns, clock_unix_ns=utc_ns) is None


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_a_moment_is_exact_to_the_microsecond(ns):
    at = payloads.moment(ns)
    assert int(at.timestamp()) == ns // 10**9
    assert at.microsecond == ns // 1000 % 10**6


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
    )
)
def test_cleaning_leaves_clean_values_alone(value):
    cleaned = payloads.clean(value)
    assert payloads.clean(cleaned) == cleaned
    if "\\x00" not in repr(value):
        assert cleaned == value


def test_a_text_that_is_cut_says_how_long_it_was():
    cut = payloads.clean("가" * 100_001)
    assert cut == "가" * 100_000 + "… [cut: 100001 characters in all]"


def _call(identity):
    run_id, cell_id, attempt, kind, key = identity
    from_ns = {"started_unix_ns": START, "first_token_unix_ns": None, "ended_unix_ns": None}
    unknown = {"tokens_in": None, "tokens_out": None, "cost_usd": None, "model": None}
    names = {"run_id": run_id, "cell_id": cell_id, "attempt": attempt, "kind": kind, "key": key, "name": "n"}
    return TracedCall(**names, **from_ns, **unknown, simulated=False)
