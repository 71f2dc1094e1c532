"""A Langfuse receiver on a port of its own: it decodes what arrives, stores it, and can misbehave."""

import base64
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracing.records import LangfuseSettings

SPANS_PATH = "/api/public/otel/v1/traces"
SCORES_PATH = "/api/public/scores"
SECRET = "sk-lf-very-secret"


@dataclass
class Answer:
    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    keep: bool = True
    """Whether what was posted is stored: a receiver may store and still answer badly."""


@dataclass
class Post:
    path: str
    headers: dict[str, str]
    body: bytes


class LangfuseDouble:
    """What Langfuse's ingestion does for us: stores spans by (trace, span) id and scores by id."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.spans: dict[tuple[str, str], Span] = {}
        self.scopes: list[tuple[str, str, dict[str, Any]]] = []
        self.scores: dict[tuple[str, str], dict[str, Any]] = {}
        self.delay_s = 0.0
        self.released = threading.Event()
        self.answer: Callable[[str, int], Answer | str] = lambda path, n: Answer()
        """Called with the path and the number of posts so far; `hang` and `drop` are the other answers."""
        self.lock = threading.Lock()
        self.port = 0

    def settings(self, **changes: Any) -> LangfuseSettings:
        values = {"public_key": "pk-lf-test", "secret_key": SECRET, "host": f"http://127.0.0.1:{self.port}"}
        return LangfuseSettings(**{**values, "timeout_s": 10.0, **changes})

    def take(self, post: Post) -> Answer | str:
        if self.delay_s:
            time.sleep(self.delay_s)
        with self.lock:
            self.posts.append(post)
            answer = self.answer(post.path, len(self.posts))
            if isinstance(answer, str) or (answer.keep and 200 <= answer.status < 300):
                self.store(post)
        return answer

    def store(self, post: Post) -> None:
        if post.path == SPANS_PATH:
            request = ExportTraceServiceRequest.FromString(gzip.decompress(post.body))
            for resource in request.resource_spans:
                for group in resource.scope_spans:
                    self.scopes.append((group.scope.name, group.scope.version, attributes_of(group.scope)))
                    for span in group.spans:
                        self.spans[span.trace_id.hex(), span.span_id.hex()] = span
        elif post.path == SCORES_PATH:
            for score in json.loads(post.body):
                # Langfuse's own identity of a score: sent again with another date it is a second one.
                self.scores[score["id"], score["timestamp"]] = score

    def one_span(self) -> tuple[Span, dict[str, Any]]:
        (span,) = self.spans.values()
        return span, attributes_of(span)


def attributes_of(holder: Any) -> dict[str, Any]:
    return {pair.key: value_of(pair.value) for pair in holder.attributes}


def value_of(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return [value_of(v) for v in value.array_value.values] if kind == "array_value" else getattr(value, kind)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: LangfuseDouble

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.reply(self.double.take(Post(self.path, {k.lower(): v for k, v in self.headers.items()}, body)))

    def do_GET(self) -> None:
        given = self.headers.get("authorization", "")
        right = given == "Basic " + base64.b64encode(f"pk-lf-test:{SECRET}".encode()).decode()
        answer = self.double.answer(self.path, 0)
        self.reply(answer if right else Answer(status=401, body=b'{"message": "Invalid credentials"}'))

    def reply(self, answer: Answer | str) -> None:
        if answer == "hang":
            self.double.released.wait()
        if isinstance(answer, str):
            self.close_connection = True
            return
        self.send_response(answer.status)
        for key, value in {"content-type": answer.content_type, **answer.headers}.items():
            self.send_header(key, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def healthy(path: str, n: int) -> Answer:
    return Answer(status=202, body=b'{"message": "Accepted"}') if path == SCORES_PATH else Answer()


@contextmanager
def running_double() -> Iterator[LangfuseDouble]:
    double = LangfuseDouble()
    double.answer = healthy
    handler = type("BoundHandler", (Handler,), {"double": double})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    double.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield double
    finally:
        double.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
