"""A real simulator process, and a client on a bare socket that stamps every read."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass
class Event:
    arrived_ns: int
    data: str

    @property
    def content(self) -> str | None:
        choices = json.loads(self.data).get("choices") if self.data != "[DONE]" else None
        return choices[0]["delta"].get("content") or None if choices else None


@dataclass
class Streamed:
    sent_ns: int
    head: str
    events: list[Event] = field(default_factory=list)
    whole: bool = False  # the chunked body was terminated

    @property
    def tokens(self) -> list[Event]:
        return [event for event in self.events if event.content]

    @property
    def finish_reasons(self) -> list[str]:
        bodies = [json.loads(event.data) for event in self.events if event.data != "[DONE]"]
        choices = [body["choices"][0] for body in bodies if body.get("choices")]
        return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


@dataclass
class Running:
    process: subprocess.Popen[str]
    port: int

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
            is_json = answer.headers["content-type"] == "application/json"
            return answer.status, json.loads(text) if is_json else text
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float:
        _, text = self.call("GET", "/metrics")
        for line in text.splitlines():
            if line.startswith(name) and all(f'{key}="{value}"' in line for key, value in labels.items()):
                return float(line.rpartition(" ")[2])
        raise KeyError(name)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def send_chat(self, client: socket.socket, **chat: Any) -> int:
        body = json.dumps(chat_body(**chat)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\ncontent-length: {len(body)}\r\n\r\n"
        sent_ns = time.monotonic_ns()
        client.sendall(head.encode() + body)
        return sent_ns

    def stream(self, **chat: Any) -> Streamed:
        with self.connect() as client:
            return receive(client, self.send_chat(client, stream=True, **chat))


def chat_body(*, prompt: str = "hello", model: str = "sim-hasty", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": prompt}], **more}


def receive(client: socket.socket, sent_ns: int) -> Streamed:
    """Read one chunked reply; every chunk gets the stamp of the read that completed it."""
    buffer = b""
    reply: Streamed | None = None
    while data := client.recv(65536):
        now_ns = time.monotonic_ns()
        buffer += data
        if reply is None and b"\r\n\r\n" in buffer:
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            reply = Streamed(sent_ns=sent_ns, head=head.decode())
        while reply is not None and b"\r\n" in buffer:
            size, _, rest = buffer.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length + 2:
                break
            if length == 0:
                reply.whole = True
                return reply
            text = rest[:length].decode()
            assert text.startswith("data: ")
            assert text.endswith("\n\n")
            reply.events.append(Event(now_ns, text[6:-2]))
            buffer = rest[length + 2 :]
    assert reply is not None, "closed before any response"
    return reply


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.simulator", "--exit-on-stdin-eof", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        assert started["pid"] == process.pid
        yield Running(process=process, port=started["port"])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def simulator() -> Iterator[Callable[..., Running]]:
    """Start a simulator with the given arguments."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(running(*arguments))


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One fast simulator with a model loaded, for tests that leave it as it was."""
    with running("--load", "sim-hasty", "--speed", "50") as one:
        yield one
