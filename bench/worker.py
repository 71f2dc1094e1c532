"""The process that sends a load: `python -m bench.worker`, its plan on standard input.

Three threads: the event loop, which only sends, stamps and keeps bytes; the recorder, which decodes what has
ended and writes the log; and the life line, which ends the process when the parent is gone.
"""

import asyncio
import gc
import json
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.backends.base import Endpoint
from bench.backends.reply import Capture
from bench.backends.wire import Client, open_client
from bench.clock import NS_PER_S, now_ns
from bench.driver import attempt
from bench.load import Load, Planned, chat_for, intended_offsets, planned_requests
from bench.log import LogWriter
from bench.prompts import Prompt
from bench.recorder import Recorder

_START_DELAY_NS = NS_PER_S // 20
_PARENT_GONE = 4
_SWITCH_S = 2e-4
"""How long the recorder may keep the interpreter while a token waits for its stamp (Python's own: 5 ms)."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the parent wants done."""

    endpoint: Endpoint
    load: Load
    log_path: Path
    nonce: str


def read_plan(line: str) -> Plan:
    """The plan from the parent's line of JSON."""
    raw = json.loads(line)
    load = {**raw["load"], "prompts": [Prompt(**prompt) for prompt in raw["load"]["prompts"]]}
    return Plan(
        endpoint=Endpoint(**raw["endpoint"]),
        load=Load(**load),
        log_path=Path(raw["log_path"]),
        nonce=raw["nonce"],
    )


class Run:
    """The load while it runs: which request is next, which are in flight, and whether to stop."""

    def __init__(self, plan: Plan, client: Client, recorder: Recorder, started_ns: int) -> None:
        self._plan = plan
        self._client = client
        self._recorder = recorder
        self._started_ns = started_ns
        self._requests = enumerate(planned_requests(plan.load))
        self._in_flight: set[asyncio.Task[None]] = set()
        self._aborted = asyncio.Event()
        self.aborted_reason: str | None = None

    def abort(self, reason: str) -> None:
        """Send nothing more and give up what is in flight; the first reason stays."""
        if self.aborted_reason is None:
            self.aborted_reason = reason
            self._aborted.set()
            for task in self._in_flight:
                task.cancel()

    async def closed(self) -> None:
        """Run the users of a closed loop until none finds a request to send."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._plan.load.concurrency or 1):
                group.create_task(self._user())

    async def _user(self) -> None:
        load = self._plan.load
        end_ns = None if load.duration_s is None else self._started_ns + round(load.duration_s * NS_PER_S)
        while self.aborted_reason is None and (end_ns is None or now_ns() < end_ns):
            index, (name, prompt) = next(self._requests)
            if load.n_requests is not None and index >= load.n_requests:
                return
            await self._send(index, Planned(request_id=name, prompt=prompt, intended_ns=now_ns()))

    async def open(self, offsets: list[int]) -> None:
        """Send each request at its time, whatever became of the others."""
        async with asyncio.TaskGroup() as group:
            for offset, (index, (name, prompt)) in zip(offsets, self._requests, strict=False):
                intended_ns = self._started_ns + offset
                if not await self._sleep_until(intended_ns):
                    return
                planned = Planned(request_id=name, prompt=prompt, intended_ns=intended_ns)
                group.create_task(self._send(index, planned))

    async def _sleep_until(self, t_ns: int) -> bool:
        """Wait for an absolute time, so that no lateness adds up; False if the load was aborted."""
        delay_s = (t_ns - now_ns()) / NS_PER_S
        if delay_s > 0:
            try:
                async with asyncio.timeout(delay_s):
                    await self._aborted.wait()
            except TimeoutError:
                pass
        return self.aborted_reason is None

    async def _send(self, index: int, planned: Planned) -> None:
        """One request from its begin to its end; being cancelled by `abort` is one of the ends."""
        task = asyncio.current_task()
        if task is None or self.aborted_reason is not None:
            return
        capture = Capture()
        chat = chat_for(self._plan.load, planned, index=index, nonce=self._plan.nonce)
        self._recorder.begun(planned)
        self._in_flight.add(task)
        try:
            await attempt(capture, self._plan.endpoint, chat, client=self._client, now=now_ns)
        except asyncio.CancelledError:
            if self.aborted_reason is None:
                raise
            task.uncancel()
        finally:
            self._in_flight.discard(task)
            self._recorder.ended(planned, capture)


async def drive(plan: Plan, log: LogWriter) -> dict[str, Any]:
    """Run the load; the last message for the parent."""
    loop = asyncio.get_running_loop()
    started_ns = now_ns() + _START_DELAY_NS

    def abort(reason: str) -> None:
        loop.call_soon_threadsafe(run.abort, reason)

    recorder = Recorder(
        plan.load,
        secrets=plan.endpoint.secrets,
        log=log,
        tell=say,
        abort=abort,
    )
    async with open_client(plan.endpoint) as client:
        run = Run(plan, client, recorder, started_ns)
        recorder.start(started_ns)
        gc.collect()
        gc.freeze()  # what is loaded by now stays; walking over it again would only delay stamps
        try:
            offsets = intended_offsets(plan.load)
            await (run.closed() if plan.load.arrivals == "closed" else run.open(offsets or []))
        finally:
            recorder.finish()
    if recorder.log_error is not None:
        return {"log_error": recorder.log_error}
    return {"aborted_reason": run.aborted_reason}


def say(message: dict[str, Any]) -> None:
    """One line for the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def guard(parent: IO[str]) -> None:
    """End at once when the parent's end of the pipe closes; it closes when the parent is gone, however."""
    parent.read()
    os._exit(_PARENT_GONE)


def main() -> None:
    """Read the plan, run it, say how it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = sys.stdin.readline()
    if not line:
        raise SystemExit(_PARENT_GONE)
    plan = read_plan(line)
    threading.Thread(target=guard, args=(sys.stdin,), name="life line", daemon=True).start()
    sys.setswitchinterval(_SWITCH_S)
    try:
        with LogWriter(plan.log_path) as log:
            last = asyncio.run(drive(plan, log))
    except OSError as error:
        last = {"log_error": error.strerror or str(error)}
    say(last)


if __name__ == "__main__":
    main()
