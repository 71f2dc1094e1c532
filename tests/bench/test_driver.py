import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import psutil
import pytest

from bench.backends.base import Chat, Endpoint
from bench.driver import Load, Progress, ask, read_log, run_load
from bench.errors import BenchError
from bench.prompts import Prompt
from bench.records import Request
from tests.bench.servers import WHOLE, Call, Served, content, head, serve, sse

ROOT = Path(__file__).parents[2]
PROMPTS = [
    Prompt(prompt_id="ko-1", language="ko", text="피보나치 수열을 설명해 주세요."),
    Prompt(prompt_id="en-1", language="en", text="Explain the Fibonacci sequence."),
]


def make_load(**changes: object) -> Load:
    plain = {
        "arrivals": "closed",
        "concurrency": 4,
        "n_requests": 12,
        "prompts": PROMPTS,
        "prompt_set": "short",
        "max_tokens": 16,
        "temperature": 0.0,
        "top_p": 1.0,
        "seed": 7,
        "model": "tiny",
    }
    return Load(**{**plain, **changes})


def endpoint(served: Served, **changes: object) -> Endpoint:
    return Endpoint(**{"base_url": served.url, "timeout_s": 10.0, **changes})


def rows(log_path: Path) -> list[Request]:
    return list(read_log(log_path))


def outcomes(log_path: Path) -> Counter[str]:
    return Counter(row.outcome for row in rows(log_path))


async def hang(call: Call, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def test_a_closed_loop_sends_every_request_once_with_a_unique_prompt(tmp_path: Path) -> None:
    seen: list[Progress] = []
    with serve(sse(WHOLE)) as served:
        summary = run_load(endpoint(served), make_load(), log_path=tmp_path / "log", on_progress=seen.append)
    assert (summary.n_intended, summary.n_finished, summary.n_ok, summary.aborted_reason) == (
        12,
        12,
        12,
        None,
    )
    requests = rows(tmp_path / "log")
    assert {r.request_id for r in requests} == {f"load_test-{i:06d}" for i in range(12)}
    texts = [call.json()["messages"][0]["content"] for call in served.calls]
    assert len({text[:14] for text in texts}) == 12
    assert Counter(text[15:] for text in texts) == {PROMPTS[0].text: 6, PROMPTS[1].text: 6}
    assert {call.json()["seed"] for call in served.calls} == set(range(7, 19))
    for r in requests:
        assert r.intended_ns == r.sent_ns
        assert summary.started_ns <= r.sent_ns < r.first_token_ns <= r.last_token_ns <= r.closed_ns
        assert r.closed_ns <= summary.ended_ns
        assert (r.tokens_in, r.tokens_out, r.tokens_out_source, r.content_chunks) == (7, 3, "usage", 3)
        assert (r.language, r.prompt_set, r.phase) == (r.prompt_id[:2], "short", "load_test")


def test_a_closed_loop_never_has_more_in_flight_than_users(tmp_path: Path) -> None:
    in_flight, most = 0, 0

    async def handler(_: Call, writer: asyncio.StreamWriter) -> None:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(0.01)
        in_flight -= 1
        writer.write(head() + WHOLE)

    with serve(handler) as served:
        run_load(endpoint(served), make_load(concurrency=3, n_requests=15), log_path=tmp_path / "log")
    assert most == 3


def test_an_open_loop_sends_on_time_although_the_server_is_slow(tmp_path: Path) -> None:
    async def slow(_: Call, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(head() + WHOLE)

    load = make_load(arrivals="constant", concurrency=None, rate_rps=50.0, n_requests=10)
    with serve(slow) as served:
        summary = run_load(endpoint(served), load, log_path=tmp_path / "log")
    requests = sorted(rows(tmp_path / "log"), key=lambda r: r.intended_ns)
    assert [r.intended_ns - summary.started_ns for r in requests] == [i * 20_000_000 for i in range(10)]
    assert all(r.outcome == "ok" and r.sent_ns >= r.intended_ns for r in requests)
    # All were sent before the first answer came: nobody waited for anybody.
    assert max(r.sent_ns for r in requests) < min(r.headers_ns for r in requests)


def test_a_poisson_load_has_the_same_schedule_each_time(tmp_path: Path) -> None:
    load = make_load(arrivals="poisson", concurrency=None, rate_rps=200.0, n_requests=20)
    schedules = []
    with serve(sse(WHOLE)) as served:
        for name in ("a", "b"):
            summary = run_load(endpoint(served), load, log_path=tmp_path / name)
            schedules.append(
                sorted((r.request_id, r.intended_ns - summary.started_ns) for r in rows(tmp_path / name))
            )
    assert schedules[0] == schedules[1]
    assert len({call.json()["messages"][0]["content"][:14] for call in served.calls}) == 40


def test_a_closed_loop_bounded_by_time_ends(tmp_path: Path) -> None:
    with serve(sse(WHOLE)) as served:
        summary = run_load(
            endpoint(served), make_load(n_requests=None, duration_s=0.3), log_path=tmp_path / "log"
        )
    assert summary.n_intended == summary.n_ok == len(rows(tmp_path / "log")) == len(served.calls) > 0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"arrivals": "poisson", "concurrency": None, "rate_rps": 500.0},
    ],
)
def test_a_server_that_refuses_connections_ends_the_load_soon(tmp_path: Path, changes: dict) -> None:
    with serve(sse(WHOLE)) as served:
        pass
    summary = run_load(endpoint(served), make_load(n_requests=500, **changes), log_path=tmp_path / "log")
    counts = outcomes(tmp_path / "log")
    assert summary.n_intended == counts.total() == 500
    assert set(counts) == {"connect", "aborted"}
    assert summary.n_finished == counts["connect"] < 200
    assert summary.n_ok == 0
    assert "of 20 requests failed, limit 0.5; last: connect: no connection:" in summary.aborted_reason
    assert (summary.ended_ns - summary.started_ns) / 1e9 < 5


