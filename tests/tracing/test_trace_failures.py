"""Receivers that refuse, hang, lose, lie or go away: the counts stay true and the reason is one line."""

import base64
import gzip
import json
import logging
import socket
import time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracing.export import export_run, receiver_problem
from tracing.records import LangfuseSettings, TraceRows

SPANS_PATH = "/api/public/otel/v1/traces"
SCORES_PATH = "/api/public/scores"


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def one_line(reason):
    return reason is not None and reason == " ".join(reason.split()) and 0 < len(reason) < 400


@pytest.mark.parametrize("missing", ["public_key", "secret_key", "host"])
@pytest.mark.parametrize("nothing", [None, ""])
def test_without_keys_or_host_the_export_is_skipped_and_says_what_is_missing(
    double, make_call, missing, nothing
):
    report = export_run(TraceRows(calls=[make_call()]), settings=double.settings(**{missing: nothing}))
    assert report.status == "skipped"
    assert missing.replace("_", " ") in report.reason
    assert (report.n_spans_expected, report.n_spans_sent) == (1, 0)
    assert double.posts == []


@pytest.mark.parametrize("host", ["localhost:3000", "ftp://h", "http://", "http://h:notaport", "//h"])
def test_a_host_that_is_no_url_fails_without_trying(make_call, host):
    settings = LangfuseSettings(public_key="p", secret_key="s", host=host)
    report = export_run(TraceRows(calls=[make_call()]), settings=settings)
    assert report.status == "failed"
    assert "http://" in report.reason


def test_a_receiver_that_is_down_fails_in_bounded_time_with_one_line(make_answer, closed_port, capfd, caplog):
    caplog.set_level(logging.INFO)
    settings = LangfuseSettings(
        public_key="p", secret_key="sk-secret", host=f"http://user:pw@127.0.0.1:{closed_port}", timeout_s=0.5
    )
    before_s = time.monotonic()
    report = export_run(TraceRows(calls=[make_answer(i) for i in range(2000)]), settings=settings)
    assert time.monotonic() - before_s < 3
    assert (report.status, report.n_spans_sent, report.n_scores_sent) == ("failed", 0, 0)
    assert report.reason == f"127.0.0.1:{closed_port} cannot be reached or broke the connection"
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_a_receiver_that_never_answers_costs_one_timeout(double, make_answer):
    double.answer = lambda path, n: "hang"
    before_s = time.monotonic()
    report = export_run(
        TraceRows(calls=[make_answer(i) for i in range(20)]),
        settings=double.settings(timeout_s=0.4, batch_size=5),
    )
    assert time.monotonic() - before_s < 2
    assert (report.status, len(double.posts)) == ("failed", 1)
    assert "did not answer within 0.4 s" in report.reason


def test_a_receiver_that_goes_away_leaves_an_incomplete_export_with_the_true_count(
    double, make_answer, answer
):
    double.answer = lambda path, n: answer() if n <= 3 else answer(status=503, keep=False)
    report = export_run(
        TraceRows(calls=[make_answer(i) for i in range(20)]),
        settings=double.settings(timeout_s=0.3, batch_size=5),
    )
    assert report.status == "incomplete"
    assert (report.n_traces_sent, report.n_spans_sent, len(double.spans)) == (15, 15, 15)
    assert (report.n_spans_expected, report.n_scores_expected, report.n_scores_sent) == (20, 40, 0)
    assert "503" in report.reason
    assert {post.path for post in double.posts} == {SPANS_PATH}  # scores would only meet the same


