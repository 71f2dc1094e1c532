"""One client's connection: bytes in, whole requests out; one reply at a time."""

import asyncio
import socket
from typing import Protocol

from bench.simulator.wire import BadHttp, HttpRequest, error_reply, take_request


class Service(Protocol):
    """Who answers the requests of connections."""

    def serve(self, connection: "Connection", request: HttpRequest) -> None:
        """Answer now with `end`, or later with `send` … `end` on the connection."""

    def gone(self, connection: "Connection") -> None:
        """The client hung up before its reply ended."""


class Connection(asyncio.Protocol):
    """Owns one accepted socket; further requests of a pipelining client wait for the current reply's end."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._answering = False
        self._keep_alive = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Make each write leave at once: Nagle's algorithm would hold small chunks back."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio's own promise, for mypy
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Collect bytes, serve what is whole."""
        self._buffer += data
        self._serve()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the service, if it still owes a reply. A client's half-close counts as hanging up."""
        self._transport = None
        if self._answering:
            self._answering = False
            self._service.gone(self)

    def send(self, data: bytes) -> None:
        """Write now; nothing if the client has gone."""
        if self._transport is not None:
            self._transport.write(data)

    def end(self, data: bytes = b"") -> None:
        """Write the reply's last bytes; go on with the next request or close, as the client asked."""
        self.send(data)
        self._answering = False
        if not self._keep_alive:
            self.close()
        elif self._buffer:
            # A pipelined request is served in a turn of its own, never inside the sending of another reply.
            asyncio.get_running_loop().call_soon(self._serve)

    def close(self) -> None:
        """Close after what was written has left, whatever is still owed."""
        self._answering = False
        if self._transport is not None:
            self._transport.close()

    def _serve(self) -> None:
        if self._answering or self._transport is None or self._transport.is_closing():
            return
        try:
            request = take_request(self._buffer)
        except BadHttp as error:
            self.send(error_reply(error.status, str(error), "invalid_request_error"))
            self.close()
            return
        if request is not None:
            self._answering = True
            self._keep_alive = request.keep_alive
            self._service.serve(self, request)
