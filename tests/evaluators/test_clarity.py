"""Clarity is earned by statements about the work, in either language, and by nothing else."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators import prose
from evaluators.clarity import CODE_WEIGHTS, TEXT_WEIGHTS, judge_explanation
from evaluators.suites import Suite

CASES = (
    "fibonacci",
    "merge_intervals",
    "user_manager",
    "lru_cache",
    "review_orders",
    "review_profiles",
    "url_shortener",
    "evaluation_queue",
)
CODE = "```python\ndef fib(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n```\n\n"
STUFFED = {
    "en": "Because complexity O(n) edge case empty negative ValueError example `fib(10)` returns 55 purpose summary.",
    "ko": "때문 복잡도 O(n) 예외 상황 음수 빈 ValueError 예시 `fib(10)` 반환 55 목적 요약.",
}


def score(suite: Suite, case_id: str, language: str, text: str) -> float:
    return judge_explanation(suite.case(case_id), language, text).score


@pytest.mark.parametrize("weights", [CODE_WEIGHTS, TEXT_WEIGHTS])
def test_weights_sum_to_one(weights: dict[str, float]) -> None:
    assert sum(weights.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("model", ["sim-careful", "sim-balanced"])
@pytest.mark.parametrize("case_id", CASES)
def test_translations_of_the_same_explanation_score_alike(
    case_id: str, model: str, suite: Suite, planted
) -> None:
    for english, korean in zip(planted(case_id, model, "en"), planted(case_id, model, "ko"), strict=True):
        difference = score(suite, case_id, "en", english) - score(suite, case_id, "ko", korean)
        assert abs(difference) <= 0.10


@pytest.mark.parametrize("model", ["sim-careful", "sim-balanced", "sim-hasty"])
def test_languages_score_alike_over_the_suite(model: str, suite: Suite, planted) -> None:
    means = {}
    for language in ("en", "ko"):
        scores = [score(suite, c, language, text) for c in CASES for text in planted(c, model, language)]
        means[language] = sum(scores) / len(scores)
    assert abs(means["en"] - means["ko"]) <= 0.05


@pytest.mark.parametrize("language", ["en", "ko"])
def test_keywords_alone_earn_nothing_much(language: str, suite: Suite) -> None:
    assert score(suite, "fibonacci", language, CODE + STUFFED[language]) <= 0.2
    assert score(suite, "fibonacci", language, CODE + "\n".join([STUFFED[language]] * 20)) <= 0.2


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("case_id", CASES)
@pytest.mark.parametrize("model", ["sim-careful", "sim-balanced", "sim-hasty"])
def test_saying_it_all_again_never_raises_the_score(
    case_id: str, model: str, language: str, suite: Suite, planted
) -> None:
    text = planted(case_id, model, language)[0]
    once = score(suite, case_id, language, text)
    said = text.split("```")[-1]
    for n in (1, 5, 30):
        assert score(suite, case_id, language, text + ("\n\n" + said) * n) <= once + 1e-9


def test_code_does_not_count_as_prose(suite: Suite) -> None:
    comments = (
        "```python\n"
        + "\n".join(f"# because {n} the function returns the value, O(n)" for n in range(9))
        + "\n```"
    )
    assert score(suite, "fibonacci", "en", CODE) == 0.0
    assert score(suite, "fibonacci", "en", CODE + comments) == 0.0


def test_invented_names_cost(suite: Suite, planted) -> None:
    text = planted("lru_cache", "sim-careful", "en")[0]
    invented = (
        text.replace("`move_to_end`", "`bump_key`")
        .replace("`capacity`", "`max_items`")
        .replace("`get`", "`fetch_it`")
    )
    assert score(suite, "lru_cache", "en", invented) < score(suite, "lru_cache", "en", text)


@pytest.mark.parametrize(
    "text", ["", "I'm sorry, but I cannot help with that.", "죄송합니다. 도와드릴 수 없습니다."]
)
@pytest.mark.parametrize("case_id", ["fibonacci", "url_shortener"])
def test_refusal_scores_zero_with_a_reason(text: str, case_id: str, suite: Suite) -> None:
    judged = judge_explanation(suite.case(case_id), "en", text)
    assert judged.score == 0.0
    assert judged.reason


@pytest.mark.parametrize(("language", "other"), [("en", "ko"), ("ko", "en")])
def test_the_wrong_language_costs_half(language: str, other: str, suite: Suite, planted) -> None:
    text = planted("fibonacci", "sim-careful", language)[0]
    assert score(suite, "fibonacci", other, text) == pytest.approx(
        score(suite, "fibonacci", language, text) / 2
    )


@pytest.mark.parametrize("case_id", CASES)
def test_decomposed_korean_scores_the_same(case_id: str, suite: Suite, planted) -> None:
    text = planted(case_id, "sim-careful", "ko")[0]
    assert score(suite, case_id, "ko", unicodedata.normalize("NFD", text)) == score(
        suite, case_id, "ko", text
    )


@given(text=st.text(max_size=300), language=st.sampled_from(["en", "ko"]))
def test_any_text_gets_a_score(text: str, language: str, suite: Suite) -> None:
    for case_id in ("fibonacci", "url_shortener"):
        assert 0.0 <= score(suite, case_id, language, text) <= 1.0


def test_sentences_are_found_in_both_languages() -> None:
    assert prose.sentences("It works. It is O(n log n), e.g. for 3.5 items! Does it?") == [
        "It works.",
        "It is O(n log n), e.g.",
        "for 3.5 items!",
        "Does it?",
    ]
    assert prose.sentences("함수는 값을 반환합니다. 빠른가요? 네.\n- 끝입니다.") == [
        "함수는 값을 반환합니다.",
        "빠른가요?",
        "네.",
        "끝입니다.",
    ]


def test_korean_is_as_long_as_the_english_it_translates(suite: Suite, planted) -> None:
    for case_id in CASES:
        english = prose.n_words(planted(case_id, "sim-careful", "en")[0])
        korean = prose.n_words(planted(case_id, "sim-careful", "ko")[0])
        assert korean == pytest.approx(english, rel=0.35)


def test_a_list_of_keywords_is_not_a_statement() -> None:
    assert prose.is_statement("The cache is read first, and a miss goes to the database.", 6)
    assert not prose.is_statement("cache, database, queue, replica, shard, index, broker, CDN, retry", 6)
    assert prose.is_statement("캐시를 먼저 읽고 없으면 데이터베이스를 조회합니다.", 6)
    assert not prose.is_statement("캐시, 데이터베이스, 큐, 복제본, 샤드, 인덱스, 브로커, 재시도 전략", 6)
