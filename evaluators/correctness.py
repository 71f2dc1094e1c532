"""Correctness: the share of a case's tests, or checklist items, that an answer passes."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from evaluators.checklist import judge_items
from evaluators.extraction import find_program
from evaluators.grading import Verdict, explain_load, run_test
from evaluators.records import Check
from evaluators.sandbox import SandboxFault, SandboxUnavailable, Session, SessionDied
from evaluators.suites import Case, CodeTest

VERSION = "correctness/1"

Execute = Callable[[str], AbstractContextManager[Session]]
"""Opens a fresh sandbox with a program loaded: `Sandbox.open_session`."""

MAX_DEATHS = 2
"""Sandboxes an answer may lose; after that its remaining tests share the last one's fate untried."""

UNJUDGED = frozenset({"infra", "not_run"})
"""Statuses of checks that say nothing about the answer."""


def check_answer(case: Case, answer_id: str, text: str, *, execute: Execute) -> list[Check]:
    """One check per test or checklist item of `case`; see `Check` for the statuses."""
    if not case.wants_code:
        verdicts = judge_items(text, case.checklist)
        return [
            _check(answer_id, item.id, verdict)
            for item, verdict in zip(case.checklist, verdicts, strict=True)
        ]
    code = find_program(text, case.entry_points)
    if code is None:
        reason = f"no code block defines {', '.join(case.entry_points)}"
        return all_checks(case, answer_id, Verdict(status="no_code", evidence=reason))
    return _check_program(case, answer_id, code, execute)


def all_checks(case: Case, answer_id: str, verdict: Verdict) -> list[Check]:
    """The same verdict for each test and checklist item of `case`."""
    ids = [test.id for test in case.tests] + [item.id for item in case.checklist]
    return [_check(answer_id, check_id, verdict) for check_id in ids]


def share_passed(checks: Sequence[Check]) -> tuple[float | None, str | None]:
    """The share of passed checks in [0, 1]; None with the reason if any of them could not be judged."""
    unjudged = [check for check in checks if check.status in UNJUDGED]
    if unjudged:
        return None, unjudged[0].evidence
    if not checks:
        return None, "the case has nothing to check"
    return sum(check.passed is True for check in checks) / len(checks), None


def _check_program(case: Case, answer_id: str, code: str, execute: Execute) -> list[Check]:
    checks: list[Check] = []
    deaths: list[SessionDied] = []
    try:
        while len(checks) < len(case.tests) and len(deaths) < MAX_DEATHS:
            with execute(code) as session:
                checks += _run_until_death(session, case.tests[len(checks) :], answer_id, deaths)
    except SandboxUnavailable as error:
        return all_checks(case, answer_id, Verdict(status="not_run", evidence=str(error)))
    except SandboxFault as error:
        fault = Verdict(status="infra", evidence=str(error))
        return checks + [_check(answer_id, test.id, fault) for test in case.tests[len(checks) :]]
    if deaths:
        untried = Verdict(
            status=deaths[-1].status, evidence=f"not tried: {deaths[-1]} in {len(deaths)} tests"
        )
        checks += [_check(answer_id, test.id, untried) for test in case.tests[len(checks) :]]
    return checks


def _run_until_death(
    session: Session, tests: Sequence[CodeTest], answer_id: str, deaths: list[SessionDied]
) -> list[Check]:
    """Checks of the tests that were tried; if the program dies in one, that one is the last."""
    failed = explain_load(session.loaded)
    if failed is not None:
        return [_check(answer_id, test.id, failed) for test in tests]
    checks = []
    deaths_before = len(deaths)
    for test in tests:
        cpu_before, wall_before = session.cpu_ms(), time.monotonic()
        try:
            verdict = run_test(session, test)
        except SessionDied as death:
            deaths.append(death)
            verdict = Verdict(status=death.status, evidence=str(death))
        cpu_after, wall_ms = session.cpu_ms(), (time.monotonic() - wall_before) * 1000.0
        cpu_ms = None if cpu_before is None or cpu_after is None else cpu_after - cpu_before
        checks.append(_check(answer_id, test.id, verdict, cpu_ms, wall_ms))
        if len(deaths) > deaths_before:
            break
    return checks


def _check(
    answer_id: str,
    check_id: str,
    verdict: Verdict,
    cpu_ms: float | None = None,
    wall_ms: float | None = None,
) -> Check:
    passed = None if verdict.status in UNJUDGED else verdict.status == "pass"
    return Check(
        answer_id=answer_id,
        check_id=check_id,
        status=verdict.status,
        passed=passed,
        evidence=None if verdict.evidence is None else _storable(verdict.evidence),
        cpu_ms=cpu_ms,
        wall_ms=wall_ms,
    )


def _storable(text: str) -> str:
    """One line that any store takes: a model's text may hold control characters and lone surrogates."""
    valid = text.encode("utf-8", errors="replace").decode("utf-8")
    return " ".join("".join(c if c.isprintable() else " " for c in valid).split())
