"""Which token of which request is due when: bounded slots, a first-come queue, steps that grow with load.

Time is an argument everywhere, and a due time follows only from earlier due times, never from when somebody
looked. A server that wakes late is late once; its lateness does not move any later token.
"""

import heapq
from collections import deque
from dataclasses import dataclass
from random import Random

from bench.simulator.model import Profile, prefill_ns, step_ns

ADMITTED = -1
"""Index of the event by which a request leaves the queue for a slot; tokens count from 0."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One request: its size and its private source of jitter; `slowdown` stretches all its delays."""

    job_id: int
    prompt_tokens: int
    n_tokens: int
    rng: Random
    slowdown: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Due:
    """Token `index` of a request is due at `due_ns`, or the request is `ADMITTED` then."""

    job_id: int
    index: int
    due_ns: int


class Slots:
    """The slots and the queue of one loaded model."""

    def __init__(self, profile: Profile, *, slots: int, speed: float) -> None:
        self._profile = profile
        self._slots = slots
        self._speed = speed
        self._running: dict[int, Job] = {}
        self._queue: deque[Job] = deque()
        self._heap: list[tuple[int, int, int]] = []  # due_ns, job_id, index

    @property
    def slots(self) -> int:
        """How many requests can run at once."""
        return self._slots

    @property
    def busy(self) -> int:
        """How many slots are taken."""
        return len(self._running)

    @property
    def queued(self) -> int:
        """How many requests wait for a slot."""
        return len(self._queue)

    def next_due_ns(self) -> int | None:
        """When `advance` will next have something to say; None while nothing runs."""
        return self._heap[0][0] if self._heap else None

    def submit(self, job: Job, now_ns: int) -> None:
        """Take a request in at `now_ns`; the caller has already advanced to that time."""
        if self.busy < self._slots:
            self._admit(job, now_ns)
        else:
            self._queue.append(job)

    def cancel(self, job_id: int, now_ns: int) -> None:
        """Forget a request whose client has gone; its slot is free from `now_ns` on."""
        if self._running.pop(job_id, None) is not None:
            self._heap = [entry for entry in self._heap if entry[1] != job_id]
            heapq.heapify(self._heap)
            self._admit_next(now_ns)
        else:
            self._queue = deque(job for job in self._queue if job.job_id != job_id)

    def pop_due(self, now_ns: int) -> Due | None:
        """The earliest event not later than `now_ns` that was not yet told, or None."""
        if not self._heap or self._heap[0][0] > now_ns:
            return None
        due_ns, job_id, index = heapq.heappop(self._heap)
        self._follow(self._running[job_id], index, due_ns)
        return Due(job_id=job_id, index=index, due_ns=due_ns)

    def _follow(self, job: Job, index: int, due_ns: int) -> None:
        if index == job.n_tokens - 1:
            del self._running[job.job_id]
            self._admit_next(due_ns)
            return
        if index == ADMITTED:
            delay_ns = prefill_ns(self._profile, job.prompt_tokens, speed=self._speed, rng=job.rng)
        else:
            delay_ns = step_ns(self._profile, self.busy, speed=self._speed, rng=job.rng)
        heapq.heappush(self._heap, (due_ns + round(delay_ns * job.slowdown), job.job_id, index + 1))

    def _admit(self, job: Job, now_ns: int) -> None:
        self._running[job.job_id] = job
        heapq.heappush(self._heap, (now_ns, job.job_id, ADMITTED))

    def _admit_next(self, now_ns: int) -> None:
        if self._queue:
            self._admit(self._queue.popleft(), now_ns)
