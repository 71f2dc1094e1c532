"""From what the network gave to a `Reply`: pure, and only after the stream has ended.

The rules are those that real servers need (a usage object may stand in the finish chunk, in a chunk without
choices, in one with a dummy choice, on every chunk or nowhere; some never send `[DONE]`; a status of 200 is
no success): see the recordings in tests/cases/streams.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.backends.base import Reply
from bench.backends.sse import Event, events
from bench.backends.text import clean_text, one_line, without_secrets

_MAX_COUNT = 2**31 - 1
_STATUS_OUTCOME = {429: "http_429", 4: "http_4xx", 5: "http_5xx"}


@dataclass
class Capture:
    """What one exchange left on the wire; filled while it runs, read afterwards.

    `reads` are the body's bytes with the stamp of the read that brought them. `failure` is (outcome, error)
    if the exchange did not end by itself.
    """

    sent_ns: int | None = None
    headers_ns: int | None = None
    closed_ns: int | None = None
    http_status: int | None = None
    content_type: str = ""
    reads: list[tuple[int, bytes]] = field(default_factory=list)
    failure: tuple[str, str] | None = None


@dataclass
class _Stream:
    """What the chunks of one event stream add up to."""

    texts: list[str] = field(default_factory=list)
    reasonings: list[str] = field(default_factory=list)
    token_stamps: list[int] = field(default_factory=list)
    first_answer_ns: int | None = None
    finish_reason: str | None = None
    usage: Mapping[str, Any] | None = None
    usage_is_final: bool = False
    model_echo: str | None = None
    error: str | None = None
    broken: str | None = None
    n_events: int = 0
    done: bool = False


def assemble(capture: Capture, secrets: Sequence[str] = ()) -> Reply:
    """Read a finished exchange.

    Args:
        capture: the exchange.
        secrets: strings that must not appear in any text of the reply.

    Returns:
        The reply; `outcome` is `ok` only for a status of 200, an event stream that ended cleanly with a
        finish reason, and some text.
    """
    stream = _read_stream(capture.reads) if capture.http_status == 200 else _Stream()
    outcome, error = _judge(capture, stream)
    usage_tokens = _count(stream.usage, "completion_tokens")
    n_chunks = len(stream.token_stamps)
    tokens_out, source = _tokens_out(stream, usage_tokens, n_chunks)
    stamps = stream.token_stamps
    details = stream.usage.get("prompt_tokens_details") if stream.usage else None
    sent = capture.sent_ns
    return Reply(
        text=_kept(stream.texts, secrets),
        reasoning=_kept(stream.reasonings, secrets),
        sent_ns=sent,
        headers_ns=capture.headers_ns,
        first_byte_ns=capture.reads[0][0] if capture.reads else None,
        first_token_ns=stamps[0] if stamps else None,
        first_answer_ns=stream.first_answer_ns,
        last_token_ns=stamps[-1] if stamps else None,
        closed_ns=capture.closed_ns,
        chunk_offsets_ns=[t - sent for t in stamps] if stamps and sent is not None else None,
        tokens_in=_count(stream.usage, "prompt_tokens"),
        tokens_out=tokens_out,
        tokens_out_source=source,
        tokens_out_usage=usage_tokens,
        content_chunks=n_chunks if capture.http_status == 200 else None,
        cached_tokens=_count(details, "cached_tokens"),
        finish_reason=stream.finish_reason,
        outcome=outcome,
        http_status=capture.http_status,
        error=one_line(error, secrets) if error else None,
        model_echo=without_secrets(stream.model_echo, secrets) if stream.model_echo else None,
        stamp_source="user",
    )


def _kept(texts: Sequence[str], secrets: Sequence[str]) -> str | None:
    return without_secrets(clean_text("".join(texts)), secrets) if texts else None


def _tokens_out(stream: _Stream, usage_tokens: int | None, n_chunks: int) -> tuple[int | None, str | None]:
    """The server's own count if it gave one, else the chunks; unknown if neither is there."""
    if usage_tokens is not None:
        return usage_tokens, "usage" if stream.usage_is_final else "chunk_usage"
    return (n_chunks, "chunks") if n_chunks else (None, None)


def _count(source: object, key: str) -> int | None:
    """A whole number that a server may really have counted; anything else it sends is not known."""
    value = source.get(key) if isinstance(source, Mapping) else None
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT
    return value if good else None


def _read_stream(reads: Sequence[tuple[int, bytes]]) -> _Stream:
    stream = _Stream()
    for event in events(reads):
        stream.n_events += 1
        if event.data.strip() == "[DONE]":
            stream.done = True
            continue
        _take(stream, event)
    return stream