def test_broken_connections_and_passing_errors_are_tried_again_without_doubling(
    double, make_answer, answer, healthy_answer
):
    # Every second post fails after it was stored: by a cut connection, or by a gateway's error.
    double.answer = lambda path, n: (
        healthy_answer(path, n) if n % 2 == 0 else ("drop" if n % 4 == 1 else answer(502))
    )
    rows = TraceRows(calls=[make_answer(i) for i in range(20)])
    report = export_run(rows, settings=double.settings(batch_size=10))
    assert (report.status, report.reason) == ("ok", None)
    assert (report.n_spans_sent, report.n_scores_sent) == (20, 40)
    assert (len(double.spans), len(double.scores)) == (20, 40)


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "keys are not valid"), (403, "keys may not write"), (404, "no Langfuse v4"), (302, "redirect")],
)
def test_an_answer_that_would_not_change_ends_the_export_at_once(double, make_answer, answer, status, says):
    double.answer = lambda path, n: answer(status=status, headers={"location": "http://127.0.0.1:1/"})
    report = export_run(
        TraceRows(calls=[make_answer(i) for i in range(20)]), settings=double.settings(batch_size=5)
    )
    assert (report.status, report.n_spans_sent, len(double.posts)) == ("failed", 0, 1)
    assert says in report.reason
    assert str(status) in report.reason


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>Sign in</html>", "text/html"),
        (b"[]", "application/json"),
        (b"\xff", "application/x-protobuf"),
    ],
)
def test_success_from_something_else_than_langfuse_is_not_an_acknowledgement(
    double, make_call, answer, body, kind
):
    double.answer = lambda path, n: answer(body=body, content_type=kind)
    report = export_run(TraceRows(calls=[make_call()]), settings=double.settings())
    assert (report.status, report.n_spans_sent) == ("failed", 0)
    assert kind in report.reason


def test_an_empty_success_is_an_acknowledgement_as_otlp_has_it(double, make_call, answer):
    double.answer = lambda path, n: answer(body=b"", content_type="application/x-protobuf")
    assert export_run(TraceRows(calls=[make_call()]), settings=double.settings()).status == "ok"


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_spans_that_the_receiver_rejects_are_not_counted(double, make_call, answer, encoding):
    if encoding == "json":
        body = json.dumps({"partialSuccess": {"rejectedSpans": "3", "errorMessage": "too\nold"}}).encode()
        kind = "application/json"
    else:
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = 3
        response.partial_success.error_message = "too\nold"
        body, kind = response.SerializeToString(), "application/x-protobuf"
    double.answer = lambda path, n: answer(body=body, content_type=kind)
    report = export_run(TraceRows(calls=[make_call(i) for i in range(10)]), settings=double.settings())
    assert (report.status, report.n_spans_sent) == ("incomplete", 7)
    assert "rejected 3 of 10 spans: too old" in report.reason


@pytest.mark.parametrize(("claimed", "counted"), [(-4, 10), (4, 6), (400, 0), ("4", 6)])
def test_no_claim_of_the_receiver_takes_the_count_out_of_its_range(
    double, make_call, answer, claimed, counted
):
    body = json.dumps({"partialSuccess": {"rejectedSpans": claimed}}).encode()
    double.answer = lambda path, n: answer(body=body)
    report = export_run(TraceRows(calls=[make_call(i) for i in range(10)]), settings=double.settings())
    assert report.n_spans_sent == counted


@pytest.mark.parametrize(
    "body", [b'{"partialSuccess": {"rejectedSpans": "many"}}', b'{"partialSuccess": 3}', b"[" * 9999]
)
def test_an_answer_that_cannot_be_read_acknowledges_nothing(double, make_call, answer, body):
    double.answer = lambda path, n: answer(body=body)
    report = export_run(TraceRows(calls=[make_call()]), settings=double.settings())
    assert (report.status, report.n_spans_sent) == ("failed", 0)


def test_scores_that_the_receiver_rejects_are_not_counted(double, make_answer, answer):
    partial = json.dumps({"accepted": 1, "rejected": 1, "errors": [{"message": "bad config"}]}).encode()
    double.answer = lambda path, n: answer(status=207, body=partial) if path == SCORES_PATH else answer()
    report = export_run(TraceRows(calls=[make_answer()]), settings=double.settings())
    assert (report.status, report.n_spans_sent, report.n_scores_sent) == ("incomplete", 1, 1)
    assert "bad config" in report.reason
    assert len(double.posts) == 2


def test_an_older_servers_answer_to_scores_is_not_an_acknowledgement(double, make_answer, answer):
    double.answer = lambda path, n: answer(body=b'{"id": "x"}')
    report = export_run(TraceRows(calls=[make_answer()]), settings=double.settings())
    assert (report.status, report.n_spans_sent, report.n_scores_sent) == ("incomplete", 1, 0)


def test_a_batch_that_is_too_large_is_halved_until_it_passes(double, make_call, answer):
    def small_only(path, n):
        return answer(status=413, keep=False) if len(double.posts[-1].body) > 900 else answer()

    double.answer = small_only
    report = export_run(TraceRows(calls=[make_call(i) for i in range(16)]), settings=double.settings())
    assert (report.status, report.n_spans_sent, len(double.spans)) == ("ok", 16, 16)
    assert len(double.posts) > 3


