"""Put a load on a server from a process of its own, and account for every request that was intended."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from bench.backends.base import Chat, Endpoint, Reply
from bench.backends.reply import Capture, assemble
from bench.backends.wire import Client, exchange, open_client, request_body
from bench.clock import NS_PER_S, Now, now_ns
from bench.errors import BenchError
from bench.load import Load, Planned, intended_offsets, longest_s, never_answered, planned_requests
from bench.log import LogState, LogWriter, read_log, read_state
from bench.process import child_environment

__all__ = ["Load", "LoadSummary", "Progress", "ask", "attempt", "read_log", "run_load"]

_ROOT = Path(__file__).parents[1]
_START_S = 30.0
_EXIT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a load is; `n_intended` is None while the server's speed decides how many there will be."""

    n_intended: int | None
    n_begun: int
    n_finished: int
    n_ok: int
    elapsed_s: float


@dataclass(frozen=True, kw_only=True)
class LoadSummary:
    """What became of a load: `n_intended` rows are in its log.

    `n_finished`: the server's part came to an end, good or bad; the others were aborted or lost with the
    worker. `aborted_reason` is None for a load that ran to its end.
    """

    n_intended: int
    n_finished: int
    n_ok: int
    aborted_reason: str | None
    started_ns: int
    ended_ns: int


async def attempt(capture: Capture, endpoint: Endpoint, chat: Chat, *, client: Client, now: Now) -> None:
    """One request whose failure, of whatever kind, is data; only cancellation leaves here as an exception."""
    try:
        await exchange(capture, endpoint, request_body(endpoint, chat), client=client, now=now)
    except Exception as error:  # the request boundary: what the wire could not name must not end the load
        capture.failure = ("unknown", f"{type(error).__name__}: {error}")


def ask(endpoint: Endpoint, chats: Sequence[Chat], *, concurrency: int) -> list[Reply]:
    """Send chats, at most `concurrency` at a time, and wait for all.

    Returns:
        One reply per chat, in their order; a failed one is a reply with its outcome.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency must be >= 1, got {concurrency}")
    # A thread of its own: the caller may stand inside somebody's event loop.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, _ask_all(endpoint, chats, concurrency)).result()


async def _ask_all(endpoint: Endpoint, chats: Sequence[Chat], concurrency: int) -> list[Reply]:
    replies: dict[int, Reply] = {}
    pending = iter(enumerate(chats))

    async def user(client: Client) -> None:
        for index, chat in pending:
            capture = Capture()
            await attempt(capture, endpoint, chat, client=client, now=now_ns)
            replies[index] = assemble(capture, endpoint.secrets)

    async with open_client(endpoint) as client, asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, len(chats))):
            group.create_task(user(client))
    return [replies[index] for index in range(len(chats))]


def run_load(
    endpoint: Endpoint, load: Load, *, log_path: Path, on_progress: Callable[[Progress], None] | None = None
) -> LoadSummary:
    """Run a load in a worker process and wait for its end.

    Bounded: a worker that outlives the longest time its load can take is killed.

    Args:
        endpoint: where to send.
        load: what to send.
        log_path: the log to write; must not exist. Holds one request per intended one afterwards, also if
            the server or the worker dies.
        on_progress: called about twice a second, in this thread.

    Raises:
        BenchError: the log exists or cannot be written.
    """
    if log_path.exists():
        raise BenchError(f"{log_path} exists; a load never continues another one's log")
    log_path.parent.mkdir(parents=True, exist_ok=True)
    begun_ns = now_ns()
    plan = {"endpoint": asdict(endpoint), "load": asdict(load), "log_path": str(log_path.absolute())}
    plan["nonce"] = uuid.uuid4().hex
    with tempfile.TemporaryFile() as errors:
        worker = _spawn(errors)
        try:
            limit_s = _START_S + longest_s(load, request_s=endpoint.timeout_s + endpoint.connect_timeout_s)
            last = _follow(worker, plan, limit_s, on_progress)
            if not last:
                last = {"aborted_reason": _why_lost(worker, errors, begun_ns, limit_s)}
        finally:
            _end(worker)
    if "log_error" in last:
        raise BenchError(f"the load's log cannot be written: {last['log_error']}")
    reason = last["aborted_reason"]
    _account_for_all(load, log_path, begun_ns=begun_ns, reason=reason)
    return _summarise(log_path, begun_ns, reason)


def _spawn(errors: IO[bytes]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C in a terminal is for us, and we tell the worker by closing its input.
    return subprocess.Popen(
        [sys.executable, "-m", "bench.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        env=child_environment({"PYTHONPATH": str(_ROOT)}), start_new_session=True,
    )  # fmt: skip


def _follow(
    worker: subprocess.Popen[bytes],
    plan: dict[str, Any],
    limit_s: float,
    on_progress: Callable[[Progress], None] | None,
) -> dict[str, Any]:
    """Hand over the plan and listen until the worker's output ends; its last word, empty if it had none."""
    last: dict[str, Any] = {}
    watch = threading.Timer(limit_s, worker.kill)
    watch.start()
    try:
        _hand_over(worker, plan)
        for message in _messages(worker):
            if "progress" not in message:
                last = message
            elif on_progress is not None:
                on_progress(Progress(**message["progress"]))
        worker.wait(_EXIT_S)
    except subprocess.TimeoutExpired:
        worker.kill()
    finally:
        watch.cancel()
    return last


