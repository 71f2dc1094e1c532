"""What the simulated server speaks, keeps and refuses."""

import json
import signal
import subprocess
import sys

import pytest

from bench.simulator.model import VRAM_IDLE_MIB, VRAM_TOTAL_MIB
from bench.simulator.text import load_planted


def test_stream_has_role_tokens_finish_usage_and_done(shared):
    reply = shared.stream(max_tokens=5, seed=1, stream_options={"include_usage": True})
    assert "content-type: text/event-stream" in reply.head
    bodies = [json.loads(event.data) for event in reply.events[:-1]]
    assert bodies[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [len(body["choices"]) for body in bodies] == [1] * 7 + [0]
    assert bodies[6]["choices"][0] == {"index": 0, "delta": {}, "finish_reason": "length"}
    assert bodies[7]["usage"] == {"prompt_tokens": 6, "completion_tokens": 5, "total_tokens": 11}
    assert {body["id"] for body in bodies} == {bodies[0]["id"]}
    assert reply.events[-1].data == "[DONE]"
    assert reply.whole


def test_usage_is_streamed_only_when_asked_for(shared):
    assert not any('"usage"' in event.data for event in shared.stream(max_tokens=3).events)


def test_whole_reply_is_the_stream_joined(shared):
    streamed = shared.stream(max_tokens=9, seed=4, prompt="같은 질문")
    body = {
        "model": "sim-hasty",
        "max_tokens": 9,
        "seed": 4,
        "messages": [{"role": "user", "content": "같은 질문"}],
    }
    status, whole = shared.call("POST", "/v1/chat/completions", body)
    assert status == 200
    text = "".join(event.content for event in streamed.tokens)
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": text}
    assert whole["usage"]["completion_tokens"] == 9


def test_planted_answer_is_given_by_language_and_seed_and_ends_with_stop(simulator):
    one = simulator("--load", "sim-hasty", "--speed", "100")
    case = next(case for case in load_planted() if case.case_id == "fibonacci")
    for language, prompt in (("en", "def fib(n): please"), ("ko", "def fib(n): 함수를 완성하세요")):
        texts = case.answers["sim-hasty"][language]
        for seed in range(len(texts) + 1):
            reply = one.stream(prompt=prompt, seed=seed, max_tokens=4000)
            assert "".join(event.content for event in reply.tokens) == texts[seed % len(texts)]
            assert reply.finish_reasons == ["stop"]
    cut = one.stream(prompt="def fib(n): please", seed=0, max_tokens=3)
    assert len(cut.tokens) == 3
    assert cut.finish_reasons == ["length"]


def test_connection_is_kept_and_pipelined_requests_are_answered_in_order(shared):
    with shared.connect() as client:
        ask = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\nGET /sim/version HTTP/1.1\r\nconnection: close\r\n\r\n"
        for byte in ask:
            client.sendall(bytes([byte]))
        answer = b""
        while data := client.recv(4096):
            answer += data
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.index(b'"ok"') < answer.index(b'"version"')


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon here\r\n\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: ten\r\n\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", 413),
        (b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", 411),
        (b"G" * 70_000, 431),
    ],
)
def test_bytes_that_are_no_request_get_a_status_and_a_close(shared, raw, status):
    with shared.connect() as client:
        client.sendall(raw)
        answer = b""
        while data := client.recv(4096):
            answer += data
    assert answer.startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"model": "sim-careful"}, 404),
        ({"model": "no-such-model"}, 404),
        ({"model": 3}, 400),
        ({"messages": []}, 400),
        ({"messages": [{"content": None}]}, 400),
        ({"max_tokens": -1}, 400),
        ({"max_tokens": "many"}, 400),
        ({"seed": 1.5}, 400),
        ({"max_tokens": 9000}, 400),
    ],
)
def test_chat_that_cannot_be_served_is_a_json_error(shared, change, status):
    body = {"model": "sim-hasty", "messages": [{"role": "user", "content": "x"}], **change}
    got, answer = shared.call("POST", "/v1/chat/completions", body)
    assert got == status
    assert answer["error"]["message"]


