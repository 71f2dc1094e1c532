import asyncio
import base64
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.backends.base import ALL_FIELDS, Chat, Endpoint, Reply
from bench.backends.reply import Capture, assemble
from bench.backends.wire import exchange, open_client, request_body, stream
from bench.clock import now_ns
from tests.bench.recordings import Recording, captured, generations, replayed
from tests.bench.servers import WHOLE, Call, Handler, content, head, plain, serve, sse

CHAT = Chat(
    model="tiny",
    messages=[{"role": "user", "content": "안녕"}],
    max_tokens=8,
    temperature=0.5,
    top_p=0.9,
    seed=3,
)


def send(endpoint: Endpoint) -> Reply:
    async def once() -> Reply:
        async with open_client(endpoint) as client:
            return await stream(endpoint, CHAT, client=client, now=now_ns)

    return asyncio.run(once())


def send_to(handler: Handler, **changes: object) -> Reply:
    with serve(handler) as served:
        return send(Endpoint(**{"base_url": served.url, "timeout_s": 10.0, **changes}))


@pytest.mark.parametrize("record", generations(), ids=lambda r: r.name)
def test_a_recording_sent_again_over_a_socket_is_read_the_same(record: Recording) -> None:
    reply = send_to(replayed(record))
    expected = assemble(captured(record))
    for name in ("text", "outcome", "http_status", "finish_reason", "content_chunks", "tokens_in"):
        assert getattr(reply, name) == getattr(expected, name), name
    for name in ("tokens_out", "tokens_out_source", "cached_tokens", "model_echo"):
        assert getattr(reply, name) == getattr(expected, name), name
    assert (reply.error is None) == (expected.error is None)


def test_the_request_is_what_the_server_may_see() -> None:
    with serve(sse(WHOLE)) as served:
        endpoint = Endpoint(
            base_url=served.url,
            headers={"Authorization": "Bearer k", "X-Team": "a"},
            extra_body={"ignore_eos": True},
        )
        send(endpoint)
        send(Endpoint(base_url=served.url, path="/api/chat", fields=("max_tokens",)))
    first, second = served.calls
    assert first.json() == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "안녕"}],
        "stream": True,
        "max_tokens": 8,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
        "stream_options": {"include_usage": True},
        "ignore_eos": True,
    }
    assert (first.headers["authorization"], first.headers["x-team"]) == ("Bearer k", "a")
    assert (first.headers["accept-encoding"], first.path) == ("identity", "/v1/chat/completions")
    assert second.path == "/api/chat"
    assert set(second.json()) == {"model", "messages", "stream", "max_tokens"}
    assert "authorization" not in second.headers


def test_an_unknown_seed_is_not_sent() -> None:
    chat = Chat(model="m", messages=[], max_tokens=1, temperature=0.0, top_p=1.0, seed=None)
    body = request_body(Endpoint(base_url="http://h", fields=ALL_FIELDS), chat)
    assert b"seed" not in body


def test_stamps_come_in_the_order_of_what_happened() -> None:
    async def handler(_: Call, writer: asyncio.StreamWriter) -> None:
        for part in (head(), content("a"), WHOLE):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)

    start_ns = now_ns()
    reply = send_to(handler)
    stamps = [start_ns, reply.sent_ns, reply.headers_ns, reply.first_byte_ns, reply.first_token_ns]
    stamps += [reply.last_token_ns, reply.closed_ns, now_ns()]
    assert stamps == sorted(stamps)
    assert reply.first_token_ns - reply.headers_ns >= 15_000_000
    assert reply.last_token_ns - reply.first_token_ns >= 15_000_000


