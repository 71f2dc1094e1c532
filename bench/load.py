"""What load to put on a server, and the schedule that follows from it: plain data, no clock."""

import dataclasses
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench import arrivals
from bench.backends.base import Chat, Reply
from bench.clock import NS_PER_S
from bench.prompts import Prompt, deal, salt
from bench.records import Request

ARRIVALS = ("closed", "constant", "poisson")


@dataclass(frozen=True, kw_only=True)
class Load:
    """One load on one model.

    `arrivals` is `closed` (`concurrency` users, each sends its next request when its last one has ended) or
    open: `constant` or `poisson` with `rate_rps`, sent on time whatever the server does. It ends after
    `n_requests` or when `duration_s` seconds are over, whichever comes first; at least one is given.
    `abort_error_rate` (share of finished requests, None: never) is looked at from `abort_after` requests on.
    `phase` is `load_test` or `warm_up`.
    """

    arrivals: str
    concurrency: int | None = None
    rate_rps: float | None = None
    n_requests: int | None = None
    duration_s: float | None = None
    prompts: Sequence[Prompt]
    prompt_set: str
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    abort_error_rate: float | None = 0.5
    abort_after: int = 20
    model: str
    phase: str = "load_test"

    def __post_init__(self) -> None:
        for wrong in _faults(self):
            raise ValueError(wrong)


def _faults(load: Load) -> list[str]:
    """What does not fit together, as one line each."""
    is_open = load.arrivals != "closed"
    needed, other = ("rate_rps", "concurrency") if is_open else ("concurrency", "rate_rps")
    checks = [
        (load.arrivals in ARRIVALS, f"arrivals must be one of {', '.join(ARRIVALS)}, not '{load.arrivals}'"),
        (bool(load.prompts), "prompts must not be empty"),
        (getattr(load, needed) is not None, f"arrivals '{load.arrivals}' needs {needed}"),
        (getattr(load, other) is None, f"arrivals '{load.arrivals}' does not take {other}"),
        (load.concurrency is None or load.concurrency >= 1, f"concurrency must be >= 1: {load.concurrency}"),
        (load.rate_rps is None or 0 < load.rate_rps < float("inf"), f"rate_rps must be > 0: {load.rate_rps}"),
        (load.n_requests is not None or load.duration_s is not None, "needs n_requests or duration_s"),
        (load.n_requests is None or load.n_requests >= 1, f"n_requests must be >= 1: {load.n_requests}"),
        (load.duration_s is None or load.duration_s > 0, f"duration_s must be > 0: {load.duration_s}"),
        (load.max_tokens >= 1, f"max_tokens must be >= 1: {load.max_tokens}"),
    ]
    return [message for good, message in checks if not good]


def intended_offsets(load: Load) -> list[int] | None:
    """When each request is wanted, in ns from the start, as far as the load alone decides it.

    Returns:
        One offset per intended request. Of a closed loop the offsets are zeros (its users decide); None for
        one that is bounded by time only, where the server's speed decides how many there will be.
    """
    if load.arrivals == "closed":
        return None if load.n_requests is None else arrivals.closed(load.n_requests)
    rate = load.rate_rps or 0.0
    rng = random.Random(f"{load.seed}/arrivals")  # noqa: S311 - a schedule, not a secret
    if load.n_requests is None:
        duration_s = load.duration_s or 0.0
        if load.arrivals == "poisson":
            return arrivals.poisson_for(rate, duration_s, rng)
        n = int(duration_s * rate) + 1
        return arrivals.within(arrivals.constant(rate, n), duration_s)
    if load.arrivals == "constant":
        offsets = arrivals.constant(rate, load.n_requests)
    else:
        offsets = arrivals.poisson(rate, load.n_requests, rng)
    return offsets if load.duration_s is None else arrivals.within(offsets, load.duration_s)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One intended request; in a closed loop `intended_ns` is when its user became free."""

    request_id: str
    prompt: Prompt
    intended_ns: int


def planned_requests(load: Load) -> Iterator[tuple[str, Prompt]]:
    """Name and prompt of request 0, 1, 2, … without end: the same for everyone who asks."""
    rng = random.Random(f"{load.seed}/prompts")  # noqa: S311 - a shuffle, not a secret
    for index, prompt in enumerate(deal(load.prompts, rng)):
        yield f"{load.phase}-{index:06d}", prompt


def chat_for(load: Load, planned: Planned, *, index: int, nonce: str) -> Chat:
    """The request to send: one salted user message; the sampling seed moves with the index."""
    text = salt(planned.prompt.text, nonce=nonce, request_id=planned.request_id)
    return Chat(
        model=load.model,
        messages=[{"role": "user", "content": text}],
        max_tokens=load.max_tokens,
        temperature=load.temperature,
        top_p=load.top_p,
        seed=load.seed + index,
    )


def longest_s(load: Load, *, request_s: float) -> float:
    """An upper bound in seconds of how long the load can take if no request takes longer than `request_s`."""
    offsets = intended_offsets(load)
    bounds = []
    if load.duration_s is not None:
        bounds.append(load.duration_s + request_s)
    if offsets is not None:
        rounds = -(-len(offsets) // (load.concurrency or max(len(offsets), 1)))
        bounds.append((offsets[-1] / NS_PER_S if offsets else 0.0) + rounds * request_s)
    return min(bounds)


def answered(load: Load, planned: Planned, reply: Reply) -> Request:
    """The row of a request that was tried; in a closed loop intended is sent, if it came that far."""
    fields = {f.name: getattr(reply, f.name) for f in dataclasses.fields(reply)}
    fields.pop("text")
    fields.pop("reasoning")
    closed = load.arrivals == "closed"
    intended_ns = reply.sent_ns if closed and reply.sent_ns is not None else planned.intended_ns
    return Request(
        request_id=planned.request_id,
        phase=load.phase,
        worker=0,
        prompt_id=planned.prompt.prompt_id,
        prompt_set=load.prompt_set,
        language=planned.prompt.language,
        max_tokens=load.max_tokens,
        intended_ns=intended_ns,
        **fields,
    )


def never_answered(load: Load, planned: Planned, outcome: str, reason: str) -> Request:
    """The row of a request of which nothing is known but that it was intended."""
    nothing: dict[str, Any] = {f.name: None for f in dataclasses.fields(Reply)}
    known = {"outcome": outcome, "error": reason, "stamp_source": "user"}
    return answered(load, planned, Reply(**{**nothing, **known}))