def test_unknown_paths_methods_and_bodies_are_the_clients_errors(shared):
    assert shared.call("GET", "/nowhere")[0] == 404
    assert shared.call("GET", "/sim/load")[0] == 405
    assert shared.call("POST", "/sim/load", [1])[0] == 400
    assert shared.call("POST", "/sim/load", {"model": "sim-hasty", "extra": 1})[0] == 400
    assert shared.call("POST", "/sim/load", {"model": "nope"})[0] == 404
    status, answer = shared.call(
        "POST", "/sim/load", {"model": "sim-hasty", "settings": {"context_token": 1}}
    )
    assert status == 400
    assert "did you mean 'context_tokens'" in answer["error"]["message"]
    assert (
        shared.call("POST", "/sim/load", {"model": "sim-hasty", "settings": {"max_sequences": 0}})[0] == 400
    )
    assert shared.call("POST", "/sim/load", {"model": "sim-hasty", "settings": {"dtype": "int3"}})[0] == 400


def test_memory_follows_loads_settings_and_unloads(simulator):
    one = simulator("--speed", "100")
    used = [one.metric("sim_vram_used_mib")]
    for settings in ({"context_tokens": 4096}, {"context_tokens": 16384}, {"dtype": "int8"}):
        assert one.call("POST", "/sim/load", {"model": "sim-careful", "settings": settings})[0] == 200
        used.append(one.metric("sim_vram_used_mib"))
    assert used[0] == VRAM_IDLE_MIB
    assert used[2] - used[1] == pytest.approx(12 * 256)
    assert used[3] < used[1]
    one.call("POST", "/sim/load", {"model": "sim-careful"})
    assert one.call("POST", "/sim/load", {"model": "sim-hasty"})[0] == 200
    status, answer = one.call("POST", "/sim/load", {"model": "sim-balanced"})
    assert status == 507
    assert "out of memory" in answer["error"]["message"]
    assert one.call("POST", "/sim/unload", {})[1]["unloaded"] == ["sim-careful", "sim-hasty"]
    assert one.metric("sim_vram_used_mib") == VRAM_IDLE_MIB
    assert one.metric("sim_vram_total_mib") == VRAM_TOTAL_MIB


def test_unloading_cuts_the_replies_of_the_model(simulator):
    one = simulator("--load", "sim-hasty", "--speed", "0.01")
    with one.connect() as client:
        one.send_chat(client, stream=True, max_tokens=50)
        assert client.recv(65536)
        assert one.metric("sim_slots_busy") == 1
        assert one.call("POST", "/sim/unload", {"model": "sim-hasty"})[0] == 200
        while client.recv(65536):
            pass
    assert one.metric("sim_requests_total", outcome="unloaded") == 1


def test_client_that_hangs_up_frees_its_slot_for_the_next_in_the_queue(simulator):
    one = simulator()
    assert one.call("POST", "/sim/load", {"model": "sim-hasty", "settings": {"max_sequences": 1}})[0] == 200
    first, second = one.connect(), one.connect()
    with second:
        with first:
            one.send_chat(first, stream=True, max_tokens=4000)
            assert first.recv(65536)
            one.send_chat(second, stream=True, max_tokens=1)
            assert second.recv(65536).startswith(b"HTTP/1.1 200")
            assert one.metric("sim_queue_depth") == 1
        rest = b""
        while b"[DONE]" not in rest:
            rest += second.recv(65536)
    assert one.metric("sim_requests_total", outcome="disconnected") == 1


def test_card_works_only_while_requests_run(simulator):
    one = simulator("--load", "sim-hasty", "--speed", "0.02")
    idle = (one.metric("sim_gpu_utilization_pct"), one.metric("sim_power_w"), one.metric("sim_vram_used_mib"))
    with one.connect() as client:
        one.send_chat(client, stream=True, max_tokens=50)
        assert client.recv(65536)
        busy = (
            one.metric("sim_gpu_utilization_pct"),
            one.metric("sim_power_w"),
            one.metric("sim_vram_used_mib"),
        )
        first = one.metric("sim_energy_mj_total")
        assert one.metric("sim_energy_mj_total") >= first
    assert idle[0] == 0
    assert all(b > a for a, b in zip(idle, busy, strict=True))


@pytest.mark.parametrize("end", ["stdin", "sigterm", "sigint"])
def test_ends_cleanly_when_told(simulator, end):
    one = simulator()
    if end == "stdin":
        one.process.stdin.close()
        one.process.stdin = None
    else:
        one.process.send_signal(signal.SIGTERM if end == "sigterm" else signal.SIGINT)
    assert one.process.wait(10) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--fault", "cut:every=0"],
        ["--fault", "nonsense"],
        ["--speed", "0"],
        ["--speed", "fast"],
        ["--load", "x"],
    ],
)
def test_wrong_arguments_are_told_without_a_traceback(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "bench.simulator", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_taken_port_is_one_line(shared):
    done = subprocess.run(
        [sys.executable, "-m", "bench.simulator", "--port", str(shared.port)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
