"""HTTP/1.1 and server-sent events, as bytes: only what a chat server needs."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"content-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"


class BadHttp(ValueError):
    """What a client sent is not HTTP that we can answer; `status` is the reply, then we close."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """One request; header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def keep_alive(self) -> bool:
        """Whether the client expects to use the connection again."""
        return self.headers.get("connection", "").lower() != "close"


def take_request(buffer: bytearray) -> HttpRequest | None:
    """Remove the first whole request from `buffer`; None while it is not whole.

    Raises:
        BadHttp: the bytes are no request, or too many, or a body without a length.
    """
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0:
        if len(buffer) > MAX_HEAD_BYTES:
            raise BadHttp(431, "request head too large")
        return None
    method, path, headers = _head(bytes(buffer[:head_end]))
    start = head_end + 4
    length = _body_length(headers)
    if len(buffer) < start + length:
        return None
    body = bytes(buffer[start : start + length])
    del buffer[: start + length]
    return HttpRequest(method=method, path=path, headers=headers, body=body)


def _head(raw: bytes) -> tuple[str, str, dict[str, str]]:
    lines = raw.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadHttp(400, "not an HTTP/1.1 request")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadHttp(400, "malformed header line")
        headers[name.strip().lower()] = value.strip()
    return words[0], words[1].partition("?")[0], headers


def _body_length(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise BadHttp(411, "send a content-length; chunked request bodies are not supported")
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdecimal()):
        raise BadHttp(400, "content-length is not a number")
    if int(text) > MAX_BODY_BYTES:
        raise BadHttp(413, f"body larger than {MAX_BODY_BYTES} bytes")
    return int(text)


def reply(
    status: int, body: bytes, content_type: str = "application/json", *, headers: dict[str, str] | None = None
) -> bytes:
    """A whole response with a content-length."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"content-type: {content_type}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def json_reply(status: int, value: Any, *, headers: dict[str, str] | None = None) -> bytes:
    """A whole response whose body is `value` as JSON."""
    return reply(status, json.dumps(value, ensure_ascii=False).encode(), headers=headers)


def error_reply(status: int, message: str, kind: str) -> bytes:
    """A whole response in the shape OpenAI-compatible servers use for errors."""
    return json_reply(status, {"error": {"message": message, "type": kind, "code": status}})


def http_chunk(data: bytes) -> bytes:
    """One chunk of a chunked response."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event_chunk(data: bytes) -> bytes:
    """One server-sent event, alone in one chunk."""
    return http_chunk(b"data: " + data + b"\n\n")
