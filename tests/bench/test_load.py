from itertools import islice
from typing import Any

import pytest

from bench.clock import NS_PER_S
from bench.load import Load, intended_offsets, longest_s, planned_requests
from bench.prompts import Prompt

PROMPTS = [Prompt(prompt_id=str(i), language=None, text="t") for i in range(3)]
PLAIN = {
    "prompts": PROMPTS,
    "prompt_set": "short",
    "max_tokens": 4,
    "temperature": 0.0,
    "top_p": 1.0,
    "seed": 3,
    "model": "m",
}


def load(**fields: Any) -> Load:
    return Load(**{**PLAIN, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"arrivals": "gamma", "rate_rps": 1.0, "n_requests": 1}, "arrivals must be one of"),
        ({"arrivals": "closed", "n_requests": 1}, "arrivals 'closed' needs concurrency"),
        ({"arrivals": "closed", "concurrency": 0, "n_requests": 1}, "concurrency must be >= 1: 0"),
        (
            {"arrivals": "closed", "concurrency": 1, "rate_rps": 1.0, "n_requests": 1},
            "does not take rate_rps",
        ),
        ({"arrivals": "poisson", "n_requests": 1}, "arrivals 'poisson' needs rate_rps"),
        ({"arrivals": "constant", "rate_rps": 0.0, "n_requests": 1}, "rate_rps must be > 0: 0.0"),
        ({"arrivals": "closed", "concurrency": 1}, "needs n_requests or duration_s"),
        ({"arrivals": "closed", "concurrency": 1, "n_requests": 0}, "n_requests must be >= 1: 0"),
        ({"arrivals": "closed", "concurrency": 1, "duration_s": 0.0}, "duration_s must be > 0: 0.0"),
        ({"arrivals": "closed", "concurrency": 1, "n_requests": 1, "prompts": []}, "prompts must not be"),
        ({"arrivals": "closed", "concurrency": 1, "n_requests": 1, "max_tokens": 0}, "max_tokens must be"),
    ],
)
def test_a_load_that_makes_no_sense_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(**fields)


def test_whichever_bound_comes_first_ends_an_open_loop() -> None:
    def count(**fields: Any) -> int:
        return len(intended_offsets(load(arrivals="constant", rate_rps=10.0, **fields)))

    assert count(n_requests=25) == 25
    assert count(duration_s=2.0) == 20
    assert count(n_requests=25, duration_s=2.0) == 20
    assert count(n_requests=15, duration_s=2.0) == 15


def test_a_poisson_load_bounded_by_time_stays_within_it() -> None:
    offsets = intended_offsets(load(arrivals="poisson", rate_rps=100.0, duration_s=1.0))
    assert 50 < len(offsets) < 150
    assert max(offsets) < NS_PER_S
    assert offsets == intended_offsets(load(arrivals="poisson", rate_rps=100.0, duration_s=1.0))


def test_only_the_server_decides_how_many_a_timed_closed_loop_sends() -> None:
    assert intended_offsets(load(arrivals="closed", concurrency=2, duration_s=1.0)) is None
    assert intended_offsets(load(arrivals="closed", concurrency=2, n_requests=3)) == [0, 0, 0]


def test_names_and_prompts_are_the_same_for_everyone_who_asks() -> None:
    one = load(arrivals="closed", concurrency=2, n_requests=6)
    first = list(islice(planned_requests(one), 6))
    assert first == list(islice(planned_requests(one), 6))
    assert [name for name, _ in first] == [f"load_test-{i:06d}" for i in range(6)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"arrivals": "closed", "concurrency": 4, "n_requests": 10}, 30.0),
        ({"arrivals": "closed", "concurrency": 4, "duration_s": 5.0}, 15.0),
        ({"arrivals": "closed", "concurrency": 1, "n_requests": 100, "duration_s": 5.0}, 15.0),
        ({"arrivals": "constant", "rate_rps": 2.0, "n_requests": 5}, 12.0),
    ],
)
def test_how_long_a_load_can_take_at_most(fields: dict, expected: float) -> None:
    assert longest_s(load(**fields), request_s=10.0) == expected
