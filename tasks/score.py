"""Stage score: judge the answers that the answer stage landed."""

from evaluators.judge import JudgedAnswer, judge
from evaluators.lint import ruff_findings
from evaluators.records import Check, Score
from tasks.session import CellSession, StageOutcome, StageYield
from tasks.stage import stage_task
from warehouse.landing import read_landed


def run_score(session: CellSession) -> StageOutcome:
    """Execute tests, apply checklists and score all four judgements; nothing is sent to the server."""
    return session.stage("score", lambda: _score(session))


def _score(session: CellSession) -> StageYield:
    work = session.work
    if not work.cases:
        return StageYield(line="no answers to score")
    rows = read_landed(
        work.landing_root,
        run_id=work.run_id,
        cell_id=work.cell_id,
        attempt=work.attempt,
        stage="answer",
        table="answers",
    )
    checks: list[Check] = []
    scores: list[Score] = []
    for name, (suite, _) in work.cases.items():
        answers = [
            JudgedAnswer(
                answer_id=row["answer_id"],
                case_id=row["case_id"],
                language=row["language"],
                repeat=row["repeat"],
                text=row["text"],
                outcome=row["outcome"],
            )
            for row in rows
            if row["suite"] == name
        ]
        more_checks, more_scores = judge(
            suite, answers, execute=session.sandbox.open_session, lint=ruff_findings
        )
        checks += more_checks
        scores += more_scores
    unscored = sum(s.status == "not_run" for s in scores)
    return StageYield(
        line=f"{len(scores) - unscored} of {len(scores)} judgements made",
        tables={"checks": checks, "scores": scores},
    )


score = stage_task("score", run_score)
