"""A whole cell is judged: rows are complete, absence is not zero, and the planted order comes out."""

import json
import random
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from evaluators.judge import JudgedAnswer, judge
from evaluators.lint import Finding, LintUnavailable, ruff_findings
from evaluators.records import JUDGEMENTS, Check, Score
from evaluators.sandbox import Sandbox
from evaluators.suites import Suite

WEIGHTS = {"correctness": 0.4, "consistency": 0.2, "code_quality": 0.2, "clarity": 0.2}


def by_answer(scores: list[Score]) -> dict[str, dict[str, Score]]:
    found: dict[str, dict[str, Score]] = defaultdict(dict)
    for score in scores:
        assert score.judgement not in found[score.answer_id]
        found[score.answer_id][score.judgement] = score
    return found


def means(scores: list[Score]) -> dict[str, float]:
    values = defaultdict(list)
    for score in scores:
        if score.score is not None:
            values[score.judgement].append(score.score)
    return {name: sum(values[name]) / len(values[name]) for name in JUDGEMENTS}


def test_planted_order_comes_out_in_total_and_in_each_part(
    suite: Suite, sandbox: Sandbox, answers_of
) -> None:
    parts = {}
    for model in ("sim-careful", "sim-balanced", "sim-hasty"):
        _, scores = judge(suite, answers_of(model), execute=sandbox.open_session, lint=ruff_findings)
        parts[model] = means(scores)
    totals = {
        model: sum(WEIGHTS[name] * value for name, value in part.items()) for model, part in parts.items()
    }
    assert totals["sim-careful"] > totals["sim-balanced"] + 0.1 > totals["sim-hasty"] + 0.2
    for name in JUDGEMENTS:
        assert parts["sim-careful"][name] > parts["sim-balanced"][name] > parts["sim-hasty"][name]
    assert parts["sim-careful"]["correctness"] == 1.0


def test_every_answer_has_four_scores_and_all_its_checks(suite: Suite, sandbox: Sandbox, answers_of) -> None:
    answers = answers_of("sim-hasty", tag="quick")
    seen: list[tuple[int, int]] = []
    checks, scores = judge(
        suite,
        answers,
        execute=sandbox.open_session,
        lint=ruff_findings,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(n + 1, len(answers)) for n in range(len(answers))]
    found = by_answer(scores)
    assert set(found) == {answer.answer_id for answer in answers}
    for answer in answers:
        case = suite.case(answer.case_id)
        assert set(found[answer.answer_id]) == set(JUDGEMENTS)
        ids = [check.check_id for check in checks if check.answer_id == answer.answer_id]
        assert ids == [test.id for test in case.tests] + [item.id for item in case.checklist]
        quality = found[answer.answer_id]["code_quality"]
        assert quality.status == ("scored" if case.wants_code else "not_applicable")
    for score in scores:
        assert (score.score is None) == (score.status != "scored")
        assert score.score is None or 0.0 <= score.score <= 1.0
        assert score.score is not None or score.reason
        assert score.detail is None or isinstance(json.loads(score.detail), dict)


def test_quick_cell_is_judged_in_time(suite: Suite, sandbox: Sandbox, answers_of) -> None:
    answers = answers_of("sim-balanced", tag="quick")
    assert len(answers) == 24
    started = time.monotonic()
    judge(suite, answers, execute=sandbox.open_session, lint=ruff_findings)
    assert time.monotonic() - started < 6.0


def test_order_and_company_of_answers_do_not_matter(suite: Suite, sandbox: Sandbox, answers_of) -> None:
    answers = answers_of("sim-hasty", tag="quick")
    shuffled = random.Random(7).sample(answers, len(answers))

    def verdicts(some: list[JudgedAnswer]) -> set[tuple[str, str, str]]:
        checks, _ = judge(suite, some, execute=sandbox.open_session, lint=ruff_findings)
        return {(check.answer_id, check.check_id, check.status) for check in checks}

    together = verdicts(answers)
    assert verdicts(shuffled) == together
    assert set().union(*(verdicts([answer]) for answer in answers[:8])) <= together


