"""One answer's program in one fresh sandbox: load it, ask it, bound everything that comes back."""

import contextlib
import json
import os
import selectors
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluators.sandbox import cgroup, policy, wire
from evaluators.sandbox.process import (
    SandboxFault,
    SandboxProcess,
    SessionDied,
    explain_death,
    guest_cpu_ms,
    out_of_memory,
    running,
)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What one request gave: a `value`, or names of what was `raised`, or an `opaque` or `missing` thing.

    `raised` holds the builtin exception classes of what was raised, the most special one first. `opaque`
    says what kind of result was not plain data, `missing` which name does not exist.
    """

    value: Any = None
    args_after: Any = None
    raised: tuple[str, ...] | None = None
    raised_type: str | None = None
    message: str | None = None
    opaque: str | None = None
    missing: str | None = None

    @property
    def is_value(self) -> bool:
        """Whether the request came back with plain data."""
        return self.raised is None and self.opaque is None and self.missing is None


class Session:
    """A program in its sandbox; `loaded` is what executing it as a module gave. Made by `open_session`."""

    def __init__(self, process: SandboxProcess) -> None:
        self._process = process
        self._limits = process.limits
        self._deadline = time.monotonic() + process.limits.start_s
        self._serial = 0
        self._died: SessionDied | None = None
        self.loaded: Reply = Reply()

    def call(
        self,
        name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        on: str | None = None,
        keep: str | None = None,
        args_after: bool = False,
    ) -> Reply:
        """Call a function, a class or, with `on`, a kept object's method.

        `keep` stores the result inside the sandbox under that name instead of sending it back.

        Raises:
            SessionDied: the program ended, or was ended for breaking a limit.
        """
        request = {"op": "call", "name": name, "on": on, "keep": keep, "args_after": args_after}
        return self._ask(
            request | {"args": wire.encode(list(args)), "kwargs": wire.encode(dict(kwargs or {}))}
        )

    def get(self, name: str, *, on: str | None = None, keep: str | None = None) -> Reply:
        """Read an attribute of a kept object, or a global of the program.

        Raises:
            SessionDied: as for `call`.
        """
        request = {"op": "get", "name": name, "on": on, "keep": keep, "args_after": False}
        return self._ask(request | {"args": [], "kwargs": {"d": []}})

    def cpu_ms(self) -> float | None:
        """CPU time of the program's first process so far, in milliseconds; None if it cannot be read."""
        return guest_cpu_ms(self._process)

    def wait_ready(self) -> None:
        """Wait until the guest runs, before it is given any code.

        Raises:
            SandboxFault: it did not come up.
        """
        try:
            self._receive(0, b"")
        except (SessionDied, wire.BadReply) as death:
            said = self._said_at_start()
            raise SandboxFault(f"the sandbox did not start: {said or death}") from death

    def _said_at_start(self) -> str:
        """What the launcher printed: the reason why there is no sandbox, usually."""
        printed = self._process.printed
        if not printed.closed:
            os.set_blocking(printed.fileno(), False)
            with contextlib.suppress(BlockingIOError):
                self._process.output += os.read(printed.fileno(), 1 << 16)
        return _one_line(self._process.output.decode(errors="replace"))

    def load(self, code: str) -> None:
        """Execute the program as a module; from here on the wall limit counts."""
        self._deadline = time.monotonic() + self._limits.wall_s
        with contextlib.suppress(SessionDied):
            self.loaded = self._ask({"op": "load", "code": code})

    def _ask(self, request: dict[str, Any]) -> Reply:
        if self._died is not None:
            raise self._died
        self._serial += 1
        line = json.dumps(request | {"id": self._serial}).encode() + b"\n"
        try:
            return _reply(self._receive(self._serial, line))
        except wire.BadReply as error:
            self._died = SessionDied("wrong", str(error))
        except SessionDied as death:
            self._died = death
        raise self._died

    def _receive(self, serial: int, line: bytes) -> dict[str, Any]:
        """Send a line and return the reply that carries its number; others are a hostile program's noise."""
        buffer = self._process.buffer
        while True:
            end = buffer.find(b"\n")
            if end >= 0:
                reply = wire.parse(bytes(buffer[:end]))
                del buffer[: end + 1]
                if reply.get("id") == serial:
                    return reply
                continue
            if len(buffer) > self._limits.reply_bytes:
                raise SessionDied("output_cap", f"a result of more than {self._limits.reply_bytes} bytes")
            line = self._pump(line)

    def _pump(self, line: bytes) -> bytes:
        """Move bytes until something arrived; returns what is still to be sent."""
        process = self._process
        with selectors.DefaultSelector() as selector:
            selector.register(process.replies, selectors.EVENT_READ, self._take_reply_bytes)
            if not process.printed.closed:
                selector.register(process.printed, selectors.EVENT_READ, self._take_output)
            if line:
                selector.register(process.requests, selectors.EVENT_WRITE)
            ready = selector.select(max(0.0, self._deadline - time.monotonic()))
        if not ready or time.monotonic() > self._deadline:
            if out_of_memory(process):
                raise explain_death(process)
            raise SessionDied("wall_timeout", f"no result within {self._limits.wall_s:g} s of wall time")
        for key, _ in ready:
            if key.data is None:
                line = self._send(line)
            else:
                key.data()
        return line

    def _send(self, line: bytes) -> bytes:
        try:
            return line[os.write(self._process.requests.fileno(), line) :]
        except BrokenPipeError:
            raise explain_death(self._process) from None

    def _take_reply_bytes(self) -> None:
        chunk = os.read(self._process.replies, 1 << 16)
        if not chunk:
            raise explain_death(self._process)
        self._process.buffer += chunk

    def _take_output(self) -> None:
        process = self._process
        chunk = os.read(process.printed.fileno(), 1 << 16)
        process.n_output += len(chunk)
        process.output = (process.output + chunk)[-2000:]
        if not chunk:
            process.printed.close()
        if process.n_output > self._limits.output_bytes:
            raise SessionDied("output_cap", f"printed more than {self._limits.output_bytes} bytes")