def test_a_server_that_dies_in_the_middle_leaves_every_request_a_row(tmp_path: Path) -> None:
    enough = threading.Event()

    async def handler(call: Call, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + content("a"))
        await writer.drain()
        if call.index >= 60:
            if call.index == 63:
                enough.set()
            await asyncio.Event().wait()
        writer.write(WHOLE)

    with serve(handler) as served:
        killer = threading.Thread(target=lambda: enough.wait(20) and served.close())
        killer.start()
        summary = run_load(endpoint(served), make_load(n_requests=2000), log_path=tmp_path / "log")
        killer.join()
    counts = outcomes(tmp_path / "log")
    assert summary.n_intended == counts.total() == 2000
    assert counts["ok"] == summary.n_ok == 60
    assert counts["truncated"] == 4  # those that were in flight
    assert counts["connect"] >= 16
    assert counts["aborted"] > 1500
    assert "the last 20 requests all failed" in summary.aborted_reason
    assert len({r.request_id for r in rows(tmp_path / "log")}) == 2000


def test_what_is_in_flight_at_an_abort_is_given_up_and_says_so(tmp_path: Path) -> None:
    async def handler(call: Call, writer: asyncio.StreamWriter) -> None:
        if call.index == 0:
            writer.write(head() + content("a"))
            await writer.drain()
            await asyncio.Event().wait()
        writer.write(head("500 Internal Server Error", "text/plain") + b"broken")

    with serve(handler) as served:
        summary = run_load(endpoint(served), make_load(n_requests=40), log_path=tmp_path / "log")
    given_up = [r for r in rows(tmp_path / "log") if r.outcome == "aborted" and r.sent_ns is not None]
    assert len(given_up) >= 1
    assert given_up[0].first_token_ns is not None
    assert summary.n_intended == 40
    assert "HTTP 500: broken" in summary.aborted_reason


def test_failures_below_the_limit_do_not_end_a_load(tmp_path: Path) -> None:
    async def handler(call: Call, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + WHOLE if call.index % 3 else head("503 Busy", "text/plain"))

    with serve(handler) as served:
        summary = run_load(endpoint(served), make_load(n_requests=60), log_path=tmp_path / "log")
    assert summary.aborted_reason is None
    assert outcomes(tmp_path / "log") == {"ok": 40, "http_5xx": 20}


def test_a_server_that_hangs_costs_its_timeout_and_no_more(tmp_path: Path) -> None:
    with serve(hang) as served:
        summary = run_load(
            endpoint(served, timeout_s=0.3), make_load(n_requests=4), log_path=tmp_path / "log"
        )
    assert outcomes(tmp_path / "log") == {"timeout": 4}
    assert {r.error for r in rows(tmp_path / "log")} == {"no answer within 0.3 s"}
    assert (summary.ended_ns - summary.started_ns) / 1e9 < 5


def worker_pids() -> list[int]:
    return [p.pid for p in psutil.Process().children(recursive=True) if "bench.worker" in p.cmdline()]


def kill_worker_when(ready: threading.Event) -> threading.Thread:
    def kill() -> None:
        if ready.wait(20):
            for pid in worker_pids():
                os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("changes", "n_expected"),
    [({"n_requests": 30}, 30), ({"n_requests": None, "duration_s": 30.0}, 14)],
)
def test_a_killed_worker_loses_no_request(tmp_path: Path, changes: dict, n_expected: int) -> None:
    log_path = tmp_path / "log"
    in_flight = threading.Event()

    async def handler(call: Call, writer: asyncio.StreamWriter) -> None:
        if call.index < 10:
            writer.write(head() + WHOLE)
            return
        if call.index == 13:
            # All four users wait now; the log must know of them before the kill, as it would a moment later.
            while log_path.read_text().count('"begun"') < 14:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            in_flight.set()
        await asyncio.Event().wait()

    with serve(handler) as served:
        killer = kill_worker_when(in_flight)
        summary = run_load(endpoint(served), make_load(**changes), log_path=log_path)
        killer.join()
    counts = outcomes(log_path)
    assert summary.n_intended == counts.total() == n_expected
    assert counts == Counter({"ok": 10, "unknown": 4, "aborted": n_expected - 14})
    assert summary.n_finished == summary.n_ok == 10
    assert summary.aborted_reason == "the load worker ended with status -9"
    for row in rows(log_path):
        if row.outcome != "ok":
            assert row.error == summary.aborted_reason


