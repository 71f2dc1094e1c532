"""Control calls to a server: short, synchronous, bounded in time, failing with one line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx

from bench.backends.address import Address
from bench.backends.failures import transport_failure
from bench.backends.reply import body_message
from bench.backends.sse import events
from bench.backends.text import one_line
from bench.clock import NS_PER_S, Now, now_ns
from bench.errors import BackendError

_MAX_BODY_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Answer:
    """Status and body of a control call; `reads` carry a stamp in ns each."""

    status: int
    reads: list[tuple[int, bytes]]

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(chunk for _, chunk in self.reads)

    def json(self) -> Any:
        """The body as JSON; None if it is not."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Control:
    """A connection to one server's control endpoints; safe to use from several threads."""

    def __init__(self, address: Address, *, connect_timeout_s: float, now: Now = now_ns) -> None:
        self.address = address
        self._now = now
        self._connect_timeout_s = connect_timeout_s
        # A new connection per call: some servers drop a kept one after an error without saying so.
        unkept = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(trust_env=False, follow_redirects=False, limits=unkept)

    def __enter__(self) -> "Control":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, timeout_s: float = 10.0
    ) -> Answer:
        """Make one call and read its answer, whatever the status.

        Raises:
            BackendError: no connection, no HTTP, or not finished within `timeout_s` seconds.
        """
        deadline = self._now() + int(timeout_s * NS_PER_S)
        timeout = httpx.Timeout(timeout_s, connect=min(self._connect_timeout_s, timeout_s))
        reads: list[tuple[int, bytes]] = []
        headers = {**self.address.headers, "accept-encoding": "identity"}
        url = self.address.root + path
        what = f"{method} {url}"
        size = 0
        try:
            with self._client.stream(method, url, json=body, headers=headers, timeout=timeout) as response:
                for chunk in response.iter_raw():
                    reads.append((self._now(), chunk))
                    size += len(chunk)
                    if reads[-1][0] > deadline or size > _MAX_BODY_BYTES:
                        raise self.error(f"{what} does not end ({size} bytes so far)", "bad_body")
                return Answer(response.status_code, reads)
        except httpx.TimeoutException as error:
            raise self.error(f"{what} did not answer within {timeout_s:g} s", "timeout") from error
        except httpx.TransportError as error:
            outcome, reason = transport_failure(error, "during a control call")
            raise self.error(f"{what} failed: {reason}", outcome) from error

    def json(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, timeout_s: float = 10.0
    ) -> Any:
        """Make one call that must succeed with a JSON body.

        Raises:
            BackendError: as `call`, or another status than 200, or a body that is not JSON.
        """
        answer = self.call(method, path, body, timeout_s=timeout_s)
        if answer.status != 200:
            raise self.refused(f"{method} {path}", answer)
        parsed = answer.json()
        if parsed is None:
            raise self.error(f"{method} {path} answered no JSON: {body_message(answer.body)}", "bad_body")
        return parsed

    def refused(self, what: str, answer: Answer) -> BackendError:
        """The error for an answer whose status is not what was needed."""
        outcome = "http_429" if answer.status == 429 else "http_4xx" if answer.status < 500 else "http_5xx"
        detail = body_message(answer.body) or "no text in the body"
        return self.error(f"{what} answered HTTP {answer.status}: {detail}", outcome)

    def error(self, message: str, outcome: str) -> BackendError:
        """An error whose message is one line without secrets."""
        return BackendError(one_line(message, self.address.secrets), outcome=outcome)


def json_events(answer: Answer) -> list[tuple[int, dict[str, Any]]]:
    """The JSON objects of an event stream with the stamp in ns of each; what is not one is left out."""
    found = []
    for event in events(answer.reads):
        try:
            parsed = json.loads(event.data)
        except (ValueError, RecursionError):
            continue
        if isinstance(parsed, dict):
            found.append((event.t_ns, parsed))
    return found


def is_simulator(listing: Any) -> bool:
    """Whether a model list says that its server only pretends; the simulator always does."""
    data = listing.get("data") if isinstance(listing, dict) else None
    entries = data if isinstance(data, list) else []
    return any(isinstance(e, dict) and e.get("owned_by") == "bakeoff-simulator" for e in entries)


def model_names(listing: Any) -> list[str]:
    """Names in an OpenAI model list, in its order; what does not look like one is left out."""
    data = listing.get("data") if isinstance(listing, dict) else None
    entries = data if isinstance(data, list) else []
    return [e["id"] for e in entries if isinstance(e, dict) and isinstance(e.get("id"), str)]
