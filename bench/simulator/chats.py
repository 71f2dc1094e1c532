"""The replies under way, and the one timer that sends each token when it is due."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from bench.simulator.chat import BadChat, ChatRequest, Reply, parse_chat
from bench.simulator.connection import Connection
from bench.simulator.faults import SLOW_FACTOR, FaultPlan
from bench.simulator.machine import Machine
from bench.simulator.metrics import Lateness
from bench.simulator.model import PROFILES, draws
from bench.simulator.slots import ADMITTED, Due, Job
from bench.simulator.streams import Live
from bench.simulator.text import Planted, filler, language_of, planted_answer, split_tokens
from bench.simulator.wire import STREAM_HEAD, HttpRequest, error_reply, reply

LOGGED_REPLIES = 256
"""How many finished replies are remembered."""

_HTML = b"<!doctype html><html><body><h1>It works!</h1><p>This is not the page you want.</p></body></html>"


def _die() -> None:
    os._exit(1)  # a crash: nothing is flushed, nothing said


class Chats:
    """Owns the replies between their request and their end, and the timer of the earliest due token."""

    def __init__(
        self,
        machine: Machine,
        *,
        loop: asyncio.AbstractEventLoop,
        planted: Sequence[Planted],
        faults: FaultPlan,
    ) -> None:
        self._machine = machine
        self._loop = loop
        self._planted = planted
        self._faults = faults
        self.lateness = Lateness()
        self._lives: dict[int, Live] = {}
        self._finished: deque[dict[str, Any]] = deque(maxlen=LOGGED_REPLIES)
        self._timer: asyncio.TimerHandle | None = None
        self._n_jobs = 0
        self._created_unix_s = int(time.time())

    def serve(self, connection: Connection, request: HttpRequest) -> None:
        """Answer one chat request, now or token by token.

        Raises:
            BadChat: the request cannot be served; nothing was sent.
        """
        received_ns = time.monotonic_ns()
        self.pump(received_ns)
        chat = parse_chat(request.body)
        fault = self._faults.next_chat()
        if fault in ("hang", "http_500", "garbage"):
            self._count(chat.model, fault)
            self._fail_at_once(connection, fault)
            return
        self._require_servable(chat)
        live, job = self._accept(connection, chat, fault, received_ns)
        if chat.stream:
            connection.send(STREAM_HEAD + b"x-request-id: %b\r\n\r\n" % live.reply.reply_id.encode())
        self._machine.submit(chat.model, job, received_ns)
        self.pump(time.monotonic_ns())

    def gone(self, connection: Connection) -> None:
        """Free the slot of a client that hung up."""
        self.cut(lambda live: live.connection is connection, "disconnected")

    def cut_model(self, model: str) -> None:
        """Break off all replies of a model that goes away."""
        self.cut(lambda live: live.chat.model == model, "unloaded")

    def cut(self, which: Callable[[Live], bool], outcome: str) -> None:
        """Take the replies that `which` picks off the machine and close their connections."""
        now_ns = time.monotonic_ns()
        self.pump(now_ns)
        for live in [live for live in self._lives.values() if which(live)]:
            self._cancel(live, outcome, now_ns)
            live.connection.close()
        self._arm()

    def finished(self) -> list[dict[str, Any]]:
        """The records of the last replies, oldest first; see `Live.record`."""
        return list(self._finished)

    def _fail_at_once(self, connection: Connection, fault: str) -> None:
        if fault == "http_500":
            connection.end(error_reply(500, "simulated failure", "server_error"))
        elif fault == "garbage":
            connection.end(reply(200, _HTML, "text/html; charset=utf-8"))
        # hang: owe the reply for ever

    def _require_servable(self, chat: ChatRequest) -> None:
        one = self._machine.resident.get(chat.model)
        if one is None:
            self._count(chat.model, "refused")
            if self._machine.loading is not None and self._machine.loading.profile.name == chat.model:
                raise BadChat(f"model {chat.model!r} is being loaded", 503)
            raise BadChat(f"model {chat.model!r} is not loaded", 404)
        wanted, room = chat.prompt_tokens + chat.max_tokens, one.settings.context_tokens
        if wanted > room:
            self._count(chat.model, "refused")
            raise BadChat(f"prompt and max_tokens need {wanted} tokens, the context has {room}")

    def _accept(
        self, connection: Connection, chat: ChatRequest, fault: str | None, received_ns: int
    ) -> tuple[Live, Job]:
        self._n_jobs += 1
        live = Live(
            connection=connection,
            chat=chat,
            reply=self._reply(chat),
            job_id=self._n_jobs,
            fault=fault,
            received_ns=received_ns,
            die=_die,
        )
        self._lives[live.job_id] = live
        # Without a seed each request has delays of its own, drawn from its number.
        key = chat.seed if chat.seed is not None else f"#{live.job_id}"
        job = Job(
            job_id=live.job_id,
            prompt_tokens=chat.prompt_tokens,
            n_tokens=len(live.reply.tokens),
            rng=draws(self._machine.seed, chat.model, key, chat.prompt),
            slowdown=SLOW_FACTOR if fault == "slow" else 1.0,
        )
        return live, job

    def _reply(self, chat: ChatRequest) -> Reply:
        seed = chat.seed if chat.seed is not None else self._n_jobs
        text = planted_answer(self._planted, chat.prompt, model=chat.model, seed=seed)
        if text:
            said = split_tokens(text)
            tokens, finish_reason = (
                said[: chat.max_tokens],
                "length" if len(said) > chat.max_tokens else "stop",
            )
        else:
            tokens, finish_reason = filler(chat.max_tokens, language_of(chat.prompt), seed), "length"
        return Reply(
            reply_id=f"sim-{self._n_jobs}",
            model=chat.model,
            created_unix_s=self._created_unix_s,
            prompt_tokens=chat.prompt_tokens,
            tokens=tokens,
            finish_reason=finish_reason,
        )

    def pump(self, now_ns: int) -> None:
        """Send all that is due by `now_ns`, in order of due times, then set the timer for the next."""
        while (due := self._machine.pop_due(now_ns)) is not None:
            live = self._lives.get(due.job_id)
            if live is not None:
                self._send_due(live, due)
        self._arm()

    def _send_due(self, live: Live, due: Due) -> None:
        outcome = live.on_due(due.index)
        sent_ns = time.monotonic_ns()
        self.lateness.add(sent_ns - due.due_ns)
        if due.index == ADMITTED:
            live.admitted_ns = due.due_ns
        else:
            live.due_ns.append(due.due_ns)
            live.sent_ns.append(sent_ns)
        if outcome == "ok":
            self._close_books(live, outcome)
        elif outcome is not None:
            self._cancel(live, outcome, due.due_ns)

    def _arm(self) -> None:
        due_ns = self._machine.next_due_ns()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due_ns is not None:
            self._timer = self._loop.call_at(due_ns / 1e9, lambda: self.pump(time.monotonic_ns()))

    def _cancel(self, live: Live, outcome: str, now_ns: int) -> None:
        self._machine.cancel(live.chat.model, live.job_id, now_ns)
        self._close_books(live, outcome)

    def _close_books(self, live: Live, outcome: str) -> None:
        self._lives.pop(live.job_id, None)
        self._count(live.chat.model, outcome)
        self._finished.append(live.record(outcome))

    def _count(self, model: str, outcome: str) -> None:
        # A client's wrong name is not repeated: it would be a label of its own choosing.
        self._machine.requests[model if model in PROFILES else "unknown", outcome] += 1
