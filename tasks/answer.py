"""Stage answer: have the model answer the quality suites, in every language and repeat."""

from collections.abc import Iterator

from bench.backends.base import Chat, Reply
from bench.driver import ask
from bench.records import Answer
from evaluators.suites import Case, Language
from tasks.session import CellSession, StageOutcome, StageYield
from tasks.stage import stage_task


def run_answer(session: CellSession) -> StageOutcome:
    """Ask every case in every language `repeats` times; repeat r is drawn with seed + r."""
    return session.stage("answer", lambda: _answer(session))


def _answer(session: CellSession) -> StageYield:
    work = session.work
    asked = list(_questions(session))
    if not asked:
        return StageYield(line="the experiment names no suite")
    chats = [
        Chat(
            model=work.served_name,
            messages=[{"role": "user", "content": case.prompts[language]}],
            max_tokens=work.max_tokens,
            temperature=work.temperature,
            top_p=work.top_p,
            seed=work.seed + repeat,
        )
        for _, case, language, repeat in asked
    ]
    replies = ask(session.backend.endpoint(), chats, concurrency=work.answer_concurrency)
    answers = [
        _row(suite, case, language, repeat, work.seed + repeat, reply)
        for (suite, case, language, repeat), reply in zip(asked, replies, strict=True)
    ]
    good = sum(a.outcome == "ok" for a in answers)
    failure = None if good else f"none of {len(answers)} questions was answered: {answers[0].error}"
    return StageYield(
        line=failure or f"{good} of {len(answers)} questions answered",
        tables={"answers": answers},
        failure=failure,
    )


def _questions(session: CellSession) -> Iterator[tuple[str, Case, Language, int]]:
    for suite, (_, cases) in session.work.cases.items():
        for case in cases:
            for language in sorted(case.prompts):
                for repeat in range(session.work.repeats):
                    yield suite, case, language, repeat


def _row(suite: str, case: Case, language: Language, repeat: int, seed: int, reply: Reply) -> Answer:
    return Answer(
        answer_id=f"{suite}.{case.case_id}.{language}.{repeat}",
        suite=suite,
        case_id=case.case_id,
        case_kind=case.kind,
        language=language,
        repeat=repeat,
        seed=seed,
        prompt=case.prompts[language],
        text=reply.text,
        sent_ns=reply.sent_ns,
        first_token_ns=reply.first_token_ns,
        last_token_ns=reply.last_token_ns,
        closed_ns=reply.closed_ns,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        tokens_out_source=reply.tokens_out_source,
        finish_reason=reply.finish_reason,
        outcome=reply.outcome,
        error=reply.error,
    )


answer = stage_task("answer", run_answer)
