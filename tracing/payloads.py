"""The bytes that Langfuse takes: calls as OTLP spans, scores as JSON objects."""

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tracing import ids
from tracing.records import TracedCall

TEXT_LIMIT_CHARS = 100_000
"""Longest text sent of one prompt or reply; what is cut off is said in its place."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The encoder's own value for a span without a parent: "whether the parent is remote is known".
_FLAGS_ROOT = 0x100

Attribute = str | bool | Sequence[str]


def moment(unix_ns: int) -> datetime:
    """Nanoseconds since 1970 as a UTC datetime, cut to whole microseconds without passing through a float."""
    return _EPOCH + timedelta(microseconds=unix_ns // 1000)


def clean(value: Any) -> Any:
    """Make text from outside safe to encode, at any depth of JSON-able data.

    Half surrogate pairs cannot be written as UTF-8, where one bad reply would cost its whole batch, and
    the databases behind Langfuse refuse NUL: both become U+FFFD. Long texts are cut.
    """
    if isinstance(value, str):
        text = (
            value.encode("utf-16", "surrogatepass")
            .decode("utf-16", "replace")
            .replace("\0", "\N{REPLACEMENT CHARACTER}")
        )
        if len(text) > TEXT_LIMIT_CHARS:
            text = f"{text[:TEXT_LIMIT_CHARS]}… [cut: {len(text)} characters in all]"
        return text
    if isinstance(value, Mapping):
        return {str(clean(str(key))): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value


def span(call: TracedCall, attributes: Mapping[str, Attribute]) -> Span:
    """The call as an OTLP root span with its own past start and end; without an end it has no duration."""
    failed = call.level == "ERROR"
    return Span(
        trace_id=ids.trace_id(call),
        span_id=ids.span_id(call),
        name=clean(call.name),
        kind=Span.SPAN_KIND_INTERNAL,
        flags=_FLAGS_ROOT,
        start_time_unix_nano=call.started_unix_ns,
        end_time_unix_nano=call.started_unix_ns if call.ended_unix_ns is None else call.ended_unix_ns,
        attributes=[KeyValue(key=key, value=_any_value(value)) for key, value in attributes.items()],
        status=Status(code=Status.STATUS_CODE_ERROR, message=clean(call.status_message or ""))
        if failed
        else Status(),
    )


def spans_body(spans: Sequence[Span], scope: InstrumentationScope) -> bytes:
    """One gzipped OTLP request of all these spans."""
    resource = Resource(attributes=[KeyValue(key="service.name", value=_any_value("bakeoff"))])
    groups = [ResourceSpans(resource=resource, scope_spans=[ScopeSpans(scope=scope, spans=spans)])]
    return gzip.compress(
        ExportTraceServiceRequest(resource_spans=groups).SerializeToString(), compresslevel=6
    )


def scope(name: str, version: str, public_key: str) -> InstrumentationScope:
    """What says which program wrote the spans, and for which project."""
    attributes = [KeyValue(key="public_key", value=_any_value(clean(public_key)))]
    return InstrumentationScope(name=name, version=version, attributes=attributes)


def score_bodies(call: TracedCall) -> list[bytes]:
    """The call's scores as JSON objects, dated at the call's end.

    The date is part of what makes a score the same score when it is sent again, so it must not be now.
    """
    at_ns = call.started_unix_ns if call.ended_unix_ns is None else call.ended_unix_ns
    return [
        json.dumps(
            {
                "id": ids.score_id(call, name),
                "traceId": ids.trace_id(call).hex(),
                "observationId": ids.span_id(call).hex(),
                "name": clean(name),
                "value": float(value),
                "dataType": "NUMERIC",
                "timestamp": moment(at_ns).isoformat().replace("+00:00", "Z"),
            }
            | ({"comment": clean(comment)} if comment is not None else {})
            | ({"environment": "simulated"} if call.simulated else {})
        ).encode()
        for name, value, comment in call.scores
    ]


def scores_body(scores: Sequence[bytes]) -> bytes:
    """One JSON list of all these scores."""
    return b"[" + b",".join(scores) + b"]"


def _any_value(value: Attribute) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=item) for item in value]))
