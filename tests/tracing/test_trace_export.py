"""What a receiver has after an export: every call, exactly as it was measured, once."""

import base64
import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracing.export import export_run
from tracing.records import TracedScore, TraceRows


def test_a_generation_keeps_its_past_times_to_the_nanosecond(double, make_call):
    call = make_call()
    report = export_run(TraceRows(calls=[call]), settings=double.settings())
    span, has = double.one_span()
    assert (report.status, report.reason) == ("ok", None)
    assert span.start_time_unix_nano == 1_760_000_000_123_456_789
    assert span.end_time_unix_nano - span.start_time_unix_nano == 2_000_000_001
    assert has["langfuse.observation.completion_start_time"] == '"2025-10-09T08:53:20.163456Z"'
    assert span.parent_span_id == b""


def test_a_generation_carries_model_usage_cost_text_session_and_tags(double, make_call):
    call = make_call(
        input=[{"role": "user", "content": "피보나치 함수를 완성해 주세요"}],
        output="def fib(n): ...",
        tags=["load_test", "low"],
        metadata={"workload": "low", "concurrency": 4},
    )
    export_run(TraceRows(calls=[call]), settings=double.settings())
    _span, has = double.one_span()
    assert has["langfuse.observation.type"] == "generation"
    assert has["langfuse.observation.model.name"] == "qwen3:8b"
    assert json.loads(has["langfuse.observation.usage_details"]) == {"input": 17, "output": 128}
    assert json.loads(has["langfuse.observation.cost_details"]) == {"total": 0.0001}
    assert json.loads(has["langfuse.observation.input"])[0]["content"] == "피보나치 함수를 완성해 주세요"
    assert has["langfuse.observation.output"] == "def fib(n): ..."
    assert has["session.id"] == "run-1"
    assert has["langfuse.trace.name"] == "load_test"
    assert has["langfuse.trace.tags"] == ["load_test", "low"]
    assert json.loads(has["langfuse.observation.metadata.concurrency"]) == 4
    assert json.loads(has["langfuse.observation.metadata.cell_id"]) == "cell-1"
    assert "langfuse.environment" not in has


def test_what_was_not_measured_is_left_out_and_never_zero(double, make_call):
    call = make_call(
        model=None,
        first_token_unix_ns=None,
        ended_unix_ns=None,
        tokens_in=None,
        tokens_out=None,
        cost_usd=None,
    )
    export_run(TraceRows(calls=[call]), settings=double.settings())
    span, has = double.one_span()
    assert not [
        key for key in has if "usage" in key or "cost" in key or "completion" in key or "model" in key
    ]
    assert span.end_time_unix_nano == span.start_time_unix_nano
    assert has["langfuse.observation.metadata.end_unknown"] == "true"


def test_known_output_tokens_travel_without_the_unknown_input_tokens(double, make_call):
    export_run(TraceRows(calls=[make_call(tokens_in=None, tokens_out=0)]), settings=double.settings())
    _span, has = double.one_span()
    assert json.loads(has["langfuse.observation.usage_details"]) == {"output": 0}


def test_a_failed_call_is_an_error_with_its_reason(double, make_call):
    call = make_call(level="ERROR", status_message="http_5xx: overloaded")
    export_run(TraceRows(calls=[call]), settings=double.settings())
    span, has = double.one_span()
    assert has["langfuse.observation.level"] == "ERROR"
    assert has["langfuse.observation.status_message"] == "http_5xx: overloaded"
    assert (span.status.code, span.status.message) == (2, "http_5xx: overloaded")


def test_a_simulated_call_says_so_in_tag_environment_metadata_and_scores(double, make_answer):
    export_run(TraceRows(calls=[make_answer(simulated=True, tags=["quick"])]), settings=double.settings())
    _span, has = double.one_span()
    assert has["langfuse.trace.tags"] == ["quick", "simulated"]
    assert has["langfuse.environment"] == "simulated"
    assert has["langfuse.observation.metadata.simulated"] == "true"
    assert {score["environment"] for score in double.scores.values()} == {"simulated"}


def test_scores_hang_on_their_answers_generation(double, make_answer):
    report = export_run(TraceRows(calls=[make_answer()]), settings=double.settings())
    span, _has = double.one_span()
    by_name = {score["name"]: score for score in double.scores.values()}
    assert (report.n_scores_expected, report.n_scores_sent) == (2, 2)
    assert by_name["correctness"]["value"] == 0.75
    assert by_name["correctness"]["comment"] == "3 of 4 tests"
    assert by_name["correctness"]["dataType"] == "NUMERIC"
    assert "comment" not in by_name["clarity"]
    assert {score["traceId"] for score in by_name.values()} == {span.trace_id.hex()}
    assert {score["observationId"] for score in by_name.values()} == {span.span_id.hex()}


