"""The seam to the network: send one chat, stamp what arrives, judge nothing until it is over.

This is the reference transport (httpx). On the token path there is one clock reading and one append per read;
decoding waits until the stream has ended.
"""

import asyncio
import json
from typing import Any

import httpx

from bench.backends.base import Chat, Endpoint, Reply
from bench.backends.failures import transport_failure
from bench.backends.reply import Capture, assemble
from bench.clock import Now

Client = httpx.AsyncClient
"""What `open_client` gives; callers pass it on and close it, nothing else."""

_MAX_BODY_BYTES = 64 * 2**20
_KEEP_ALIVE_S = 2.0
"""Shorter than servers' own (often 5 s): a connection that both ends close at once looks like a failure."""


def open_client(endpoint: Endpoint) -> Client:
    """A client for one worker: no limits of its own, no proxy or netrc of the environment, no HTTP/2.

    Our own timeouts (`exchange`) rule; httpx's only bounds the connecting.
    """
    return Client(
        timeout=httpx.Timeout(None, connect=endpoint.connect_timeout_s),
        limits=httpx.Limits(
            max_connections=None, max_keepalive_connections=None, keepalive_expiry=_KEEP_ALIVE_S
        ),
        trust_env=False,
        follow_redirects=False,
    )


def request_body(endpoint: Endpoint, chat: Chat) -> bytes:
    """The request as JSON; only fields that the server is known to accept."""
    optional: dict[str, Any] = {
        "max_tokens": chat.max_tokens,
        "temperature": chat.temperature,
        "top_p": chat.top_p,
        "seed": chat.seed,
        "stream_options": {"include_usage": True},
    }
    chosen = {k: v for k, v in optional.items() if k in endpoint.fields and v is not None}
    body = {
        "model": chat.model, "messages": [dict(m) for m in chat.messages], "stream": True,
        **chosen, **endpoint.extra_body,
    }  # fmt: skip
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


async def stream(endpoint: Endpoint, chat: Chat, *, client: Client, now: Now) -> Reply:
    """Send one chat and read its reply to the end.

    Returns:
        The reply; a failing server is its `outcome`. Only cancellation and our own faults raise.
    """
    capture = Capture()
    await exchange(capture, endpoint, request_body(endpoint, chat), client=client, now=now)
    return assemble(capture, endpoint.secrets)


async def exchange(capture: Capture, endpoint: Endpoint, body: bytes, *, client: Client, now: Now) -> None:
    """Run one exchange into `capture`, which keeps its stamps when this is cancelled.

    `sent_ns` is read when the headers are with the kernel and the body is handed over next, in the same step
    of the loop; reading it after would add the loop's delay, and hide as much of the server's.
    """

    async def trace(event: str, _: object) -> None:
        if event.endswith("send_request_body.started"):
            capture.sent_ns = now()
        elif event.endswith("receive_response_headers.complete"):
            capture.headers_ns = now()

    headers = {
        **endpoint.headers, "content-type": "application/json", "accept": "text/event-stream",
        "accept-encoding": "identity",
    }  # fmt: skip
    url = endpoint.base_url + endpoint.path
    try:
        async with asyncio.timeout(endpoint.timeout_s):
            async with client.stream(
                "POST", url, content=body, headers=headers, extensions={"trace": trace}
            ) as response:
                capture.http_status = response.status_code
                capture.content_type = response.headers.get("content-type", "")
                await _read(capture, response, now)
                if response.status_code != 200:
                    # Some servers drop the connection after an error without saying so; the next request
                    # must not fall into that and be counted as one more failure.
                    await response.extensions["network_stream"].aclose()
    except (TimeoutError, httpx.TimeoutException) as error:
        capture.failure = ("timeout", _timeout_reason(capture, endpoint, error))
    except httpx.TransportError as error:
        where = f"after {len(capture.reads)} reads" if capture.http_status else "before it answered"
        capture.failure = transport_failure(error, where)
    except asyncio.CancelledError:
        capture.failure = ("aborted", "cancelled while the request was in flight")
        raise
    finally:
        capture.closed_ns = now()


async def _read(capture: Capture, response: httpx.Response, now: Now) -> None:
    """Stamp and keep every read; a body without end is cut off before it fills the memory."""
    reads = capture.reads
    size = 0
    async for chunk in response.aiter_raw():
        reads.append((now(), chunk))
        size += len(chunk)
        if size > _MAX_BODY_BYTES:
            capture.failure = ("bad_body", f"reply of more than {_MAX_BODY_BYTES} bytes")
            return
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        capture.failure = ("bad_body", f"content-encoding {encoding}, although identity was asked for")


def _timeout_reason(capture: Capture, endpoint: Endpoint, error: Exception) -> str:
    """Which wait it was that took too long."""
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {endpoint.connect_timeout_s:g} s"
    if capture.sent_ns is None:
        waited = "request not sent"
    elif capture.http_status is None:
        waited = "no answer"
    elif not capture.reads:
        waited = "headers but no body"
    else:
        waited = "stream unfinished"
    return f"{waited} within {endpoint.timeout_s:g} s"
