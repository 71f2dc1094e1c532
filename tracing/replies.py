"""What a receiver's answer says about a batch: how much of it was acknowledged, and whether to go on."""

import json
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships without hints
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracing.delivery import Outcome, Verdict
from tracing.receiver import Receiver, Reply

_BATCHS_OWN_FAULT = frozenset({400, 422})


def spans_outcome(reply: Reply, n_spans: int, receiver: Receiver) -> Outcome:
    """Read the answer to a batch of spans; OTLP may accept a batch and reject some spans of it."""
    failure = _failure(reply, receiver)
    if failure is not None:
        return failure
    if reply.content_type.startswith("application/x-protobuf"):
        rejected, message = _protobuf_rejects(reply.body)
    else:
        rejected, message = _json_rejects(reply.body)
    if rejected is None:
        return _not_langfuse(reply, receiver)
    return _partly(n_spans, n_spans - rejected, "spans", message, receiver)


def scores_outcome(reply: Reply, n_scores: int, receiver: Receiver) -> Outcome:
    """Read the answer to a batch of scores: `{"message": "Accepted"}`, or counts of accepted and rejected."""
    failure = _failure(reply, receiver)
    if failure is not None:
        return failure
    body = _json_object(reply.body)
    if body is not None and body.get("message") == "Accepted":
        return _partly(n_scores, n_scores, "scores", "", receiver)
    accepted = _count(body.get("accepted")) if body is not None else None
    if body is None or accepted is None:
        return _not_langfuse(reply, receiver)
    return _partly(n_scores, accepted, "scores", json.dumps(body.get("errors", "")), receiver)


def page_problem(reply: Reply, receiver: Receiver) -> str | None:
    """Why a page that only a Langfuse server with our keys could give was not given; None if it was."""
    failure = _failure(reply, receiver)
    if failure is None and _json_object(reply.body) is None:
        failure = _not_langfuse(reply, receiver)
    return failure.problem if failure is not None else None


def _failure(reply: Reply, receiver: Receiver) -> Outcome | None:
    """The outcome of an answer that acknowledges nothing; None if it is a success to read on in."""
    if reply.status is None:
        return Outcome(n_accepted=0, verdict="stop", problem=reply.problem)
    if 200 <= reply.status < 300:
        return None
    problem = f"{receiver.address} answered {reply.status}{_explanation(reply, receiver)}"
    if reply.status == 413:
        return Outcome(n_accepted=0, verdict="too_large", problem=problem)
    verdict: Verdict = "refused" if reply.status in _BATCHS_OWN_FAULT else "stop"
    return Outcome(n_accepted=0, verdict=verdict, problem=problem)


def _explanation(reply: Reply, receiver: Receiver) -> str:
    known = {
        401: "the keys are not valid there",
        403: "the keys may not write there",
        404: "no Langfuse v4 there",
    }
    if reply.status is not None and 300 <= reply.status < 400:
        return ": a redirect, which is not followed; is the host's scheme (http or https) right?"
    if reply.status in known:
        return f": {known[reply.status]}"
    if reply.retry_after_s is not None:
        return f": it asks to wait {reply.retry_after_s:g} s; a later export completes this one"
    body = _json_object(reply.body)
    said = [str(body[key]) for key in ("message", "error") if body is not None and key in body]
    return f": {receiver.one_line(said[0])}" if said else ""


def _not_langfuse(reply: Reply, receiver: Receiver) -> Outcome:
    kind = receiver.one_line(reply.content_type) or "no type"
    problem = (
        f"{receiver.address} answered {reply.status} with a body ({kind}) that no Langfuse server v4 sends"
    )
    return Outcome(n_accepted=0, verdict="stop", problem=problem)


def _partly(n_items: int, n_accepted: int, what: str, message: str, receiver: Receiver) -> Outcome:
    n_accepted = min(max(n_accepted, 0), n_items)
    if n_accepted == n_items:
        return Outcome(n_accepted=n_items, verdict="taken", problem=None)
    said = receiver.one_line(
        f"{receiver.address} rejected {n_items - n_accepted} of {n_items} {what}: {message}"
    )
    return Outcome(n_accepted=n_accepted, verdict="taken", problem=said)


def _protobuf_rejects(body: bytes) -> tuple[int | None, str]:
    try:
        partial = ExportTraceServiceResponse.FromString(body).partial_success
    except DecodeError:
        return None, ""
    return partial.rejected_spans, partial.error_message


def _json_rejects(body: bytes) -> tuple[int | None, str]:
    """Rejected spans of a JSON answer: 0 without a body or a `partialSuccess`, None if it is not our JSON."""
    if not body.strip():
        return 0, ""
    answer = _json_object(body)
    if answer is None:
        return None, ""
    partial = answer.get("partialSuccess") or {}
    if not isinstance(partial, dict):
        return None, ""
    # OTLP's JSON writes 64-bit integers as text and leaves zeros out.
    return _count(partial.get("rejectedSpans", "0")), str(partial.get("errorMessage", ""))


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None
