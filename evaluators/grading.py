"""Carry out one test against a sandboxed program and compare, on the trusted side, what came back."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluators.sandbox import Reply, Session, wire
from evaluators.suites import CodeTest, Step


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a test came out: `status` as in `Check`, `evidence` None for a pass."""

    status: str
    evidence: str | None = None


def run_test(session: Session, test: CodeTest) -> Verdict:
    """Carry out the steps of `test` in order; the first one that fails decides.

    Raises:
        SessionDied: the program ended while it was asked.
    """
    for step in test.steps:
        verdict = _judge(step, _perform(session, step))
        if verdict.status != "pass":
            return verdict
    return Verdict(status="pass")


def explain_load(loaded: Reply) -> Verdict | None:
    """Why a program is of no use that failed while it was executed as a module; None if it did not fail."""
    if loaded.raised is None:
        return None
    status = "syntax" if "SyntaxError" in loaded.raised else _exception_status(loaded)
    return Verdict(status=status, evidence=f"when loaded: {_raised(loaded)}")


def _perform(session: Session, step: Step) -> Reply:
    if step.get is not None:
        return session.get(step.get, on=step.on, keep=step.keep)
    name = step.call or step.new or step.method or ""
    # a created object is only interesting under a name; without one it must not be asked for as plain data
    keep = step.keep or ("_" if step.new else None)
    return session.call(name, step.args, step.kwargs, on=step.on, keep=keep, args_after=step.leaves_args)


def _judge(step: Step, reply: Reply) -> Verdict:
    what = _shown_step(step)
    if reply.missing is not None:
        return Verdict(status="wrong", evidence=f"{what}: there is no {reply.missing}")
    if reply.raised is not None:
        return _judge_raised(step, reply, what)
    if step.raises is not None:
        return Verdict(status="wrong", evidence=f"{what}: expected {step.raises}, got {_got(reply)}")
    if not step.expects_value:
        return Verdict(status="pass")
    expected = wire.decode(wire.encode(step.expect))
    if reply.opaque is not None or not matches(expected, reply.value, step.compare, step.tolerance):
        return Verdict(status="wrong", evidence=f"{what}: expected {shown(expected)}, got {_got(reply)}")
    if step.leaves_args and not matches(wire.decode(wire.encode(step.args)), reply.args_after):
        return Verdict(status="wrong", evidence=f"{what}: changed its argument to {shown(reply.args_after)}")
    return Verdict(status="pass")


def _judge_raised(step: Step, reply: Reply, what: str) -> Verdict:
    if step.raises is not None and step.raises in (reply.raised or ()):
        return Verdict(status="pass")
    expected = f"expected {step.raises}, " if step.raises else ""
    status = "wrong" if step.raises else _exception_status(reply)
    return Verdict(status=status, evidence=f"{what}: {expected}raised {_raised(reply)}")


def _exception_status(reply: Reply) -> str:
    return "oom" if "MemoryError" in (reply.raised or ()) else "exception"


def _raised(reply: Reply) -> str:
    return f"{reply.raised_type}: {reply.message}" if reply.message else str(reply.raised_type)


def _got(reply: Reply) -> str:
    return reply.opaque if reply.opaque is not None else shown(reply.value)


def shown(value: Any, limit: int = 160) -> str:
    """A value for people's eyes, cut to `limit` characters."""
    try:
        text = repr(value)
    except ValueError:  # an int of more digits than Python prints
        text = "a value with a very large int"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _shown_step(step: Step) -> str:
    if step.get is not None:
        return f"{step.on}.{step.get}"
    args = [shown(arg, 60) for arg in step.args] + [f"{k}={shown(v, 60)}" for k, v in step.kwargs.items()]
    owner = f"{step.on}." if step.on else ""
    return f"{owner}{step.call or step.new or step.method}({', '.join(args)})"


def matches(expected: Any, got: Any, compare: str = "exact", tolerance: float | None = None) -> bool:
    """Whether `got` is what was expected; see `Step` for `compare` and `tolerance`.

    Both must be plain data: types are compared exactly, so 1, 1.0 and True differ.
    """
    if tolerance is not None and _is_number(expected) and _is_number(got):
        return math.isclose(expected, got, rel_tol=0.0, abs_tol=tolerance)
    if compare == "unordered" and isinstance(expected, list) and isinstance(got, list):
        return _same_items(expected, got, tolerance)
    if compare == "sequence" and isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        return len(expected) == len(got) and all(
            matches(e, g, compare, tolerance) for e, g in zip(expected, got, strict=True)
        )
    if type(expected) is not type(got):
        return False
    if isinstance(expected, list | tuple):
        return len(expected) == len(got) and all(
            matches(e, g, compare, tolerance) for e, g in zip(expected, got, strict=True)
        )
    if isinstance(expected, Mapping):
        return _same_mapping(expected, got, compare, tolerance)
    if isinstance(expected, set | frozenset):
        return {(type(item), item) for item in expected} == {(type(item), item) for item in got}
    if isinstance(expected, float) and math.isnan(expected):
        return math.isnan(got)
    return bool(expected == got)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _same_items(expected: list[Any], got: list[Any], tolerance: float | None) -> bool:
    if len(expected) != len(got):
        return False
    left = list(got)
    for item in expected:
        for index, other in enumerate(left):
            if matches(item, other, "exact", tolerance):
                del left[index]
                break
        else:
            return False
    return True


def _same_mapping(
    expected: Mapping[Any, Any], got: Mapping[Any, Any], compare: str, tolerance: float | None
) -> bool:
    kinds = {(type(key), key) for key in expected}
    return kinds == {(type(key), key) for key in got} and all(
        matches(value, got[key], compare, tolerance) for key, value in expected.items()
    )
