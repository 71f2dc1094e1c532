"""Likeness has the invariances it states, and three refusals are not consistent work."""

import ast
import itertools
import random
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.consistency import judge_group
from evaluators.structure import code_similarity, raw_code_similarity, raw_text_similarity, text_similarity
from evaluators.suites import Suite

FUNCTION = '''
def total(items, limit):
    """Sum what is below the limit."""
    result = 0
    for item in items:
        if item < limit:
            result += item * 2
        else:
            print("skipped", item)
    return result
'''


def fenced(code: str, said: str = "It adds the items.") -> str:
    return f"```python\n{code}\n```\n\n{said}"


class Rename(ast.NodeTransformer):
    """Every variable and parameter gets another name; the function keeps its own."""

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(id=self.renamed(node.id), ctx=node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(arg=self.renamed(node.arg), annotation=None)

    @staticmethod
    def renamed(name: str) -> str:
        return name if name in ("print", "sorted", "len", "max", "range") else f"other_{name}"


def renamed(code: str) -> str:
    return ast.unparse(ast.fix_missing_locations(Rename().visit(ast.parse(code))))


CHANGES = {
    "rename": renamed,
    "comments": lambda code: re.sub(r"\n(\s+)", r"  # why\n\1", code) + "\n# the end\n",
    "format": lambda code: ast.unparse(ast.parse(code)),
    "blank lines": lambda code: code.replace("\n    ", "\n\n    "),
    "no docstring": lambda code: re.sub(r'    """.*?"""\n', "", code),
    "annotations": lambda code: code.replace(
        "(items, limit)", "(items: list[int], limit: int = 0) -> int"
    ).replace(" = 0) ->", ") ->"),
    "literals": lambda code: code.replace('"skipped"', '"left out"').replace("* 2", "* 7"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_change_structure_does_not_count(change: str) -> None:
    changed = CHANGES[change](FUNCTION)
    assert changed != FUNCTION
    assert code_similarity(ast.parse(FUNCTION), ast.parse(changed)) == 1.0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("result += item * 2", "result = result - item"),
        ("for item in items:", "while items:"),
        ("if item < limit:", "if True:"),
    ],
)
def test_what_changes_structure_counts_but_little_for_a_small_change(old: str, new: str) -> None:
    changed = FUNCTION.replace(old, new)
    assert 0.3 < code_similarity(ast.parse(FUNCTION), ast.parse(changed)) < 1.0


def test_renamed_helper_is_matched_by_its_likeness() -> None:
    left = ast.parse(FUNCTION + "\ndef helper(a):\n    return [x + 1 for x in a]\n")
    right = ast.parse(FUNCTION + "\ndef other(b):\n    return [y + 1 for y in b]\n")
    assert code_similarity(left, right) == 1.0


def test_missing_helper_counts_as_unlike() -> None:
    left = ast.parse(FUNCTION + "\ndef helper(a):\n    return [x + 1 for x in a]\n")
    assert raw_code_similarity(left, ast.parse(FUNCTION)) < 0.9


def test_unrelated_programs_score_little(suite: Suite) -> None:
    trees = [ast.parse(case.reference) for case in suite.cases if case.reference]
    pairs = [code_similarity(a, b) for a, b in itertools.combinations(trees, 2)]
    assert sum(pairs) / len(pairs) <= 0.1


@given(st.randoms(use_true_random=False))
def test_likeness_is_symmetric_bounded_and_one_for_itself(rng: random.Random) -> None:
    lines = [
        "    x = f(a)",
        "    return x",
        "    y = [b for b in a]",
        "    if a: x = 1",
        "    print(a.b.c(y))",
    ]
    programs = [
        ast.parse("def f(a):\n" + "\n".join(rng.choices(lines, k=rng.randint(1, 8)))) for _ in range(2)
    ]
    one, other = programs
    assert raw_code_similarity(one, one) == 1.0
    assert 0.0 <= raw_code_similarity(one, other) <= 1.0
    assert raw_code_similarity(one, other) == pytest.approx(raw_code_similarity(other, one))


@given(st.text(max_size=80), st.text(max_size=80))
def test_text_likeness_is_symmetric_and_bounded(one: str, other: str) -> None:
    assert 0.0 <= raw_text_similarity(one, other) <= 1.0
    assert raw_text_similarity(one, other) == pytest.approx(raw_text_similarity(other, one))


def test_text_likeness_does_not_see_how_korean_is_encoded() -> None:
    text = "## 설계\n\n링크를 테이블에 저장합니다.\n\n- 캐시를 사용합니다."
    assert text_similarity(text, unicodedata.normalize("NFD", text)) == 1.0


def test_a_part_of_a_text_is_not_like_the_whole() -> None:
    whole = "The service stores links in a table and reads them through a cache. " * 4
    assert text_similarity(whole, "the") == 0.0


def test_same_structure_in_all_repeats_scores_one(suite: Suite) -> None:
    case = suite.case("fibonacci")
    code = case.reference or ""
    other = code.replace("current", "now").replace("following", "nxt")
    said = "It keeps two numbers and moves on."
    assert judge_group(
        case, [fenced(code, said), fenced(other, said), fenced(code, said)]
    ).score == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, I can't help with that.",
        "죄송하지만 도와드릴 수 없습니다.",
        "",
        "```python\ndef fib(:\n```",
        "Use recursion.",
        "```python\nprint('no fib')\n```",
    ],
)
@pytest.mark.parametrize("case_id", ["fibonacci", "review_orders", "url_shortener"])
def test_the_same_refusal_or_wreck_three_times_scores_zero(text: str, case_id: str, suite: Suite) -> None:
    judged = judge_group(suite.case(case_id), [text] * 3)
    assert judged.score == 0.0
    assert judged.reason


def test_share_of_usable_answers_lowers_the_score(suite: Suite) -> None:
    case = suite.case("fibonacci")
    good = fenced(case.reference or "")
    assert judge_group(case, [good, good, "no"]).score == pytest.approx(2 / 3)
    assert judge_group(case, [good, "no", "no"]).score == 0.0


def test_one_answer_cannot_be_consistent(suite: Suite) -> None:
    judged = judge_group(suite.case("fibonacci"), [fenced(FUNCTION)])
    assert judged.score is None
    assert "2 answers" in (judged.reason or "")


def test_identical_bytes_are_noted(suite: Suite) -> None:
    case = suite.case("fibonacci")
    good = fenced(case.reference or "")
    assert judge_group(case, [good, good, good]).detail["n_identical"] == 3
    assert judge_group(case, [good, good + " ", good + "\n"]).detail["n_identical"] == 0


def test_order_of_repeats_does_not_matter(suite: Suite, planted) -> None:
    texts = planted("user_manager", "sim-hasty", "en")
    case = suite.case("user_manager")
    scores = {
        round(judge_group(case, list(order)).score or 0.0, 9) for order in itertools.permutations(texts)
    }
    assert len(scores) == 1