def test_no_worker_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    asked = threading.Event()

    async def handler(call: Call, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await asyncio.Event().wait()

    with serve(handler) as served:
        code = (
            "from pathlib import Path; from bench.backends.base import Endpoint\n"
            "from bench.driver import Load, run_load; from bench.prompts import Prompt\n"
            "load = Load(arrivals='closed', concurrency=1, n_requests=1, prompt_set='s', max_tokens=1,\n"
            "    temperature=0, top_p=1, seed=0, model='m',\n"
            "    prompts=[Prompt(prompt_id='a', language=None, text='hi')])\n"
            f"run_load(Endpoint(base_url={served.url!r}), load, log_path=Path({str(tmp_path / 'log')!r}))"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", code], env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        )
        assert asked.wait(20)
        (worker,) = psutil.Process(parent.pid).children()
        parent.kill()
        parent.wait()
        worker.wait(10)
    assert [json.loads(line)["kind"] for line in (tmp_path / "log").read_text().splitlines()] == [
        "started",
        "begun",
    ]


def test_an_interrupted_parent_leaves_no_worker(tmp_path: Path) -> None:
    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    load = make_load(n_requests=None, duration_s=30.0)
    with serve(sse(WHOLE)) as served, pytest.raises(KeyboardInterrupt):
        run_load(endpoint(served), load, log_path=tmp_path / "log", on_progress=interrupt)
    assert worker_pids() == []


def test_progress_is_told_while_it_runs(tmp_path: Path) -> None:
    seen: list[Progress] = []
    with serve(sse(WHOLE)) as served:
        load = make_load(n_requests=None, duration_s=1.2)
        run_load(endpoint(served), load, log_path=tmp_path / "log", on_progress=seen.append)
    assert len(seen) >= 1
    assert seen[-1].n_intended is None
    assert 0 < seen[-1].n_ok == seen[-1].n_finished <= seen[-1].n_begun
    assert seen[-1].elapsed_s >= 0.5


def test_secrets_are_nowhere_but_in_the_request(tmp_path: Path) -> None:
    async def handler(call: Call, writer: asyncio.StreamWriter) -> None:
        (command,) = [psutil.Process(pid).cmdline() for pid in worker_pids()]
        assert "sk-very-secret" not in " ".join(command)
        told = f"bad key {call.headers['authorization']}"
        writer.write(head("401 Unauthorized", "text/plain") + told.encode())

    with serve(handler) as served:
        secret = endpoint(
            served, headers={"Authorization": "Bearer sk-very-secret"}, secrets=["sk-very-secret"]
        )
        run_load(secret, make_load(n_requests=2), log_path=tmp_path / "log")
    assert {r.error for r in rows(tmp_path / "log")} == {"HTTP 401: bad key Bearer [secret]"}
    assert "sk-very-secret" not in (tmp_path / "log").read_text() + repr(secret)


def test_a_log_is_never_continued(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")
    with pytest.raises(BenchError, match="exists; a load never continues"):
        run_load(Endpoint(base_url="http://127.0.0.1:9"), make_load(), log_path=tmp_path / "log")


def test_a_full_disk_is_one_line_and_keeps_what_was_written(tmp_path: Path) -> None:
    log_path = tmp_path / "log"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with serve(sse(WHOLE)) as served:
        # The worker inherits the limit; a write beyond it fails as one to a full disk does.
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            with pytest.raises(BenchError, match="the load's log cannot be written: File too large"):
                run_load(endpoint(served), make_load(n_requests=5000), log_path=log_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert 1 <= outcomes(log_path)["ok"] < 20
    assert len(served.calls) < 1000


def test_ask_returns_replies_in_the_order_of_the_chats() -> None:
    async def echo(call: Call, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02 if call.index % 2 else 0.0)
        if call.json()["messages"][0]["content"] == "3":
            writer.write(head("500 No", "text/plain"))
        else:
            writer.write(head() + content(call.json()["messages"][0]["content"]) + WHOLE)

    chats = [
        Chat(
            model="m",
            messages=[{"role": "user", "content": str(i)}],
            max_tokens=5,
            temperature=0.5,
            top_p=0.9,
            seed=i,
        )
        for i in range(6)
    ]
    with serve(echo) as served:
        replies = ask(endpoint(served), chats, concurrency=3)
    assert [r.text for r in replies] == ["0abc", "1abc", "2abc", None, "4abc", "5abc"]
    assert [r.outcome for r in replies] == ["ok", "ok", "ok", "http_5xx", "ok", "ok"]
    assert ask(endpoint(served), [], concurrency=2) == []


def test_ask_works_inside_a_running_event_loop() -> None:
    async def caller(url: str) -> str | None:
        chat = Chat(model="m", messages=[], max_tokens=5, temperature=0.0, top_p=1.0, seed=None)
        return ask(Endpoint(base_url=url), [chat], concurrency=1)[0].text

    with serve(sse(WHOLE)) as served:
        assert asyncio.run(caller(served.url)) == "abc"
    assert "seed" not in served.calls[0].json()
