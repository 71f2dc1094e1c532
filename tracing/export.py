"""A run's calls become Langfuse traces, and the report says how many of them the receiver acknowledged."""

from collections.abc import Callable, Mapping, Sequence

from langfuse import LangfuseOtelSpanAttributes as Name
from langfuse import __version__ as langfuse_version

# Private, and the one place where the SDK writes down how a generation looks on the wire. A test compares
# our spans with those of the SDK itself, so that an upgrade that changes either is noticed.
from langfuse._client.attributes import create_generation_attributes
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracing import payloads
from tracing.delivery import Delivery, Outcome, batches, deliver
from tracing.receiver import Receiver, address_of
from tracing.records import ExportReport, LangfuseSettings, TracedCall, TraceRows
from tracing.replies import page_problem, scores_outcome, spans_outcome

_SPANS_PATH = "/api/public/otel/v1/traces"
_SCORES_PATH = "/api/public/scores"
_PROJECTS_PATH = "/api/public/projects"
_SPANS_LIMIT_BYTES = 4_000_000  # before compression; Langfuse warns from 16 MiB on, proxies refuse earlier
_SCORES_LIMIT_BYTES = 900_000  # Langfuse refuses bodies of more than 1 MiB there
_SCOPE_NAME = "langfuse-sdk"  # by this name the server knows how metadata is encoded

Progress = Callable[[int, int], None]
"""Called after each post with the spans and scores acknowledged so far, and with those expected."""


def export_run(
    rows: TraceRows, *, settings: LangfuseSettings, on_progress: Progress | None = None
) -> ExportReport:
    """Send every call as a trace and every score of it; what was sent before is updated, not doubled.

    Spans go first, then the scores of those calls whose batch was acknowledged. A batch that fails takes
    at most `settings.timeout_s`; after an answer that the next batch would get too (nothing there, wrong
    keys, overload that does not pass) nothing more is sent, so a dead receiver costs one such time.

    Args:
        rows: the calls; none is an export that is `ok` and empty.
        settings: where to; without keys or host the status is `skipped` and no connection is made.
        on_progress: called in this thread after each post.

    Returns:
        The counts, and for every status but `ok` one line why. A failing receiver raises nothing.
    """
    unusable = _unusable(settings)
    if unusable is not None:
        return _report(rows, status=unusable[0], n_spans=0, n_scores=0, reason=unusable[1])
    n_expected = len(rows.calls) + _n_scores(rows)
    n_home = 0

    def advance(n_accepted: int) -> None:
        nonlocal n_home
        n_home += n_accepted
        if on_progress is not None:
            on_progress(n_home, n_expected)

    with _open(settings) as receiver:
        spans = _send_spans(rows.calls, receiver, settings, advance)
        scored = [] if spans.stopped else [call for call, _span in spans.items]
        scores = _send_scores(scored, receiver, settings, advance)
    status = "ok" if n_home == n_expected else "incomplete" if n_home else "failed"
    reason = None if status == "ok" else spans.problem or scores.problem
    return _report(rows, status=status, n_spans=spans.n_accepted, n_scores=scores.n_accepted, reason=reason)


def receiver_problem(settings: LangfuseSettings) -> str | None:
    """Ask the receiver who we are: None if it is there and takes the keys, else one line why not."""
    unusable = _unusable(settings)
    if unusable is not None:
        return unusable[1]
    with _open(settings) as receiver:
        return page_problem(receiver.get(_PROJECTS_PATH), receiver)


def _unusable(settings: LangfuseSettings) -> tuple[str, str] | None:
    """The status and reason of settings that nothing can be sent with; None if they can be tried."""
    named = {"public key": settings.public_key, "secret key": settings.secret_key, "host": settings.host}
    missing = [name for name, value in named.items() if not value]
    if missing:
        return "skipped", f"Langfuse is not configured: no {', no '.join(missing)}"
    odd = [name for name, value in named.items() if not str(value).isprintable() or " " in str(value)]
    if odd:
        return "failed", f"the Langfuse {odd[0]} holds a space, a line break or a control character"
    if address_of(settings.host or "") is None:
        return "failed", "the Langfuse host is not a URL that starts with http:// or https://"
    return None


