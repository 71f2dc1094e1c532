"""One reply on its way: what each due event puts on the wire, and what a fault makes of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.simulator.chat import DONE_FRAME, ERROR_FRAME, ChatRequest, Reply
from bench.simulator.connection import Connection
from bench.simulator.slots import ADMITTED
from bench.simulator.wire import LAST_CHUNK, error_reply, json_reply


@dataclass(kw_only=True)
class Live:
    """A reply between its request and its end, with its record of stamps for `/sim/requests`."""

    connection: Connection
    chat: ChatRequest
    reply: Reply
    job_id: int
    fault: str | None
    received_ns: int
    die: Callable[[], None]
    admitted_ns: int | None = None
    due_ns: list[int] = field(default_factory=list)
    sent_ns: list[int] = field(default_factory=list)

    @property
    def _breaks_at(self) -> int | None:
        """The token in whose place the fault strikes: the middle one."""
        breaking = ("cut", "truncated", "error_event", "die")
        return len(self.reply.tokens) // 2 if self.fault in breaking else None

    def on_due(self, index: int) -> str | None:
        """Send what is due; returns the outcome if that ended the reply."""
        if index != ADMITTED and index == self._breaks_at:
            return self._break() if self.chat.stream else self._break_whole()
        last = index == len(self.reply.tokens) - 1
        if not self.chat.stream:
            return self._end_whole() if last else None
        if index == ADMITTED:
            self.connection.send(self.reply.role_frame())
            return None
        self.connection.send(self.reply.token_frame(index))
        return self._end_stream() if last else None

    def _end_stream(self) -> str:
        self.connection.send(self.reply.finish_frame())
        if self.chat.include_usage:
            self.connection.send(self.reply.usage_frame())
        self.connection.send(DONE_FRAME)
        self.connection.end(LAST_CHUNK)
        return "ok"

    def _end_whole(self) -> str:
        self.connection.end(json_reply(200, self.reply.whole()))
        return "ok"

    def _break(self) -> str:
        if self.fault == "die":
            self.die()
        if self.fault == "cut":
            self.connection.close()
        else:
            frame = ERROR_FRAME if self.fault == "error_event" else b""
            self.connection.end(frame + LAST_CHUNK)
        return str(self.fault)

    def _break_whole(self) -> str:
        if self.fault == "die":
            self.die()
        if self.fault == "error_event":
            self.connection.end(error_reply(500, "simulated failure", "server_error"))
            return "error_event"
        body = json_reply(200, self.reply.whole())
        self.connection.send(body[: len(body) - len(body) // 4])
        self.connection.close()
        return str(self.fault)

    def record(self, outcome: str) -> dict[str, Any]:
        """What happened, on the host's monotonic clock: when tokens were due, when the kernel had them."""
        return {
            "id": self.reply.reply_id,
            "model": self.chat.model,
            "outcome": outcome,
            "prompt_tokens": self.chat.prompt_tokens,
            "received_ns": self.received_ns,
            "admitted_ns": self.admitted_ns,
            "due_ns": self.due_ns,
            "sent_ns": self.sent_ns,
        }
