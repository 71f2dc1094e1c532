"""Which requests go wrong, and how: faults on demand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

CHAT_FAULTS = ("http_500", "cut", "hang", "garbage", "slow", "truncated", "error_event", "die")
FAULTS = (*CHAT_FAULTS, "refuse_load")

SLOW_FACTOR = 10.0
"""By how much the fault `slow` stretches all delays of a request."""


class FaultError(ValueError):
    """A fault that does not exist or is not well described, in one line."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`name` hits every `every`-th request after the first `after` (counted from when it was set)."""

    name: str
    every: int = 1
    after: int = 0


def parse_fault(raw: Mapping[str, Any]) -> Fault:
    """A fault from JSON: `fault` (a name of `FAULTS`), optional `every` (>= 1) and `after` (>= 0).

    Raises:
        FaultError: unknown name or key, or a number out of range.
    """
    unknown = sorted(set(raw) - {"fault", "every", "after"})
    if unknown:
        raise FaultError(f"unknown key {unknown[0]!r}; known: fault, every, after")
    name, every, after = raw.get("fault"), raw.get("every", 1), raw.get("after", 0)
    if name not in FAULTS:
        raise FaultError(f"unknown fault {name!r}; known: {', '.join(FAULTS)}")
    if type(every) is not int or every < 1:
        raise FaultError(f"'every' must be an integer >= 1, got {every!r}")
    if type(after) is not int or after < 0:
        raise FaultError(f"'after' must be an integer >= 0, got {after!r}")
    return Fault(name=name, every=every, after=after)


def parse_fault_option(text: str) -> Fault:
    """A fault from the command line: `NAME` or `NAME:every=N,after=N`.

    Raises:
        FaultError: not of that form.
    """
    name, _, rest = text.partition(":")
    raw: dict[str, Any] = {"fault": name}
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        if not value.isdecimal():
            raise FaultError(f"fault {text!r}: expected NAME:every=N,after=N, got {part!r}")
        raw[key] = int(value)
    return parse_fault(raw)


def hits(fault: Fault, nth: int) -> bool:
    """Whether the `nth` request (from 1) since the fault was set is hit."""
    return nth > fault.after and (nth - fault.after) % fault.every == 0


class FaultPlan:
    """The faults in force and how many requests each has seen since it was set."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._seen: dict[Fault, int] = dict.fromkeys(faults, 0)

    def set(self, fault: Fault) -> None:
        """Have `fault` from now on, in place of one of the same name."""
        self._seen = {old: seen for old, seen in self._seen.items() if old.name != fault.name}
        self._seen[fault] = 0

    def clear(self) -> None:
        """Have no fault from now on."""
        self._seen.clear()

    def in_force(self) -> list[Fault]:
        """The faults in the order in which they were set."""
        return list(self._seen)

    def next_chat(self) -> str | None:
        """Count one chat request; the name of the first fault that hits it, or None."""
        return self._next(CHAT_FAULTS)

    def next_load(self) -> str | None:
        """Count one request to load a model; `refuse_load` if it is hit."""
        return self._next(("refuse_load",))

    def _next(self, names: tuple[str, ...]) -> str | None:
        struck = None
        for fault, seen in self._seen.items():
            if fault.name in names:
                self._seen[fault] = seen + 1
                if struck is None and hits(fault, seen + 1):
                    struck = fault.name
        return struck