def _open(settings: LangfuseSettings) -> Receiver:
    headers: dict[str, str | bytes] = {
        "x-langfuse-sdk-name": "python",
        "x-langfuse-sdk-version": langfuse_version,
        "x-langfuse-public-key": (settings.public_key or "").encode(),
        "x-langfuse-ingestion-version": "4",
    }
    return Receiver(settings, headers=headers)


def _send_spans(
    calls: Sequence[TracedCall],
    receiver: Receiver,
    settings: LangfuseSettings,
    on_accepted: Callable[[int], None],
) -> Delivery[tuple[TracedCall, Span]]:
    scope = payloads.scope(_SCOPE_NAME, langfuse_version, settings.public_key or "")
    headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}

    def post(batch: list[tuple[TracedCall, Span]]) -> Outcome:
        reply = receiver.post(
            _SPANS_PATH, payloads.spans_body([span for _call, span in batch], scope), headers
        )
        return spans_outcome(reply, len(batch), receiver)

    parts = batches(
        ((call, payloads.span(call, _attributes(call))) for call in calls),
        size_of=lambda pair: pair[1].ByteSize(),
        max_items=settings.batch_size,
        max_bytes=_SPANS_LIMIT_BYTES,
    )
    return deliver(parts, post, on_accepted=on_accepted)


def _send_scores(
    calls: Sequence[TracedCall],
    receiver: Receiver,
    settings: LangfuseSettings,
    on_accepted: Callable[[int], None],
) -> Delivery[bytes]:
    def post(batch: list[bytes]) -> Outcome:
        reply = receiver.post(_SCORES_PATH, payloads.scores_body(batch), {"content-type": "application/json"})
        return scores_outcome(reply, len(batch), receiver)

    parts = batches(
        (body for call in calls for body in payloads.score_bodies(call)),
        size_of=lambda body: len(body) + 1,  # and the comma
        max_items=settings.batch_size,
        max_bytes=_SCORES_LIMIT_BYTES,
    )
    return deliver(parts, post, on_accepted=on_accepted)


def _attributes(call: TracedCall) -> Mapping[str, payloads.Attribute]:
    """The call in the names that Langfuse gives to what a generation has; what is unknown has no entry."""
    usage = {"input": call.tokens_in, "output": call.tokens_out}
    known_usage = {name: tokens for name, tokens in usage.items() if tokens is not None}
    first_ns = call.first_token_unix_ns
    generation = create_generation_attributes(
        completion_start_time=None if first_ns is None else payloads.moment(first_ns),
        metadata=payloads.clean(_metadata(call)),
        level=call.level,
        status_message=payloads.clean(call.status_message),
        model=payloads.clean(call.model),
        input=payloads.clean(call.input),
        output=payloads.clean(call.output),
        usage_details=known_usage or None,
        cost_details=None if call.cost_usd is None else {"total": call.cost_usd},
    )
    trace: dict[str, payloads.Attribute] = {
        Name.TRACE_NAME: payloads.clean(call.name),
        Name.TRACE_SESSION_ID: payloads.clean(call.session_id),
        Name.TRACE_TAGS: payloads.clean(call.all_tags),
        Name.IS_APP_ROOT: True,
    }
    # An environment of their own keeps simulated calls out of every dashboard of real ones.
    simulated = {Name.ENVIRONMENT: "simulated"} if call.simulated else {}
    return {**generation, **trace, **simulated}


def _metadata(call: TracedCall) -> dict[str, object]:
    identity = {"run_id": call.run_id, "cell_id": call.cell_id, "attempt": call.attempt, "kind": call.kind}
    unknown_end = {"end_unknown": True} if call.ended_unix_ns is None else {}
    return {**call.metadata, **identity, "key": call.key, "simulated": call.simulated, **unknown_end}


def _report(rows: TraceRows, *, status: str, n_spans: int, n_scores: int, reason: str | None) -> ExportReport:
    """One trace holds one span, so the two counts are equal."""
    return ExportReport(
        status=status,
        n_traces_expected=len(rows.calls),
        n_traces_sent=n_spans,
        n_spans_expected=len(rows.calls),
        n_spans_sent=n_spans,
        n_scores_expected=_n_scores(rows),
        n_scores_sent=n_scores,
        reason=reason,
    )


def _n_scores(rows: TraceRows) -> int:
    return sum(len(call.scores) for call in rows.calls)
