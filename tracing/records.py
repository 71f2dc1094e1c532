"""What goes out to Langfuse and what came of it: plain records that import nothing heavy."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

Kind = Literal["request", "answer"]
"""What a traced call was: one call of a load test, or one reply to a suite case."""

Level = Literal["DEFAULT", "ERROR"]
"""Langfuse's level of an observation; ERROR is a call that failed, with its reason in `status_message`."""


class TracedScore(NamedTuple):
    """One judgement of one answer: `value` in [0, 1]; a judgement without a value has no TracedScore."""

    name: str
    value: float
    comment: str | None = None


@dataclass(frozen=True, kw_only=True)
class TracedCall:
    """One request or one answer: one trace with one generation in it.

    `key` is the request_id or answer_id, unique within (run, cell, attempt, kind). `*_unix_ns` are
    nanoseconds since 1970 UTC; None means not measured, and a call whose end is unknown is shown with
    no duration. Unknown tokens and costs are left out of the trace, never sent as 0. `input` and
    `output` are text or JSON-able chat messages. `metadata` values are JSON-able.

    Raises:
        ValueError: a kind or level that is not known, an end or first token before the start, a score
            that is not a finite number, or two scores of one name.
    """

    key: str
    run_id: str
    cell_id: str
    attempt: int
    kind: Kind
    name: str
    model: str | None
    started_unix_ns: int
    first_token_unix_ns: int | None
    ended_unix_ns: int | None
    tokens_in: int | None
    tokens_out: int | None
    cost_usd: float | None
    input: Any = None
    output: Any = None
    level: Level = "DEFAULT"
    status_message: str | None = None
    simulated: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    scores: Sequence[TracedScore] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(
                f"call {self.key!r}: kind is {self.kind!r}, expected one of {', '.join(get_args(Kind))}"
            )
        if self.level not in get_args(Level):
            raise ValueError(
                f"call {self.key!r}: level is {self.level!r}, expected one of {', '.join(get_args(Level))}"
            )
        for stamp in (self.first_token_unix_ns, self.ended_unix_ns):
            if stamp is not None and stamp < self.started_unix_ns:
                raise ValueError(
                    f"call {self.key!r}: a stamp lies {self.started_unix_ns - stamp} ns before its start"
                )
        _check_scores(self.key, self.scores)

    @property
    def session_id(self) -> str:
        """The Langfuse session that the call belongs to: its run."""
        return self.run_id

    @property
    def all_tags(self) -> tuple[str, ...]:
        """The tags, each once, with `simulated` among them whenever the call was simulated."""
        return tuple(dict.fromkeys([*self.tags, "simulated"] if self.simulated else self.tags))


def _check_scores(key: str, scores: Sequence[TracedScore]) -> None:
    names = [name for name, _value, _comment in scores]
    if len(set(names)) < len(names):
        raise ValueError(f"call {key!r}: two scores have one name among {', '.join(names)}")
    for name, value, _comment in scores:
        if not math.isfinite(value):
            raise ValueError(f"call {key!r}: score {name} is {value}, expected a finite number")


@dataclass(frozen=True, kw_only=True)
class TraceRows:
    """All calls of one export.

    Raises:
        ValueError: two calls have the same identity: they would become one trace, and the counts would lie.
    """

    calls: Sequence[TracedCall]

    def __post_init__(self) -> None:
        seen: set[tuple[str, str, int, str, str]] = set()
        for call in self.calls:
            identity = (call.run_id, call.cell_id, call.attempt, call.kind, call.key)
            if identity in seen:
                raise ValueError(f"two {call.kind}s of cell {call.cell_id!r} have the key {call.key!r}")
            seen.add(identity)


@dataclass(frozen=True, kw_only=True)
class LangfuseSettings:
    """Where traces go. A missing key or host means: export nothing, and say so.

    `timeout_s` bounds one batch with all its retries, in seconds. `batch_size` is the largest number of
    spans, or of scores, in one post.

    Raises:
        ValueError: `timeout_s` or `batch_size` is not positive.
    """

    public_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    host: str | None = None
    timeout_s: float = 10.0
    batch_size: int = 500

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s is {self.timeout_s}, expected more than 0")
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}, expected at least 1")


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export achieved; the fields are columns of `trace_exports`.

    `status` is `ok` (everything was acknowledged), `skipped` (not configured, nothing was sent),
    `incomplete` (some of it was acknowledged) or `failed` (nothing was). `*_sent` count what the
    receiver acknowledged, not what was handed to it. `reason` is one line, None only for `ok`.
    """

    status: str
    n_traces_expected: int
    n_traces_sent: int
    n_spans_expected: int
    n_spans_sent: int
    n_scores_expected: int
    n_scores_sent: int
    reason: str | None


def unix_ns(stamp_ns: int | None, *, clock_monotonic_ns: int, clock_unix_ns: int) -> int | None:
    """Turn a stamp of the monotonic clock into nanoseconds since 1970 UTC.

    Args:
        stamp_ns: a stamp of the measuring host's monotonic clock, None if it was not measured.
        clock_monotonic_ns: that clock at the moment when the two clocks were read together.
        clock_unix_ns: UTC at the same moment, nanoseconds since 1970.

    Returns:
        Nanoseconds since 1970 UTC, None for None. Steps of the wall clock after that moment do not show.
    """
    return None if stamp_ns is None else clock_unix_ns + (stamp_ns - clock_monotonic_ns)