def test_without_bubblewrap_code_is_not_run_and_not_zero(
    suite: Suite, answers_of, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    blind = Sandbox()
    answers = answers_of("sim-careful", tag="quick")
    checks, scores = judge(suite, answers, execute=blind.open_session, lint=ruff_findings)
    kinds = {answer.answer_id: suite.case(answer.case_id).wants_code for answer in answers}
    for check in checks:
        if kinds[check.answer_id]:
            assert (check.status, check.passed) == ("not_run", None)
            assert "bwrap" in (check.evidence or "")
        else:
            assert check.passed is True
    for score in scores:
        if score.judgement == "correctness" and kinds[score.answer_id]:
            assert (score.score, score.status) == (None, "not_run")
            assert "bwrap" in (score.reason or "")
        elif score.status != "not_applicable":
            assert score.score is not None


def test_missing_linter_is_not_run(suite: Suite, sandbox: Sandbox, answers_of) -> None:
    def broken(code: str) -> list[Finding]:
        raise LintUnavailable("ruff could not be run: no such file")

    answers = [a for a in answers_of("sim-careful", tag="quick") if a.case_id == "fibonacci"]
    _, scores = judge(suite, answers, execute=sandbox.open_session, lint=broken)
    quality = [score for score in scores if score.judgement == "code_quality"]
    assert {(score.score, score.status) for score in quality} == {(None, "not_run")}
    assert all("ruff" in (score.reason or "") for score in quality)


def judged_group(
    suite: Suite, sandbox: Sandbox, answers: list[JudgedAnswer]
) -> tuple[list[Check], dict[str, dict[str, Score]]]:
    checks, scores = judge(suite, answers, execute=sandbox.open_session, lint=ruff_findings)
    return checks, by_answer(scores)


@pytest.mark.parametrize("outcome", ["http_5xx", "timeout", "truncated", "connect", "aborted"])
def test_failure_of_the_server_is_not_the_models(
    outcome: str, suite: Suite, sandbox: Sandbox, answers_of
) -> None:
    answers = [
        a for a in answers_of("sim-careful", tag="quick") if (a.case_id, a.language) == ("fibonacci", "en")
    ]
    answers[0] = replace(answers[0], text=None, outcome=outcome)
    checks, scores = judged_group(suite, sandbox, answers)
    failed = scores[answers[0].answer_id]
    assert {(score.score, score.status) for score in failed.values()} == {(None, "not_run")}
    assert all(outcome in (score.reason or "") for score in failed.values())
    assert {check.passed for check in checks if check.answer_id == answers[0].answer_id} == {None}
    assert scores[answers[1].answer_id]["consistency"].score == pytest.approx(
        scores[answers[2].answer_id]["consistency"].score
    )


def test_single_repeat_has_no_consistency(suite: Suite, sandbox: Sandbox, answers_of) -> None:
    [answer] = answers_of("sim-careful", tag="quick")[:1]
    _, scores = judged_group(suite, sandbox, [answer])
    consistency = scores[answer.answer_id]["consistency"]
    assert (consistency.score, consistency.status) == (None, "not_run")
    assert "2 answers" in (consistency.reason or "")
    assert scores[answer.answer_id]["correctness"].score == 1.0


@pytest.mark.parametrize("text", [None, "", "   \n"])
def test_empty_reply_of_a_healthy_server_is_zero(
    text: str | None, suite: Suite, sandbox: Sandbox, answers_of
) -> None:
    answers = [replace(a, text=text, outcome="empty") for a in answers_of("sim-careful", tag="quick")]
    checks, scores = judged_group(suite, sandbox, answers)
    assert {check.passed for check in checks} == {False}
    for parts in scores.values():
        for score in parts.values():
            assert score.score == (None if score.status == "not_applicable" else 0.0)


def test_hostile_reply_text_hurts_nobody(suite: Suite, sandbox: Sandbox) -> None:
    texts = [
        "<script>alert(1)</script>" * 1000,
        "\x00\x1b[31m\ud800" * 500,
        "```python\n" * 5000,
        "a" * 2_000_000,
        "(" * 50_000,
        "- " * 100_000,
        "`" * 100_000,
        "because " * 50_000 + "!",
        "가" * 200_000,
    ]
    answers = [
        JudgedAnswer(
            answer_id=f"{case_id}-{n}", case_id=case_id, language="en", repeat=n, text=text, outcome="ok"
        )
        for case_id in ("fibonacci", "url_shortener", "review_orders")
        for n, text in enumerate(texts)
    ]
    started = time.monotonic()
    checks, scores = judge(suite, answers, execute=sandbox.open_session, lint=ruff_findings)
    assert time.monotonic() - started < 20.0
    assert not any(check.passed for check in checks)
    assert len(scores) == 4 * len(answers)
