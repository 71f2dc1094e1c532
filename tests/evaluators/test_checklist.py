"""A checklist item is earned by a finding, not by its words."""

import unicodedata

import pytest

from evaluators.checklist import judge_items
from evaluators.suites import Suite

TEXT_CASES = ("review_orders", "review_profiles", "url_shortener", "evaluation_queue")


def passed(suite: Suite, case_id: str, text: str) -> set[str]:
    items = suite.case(case_id).checklist
    verdicts = judge_items(text, items)
    return {item.id for item, verdict in zip(items, verdicts, strict=True) if verdict.status == "pass"}


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("case_id", TEXT_CASES)
def test_careful_reply_earns_every_item(case_id: str, language: str, suite: Suite, planted) -> None:
    every = {item.id for item in suite.case(case_id).checklist}
    for text in planted(case_id, "sim-careful", language):
        assert passed(suite, case_id, text) == every


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("case_id", TEXT_CASES)
def test_the_prompt_itself_earns_nothing(case_id: str, language: str, suite: Suite) -> None:
    prompt = suite.case(case_id).prompts[language]  # type: ignore[index]
    assert passed(suite, case_id, prompt) == set()


@pytest.mark.parametrize("case_id", TEXT_CASES)
def test_removing_a_finding_loses_its_item_only(case_id: str, suite: Suite, planted) -> None:
    text = planted(case_id, "sim-careful", "en")[0]
    paragraphs = text.split("\n\n")
    lost = [
        passed(suite, case_id, text)
        - passed(suite, case_id, "\n\n".join(paragraphs[:n] + paragraphs[n + 1 :]))
        for n in range(len(paragraphs))
    ]
    assert max(map(len, lost)) <= 2
    assert len(set().union(*lost)) >= len(suite.case(case_id).checklist) - 2


@pytest.mark.parametrize("case_id", TEXT_CASES)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_cue_in_one_heap_earns_nothing(case_id: str, language: str, suite: Suite) -> None:
    import re

    words = []
    for item in suite.case(case_id).checklist:
        for group in item.needs:
            words += [re.sub(r"\\[bws]\+?|[\\?*+()|{}\[\]^$]", " ", pattern) for pattern in group]
    if language == "ko":
        words = [word for word in words if not word.isascii()] or words
    for heap in (", ".join(words), " ".join(words), "\n".join(f"- {word}" for word in words)):
        assert len(passed(suite, case_id, heap)) <= 1


@pytest.mark.parametrize(
    "text",
    [
        "There is no SQL injection risk in find_orders, because the query uses bound parameters everywhere.",
        "The query in find_orders is safe from SQL injection, as parameters are placeholders in it.",
        "find_orders의 query에는 SQL 인젝션 위험이 없습니다. 파라미터가 바인딩되어 있기 때문입니다.",
        "The SQL injection in find_orders looks fine to me, and parameters are not needed in the query.",
    ],
)
def test_a_denied_finding_is_none(text: str, suite: Suite) -> None:
    assert "sql_injection" not in passed(suite, "review_orders", text)


@pytest.mark.parametrize(
    "text",
    [
        "In find_orders the query is built by concatenation, which allows SQL injection; use bound parameters.",
        "SQL injection: `find_orders` formats the email into the query. Pass it as a parameter instead.",
        "### SQL injection\n\nThe f-string in the query takes the email as it is.\n\nFix: use placeholders (`?`).",
        "find_orders는 쿼리 문자열에 이메일을 그대로 넣어 SQL 인젝션에 취약합니다. 바인딩 파라미터를 쓰세요.",
    ],
)
def test_a_finding_is_found_however_it_is_laid_out(text: str, suite: Suite) -> None:
    assert passed(suite, "review_orders", text) == {"sql_injection"}


def test_keyword_without_what_to_do_says_what_lacks(suite: Suite) -> None:
    items = suite.case("review_orders").checklist
    [verdict] = judge_items(
        "The md5 function is used here for the digest of the password, I noticed.", [items[3]]
    )
    assert verdict.status == "wrong"
    assert "bcrypt" in (verdict.evidence or "")


def test_pass_quotes_the_reply(suite: Suite, planted) -> None:
    text = planted("review_orders", "sim-careful", "en")[0]
    [verdict] = judge_items(text, [suite.case("review_orders").checklist[0]])
    assert "f-string" in (verdict.evidence or "")


def test_decomposed_korean_is_read(suite: Suite, planted) -> None:
    text = planted("review_orders", "sim-careful", "ko")[0]
    assert passed(suite, "review_orders", unicodedata.normalize("NFD", text)) == passed(
        suite, "review_orders", text
    )