def _reply(data: dict[str, Any]) -> Reply:
    if "raised" in data:
        names = data["raised"] if isinstance(data["raised"], list) else []
        return Reply(
            raised=tuple(str(name)[:80] for name in names[:20]),
            raised_type=_one_line(str(data.get("type", "?"))[:80]),
            message=_one_line(str(data.get("message", ""))[:200]),
        )
    if "opaque" in data:
        return Reply(opaque=_one_line(str(data["opaque"])[:200]))
    if "missing" in data:
        return Reply(missing=_one_line(str(data["missing"])[:200]))
    return Reply(value=wire.decode(data.get("value")), args_after=wire.decode(data.get("args_after")))


@contextlib.contextmanager
def open_session(
    launcher: policy.Launcher, limits: policy.Limits, hierarchies: cgroup.Hierarchies | None, code: str
) -> Iterator[Session]:
    """A fresh sandbox with `code` executed in it; every process of it is gone afterwards.

    A program that fails or dies is no exception here: `session.loaded` says so, or the first call raises.

    Raises:
        SandboxFault: the sandbox did not start.
    """
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(_group(hierarchies, limits)) if hierarchies else None
        session = Session(stack.enter_context(running(launcher, limits, group)))
        session.wait_ready()
        session.load(code)
        yield session


@contextlib.contextmanager
def _group(hierarchies: cgroup.Hierarchies, limits: policy.Limits) -> Iterator[cgroup.Group]:
    spare = 16  # bubblewrap's own processes are in the group as well
    memory_bytes = (limits.memory_mib + limits.tmp_mib) << 20
    capped = cgroup.capped(hierarchies, memory_bytes=memory_bytes, n_processes=limits.n_processes + spare)
    with contextlib.ExitStack() as stack:
        try:
            group = stack.enter_context(capped)
        except OSError as error:
            raise SandboxFault(f"no control group for the sandbox: {error}") from error
        yield group


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:300]
