"""How many go into one post, and what happens to a batch that was not taken."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Item = TypeVar("Item")

Verdict = Literal["taken", "refused", "too_large", "stop"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one batch.

    `n_accepted` counts the items that the receiver acknowledged. `verdict` is `taken` (an answer to this
    batch, which may still have rejected some items), `refused` (this batch's own fault: the next one may
    fare better), `too_large` (half of it may pass) or `stop` (the next one would meet the same fate).
    `problem` is one line, None if every item was acknowledged.
    """

    n_accepted: int
    verdict: Verdict
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class Delivery(Generic[Item]):
    """What became of all batches.

    `items` are those of every batch that was acknowledged at least in part: which items of a batch were
    rejected is not said by the receiver, so `n_accepted` may be less than their number. `problem` is the
    first one met. `stopped` tells that the rest was not sent.
    """

    items: list[Item]
    n_accepted: int
    problem: str | None
    stopped: bool


def batches(
    items: Iterable[Item], *, size_of: Callable[[Item], int], max_items: int, max_bytes: int
) -> Iterator[list[Item]]:
    """Cut items into runs of at most `max_items` and `max_bytes`, keeping their order.

    An item that is larger than `max_bytes` by itself travels alone: whether it is too large is the
    receiver's to say. Items are drawn as they are needed, so that one batch is in memory at a time.
    """
    batch: list[Item] = []
    n_bytes = 0
    for item in items:
        size = size_of(item)
        if batch and (len(batch) == max_items or n_bytes + size > max_bytes):
            yield batch
            batch, n_bytes = [], 0
        batch.append(item)
        n_bytes += size
    if batch:
        yield batch


def deliver(
    parts: Iterable[list[Item]],
    send: Callable[[list[Item]], Outcome],
    *,
    on_accepted: Callable[[int], None],
) -> Delivery[Item]:
    """Send batch after batch, halving those that are too large, until all are sent or one says `stop`.

    Args:
        parts: the batches; what comes after a `stop` is not drawn.
        send: posts one batch and reads the answer.
        on_accepted: called after each post with how many items it brought home.
    """
    accepted: list[Item] = []
    n_accepted = 0
    problem: str | None = None
    stopped = False
    for part, outcome in _outcomes(parts, send):
        n_accepted += outcome.n_accepted
        if outcome.n_accepted:
            accepted += part
        problem = problem or outcome.problem
        stopped = outcome.verdict == "stop"
        on_accepted(outcome.n_accepted)
    return Delivery(items=accepted, n_accepted=n_accepted, problem=problem, stopped=stopped)


def _outcomes(
    parts: Iterable[list[Item]], send: Callable[[list[Item]], Outcome]
) -> Iterator[tuple[list[Item], Outcome]]:
    for part in parts:
        pending = [part]
        while pending:
            now = pending.pop()
            outcome = send(now)
            if outcome.verdict == "too_large" and len(now) > 1:
                middle = len(now) // 2
                pending += [now[middle:], now[:middle]]
                continue
            yield now, outcome
            if outcome.verdict == "stop":
                return
