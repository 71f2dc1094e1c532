"""Suites are read whole or refused in one line; the default one is sound: references pass, mutants fail."""

import shutil
from pathlib import Path

import pytest

from evaluators.correctness import check_answer
from evaluators.extraction import find_program
from evaluators.sandbox import Sandbox
from evaluators.suites import Suite, SuiteError, load_suite

FOLDER = Path(__file__).parents[2] / "suites" / "coding-core"
CODE_CASES = ("fibonacci", "merge_intervals", "user_manager", "lru_cache")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "suite"))


def test_default_suite_has_two_cases_of_each_kind_one_of_them_quick(suite: Suite) -> None:
    kinds = [case.kind for case in suite.cases]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "completion": 2,
        "debugging": 2,
        "review": 2,
        "architecture": 2,
    }
    quick = [case.kind for case in suite.cases if "quick" in case.tags]
    assert sorted(quick) == ["architecture", "completion", "debugging", "review"]


def test_every_case_is_there_in_korean_and_english(suite: Suite) -> None:
    for case in suite.cases:
        assert set(case.prompts) == {"en", "ko"}
        assert all(set(item.asks) == {"en", "ko"} for item in case.checklist)


@pytest.mark.parametrize("case_id", CODE_CASES)
def test_reference_passes(case_id: str, suite: Suite, sandbox: Sandbox) -> None:
    case = suite.case(case_id)
    checks = check_answer(case, "a", f"```python\n{case.reference}```", execute=sandbox.open_session)
    assert [(check.check_id, check.evidence) for check in checks if not check.passed] == []


@pytest.mark.parametrize("case_id", CODE_CASES)
def test_every_mutant_of_the_reference_fails(case_id: str, suite: Suite, sandbox: Sandbox) -> None:
    case = suite.case(case_id)
    assert case.reference is not None
    assert len(case.mutants) >= 3
    for mutant in case.mutants:
        changed = case.reference.replace(mutant.replace, mutant.with_, 1)
        assert changed != case.reference, mutant
        checks = check_answer(case, "a", f"```python\n{changed}```", execute=sandbox.open_session)
        assert not all(check.passed for check in checks), mutant


@pytest.mark.parametrize("case_id", CODE_CASES)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_code_in_the_prompt_is_not_a_solution(
    case_id: str, language: str, suite: Suite, sandbox: Sandbox
) -> None:
    case = suite.case(case_id)
    prompt = case.prompts[language]  # type: ignore[index]
    assert find_program(prompt, case.entry_points) is not None or case.kind == "completion"
    checks = check_answer(case, "a", prompt, execute=sandbox.open_session)
    assert not all(check.passed for check in checks)


def test_hash_follows_the_content(copy: Path) -> None:
    before = load_suite(copy)
    assert load_suite(copy).content_hash == before.content_hash
    path = copy / "cases" / "fibonacci.yaml"
    path.write_text(path.read_text() + "\n# changed\n")
    assert load_suite(copy).content_hash != before.content_hash


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "entry_points: [fib]",
            "entry_point: [fib]",
            r"entry_point: unknown key; did you mean 'entry_points'\?",
        ),
        ("raises: ValueError", "raise: ValueError", r"raise: unknown key; did you mean 'raises'\?"),
        ("kind: completion", "kind: completions", "kind: "),
        ("expect: 55", "expect: 55, raises: ValueError", "either expect or raises"),
        ("call: fib, args: [10]", "args: [10]", "exactly one of call"),
        ("case_id: fibonacci", "case_id: other", "case_id: is 'other'"),
        ("  ko: |", "  fr: |", "prompts"),
        ("id: tenth_and_twentieth", "id: first_values", "must differ"),
        ("tests:", "tests: [", "not YAML"),
    ],
)
def test_mistake_is_told_in_one_line_with_the_file(copy: Path, old: str, new: str, said: str) -> None:
    path = copy / "cases" / "fibonacci.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(SuiteError, match=said) as error:
        load_suite(copy)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_bad_pattern_is_told(copy: Path) -> None:
    path = copy / "cases" / "review_orders.yaml"
    path.write_text(path.read_text().replace('["md5"]', '["md5("]', 1))
    with pytest.raises(SuiteError, match="not a regular expression"):
        load_suite(copy)


def test_missing_suite_is_told(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="cannot be read"):
        load_suite(tmp_path / "nothing")


def test_case_name_cannot_leave_the_folder(copy: Path) -> None:
    path = copy / "suite.yaml"
    path.write_text(path.read_text().replace("- fibonacci", "- ../../etc/passwd"))
    with pytest.raises(SuiteError, match=r"cases\.0"):
        load_suite(copy)


def test_unknown_case_names_the_nearest(suite: Suite) -> None:
    with pytest.raises(SuiteError, match="did you mean 'fibonacci'"):
        suite.case("fibonaci")
