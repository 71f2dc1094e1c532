"""Langfuse's own SDK, asked to say the same, says the same on the wire: it is the oracle for our spans."""

import pytest
from langfuse import Langfuse, propagate_attributes
from opentelemetry.sdk.trace import TracerProvider

from tracing import payloads
from tracing.export import export_run
from tracing.records import TraceRows


@pytest.fixture
def settings(double, request):
    # The SDK keeps one client per public key for the life of the process, and a client that was shut down
    # stays the one of its key and drops everything: a key for each test.
    return double.settings(public_key=f"pk-lf-{request.node.callspec.id}")


@pytest.fixture
def sdk(settings, monkeypatch):
    monkeypatch.setenv("LANGFUSE_MEDIA_UPLOAD_ENABLED", "false")
    provider = TracerProvider(shutdown_on_exit=False)
    client = Langfuse(
        public_key=settings.public_key,
        secret_key=settings.secret_key,
        base_url=settings.host,
        tracer_provider=provider,
    )
    yield client
    client.shutdown()
    provider.shutdown()


@pytest.mark.parametrize("failed", [False, True])
def test_our_span_is_the_sdks_span(double, settings, sdk, make_answer, failed):
    failure = {"level": "ERROR", "status_message": "timeout: 60 s"} if failed else {}
    call = make_answer(
        input=[{"role": "user", "content": "한"}],
        output="x = 1",
        tags=["quick"],
        metadata={"n": 4, "said": "가", "nested": {"a": [1, None]}},
        **failure,
    )
    export_run(TraceRows(calls=[call]), settings=settings)
    (ours,) = double.spans.values()
    our_scope, our_headers, our_score_headers = (
        double.scopes[0],
        double.posts[0].headers,
        double.posts[1].headers,
    )
    our_scores = sorted(double.scores.values(), key=lambda score: score["name"])
    forget(double)

    identity = {"run_id": "run-1", "cell_id": "cell-1", "attempt": 1, "kind": "answer", "key": "a0"}
    with propagate_attributes(session_id="run-1", tags=["quick"], trace_name="load_test"):
        observation = sdk.start_observation(
            name="load_test",
            as_type="generation",
            completion_start_time=payloads.moment(call.first_token_unix_ns),
            metadata={**call.metadata, **identity, "simulated": False},
            level=call.level,
            status_message=call.status_message,
            model=call.model,
            input=call.input,
            output=call.output,
            usage_details={"input": 17, "output": 128},
            cost_details={"total": 0.0001},
        )
        observation.end()
    for score in call.scores:
        sdk.create_score(
            trace_id=ours.trace_id.hex(),
            observation_id=ours.span_id.hex(),
            score_id=next(s["id"] for s in our_scores if s["name"] == score.name),
            timestamp=payloads.moment(call.ended_unix_ns),
            name=score.name,
            value=score.value,
            comment=score.comment,
            data_type="NUMERIC",
        )
    sdk.flush()

    (theirs,) = double.spans.values()
    assert as_dict(ours) == as_dict(theirs)
    assert (ours.name, ours.kind, ours.flags) == (theirs.name, theirs.kind, theirs.flags)
    assert (ours.status.code, ours.status.message) == (theirs.status.code, theirs.status.message)
    assert our_scope == double.scopes[0]
    assert our_scores == sorted(double.scores.values(), key=lambda score: score["name"])
    assert told(our_headers) == told(next(p for p in double.posts if "otel" in p.path).headers)
    scores_post = next(p for p in double.posts if p.path.endswith("/scores"))
    assert set(told(our_score_headers)) >= set(told(scores_post.headers))


def forget(double):
    for store in (double.spans, double.scores, double.scopes, double.posts):
        store.clear()


def as_dict(span):
    return {pair.key: str(pair.value) for pair in span.attributes}


def told(headers):
    """The headers that a server may act on."""
    names = ("authorization", "content-type", "content-encoding")
    return {name: value for name, value in headers.items() if name in names or name.startswith("x-langfuse")}