def _hand_over(worker: subprocess.Popen[bytes], plan: dict[str, Any]) -> None:
    """The plan, with its secrets, goes through the pipe that stays open as the worker's life line."""
    if worker.stdin is not None:
        with suppress(BrokenPipeError):  # it died at its start: its exit status tells more than this
            worker.stdin.write(json.dumps(plan).encode() + b"\n")
            worker.stdin.flush()


def _messages(worker: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    for line in worker.stdout or ():
        try:
            message = json.loads(line)
        except ValueError:
            continue  # the half line of a killed worker
        if isinstance(message, dict):
            yield message


def _why_lost(worker: subprocess.Popen[bytes], errors: IO[bytes], begun_ns: int, limit_s: float) -> str:
    """Why the worker went away without a last word."""
    timed_out = now_ns() - begun_ns >= limit_s * NS_PER_S
    if worker.poll() is None:
        worker.kill()
    code = worker.wait()
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - 4096))
    said = errors.read().decode("utf-8", "replace").strip().splitlines()
    how = f"was killed: not done after {limit_s:.0f} s" if timed_out else f"ended with status {code}"
    return f"the load worker {how}" + (f": {said[-1][:200]}" if said else "")


def _end(worker: subprocess.Popen[bytes]) -> None:
    """No worker stays behind, whichever way we leave."""
    if worker.poll() is None:
        worker.kill()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    worker.wait()


def _account_for_all(load: Load, log_path: Path, *, begun_ns: int, reason: str | None) -> None:
    """Add a row for each intended request of which the worker left none.

    What was begun and has no end went down with the worker: `unknown`. What was never begun is `aborted`.
    """
    state = read_state(log_path)
    why = reason or "the load ended before it was sent"
    missing = [
        never_answered(load, planned, "unknown" if begun else "aborted", why)
        for planned, begun in _intended(load, state, begun_ns)
        if planned.request_id not in state.ended
    ]
    if missing:
        with LogWriter(log_path) as log:
            log.close_cut_line()
            for request in missing:
                log.ended(request)


def _intended(load: Load, state: LogState, begun_ns: int) -> Iterator[tuple[Planned, bool]]:
    """Every request that was intended, and whether it was begun.

    A closed loop that is bounded by time intends what it begins; all others know their number beforehand.
    """
    start_ns = begun_ns if state.started_ns is None else state.started_ns
    offsets = intended_offsets(load)
    if load.arrivals == "closed" and load.duration_s is not None:
        offsets = [0] * len(state.begun.keys() | state.ended.keys())
    for offset, (name, prompt) in zip(offsets or [], planned_requests(load), strict=False):
        intended_ns = state.begun.get(name, start_ns + offset)
        yield Planned(request_id=name, prompt=prompt, intended_ns=intended_ns), name in state.begun


def _summarise(log_path: Path, begun_ns: int, reason: str | None) -> LoadSummary:
    state = read_state(log_path)
    outcomes = list(state.ended.values())
    return LoadSummary(
        n_intended=len(outcomes),
        n_finished=sum(outcome not in {"aborted", "unknown"} for outcome in outcomes),
        n_ok=outcomes.count("ok"),
        aborted_reason=reason,
        started_ns=begun_ns if state.started_ns is None else state.started_ns,
        ended_ns=now_ns(),
    )