def test_exporting_twice_leaves_the_receiver_as_exporting_once(double, make_call, make_answer):
    rows = TraceRows(calls=[make_call(i) for i in range(3)] + [make_answer(i) for i in range(3)])
    export_run(rows, settings=double.settings())
    spans, scores = dict(double.spans), dict(double.scores)
    again = export_run(rows, settings=double.settings())
    assert again.status == "ok"
    assert (len(spans), len(scores)) == (6, 6)
    assert (double.spans, double.scores) == (spans, scores)


def test_the_wire_is_langfuses_own(double, make_call):
    export_run(TraceRows(calls=[make_call()]), settings=double.settings())
    (post,) = double.posts
    (scope,) = double.scopes
    assert (
        post.headers["authorization"] == "Basic " + base64.b64encode(b"pk-lf-test:sk-lf-very-secret").decode()
    )
    assert post.headers["x-langfuse-ingestion-version"] == "4"
    assert post.headers["content-type"] == "application/x-protobuf"
    assert scope == ("langfuse-sdk", post.headers["x-langfuse-sdk-version"], {"public_key": "pk-lf-test"})


def test_nothing_to_export_is_ok_and_posts_nothing(double):
    report = export_run(TraceRows(calls=[]), settings=double.settings())
    assert (report.status, report.n_spans_expected, double.posts) == ("ok", 0, [])


def test_three_thousand_calls_all_arrive_at_a_slow_receiver(double, make_call):
    double.delay_s = 0.05
    seen: list[tuple[int, int]] = []
    report = export_run(
        TraceRows(calls=[make_call(i, output="x" * 50) for i in range(3000)]),
        settings=double.settings(),
        on_progress=lambda done, expected: seen.append((done, expected)),
    )
    assert (report.status, report.n_traces_sent, report.n_spans_sent) == ("ok", 3000, 3000)
    assert len(double.spans) == 3000
    assert len(double.posts) == 6
    assert seen == [(500 * i, 3000) for i in range(1, 7)]


@pytest.mark.skipif(not os.environ.get("BAKEOFF_TEST_LARGE"), reason="opt-in: set BAKEOFF_TEST_LARGE")
def test_ten_thousand_answers_all_arrive_at_a_slow_receiver(double, make_answer):
    double.delay_s = 0.05
    report = export_run(TraceRows(calls=[make_answer(i) for i in range(10_000)]), settings=double.settings())
    assert (report.status, report.n_spans_sent, report.n_scores_sent) == ("ok", 10_000, 20_000)
    assert (len(double.spans), len(double.scores)) == (10_000, 20_000)


def test_large_texts_are_cut_into_more_posts_not_lost(double, make_call):
    calls = [make_call(i, output=f"{i}:" + "가" * 90_000) for i in range(40)]
    report = export_run(TraceRows(calls=calls), settings=double.settings())
    assert (report.n_spans_sent, len(double.spans)) == (40, 40)
    assert len(double.posts) > 2


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(), max_size=30),
    halves=st.lists(st.sampled_from("\ud83d\ude00\udcff\0a한"), max_size=6),
)
def test_any_text_a_model_can_write_arrives(double, make_answer, text, halves):
    hostile = text + "".join(halves)
    double.spans.clear()
    call = make_answer(
        output=hostile,
        input=[{"role": hostile, hostile: hostile}],
        name=hostile or "x",
        model=hostile,
        level="ERROR",
        status_message=hostile,
        metadata={"said": hostile},
        tags=[hostile],
        scores=[TracedScore("clarity", 0.5, hostile)],
    )
    report = export_run(TraceRows(calls=[call]), settings=double.settings())
    assert (report.status, report.n_spans_sent, report.n_scores_sent) == ("ok", 1, 1)
    _span, has = double.one_span()
    assert has["langfuse.observation.output"] == hostile.encode("utf-16", "surrogatepass").decode(
        "utf-16", "replace"
    ).replace("\0", "\ufffd")


def test_reading_the_records_does_not_load_langfuse():
    heavy = "('langfuse', 'requests', 'opentelemetry', 'pydantic')"
    code = f"import sys, tracing.records; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
