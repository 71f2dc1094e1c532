"""Tiny real servers on free ports, for tests: each answers with the bytes a test wants."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Call:
    """One HTTP request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    index: int

    def json(self) -> dict:
        return json.loads(self.body)


Handler = Callable[[Call, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Served:
    """A running server: its address and what it was asked so far."""

    port: int = 0
    calls: list[Call] = field(default_factory=list)
    close: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


async def _read_call(reader: asyncio.StreamReader, earlier: list[Call]) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = first.split(" ")
    return Call(method, path, headers, body, len(earlier))


@contextmanager
def serve(handler: Handler) -> Iterator[Served]:
    """Run a server in a thread; `handler` writes the reply, the connection is closed after it."""
    served = Served()
    loop = asyncio.new_event_loop()
    connections: set[asyncio.Task] = set()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.current_task())
        try:
            call = await _read_call(reader, served.calls)
            served.calls.append(call)
            await handler(call, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            writer.close()

    async def stop(server: asyncio.Server) -> None:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    server = loop.run_until_complete(asyncio.start_server(on_connection, "127.0.0.1", 0, backlog=512))
    served.port = server.sockets[0].getsockname()[1]
    served.close = lambda: asyncio.run_coroutine_threadsafe(stop(server), loop).result(10)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield served
    finally:
        served.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def head(status: str = "200 OK", content_type: str = "text/event-stream") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n".encode()


def plain(status: str, content_type: str, body: bytes) -> Handler:
    async def handler(_: Call, writer: asyncio.StreamWriter) -> None:
        writer.write(head(status, content_type) + body)

    return handler


def chunk(**choice: object) -> bytes:
    return b"data: " + json.dumps({"model": "tiny", "choices": [{"index": 0, **choice}]}).encode() + b"\n\n"


def content(text: str) -> bytes:
    return chunk(delta={"content": text})


ROLE = chunk(delta={"role": "assistant", "content": ""})
FINISH = chunk(delta={}, finish_reason="stop")
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = ROLE + content("a") + content("b") + content("c") + FINISH + USAGE + DONE


def sse(*parts: bytes) -> Handler:
    return plain("200 OK", "text/event-stream", b"".join(parts))