async def _close(_: Call, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _hang(_: Call, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def _then_hang(sent: bytes) -> Handler:
    async def handler(_: Call, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        await asyncio.Event().wait()

    return handler


def _raw(sent: bytes) -> Handler:
    async def handler(_: Call, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)

    return handler


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("handler", "outcome", "error"),
    [
        (_close, "truncated", "server closed the connection before it answered"),
        (_hang, "timeout", "no answer within 0.2 s"),
        (_then_hang(head()), "timeout", "headers but no body within 0.2 s"),
        (_then_hang(head() + content("a")), "timeout", "stream unfinished within 0.2 s"),
        (_raw(CHUNKED + b"5\r\ndata:"), "truncated", "server closed the connection after 1 reads"),
        (_raw(CHUNKED + b"zz\r\nnonsense"), "bad_body", "not valid HTTP"),
        (_raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "bad_body", "not valid HTTP"),
        (plain("200 OK", "text/html", b"<html>Sign in</html>"), "bad_body", "text/html instead of"),
        (plain("429 Slow", "application/json", b'{"error": "busy"}'), "http_429", "HTTP 429: busy"),
        (plain("500 Oops", "text/plain", b"broken"), "http_5xx", "HTTP 500: broken"),
        (plain("301 Moved\r\nlocation: /v2", "text/plain", b""), "bad_body", "HTTP 301"),
        (
            plain("200 OK\r\ncontent-encoding: gzip", "text/event-stream", b"\x1f\x8b"),
            "bad_body",
            "content-encoding gzip",
        ),
    ],
)
def test_each_fault_of_a_server_has_its_name(handler: Handler, outcome: str, error: str) -> None:
    reply = send_to(handler, timeout_s=0.2)
    assert (reply.outcome, error in reply.error) == (outcome, True), reply.error
    assert reply.sent_ns is not None
    assert reply.closed_ns is not None


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken but does not listen, so that nobody else can get it meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_refused_connection(closed_port: int) -> None:
    reply = send(Endpoint(base_url=f"http://127.0.0.1:{closed_port}"))
    assert (reply.outcome, reply.sent_ns, reply.http_status) == ("connect", None, None)
    assert reply.error == "no connection: Connection refused"


def test_a_name_that_does_not_exist() -> None:
    reply = send(Endpoint(base_url="http://no-such-host.invalid:1"))
    assert reply.outcome == "dns"
    assert "name not resolved" in reply.error


def test_a_server_without_tls() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def refuse_in_plain_text() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(64)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        server = threading.Thread(target=refuse_in_plain_text)
        server.start()
        reply = send(Endpoint(base_url=f"https://127.0.0.1:{listener.getsockname()[1]}", timeout_s=5.0))
        server.join()
    assert reply.outcome == "tls"
    assert reply.error.startswith("TLS failed: ")


def test_a_connection_that_is_never_accepted() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        queued = [socket.socket() for _ in range(8)]
        for one in queued:
            one.setblocking(False)
            one.connect_ex(address)
        reply = send(Endpoint(base_url=f"http://127.0.0.1:{address[1]}", connect_timeout_s=0.2))
        for one in queued:
            one.close()
    assert (reply.outcome, reply.error) == ("timeout", "no connection within 0.2 s")


def test_a_connection_is_not_used_again_after_an_error() -> None:
    # The server closes it without having said so, as a real one does; the second request must not notice.
    kept = b"HTTP/1.1 500 Oops\r\ncontent-length: 3\r\n\r\nbad"

    async def three_times(url: str) -> list[Reply]:
        endpoint = Endpoint(base_url=url)
        async with open_client(endpoint) as client:
            return [await stream(endpoint, CHAT, client=client, now=now_ns) for _ in range(3)]

    with serve(_raw(kept)) as served:
        replies = asyncio.run(three_times(served.url))
    assert [r.error for r in replies] == ["HTTP 500: bad"] * 3


def test_a_body_without_end_is_cut_off() -> None:
    async def handler(_: Call, writer: asyncio.StreamWriter) -> None:
        writer.write(head())
        while True:
            writer.write(b"x" * 2**20)
            await writer.drain()

    reply = send_to(handler, timeout_s=30.0)
    assert (reply.outcome, reply.error) == ("bad_body", "reply of more than 67108864 bytes")


def test_a_cancelled_exchange_keeps_its_stamps() -> None:
    capture = Capture()

    async def cancel_after_first_read(url: str) -> None:
        endpoint = Endpoint(base_url=url)
        async with open_client(endpoint) as client:
            body = request_body(endpoint, CHAT)
            task = asyncio.create_task(exchange(capture, endpoint, body, client=client, now=now_ns))
            while not capture.reads:
                assert not task.done()
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with serve(_then_hang(head() + content("a"))) as served:
        asyncio.run(cancel_after_first_read(served.url))
    reply = assemble(capture)
    assert (reply.outcome, reply.text) == ("aborted", "a")
    assert reply.sent_ns < reply.first_token_ns <= reply.closed_ns


def test_the_environment_has_no_say_in_where_requests_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with serve(sse(WHOLE)) as served:
        reply = send(Endpoint(base_url=served.url))
    assert reply.outcome == "ok"
    assert "authorization" not in served.calls[0].headers


def test_a_header_that_http_does_not_allow_is_a_reply_without_the_secret() -> None:
    key = base64.b64encode(b"x" * 20).decode()
    reply = send_to(sse(WHOLE), headers={"Authorization": f"Bearer {key}\r\nX: 1"}, secrets=[key])
    assert reply.outcome == "unknown"
    assert key not in reply.error
