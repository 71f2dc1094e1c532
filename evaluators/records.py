"""What the judges write down: one frozen record per row, field names equal to the table's columns."""

from dataclasses import dataclass

JUDGEMENTS: tuple[str, ...] = ("correctness", "consistency", "code_quality", "clarity")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One test or checklist item of an answer.

    `status` is one of pass, wrong, exception, syntax, no_code, cpu_timeout, wall_timeout, oom, output_cap,
    killed, infra, not_run. `passed` is None for infra and not_run. `evidence` is quoted from the answer or
    says what was expected and what came.
    """

    answer_id: str
    check_id: str
    status: str
    passed: bool | None
    evidence: str | None
    cpu_ms: float | None
    wall_ms: float | None


@dataclass(frozen=True, kw_only=True)
class Score:
    """One judgement of one answer: `score` in [0, 1], or None with the reason.

    `status` is `scored`, `not_run` (could not be judged: the weighted score becomes NULL), or
    `not_applicable` (this judgement does not concern this case). `detail` is a JSON object.
    """

    answer_id: str
    judgement: str
    score: float | None
    status: str
    reason: str | None
    detail: str | None
    evaluator_version: str