def _take(stream: _Stream, event: Event) -> None:
    """Add one chunk to what the stream has told so far."""
    try:
        chunk = json.loads(event.data)
    except (ValueError, RecursionError):
        chunk = None
    if not isinstance(chunk, dict):
        if event.kind == "error":
            stream.error = stream.error or event.data or "error event"
        else:
            stream.broken = stream.broken or event.data
        return
    if message := error_message(chunk) or ("error event" if event.kind == "error" else None):
        stream.error = stream.error or message
    if isinstance(chunk.get("model"), str):
        stream.model_echo = one_line(chunk["model"])
    choice = _first_choice(chunk)
    _take_texts(stream, choice, event.t_ns)
    if isinstance(choice.get("finish_reason"), str):
        stream.finish_reason = one_line(choice["finish_reason"])
    usage = chunk.get("usage")
    # All zeros is how some servers say "not yet"; the last real one counts.
    if isinstance(usage, dict) and any(_count(usage, k) for k in ("prompt_tokens", "completion_tokens")):
        stream.usage = usage
        stream.usage_is_final = stream.finish_reason is not None


def _first_choice(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _take_texts(stream: _Stream, choice: Mapping[str, Any], t_ns: int) -> None:
    """Role-only, null and empty deltas are not tokens; reasoning and tool calls are."""
    delta = choice.get("delta")
    delta = delta if isinstance(delta, dict) else {}
    answer = _string(delta.get("content")) or _string(choice.get("text"))
    reasoning = _string(delta.get("reasoning_content")) or _string(delta.get("reasoning"))
    if answer:
        stream.texts.append(answer)
        if stream.first_answer_ns is None:
            stream.first_answer_ns = t_ns
    if reasoning:
        stream.reasonings.append(reasoning)
    if answer or reasoning or _calls_a_tool(delta):
        stream.token_stamps.append(t_ns)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _calls_a_tool(delta: Mapping[str, Any]) -> bool:
    calls = delta.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if calls else []
    return any(f.get("name") or f.get("arguments") for f in functions if isinstance(f, dict))


def _judge(capture: Capture, stream: _Stream) -> tuple[str, str | None]:
    """Outcome and reason, the most telling failure first."""
    if capture.http_status is not None and capture.http_status != 200:
        return _judge_status(capture)
    if stream.error:
        return "stream_error", stream.error
    if capture.failure:
        return capture.failure
    if not stream.n_events:
        return _judge_body(capture)
    if stream.broken is not None:
        return "bad_body", f"event that is not a JSON object: {stream.broken}"
    if stream.finish_reason is None:
        return "truncated", f"stream ended without finish_reason after {stream.n_events} events"
    if stream.finish_reason in {"error", "abort"}:
        return "stream_error", f"server ended the reply with finish_reason {stream.finish_reason}"
    if not stream.token_stamps:
        return "empty", f"finished ({stream.finish_reason}) without any text"
    return "ok", None


def _judge_status(capture: Capture) -> tuple[str, str]:
    status = capture.http_status or 0
    outcome = _STATUS_OUTCOME.get(status) or _STATUS_OUTCOME.get(status // 100) or "bad_body"
    detail = body_message(b"".join(chunk for _, chunk in capture.reads)) or "no text in the body"
    return outcome, f"HTTP {status}: {detail}"


def _judge_body(capture: Capture) -> tuple[str, str]:
    """A status of 200 whose body holds no event at all."""
    body = b"".join(chunk for _, chunk in capture.reads)
    if not body.strip():
        return "empty", "HTTP 200 with an empty body"
    if body.lstrip().startswith((b"data:", b"event:", b":")):
        return "truncated", "stream ended inside its first event"
    kind = capture.content_type.split(";")[0].strip() or "no content type"
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return "bad_body", f"{kind} instead of an event stream: {body_message(body)}"
    if isinstance(parsed, dict) and (message := error_message(parsed)):
        return "stream_error", message
    return "bad_body", f"{kind} instead of an event stream, although stream was asked for"


def error_message(body: Mapping[str, Any]) -> str | None:
    """The message of an error object in any of the forms servers use; None if it is none.

    Known forms: {"error": {"message": …}}, {"error": "…"}, {"detail": …}, {"object": "error", "message": …}.
    """
    error = body.get("error") or (body if body.get("object") == "error" else None)
    if isinstance(error, dict):
        error = error.get("message") or error
    if not error and "choices" not in body:
        error = body.get("detail")
    if not error:
        return None
    if isinstance(error, str):
        return error
    try:
        return json.dumps(error, ensure_ascii=False)
    except RecursionError:
        return "error object nested too deeply to show"


def body_message(body: bytes) -> str:
    """What a body that is not what was asked for says, as text of at most 300 characters; may be empty."""
    text = body[:65_536].decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return one_line(text)
    return one_line((error_message(parsed) if isinstance(parsed, dict) else None) or text)
