"""Laws of the pure parts: delays, slots, memory, card, text, wire."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.simulator.gpu import FULL_W, IDLE_W, Card, elapse, loaded, power_w, utilization_pct
from bench.simulator.model import (
    PROFILES,
    VRAM_TOTAL_MIB,
    Settings,
    draws,
    load_ns,
    loaded_mib,
    prefill_ns,
    solo_offsets_ns,
    step_ns,
)
from bench.simulator.slots import ADMITTED, Due, Job, Slots
from bench.simulator.text import (
    AnswersError,
    count_tokens,
    filler,
    language_of,
    load_planted,
    planted_answer,
    split_tokens,
)
from bench.simulator.wire import take_request

models = st.sampled_from(sorted(PROFILES)).map(PROFILES.__getitem__)
arrivals = st.lists(
    st.tuples(st.integers(0, 300_000_000), st.integers(1, 500), st.integers(1, 12)), min_size=1, max_size=12
)


def jobs_of(plan):
    now_ns = 0
    for number, (gap_ns, prompt_tokens, n_tokens) in enumerate(plan):
        now_ns += gap_ns
        job = Job(job_id=number, prompt_tokens=prompt_tokens, n_tokens=n_tokens, rng=Random(number))
        yield now_ns, job


def run(profile, plan, n_slots, looks=()):
    """All events of a plan, looked at only when jobs arrive and at the extra times `looks`."""
    slots = Slots(profile, slots=n_slots, speed=1.0)
    events: list[Due] = []

    def advance(until_ns):
        while (due := slots.pop_due(until_ns)) is not None:
            events.append(due)
            assert slots.busy <= n_slots

    moments = [(at_ns, 1, job) for at_ns, job in jobs_of(plan)] + [(at_ns, 0, None) for at_ns in looks]
    for at_ns, _, job in sorted(moments, key=lambda moment: moment[:2]):
        advance(at_ns)
        if job is not None:
            slots.submit(job, at_ns)
    advance(2**62)
    assert slots.busy == slots.queued == 0
    assert slots.next_due_ns() is None
    return events


@given(models, arrivals, st.integers(1, 4), st.lists(st.integers(0, 5_000_000_000), max_size=20))
def test_due_times_do_not_depend_on_when_somebody_looks(profile, plan, n_slots, looks):
    assert run(profile, plan, n_slots) == run(profile, plan, n_slots, looks)


@given(models, arrivals, st.integers(1, 4))
def test_every_request_is_admitted_in_order_and_gets_all_its_tokens(profile, plan, n_slots):
    events = run(profile, plan, n_slots)
    assert [event.due_ns for event in events] == sorted(event.due_ns for event in events)
    admitted = [event.job_id for event in events if event.index == ADMITTED]
    assert admitted == sorted(admitted)
    for number, (at_ns, job) in enumerate(jobs_of(plan)):
        own = [event for event in events if event.job_id == number]
        assert [event.index for event in own] == list(range(ADMITTED, job.n_tokens))
        assert own[0].due_ns >= at_ns
        assert all(a.due_ns < b.due_ns for a, b in pairwise(own))


@given(models, st.integers(1, 2000), st.integers(1, 40), st.integers(0, 9))
def test_request_alone_is_the_solo_schedule(profile, prompt_tokens, n_tokens, seed):
    slots = Slots(profile, slots=3, speed=1.0)
    slots.submit(Job(job_id=1, prompt_tokens=prompt_tokens, n_tokens=n_tokens, rng=Random(seed)), 5)
    due = []
    while (event := slots.pop_due(2**62)) is not None:
        due.append(event.due_ns - 5)
    assert due[1:] == list(solo_offsets_ns(profile, prompt_tokens, n_tokens, speed=1.0, rng=Random(seed)))


@given(models, arrivals, st.integers(1, 3), st.data())
def test_cancelled_request_gives_its_slot_to_the_next_at_that_moment(profile, plan, n_slots, data):
    slots = Slots(profile, slots=n_slots, speed=1.0)
    for _, job in jobs_of(plan):
        slots.submit(job, 0)
    victim = data.draw(st.integers(0, len(plan) - 1))
    slots.cancel(victim, 0)
    assert slots.busy + slots.queued == len(plan) - 1
    assert slots.busy == min(n_slots, len(plan) - 1)
    seen = set()
    while (due := slots.pop_due(2**62)) is not None:
        seen.add(due.job_id)
    assert seen == set(range(len(plan))) - {victim}


@given(models, st.integers(1, 4000), st.integers(1, 63), st.integers(0, 99))
def test_prefill_grows_with_the_prompt_and_steps_with_the_batch(profile, tokens, busy, seed):
    def prefill(n):
        return prefill_ns(profile, n, speed=1.0, rng=Random(seed))

    def step(n):
        return step_ns(profile, n, speed=1.0, rng=Random(seed))

    assert prefill(tokens) < prefill(tokens + 100)
    assert 0 < step(busy) < step(busy + 1)


@given(models, st.floats(0.01, 100), st.integers(0, 99))
def test_speed_divides_every_delay(profile, speed, seed):
    for delay in (
        lambda s: prefill_ns(profile, 10, speed=s, rng=Random(seed)),
        lambda s: step_ns(profile, 2, speed=s, rng=Random(seed)),
        lambda s: load_ns(profile, Settings(), speed=s, rng=Random(seed)),
    ):
        assert delay(speed) == pytest.approx(delay(1.0) / speed, rel=1e-3)


def test_models_are_ordered_as_planted():
    careful, balanced, hasty = (PROFILES[f"sim-{name}"] for name in ("careful", "balanced", "hasty"))
    for slower, faster in ((careful, balanced), (balanced, hasty)):
        assert slower.decode_ms > faster.decode_ms
        assert slower.prefill_base_ms > faster.prefill_base_ms
        assert slower.load_ms > faster.load_ms
        assert loaded_mib(slower, Settings()) > loaded_mib(faster, Settings())
    assert loaded_mib(careful, Settings()) < VRAM_TOTAL_MIB


def test_draws_depend_on_every_part_of_the_key():
    keys = [
        (0, "a", 1, "p"),
        (1, "a", 1, "p"),
        (0, "b", 1, "p"),
        (0, "a", 2, "p"),
        (0, "a", 1, "q"),
        (0, "a1", "", "p"),
    ]
    assert len({draws(*key).random() for key in keys}) == len(keys)
    assert draws(0, "a").random() == draws(0, "a").random()


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 100)), max_size=8), st.integers(0, 10**10))
def test_card_does_not_depend_on_how_often_it_is_asked(changes, rest_ns):
    asked = once = Card(t_ns=0)
    now_ns = 0
    for gap_ns, pct in changes:
        now_ns += gap_ns
        asked, once = loaded(elapse(asked, now_ns - gap_ns // 2), now_ns, pct), loaded(once, now_ns, pct)
    asked = elapse(elapse(asked, now_ns + rest_ns // 3), now_ns + rest_ns)
    once = elapse(once, now_ns + rest_ns)
    assert asked.energy_mj == pytest.approx(once.energy_mj)
    assert asked.temperature_c == pytest.approx(once.temperature_c)
    assert IDLE_W * (now_ns + rest_ns) / 1e6 <= once.energy_mj * (1 + 1e-9) + 1e-6
    assert IDLE_W <= power_w(once) <= FULL_W


@given(st.integers(1, 64), st.integers(0, 64))
def test_utilisation_grows_from_nothing_to_all(slots, busy):
    pct = utilization_pct(min(busy, slots), slots)
    assert 0 <= pct <= 100
    assert (pct == 0) == (busy == 0)
    assert utilization_pct(slots, slots) == 100


@given(st.text(max_size=300))
def test_tokens_joined_are_the_text(text):
    pieces = split_tokens(text)
    assert "".join(pieces) == text
    assert len(pieces) == count_tokens(text)
    assert all(pieces)


@given(st.integers(1, 700), st.sampled_from(["en", "ko"]), st.integers(-5, 10**12))
def test_filler_has_exactly_the_length_asked_for(n_tokens, language, seed):
    tokens = filler(n_tokens, language, seed)
    assert len(tokens) == n_tokens
    assert all(tokens)
    assert split_tokens("".join(tokens)) == tokens


def test_filler_of_many_tokens_speaks_its_language():
    assert language_of("".join(filler(50, "ko", 3))) == "ko"
    assert language_of("".join(filler(50, "en", 3))) == "en"


def test_planted_answers_exist_for_every_model_language_and_case():
    planted = load_planted()
    assert len(planted) >= 8
    for case in planted:
        assert set(case.answers) == set(PROFILES)
        assert all(
            set(texts) == {"ko", "en"} and all(map(len, texts.values())) for texts in case.answers.values()
        )


def test_unknown_prompt_or_model_has_no_planted_answer():
    planted = load_planted()
    assert planted_answer(planted, "what is the weather", model="sim-hasty", seed=0) is None
    assert planted_answer(planted, "def fib(n):", model="other", seed=0) is None


@pytest.mark.parametrize(
    "text",
    ["match: [a]", "answers: {}", "[1, 2]", "match: ['(']\nanswers: {}", "a: [", "match: [a]\nanswers: [x]"],
)
def test_broken_answers_are_one_line_with_the_file(tmp_path, text):
    (tmp_path / "case.yaml").write_text(text)
    with pytest.raises(AnswersError, match=r"case\.yaml") as caught:
        load_planted(tmp_path)
    assert "\n" not in str(caught.value)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4), st.integers(1, 30))
def test_requests_are_found_however_the_bytes_arrive(bodies, size):
    raw = b"".join(
        b"POST /x?q=1 HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body) for body in bodies
    )
    buffer, found = bytearray(), []
    for start in range(0, len(raw), size):
        buffer += raw[start : start + size]
        while (request := take_request(buffer)) is not None:
            found.append(request)
    assert [request.body for request in found] == bodies
    assert {(request.method, request.path) for request in found} == {("POST", "/x")}
    assert not buffer
