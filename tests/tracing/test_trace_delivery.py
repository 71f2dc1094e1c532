"""Laws of batching: nothing is lost, reordered or doubled, and the bounds hold."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tracing.delivery import Outcome, batches, deliver

sizes = st.lists(st.integers(0, 50), max_size=60)
TAKEN, REFUSED, TOO_LARGE, STOP = "taken", "refused", "too_large", "stop"


def cut(items, max_items, max_bytes):
    return list(batches(items, size_of=lambda item: item, max_items=max_items, max_bytes=max_bytes))


@given(sizes, st.integers(1, 10), st.integers(1, 60))
def test_batches_joined_again_are_the_items(items, max_items, max_bytes):
    assert [item for batch in cut(items, max_items, max_bytes) for item in batch] == items


@given(sizes, st.integers(1, 10), st.integers(1, 60))
def test_a_batch_keeps_both_bounds_unless_one_item_alone_is_too_large(items, max_items, max_bytes):
    for batch in cut(items, max_items, max_bytes):
        assert 1 <= len(batch) <= max_items
        assert sum(batch) <= max_bytes or len(batch) == 1


@given(sizes, st.integers(1, 10), st.integers(1, 60))
def test_no_batch_is_smaller_than_it_has_to_be(items, max_items, max_bytes):
    parts = cut(items, max_items, max_bytes)
    for batch, following in itertools.pairwise(parts):
        assert len(batch) == max_items or sum(batch) + following[0] > max_bytes


@given(st.lists(st.lists(st.integers(), min_size=1, max_size=20), max_size=6), st.integers(1, 20))
def test_halving_delivers_every_item_once_and_in_order(parts, limit):
    sent = []
    home = []

    def send(batch):
        if len(batch) > limit:
            return Outcome(n_accepted=0, verdict=TOO_LARGE, problem="too large")
        sent.extend(batch)
        return Outcome(n_accepted=len(batch), verdict=TAKEN, problem=None)

    delivery = deliver(parts, send, on_accepted=home.append)
    everything = [item for part in parts for item in part]
    assert sent == delivery.items == everything
    assert delivery.n_accepted == sum(home) == len(everything)
    assert (delivery.problem, delivery.stopped) == (None, False)


@given(st.lists(st.sampled_from([TAKEN, REFUSED, STOP]), max_size=12))
def test_the_count_is_what_was_acknowledged_before_the_first_stop(verdicts):
    drawn = []

    def parts():
        for index in range(len(verdicts)):
            drawn.append(index)
            yield [index, index]

    def send(batch):
        verdict = verdicts[batch[0]]
        return Outcome(
            n_accepted=2 if verdict == TAKEN else 0, verdict=verdict, problem=f"{verdict} {batch[0]}"
        )

    delivery = deliver(parts(), send, on_accepted=lambda n: None)
    reached = verdicts[: verdicts.index(STOP) + 1] if STOP in verdicts else verdicts
    assert drawn == list(range(len(reached)))
    assert delivery.n_accepted == 2 * reached.count(TAKEN)
    assert delivery.stopped == (STOP in verdicts)
    assert delivery.problem == (f"{verdicts[0]} 0" if verdicts else None)