def test_one_call_that_is_too_large_costs_only_itself(double, make_call, answer):
    def without_call_5(path, n):
        return answer(status=413) if b"LARGE" in gzip.decompress(double.posts[-1].body) else answer()

    double.answer = without_call_5
    calls = [make_call(i, output="LARGE" if i == 5 else "small") for i in range(16)]
    report = export_run(TraceRows(calls=calls), settings=double.settings())
    assert (report.status, report.n_spans_sent, len(double.spans)) == ("incomplete", 15, 15)
    assert "413" in report.reason


def test_one_refused_batch_does_not_cost_the_others(double, make_answer, answer, healthy_answer):
    def second_refused(path, n):
        return answer(status=400, body=b'{"message": "bad\\tbatch"}') if n == 2 else healthy_answer(path, n)

    double.answer = second_refused
    calls = [make_answer(i) for i in range(15)]
    report = export_run(TraceRows(calls=calls), settings=double.settings(batch_size=5))
    assert (report.status, report.n_spans_sent, len(double.spans)) == ("incomplete", 10, 10)
    # The scores of calls that never arrived would hang on nothing.
    assert (report.n_scores_expected, report.n_scores_sent) == (30, 20)
    assert report.reason.endswith("answered 400: bad batch")


def test_a_wait_longer_than_a_batch_may_take_is_reported_not_waited_for(double, make_call, answer):
    double.answer = lambda path, n: answer(status=429, headers={"retry-after": "37"})
    before_s = time.monotonic()
    report = export_run(TraceRows(calls=[make_call()]), settings=double.settings(timeout_s=1.0))
    assert time.monotonic() - before_s < 1
    assert "37 s" in report.reason


def test_being_asked_to_come_back_at_once_does_not_become_hammering(double, make_call, answer):
    double.answer = lambda path, n: answer(status=429, headers={"retry-after": "0"})
    report = export_run(TraceRows(calls=[make_call()]), settings=double.settings(timeout_s=0.7))
    assert report.status == "failed"
    assert 2 <= len(double.posts) <= 3


def test_no_secret_is_shown_even_when_the_receiver_repeats_it(double, make_call, answer):
    settings = double.settings()
    secret = settings.secret_key
    double.answer = lambda path, n: answer(
        status=400, body=json.dumps({"message": f"key {secret}\x1b[31m!"}).encode()
    )
    report = export_run(TraceRows(calls=[make_call()]), settings=settings)
    assert secret not in repr(settings)
    assert secret not in repr(report)
    assert "[secret key]" in report.reason
    assert one_line(report.reason)
    assert "\x1b" not in report.reason


def test_keys_outside_latin_1_are_sent_as_utf_8(double, make_call):
    report = export_run(
        TraceRows(calls=[make_call()]), settings=double.settings(public_key="공개", secret_key="비밀")
    )
    assert report.status == "ok"
    given = double.posts[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(given).decode() == "공개:비밀"


@pytest.mark.parametrize("key", ["pk\n", "pk\r\nx: y", " pk", "p\0k"])
def test_a_key_with_a_stray_line_break_is_named_without_being_shown(double, make_call, key):
    report = export_run(TraceRows(calls=[make_call()]), settings=double.settings(secret_key=key))
    assert report.status == "failed"
    assert report.reason.startswith("the Langfuse secret key holds")
    assert double.posts == []


def test_a_body_that_drips_past_the_deadline_is_a_timeout(make_call, dripping_port):
    settings = LangfuseSettings(
        public_key="p", secret_key="s", host=f"http://127.0.0.1:{dripping_port}", timeout_s=0.5
    )
    before_s = time.monotonic()
    report = export_run(TraceRows(calls=[make_call()]), settings=settings)
    assert time.monotonic() - before_s < 4
    assert "did not answer within" in report.reason


def test_the_receiver_check_tells_a_good_receiver_from_wrong_keys_and_from_none(double, closed_port):
    assert receiver_problem(double.settings()) is None
    assert "keys are not valid" in receiver_problem(double.settings(secret_key="wrong"))
    assert "no host" in receiver_problem(double.settings(host=None))
    gone = double.settings(host=f"http://127.0.0.1:{closed_port}", timeout_s=0.3)
    assert "cannot be reached" in receiver_problem(gone)
