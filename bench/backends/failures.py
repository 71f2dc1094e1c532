"""What goes wrong between two sockets, under the names of `bench.errors.FAILURES`."""

import os
import socket
import ssl
from collections.abc import Iterator

import httpx


def transport_failure(error: httpx.TransportError, where: str) -> tuple[str, str]:
    """Name what httpx reports; its own messages are kept where they say more than the name.

    Args:
        error: what was raised, timeouts excepted (only the caller knows which wait it was).
        where: how far the exchange had come, as the end of "server closed the connection …".

    Returns:
        (one of `FAILURES`, reason).
    """
    causes = list(_causes(error))
    if isinstance(error, httpx.ConnectError):
        return _connect_failure(error, causes)
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "tls", str(error)
    if isinstance(error, httpx.RemoteProtocolError) and not _is_cut(error):
        return "bad_body", f"not valid HTTP: {error}"
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return "truncated", f"server closed the connection {where}"
    return "unknown", f"{type(error).__name__}: {error}"


def _connect_failure(error: httpx.ConnectError, causes: list[BaseException]) -> tuple[str, str]:
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "dns", f"name not resolved: {cause.strerror}"
        if isinstance(cause, ssl.SSLError):
            return "tls", f"TLS failed: {cause.reason or cause}"
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno:
            return "connect", f"no connection: {os.strerror(cause.errno)}"
    return "connect", f"no connection: {error}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The chain of what led to `error`, itself first, groups opened."""
    pending: list[BaseException] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            pending.extend(current.exceptions)
        pending.extend(e for e in (current.__cause__, current.__context__) if e is not None)


def _is_cut(error: httpx.RemoteProtocolError) -> bool:
    """Whether the peer went away, as opposed to having sent something that is not HTTP."""
    text = str(error).lower()
    return "disconnected" in text or "peer closed" in text
