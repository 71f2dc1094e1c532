"""One connection to a Langfuse server: a post either got an answer worth reading or a one-line problem.

Langfuse's own span pipeline is not used for bulk export: its queue of 2,048 spans drops what does not fit,
and its exporter takes a redirect for success. Here a batch is posted, and its answer read, before the next.
"""

import math
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth

from tracing.records import LangfuseSettings

_BODY_LIMIT_BYTES = 64 * 1024
_PROBLEM_LIMIT_CHARS = 300
_FIRST_WAIT_S = 0.2
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The last answer to one post: `status` None and a `problem` if none came in time.

    `passing` tells that the same post may do better in a moment.
    """

    status: int | None
    content_type: str
    body: bytes
    problem: str | None
    passing: bool
    retry_after_s: float | None = None


def address_of(host: str) -> str | None:
    """The host as messages name it, `name:port` without credentials or path; None if it is no http(s) URL."""
    try:
        parts = urlsplit(host)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return f"{parts.hostname}:{port}" if port is not None else parts.hostname


class Receiver:
    """Owns the connections to one Langfuse server; not for use by several threads."""

    def __init__(self, settings: LangfuseSettings, *, headers: Mapping[str, str | bytes]) -> None:
        self._host = (settings.host or "").rstrip("/")
        self._secret = settings.secret_key or ""
        self._timeout_s = settings.timeout_s
        self.address = address_of(self._host) or "the receiver"
        self._session = requests.Session()
        self._headers = headers
        # As bytes, because the default encoding of text keys is latin-1; and as `auth`, because an
        # Authorization header would be replaced by an entry of ~/.netrc.
        self._session.auth = HTTPBasicAuth((settings.public_key or "").encode(), self._secret.encode())

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def get(self, path: str) -> Reply:
        """Ask for a page under the host; the rules of `post` hold."""
        return self._call("GET", path, None, {})

    def post(self, path: str, data: bytes, headers: dict[str, str]) -> Reply:
        """Post one body; passing failures are tried again until `timeout_s` is over.

        Trying again is safe because ids and times follow from the content: a body that arrived twice is
        stored once. Redirects are not followed: they would carry the keys elsewhere.
        """
        return self._call("POST", path, data, headers)

    def _call(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Reply:
        deadline_s = time.monotonic() + self._timeout_s
        wait_s = _FIRST_WAIT_S
        while True:
            reply = self._attempt(method, path, data, headers, deadline_s)
            pause_s = max(wait_s, reply.retry_after_s or 0.0)
            if not reply.passing or time.monotonic() + pause_s >= deadline_s:
                return reply
            time.sleep(pause_s)
            wait_s *= 2

    def _attempt(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str], deadline_s: float
    ) -> Reply:
        left_s = max(deadline_s - time.monotonic(), 0.001)
        try:
            with self._session.request(
                method,
                self._host + path,
                data=data,
                headers={**self._headers, **headers},
                timeout=left_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                return Reply(
                    status=response.status_code,
                    content_type=response.headers.get("content-type", ""),
                    body=_read(response, deadline_s),
                    problem=None,
                    passing=response.status_code in _TRANSIENT_STATUS,
                    retry_after_s=_seconds(response.headers.get("retry-after")),
                )
        except OSError as error:  # every exception of requests is one
            return Reply(
                status=None,
                content_type="",
                body=b"",
                problem=self._describe(error),
                passing=_is_passing(error),
            )

    def _describe(self, error: OSError) -> str:
        # By class, not by text: the text of these errors holds URLs, and a URL may hold credentials.
        if isinstance(error, requests.exceptions.Timeout | TimeoutError):
            return f"{self.address} did not answer within {self._timeout_s:g} s"
        if isinstance(error, requests.exceptions.SSLError):
            return f"no TLS connection to {self.address} (certificate or protocol)"
        if isinstance(error, requests.exceptions.ProxyError):
            return f"the proxy on the way to {self.address} cannot be used"
        if isinstance(error, requests.exceptions.ConnectionError):
            return f"{self.address} cannot be reached or broke the connection"
        return f"{self.address} cannot be asked ({type(error).__name__})"

    def one_line(self, text: str) -> str:
        """What a server said, fit for a log: one short line without control characters or our secret key."""
        if self._secret:
            text = text.replace(self._secret, "[secret key]")
        printable = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
        return " ".join(printable.split())[:_PROBLEM_LIMIT_CHARS]


def _is_passing(error: OSError) -> bool:
    if isinstance(error, requests.exceptions.SSLError):
        return False
    return isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.ChunkedEncodingError)


def _read(response: requests.Response, deadline_s: float) -> bytes:
    """Read a body up to the limit; a body that drips past the deadline is a timeout."""
    body = bytearray()
    # Byte by byte, because a larger read returns only when it is full; these bodies are small.
    for chunk in response.iter_content(1):
        body += chunk
        if time.monotonic() > deadline_s:
            raise TimeoutError
        if len(body) >= _BODY_LIMIT_BYTES:
            break
    return bytes(body)


def _seconds(retry_after: str | None) -> float | None:
    """A Retry-After header given in seconds; its date form is taken for absent."""
    try:
        seconds = float(retry_after) if retry_after is not None else math.nan
    except ValueError:
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
