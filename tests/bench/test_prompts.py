import random
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.prompts import Prompt, deal, salt


def prompts(n: int) -> list[Prompt]:
    return [Prompt(prompt_id=str(i), language=None, text=f"text {i}") for i in range(n)]


@given(st.integers(1, 9), st.integers(0, 60), st.integers())
def test_prompts_are_dealt_evenly_and_repeatably(n_prompts: int, n: int, seed: int) -> None:
    dealt = list(islice(deal(prompts(n_prompts), random.Random(seed)), n))
    counts = Counter(p.prompt_id for p in dealt)
    assert all(n // n_prompts <= counts[str(i)] <= -(-n // n_prompts) for i in range(n_prompts))
    assert dealt == list(islice(deal(prompts(n_prompts), random.Random(seed)), n))


def test_there_must_be_a_prompt() -> None:
    with pytest.raises(ValueError, match="no prompts to deal"):
        next(deal([], random.Random(0)))


@given(st.text(), st.text(max_size=5), st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_a_salted_prompt_begins_differently_in_each_run_and_request(
    text: str, run_a: str, run_b: str, id_a: str, id_b: str
) -> None:
    one, other = salt(text, nonce=run_a, request_id=id_a), salt(text, nonce=run_b, request_id=id_b)
    assert one.endswith(f"] {text}")
    assert len(one) == len(text) + 15
    if "/" not in run_a + run_b:
        assert (one[:14] == other[:14]) == ((run_a, id_a) == (run_b, id_b))
