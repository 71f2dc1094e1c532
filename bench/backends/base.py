"""What every kind of server offers to the stages, and the plain data that goes in and comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

ALL_FIELDS: tuple[str, ...] = ("max_tokens", "temperature", "top_p", "seed", "stream_options")
"""Optional fields of a chat request that we may send; a backend names the ones its server accepts."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server as the configuration names it.

    `kind` is a key of `BACKENDS`; `life` is `managed` (we start and stop it) or `attached` (we only call it).
    `base_url` is None for a managed server, whose port is chosen at its start. `options` belongs to the kind.
    """

    name: str
    kind: str
    life: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 60.0
    connect_timeout_s: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Chat:
    """One request to send: messages of the chat-completions form, and how to sample."""

    model: str
    messages: Sequence[Mapping[str, str]]
    max_tokens: int
    temperature: float
    top_p: float
    seed: int | None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back, with its stamps on the monotonic clock; a failure is an `outcome`, not an exception.

    `sent_ns`: the request's bytes were handed to the kernel; `headers_ns`: status line and headers were
    there; `first_byte_ns`: first byte of the body; `first_token_ns` and `last_token_ns`: first and last chunk
    with content, reasoning or tool-call text; `first_answer_ns`: first chunk with text that is not reasoning;
    `closed_ns`: the exchange ended, however it did. `chunk_offsets_ns`: arrival after `sent_ns` of each chunk
    that carried text (`content_chunks` of them). Numbers are None where the server did not tell and nothing
    could be counted. `error` is one line of at most 300 characters, without the key.
    """

    text: str | None
    reasoning: str | None
    sent_ns: int | None
    headers_ns: int | None
    first_byte_ns: int | None
    first_token_ns: int | None
    first_answer_ns: int | None
    last_token_ns: int | None
    closed_ns: int | None
    chunk_offsets_ns: list[int] | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_out_source: str | None
    tokens_out_usage: int | None
    content_chunks: int | None
    cached_tokens: int | None
    finish_reason: str | None
    outcome: str
    http_status: int | None
    error: str | None
    model_echo: str | None
    stamp_source: str


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """All that a worker process needs to send chats; plain data, JSON-able with `dataclasses.asdict`.

    `headers` carry the key and `secrets` the strings to remove from error texts: neither is shown by repr,
    and the whole travels over a pipe only, never on a command line or disk.
    """

    base_url: str
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)
    fields: Sequence[str] = ALL_FIELDS
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 60.0
    connect_timeout_s: float = 5.0


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """How long a load took, as seen from here; None where there was nothing to wait for or to see.

    `process_ready_ms`: spawn to the first healthy answer, told once per start of a managed server.
    `model_ready_ms`: load requested to the server saying that the model is ready.
    """

    process_ready_ms: float | None
    model_ready_ms: float | None
    server_version: str | None


class Backend(Protocol):
    """One kind of server; control calls are synchronous, streaming is `bench.backends.wire`.

    Every call is bounded in time. A call that cannot do what it is for raises `BackendError` with one line.
    """

    @property
    def target(self) -> Target:
        """What it was opened with."""

    @property
    def local(self) -> bool:
        """Whether the server runs on this host, so that this host's GPU and CPU readings are about it."""

    def start(self, *, log_dir: Path) -> None:
        """Managed: spawn and wait until the process answers; nothing if it runs. Attached: nothing."""

    def alive(self) -> bool:
        """Managed: the process lives. Attached: something accepts connections at its address."""

    def load_model(self, model: str, settings: Mapping[str, Any]) -> LoadReport:
        """Make `model` ready to answer, with `settings`."""

    def unload(self, model: str | None) -> None:
        """Free what `model` (None: any model) occupies, as far as the server offers it."""

    def stop(self) -> None:
        """Managed: end the process. Idempotent."""

    def list_models(self) -> list[str]:
        """Names of the models that the server says it can serve."""

    def server_metrics(self) -> str | None:
        """What the server publishes about itself in Prometheus' text form; None if it does not."""

    def pids(self) -> list[int]:
        """Process ids of a managed server and its descendants; empty otherwise."""

    def endpoint(self) -> Endpoint:
        """Where and how to send chats; of a managed server known only once it was started."""
