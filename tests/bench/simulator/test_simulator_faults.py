"""Each fault looks to a client as the real failure does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.simulator.faults import FAULTS, Fault, FaultError, FaultPlan, hits, parse_fault, parse_fault_option

FAST = ("--load", "sim-hasty", "--speed", "50")


def chat(one, **more):
    body = {"model": "sim-hasty", "messages": [{"role": "user", "content": "x"}], "max_tokens": 10, **more}
    return one.call("POST", "/v1/chat/completions", body)


def test_http_500(simulator):
    one = simulator(*FAST, "--fault", "http_500:every=2")
    assert [chat(one)[0] for _ in range(4)] == [200, 500, 200, 500]


def test_cut_ends_in_the_middle_without_the_last_chunk(simulator):
    reply = simulator(*FAST, "--fault", "cut").stream(max_tokens=10)
    assert len(reply.tokens) == 5
    assert not reply.whole


def test_truncated_ends_cleanly_but_never_says_why(simulator):
    reply = simulator(*FAST, "--fault", "truncated").stream(max_tokens=10)
    assert reply.whole
    assert reply.tokens
    assert reply.finish_reasons == []
    assert "[DONE]" not in [event.data for event in reply.events]


def test_error_event_comes_inside_a_200(simulator):
    reply = simulator(*FAST, "--fault", "error_event").stream(max_tokens=10)
    assert reply.head.startswith("HTTP/1.1 200")
    assert '"error"' in reply.events[-1].data
    assert reply.whole


def test_garbage_is_a_200_with_a_web_page(simulator):
    status, text = chat(simulator(*FAST, "--fault", "garbage"))
    assert status == 200
    assert text.startswith("<!doctype html>")


def test_hang_answers_nothing_while_others_are_served(simulator):
    one = simulator(*FAST, "--fault", "hang:after=1,every=1000")
    assert chat(one)[0] == 200
    one.call("POST", "/sim/fault", {"fault": "hang", "every": 2})
    assert chat(one)[0] == 200
    with one.connect() as client:
        client.settimeout(0.2)
        one.send_chat(client, stream=True)
        assert chat(one)[0] == 200
        with pytest.raises(TimeoutError):
            client.recv(1)
    assert one.metric("sim_requests_total", outcome="hang") == 1


def test_slow_stretches_every_delay(simulator):
    one = simulator("--load", "sim-hasty", "--speed", "10")
    records = []
    for fault in (None, "slow"):
        one.call("POST", "/sim/fault", {"fault": fault})
        one.stream(max_tokens=5, seed=1)
        records.append(one.call("GET", "/sim/requests")[1]["data"][-1])
    plain, slow = ([due - r["received_ns"] for due in r["due_ns"]] for r in records)
    assert slow == pytest.approx([10 * offset for offset in plain], abs=50)


def test_die_ends_the_process_in_the_middle_of_a_reply(simulator):
    one = simulator(*FAST, "--fault", "die:after=2")
    assert [chat(one)[0] for _ in range(2)] == [200, 200]
    reply = one.stream(max_tokens=10)
    assert not reply.whole
    assert one.process.wait(10) == 1


def test_refused_load_leaves_the_model_out(simulator):
    one = simulator("--speed", "100", "--fault", "refuse_load:after=1")
    assert one.call("POST", "/sim/load", {"model": "sim-hasty"})[0] == 200
    status, answer = one.call("POST", "/sim/load", {"model": "sim-balanced"})
    assert status == 507
    assert "refused" in answer["error"]["message"]
    assert [model["status"] for model in one.call("GET", "/v1/models")[1]["data"]] == [
        "loadable",
        "loadable",
        "loaded",
    ]


@pytest.mark.parametrize("fault", ["cut", "truncated", "error_event"])
def test_replies_that_are_not_streamed_break_too(simulator, fault):
    one = simulator(*FAST, "--fault", fault)
    with one.connect() as client:
        one.send_chat(client, stream=False, max_tokens=10)
        client.settimeout(5)
        head, _, body = client.recv(65536).partition(b"\r\n\r\n")
    if fault == "error_event":
        assert head.startswith(b"HTTP/1.1 500")
    else:
        length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        assert 0 < len(body) < length


def test_faults_are_set_listed_replaced_and_cleared(shared):
    try:
        assert shared.call("POST", "/sim/fault", {"fault": "slow", "every": 5})[0] == 200
        _, answer = shared.call("POST", "/sim/fault", {"fault": "slow", "after": 9})
        assert answer == {"faults": [{"name": "slow", "every": 1, "after": 9}]}
        for wrong in (
            {"fault": "nope"},
            {"fault": "cut", "every": 0},
            {"fault": "cut", "after": "x"},
            {"name": "cut"},
        ):
            assert shared.call("POST", "/sim/fault", wrong)[0] == 400
    finally:
        assert shared.call("POST", "/sim/fault", {"fault": None})[1] == {"faults": []}


@given(st.sampled_from(FAULTS), st.integers(1, 99), st.integers(0, 99))
def test_option_and_json_name_the_same_fault(name, every, after):
    expected = Fault(name=name, every=every, after=after)
    assert parse_fault_option(f"{name}:every={every},after={after}") == expected
    assert parse_fault({"fault": name, "every": every, "after": after}) == expected


@given(st.integers(1, 20), st.integers(0, 20), st.integers(1, 50))
def test_every_nth_request_after_the_first_ones_is_hit(every, after, cycles):
    fault = Fault(name="cut", every=every, after=after)
    struck = [nth for nth in range(1, after + every * cycles + 1) if hits(fault, nth)]
    assert struck == [after + every * k for k in range(1, cycles + 1)]


def test_plan_counts_chats_and_loads_apart():
    plan = FaultPlan([Fault(name="http_500", after=1), Fault(name="refuse_load")])
    assert [plan.next_chat(), plan.next_load(), plan.next_chat()] == [None, "refuse_load", "http_500"]


@pytest.mark.parametrize("text", ["cut:every", "cut:every=-1", "cut:often=3", "", "refuse"])
def test_malformed_fault_option_is_refused(text):
    with pytest.raises(FaultError):
        parse_fault_option(text)
