"""Judge all answers of a cell: each gets its checks and one score per judgement, or the reason why not."""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from evaluators import clarity, code_quality, consistency, correctness
from evaluators.correctness import Execute
from evaluators.extraction import find_program
from evaluators.grading import Verdict
from evaluators.lint import Lint, LintUnavailable
from evaluators.records import Check, Score
from evaluators.suites import Case, Suite

ANSWERED = frozenset({"ok", "empty"})
"""Outcomes of a healthy server: an empty reply is the model's own and is judged as nothing said."""


@dataclass(frozen=True, kw_only=True)
class JudgedAnswer:
    """What is judged: `outcome` is that of the request, `text` None if no reply came."""

    answer_id: str
    case_id: str
    language: str
    repeat: int
    text: str | None
    outcome: str


@dataclass(frozen=True, kw_only=True)
class _Judged:
    checks: list[Check]
    scores: list[Score]


def judge(
    suite: Suite,
    answers: Sequence[JudgedAnswer],
    *,
    execute: Execute,
    lint: Lint,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Check], list[Score]]:
    """Judge the answers of one cell: four scores an answer, and a check per test or checklist item.

    Args:
        suite: holds the case of every answer.
        answers: all repeats of a case and language belong into one call, as consistency compares them.
        execute: opens a sandbox with a program loaded, `Sandbox.open_session`.
        lint: finds what a linter objects to, `lint.ruff_findings`.
        on_progress: called with (answers judged, answers in all), in the calling thread.

    Raises:
        SuiteError: an answer's case is not in the suite.
    """
    cases = [suite.case(answer.case_id) for answer in answers]
    judged: list[_Judged] = []
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        results = pool.map(lambda case, answer: _judge_one(case, answer, execute, lint), cases, answers)
        for result in results:
            judged.append(result)
            if on_progress is not None:
                on_progress(len(judged), len(answers))
    judged = [_retried(*work, execute, lint) for work in zip(cases, answers, judged, strict=True)]
    checks = [check for result in judged for check in result.checks]
    scores = [score for result in judged for score in result.scores]
    return checks, scores + _consistency_scores(suite, answers)


def _retried(case: Case, answer: JudgedAnswer, judged: _Judged, execute: Execute, lint: Lint) -> _Judged:
    """Judge again, alone, what ran out of wall time among others although it was using the CPU.

    A program that sleeps or waits used next to none and would only do so again.
    """
    starved = any(
        c.status == "wall_timeout" and c.cpu_ms is not None and c.cpu_ms > 500.0 for c in judged.checks
    )
    return _judge_one(case, answer, execute, lint) if starved else judged


def _judge_one(case: Case, answer: JudgedAnswer, execute: Execute, lint: Lint) -> _Judged:
    if answer.outcome not in ANSWERED:
        return _unanswered(case, answer)
    text = answer.text or ""
    checks = correctness.check_answer(case, answer.answer_id, text, execute=execute)
    share, reason = correctness.share_passed(checks)
    detail = {"n_checks": len(checks), "n_passed": sum(check.passed is True for check in checks)}
    right = _score(answer, "correctness", share, reason, detail, correctness.VERSION)
    told = clarity.judge_explanation(case, answer.language, text)
    clear = _score(answer, "clarity", told.score, told.reason, told.detail, clarity.VERSION)
    return _Judged(checks=checks, scores=[right, _quality(case, answer, text, lint), clear])


def _quality(case: Case, answer: JudgedAnswer, text: str, lint: Lint) -> Score:
    version = code_quality.VERSION
    if not case.wants_code:
        reason = f"a {case.kind} case asks for no program"
        return _score(answer, "code_quality", None, reason, {}, version, status="not_applicable")
    try:
        found = code_quality.judge_program(case, find_program(text, case.entry_points), lint=lint)
    except LintUnavailable as error:
        return _score(answer, "code_quality", None, str(error), {}, version)
    return _score(answer, "code_quality", found.score, found.reason, found.detail, version)


def _unanswered(case: Case, answer: JudgedAnswer) -> _Judged:
    """An answer that the server did not give says nothing about the model."""
    reason = f"no answer to judge: the request ended with {answer.outcome}"
    checks = correctness.all_checks(case, answer.answer_id, Verdict(status="not_run", evidence=reason))
    quality_status = "not_run" if case.wants_code else "not_applicable"
    scores = [
        _score(answer, "correctness", None, reason, {}, correctness.VERSION),
        _score(answer, "code_quality", None, reason, {}, code_quality.VERSION, status=quality_status),
        _score(answer, "clarity", None, reason, {}, clarity.VERSION),
    ]
    return _Judged(checks=checks, scores=scores)


def _consistency_scores(suite: Suite, answers: Sequence[JudgedAnswer]) -> list[Score]:
    """One value per case and language, written to each answer of that group that came."""
    groups: dict[tuple[str, str], list[JudgedAnswer]] = defaultdict(list)
    for answer in answers:
        groups[answer.case_id, answer.language].append(answer)
    scores = []
    for (case_id, _), group in groups.items():
        came = [answer for answer in group if answer.outcome in ANSWERED]
        alike = consistency.judge_group(suite.case(case_id), [answer.text or "" for answer in came])
        for answer in group:
            value, reason, detail = alike.score, alike.reason, alike.detail
            if answer.outcome not in ANSWERED:
                value, reason, detail = (
                    None,
                    f"no answer to judge: the request ended with {answer.outcome}",
                    {},
                )
            scores.append(_score(answer, "consistency", value, reason, detail, consistency.VERSION))
    return scores


def _score(
    answer: JudgedAnswer,
    judgement: str,
    value: float | None,
    reason: str | None,
    detail: dict[str, Any],
    version: str,
    *,
    status: str | None = None,
) -> Score:
    return Score(
        answer_id=answer.answer_id,
        judgement=judgement,
        score=value,
        status=status or ("not_run" if value is None else "scored"),
        reason=reason,
        detail=json.dumps(detail, ensure_ascii=False) if detail else None,
        evaluator_version=version,
    )
