"""The names of what can go wrong between us and a server."""

FAILURES: tuple[str, ...] = (
    "dns",
    "connect",
    "tls",
    "timeout",
    "http_4xx",
    "http_429",
    "http_5xx",
    "stream_error",
    "truncated",
    "empty",
    "bad_body",
    "aborted",
    "unknown",
)
"""Failure classes of a request: the values of `outcome` other than `ok`."""


class BenchError(Exception):
    """A one-line reason, fit for a user's eyes, why a measurement could not be made."""


class BackendError(BenchError):
    """A server did not do what a stage needed; `outcome` is one of `FAILURES`."""

    def __init__(self, message: str, *, outcome: str = "unknown") -> None:
        super().__init__(message)
        self.outcome = outcome


class ServerDied(BackendError):
    """A managed server's process ended, or an attached one stopped answering at all."""
