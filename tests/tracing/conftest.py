"""Fixtures of the export's tests: a receiver, calls to send, and a server that never ends its body."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.tracing.double import Answer, LangfuseDouble, healthy, running_double
from tracing.records import TracedCall, TracedScore


@pytest.fixture
def double() -> Iterator[LangfuseDouble]:
    with running_double() as double:
        yield double


@pytest.fixture
def healthy_answer() -> Callable[[str, int], Answer]:
    return healthy


@pytest.fixture
def answer() -> type[Answer]:
    return Answer


@pytest.fixture
def make_call() -> Callable[..., TracedCall]:
    return _make_call


def _make_call(index: int = 0, **changes: Any) -> TracedCall:
    start = 1_760_000_000_123_456_789 + index * 1_000_000
    values: dict[str, Any] = {
        "key": f"r{index}",
        "run_id": "run-1",
        "cell_id": "cell-1",
        "attempt": 1,
        "kind": "request",
        "name": "load_test",
        "model": "qwen3:8b",
        "started_unix_ns": start,
        "first_token_unix_ns": start + 40_000_000,
        "ended_unix_ns": start + 2_000_000_001,
        "tokens_in": 17,
        "tokens_out": 128,
        "cost_usd": 0.0001,
        "simulated": False,
    }
    return TracedCall(**{**values, **changes})


@pytest.fixture
def make_answer() -> Callable[..., TracedCall]:
    def make(index: int = 0, **changes: Any) -> TracedCall:
        scores = [TracedScore("correctness", 0.75, "3 of 4 tests"), TracedScore("clarity", 1.0)]
        return _make_call(index, **{"key": f"a{index}", "kind": "answer", "scores": scores, **changes})

    return make


@pytest.fixture
def dripping_port() -> Iterator[int]:
    """A server that promises a long body and then sends a byte at a time, for ever."""
    stopped = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while not stopped.is_set():
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            with connection:
                drip(connection)

    def drip(connection: socket.socket) -> None:
        try:
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"
            )
            while not stopped.wait(0.05):
                connection.sendall(b" ")
        except OSError:
            return

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    stopped.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
