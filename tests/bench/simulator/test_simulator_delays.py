"""The reference weight is weighed: a client on a bare socket against what the model says in advance."""

import asyncio
import select
import statistics
import threading
from itertools import pairwise

import pytest

from bench.simulator.model import PROFILES, draws, solo_offsets_ns
from bench.simulator.precise import precise_loop
from bench.simulator.slots import Job, Slots

SEED = 7
MS = 1_000_000


def planned(model, prompt, n_tokens, *, prompt_tokens, seed=1, speed=1.0):
    rng = draws(SEED, model, seed, prompt)
    return list(solo_offsets_ns(PROFILES[model], prompt_tokens, n_tokens, speed=speed, rng=rng))


def test_server_plans_exactly_what_the_model_says(simulator):
    one = simulator("--seed", str(SEED), "--load", "sim-careful")
    one.stream(model="sim-careful", prompt="twelve chars", max_tokens=40, seed=1)
    record = one.call("GET", "/sim/requests")[1]["data"][0]
    due = [due_ns - record["received_ns"] for due_ns in record["due_ns"]]
    assert due == planned("sim-careful", "twelve chars", 40, prompt_tokens=3 + 4)


def test_client_sees_each_token_when_it_is_due_without_drift(simulator):
    one = simulator("--seed", str(SEED), "--load", "sim-careful")
    one.stream(model="sim-careful", prompt="warm", max_tokens=1)
    reply = one.stream(model="sim-careful", prompt="abcd", max_tokens=150, seed=1)
    due_ns = [reply.sent_ns + offset for offset in planned("sim-careful", "abcd", 150, prompt_tokens=5)]
    assert len(reply.tokens) == 150
    late_ms = [(event.arrived_ns - due) / MS for event, due in zip(reply.tokens, due_ns, strict=True)]
    assert min(late_ms) >= 0, "a token came before it was due"
    # A busy machine delays single tokens, or the request's receipt and with it all tokens by the same time.
    # Sleeping from token to token would add up; Nagle's algorithm would hold tokens back for many ms.
    received_late_ms = min(late_ms)
    assert received_late_ms < 20
    assert statistics.median(late_ms) - received_late_ms < 3
    assert min(late_ms[-30:]) - received_late_ms < 1


def test_the_role_comes_before_the_first_token_and_is_none(simulator):
    one = simulator("--seed", str(SEED), "--load", "sim-careful")
    reply = one.stream(model="sim-careful", max_tokens=2, seed=1)
    role = reply.events[0]
    assert '"role"' in role.data
    assert role.content is None
    prefill_ms = planned("sim-careful", "hello", 1, prompt_tokens=6)[0] / MS
    assert (reply.tokens[0].arrived_ns - role.arrived_ns) / MS > prefill_ms / 2


def test_concurrent_requests_follow_the_pure_model_to_the_nanosecond(simulator):
    one = simulator("--seed", str(SEED), "--speed", "2")
    one.call("POST", "/sim/load", {"model": "sim-hasty", "settings": {"max_sequences": 2}})
    sizes = [40, 60, 20, 30, 10]
    threads = [
        threading.Thread(target=one.stream, kwargs={"prompt": f"p{i}", "max_tokens": n, "seed": i})
        for i, n in enumerate(sizes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = sorted(one.call("GET", "/sim/requests")[1]["data"], key=lambda record: int(record["id"][4:]))
    assert {record["outcome"] for record in records} == {"ok"}
    assert sorted(len(record["due_ns"]) for record in records) == sorted(sizes)

    slots = Slots(PROFILES["sim-hasty"], slots=2, speed=2.0)
    seen: dict[int, list[int]] = {record: [] for record in range(len(records))}

    def advance(until_ns):
        while (due := slots.pop_due(until_ns)) is not None:
            if due.index >= 0:
                seen[due.job_id].append(due.due_ns)

    for number, record in enumerate(records):
        seed = sizes.index(len(record["due_ns"]))
        rng = draws(SEED, "sim-hasty", seed, f"p{seed}")
        job = Job(
            job_id=number, prompt_tokens=record["prompt_tokens"], n_tokens=len(record["due_ns"]), rng=rng
        )
        advance(record["received_ns"])
        slots.submit(job, record["received_ns"])
    advance(2**62)
    assert [seen[number] for number in range(len(records))] == [record["due_ns"] for record in records]
    assert all(
        sent >= due
        for record in records
        for due, sent in zip(record["due_ns"], record["sent_ns"], strict=True)
    )


def test_decoding_slows_with_the_batch_and_waiting_shows_as_queue(simulator):
    one = simulator("--load", "sim-careful")
    alone = one.stream(model="sim-careful", prompt="alone", max_tokens=30)
    together: list = []

    def ask(number):
        together.append(one.stream(model="sim-careful", prompt=f"n{number}", max_tokens=30))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def step_ms(reply):
        stamps = [event.arrived_ns for event in reply.tokens]
        return statistics.median(b - a for a, b in pairwise(stamps)) / MS

    assert statistics.median(map(step_ms, together)) > 1.15 * step_ms(alone)


def test_loading_takes_the_time_that_is_planned(simulator):
    one = simulator("--seed", "3", "--speed", "4")
    with one.connect() as client:
        body = b'{"model": "sim-balanced"}'
        client.sendall(b"POST /sim/load HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        # While it loads, it is neither there nor absent.
        assert one.call("GET", "/v1/models")[1]["data"][1]["status"] == "loading"
        assert (
            one.call(
                "POST", "/v1/chat/completions", {"model": "sim-balanced", "messages": [{"content": "x"}]}
            )[0]
            == 503
        )
        assert one.call("POST", "/sim/load", {"model": "sim-hasty"})[0] == 409
        answer = client.recv(65536)
    assert b'"cached": false' in answer
    load_ms = float(answer.rpartition(b'"load_ms": ')[2].partition(b",")[0])
    assert load_ms == pytest.approx(800 / 4, rel=0.1001)
    assert one.call("POST", "/sim/load", {"model": "sim-balanced"})[1]["cached"] is True


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="only epoll rounds up to milliseconds")
def test_loop_wakes_between_milliseconds():
    async def lateness_ms():
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        when = loop.time() + 0.0021
        loop.call_at(when, lambda: woken.set_result(loop.time()))
        return 1000 * (await woken - when)

    with asyncio.Runner(loop_factory=precise_loop) as runner:
        # Rounded up to whole milliseconds, none of them could be less than 0.8 ms late.
        assert min(runner.run(lateness_ms()) for _ in range(20)) < 0.5
