"""Quality is lost by what is bad and never gained by what is added."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.code_quality import WEIGHTS, judge_program
from evaluators.lint import Finding, LintUnavailable, ruff_findings
from evaluators.suites import Case

CLEAN = '''
def f(values: list[int]) -> int:
    """Return the largest even value, or 0 if there is none."""
    evens = [value for value in values if value % 2 == 0]
    return max(evens, default=0)
'''

UGLY = """
import os, sys
def f(l, cache=[]):
    try:
        for i in l:
            if i:
                if i > 1:
                    while i:
                        if i % 2 == 0:
                            x = i
                            cache.append(i); break
    except:
        pass
    if cache != None: return max(cache)
"""


@pytest.fixture(scope="module")
def case() -> Case:
    return Case.model_validate(
        {
            "case_id": "made",
            "kind": "completion",
            "prompts": {"en": "x"},
            "entry_points": ["f"],
            "tests": [{"id": "t", "steps": [{"call": "f"}]}],
        }
    )


@pytest.fixture(scope="module")
def score(case: Case) -> Callable[[str], float]:
    return lambda code: judge_program(case, code, lint=ruff_findings).score


def test_weights_sum_to_one() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)


def test_clean_code_scores_more_than_ugly_code(score: Callable[[str], float]) -> None:
    assert score(CLEAN) > 0.95
    assert score(UGLY) < 0.4


@pytest.mark.parametrize(
    ("worse", "old", "new"),
    [
        ("no docstring", '    """Return the largest even value, or 0 if there is none."""\n', ""),
        ("empty docstring", "Return the largest even value, or 0 if there is none.", "TODO"),
        ("unused import", "\ndef f", "\nimport os\ndef f"),
        ("cryptic name", "evens", "e"),
        ("mutable default", "values: list[int]", "values: list[int] = []"),
        (
            "bare except",
            "    return max(evens, default=0)",
            "    try:\n        return max(evens)\n    except:\n        return 0",
        ),
        ("bad naming", "evens", "EvenVals"),
    ],
)
def test_each_fault_costs(worse: str, old: str, new: str, score: Callable[[str], float]) -> None:
    changed = CLEAN.replace(old, new)
    assert changed != CLEAN, worse
    assert score(changed) < score(CLEAN)


PADDING = [
    "# a comment that says nothing\n" * 40,
    "# ruff: noqa\n",
    "x1 = 1  # noqa\n",
    'def extra_one() -> int:\n    """Return the number one, always."""\n    return 1\n',
    'class Extra:\n    """A class that is not asked for."""\n',
    "print(f([2, 4]))\n",
    "value_of_life = 42\n" * 10,
    "\n" * 20,
    '"""A string in the middle of nowhere."""\n',
]


@settings(max_examples=30, deadline=None)
@given(
    base=st.sampled_from([CLEAN, UGLY]), padding=st.lists(st.sampled_from(PADDING), min_size=1, max_size=4)
)
def test_padding_never_raises_the_score(base: str, padding: list[str], score: Callable[[str], float]) -> None:
    assert score(base + "\n" + "\n".join(padding)) <= score(base) + 1e-9


def test_noqa_in_the_answer_mutes_nothing(score: Callable[[str], float]) -> None:
    lines = [f"{line}  # noqa" if line.strip() else line for line in UGLY.splitlines()]
    assert score("# ruff: noqa\n" + "\n".join(lines)) <= score(UGLY)


@pytest.mark.parametrize(
    "code",
    [
        None,
        "",
        "def f(values):\n    pass\n",
        'def f(values):\n    """Return the largest even value of them."""\n    ...\n',
        "def f(values):\n    return None\n",
        "def f(values):\n    raise NotImplementedError\n",
        "def f(:\n",
        "def g():\n    return 1 + 1\n",
    ],
)
def test_no_program_is_zero_with_a_reason(code: str | None, case: Case) -> None:
    judged = judge_program(case, code, lint=ruff_findings)
    assert judged.score == 0.0
    assert judged.reason


def test_newer_syntax_is_said_to_be_the_grammars_limit(case: Case) -> None:
    judged = judge_program(case, "def f[T](x: T) -> T:\n    return x\n", lint=ruff_findings)
    assert "Python 3." in (judged.reason or "does parse as Python 3.")


def test_missing_linter_is_not_a_zero(case: Case) -> None:
    def broken(code: str) -> list[Finding]:
        raise LintUnavailable("no ruff here")

    with pytest.raises(LintUnavailable):
        judge_program(case, CLEAN, lint=broken)


def test_no_configuration_of_the_working_folder_is_read(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {finding.rule for finding in ruff_findings(UGLY)}
    (tmp_path / "ruff.toml").write_text('lint.ignore = ["E722", "B006", "F401"]\n')
    monkeypatch.chdir(tmp_path)
    assert {finding.rule for finding in ruff_findings(UGLY)} == before
    assert {"E722", "B006", "F401"} <= before


def test_korean_docstring_is_worth_as_much(score: Callable[[str], float]) -> None:
    korean = CLEAN.replace(
        "Return the largest even value, or 0 if there is none.",
        "가장 큰 짝수를 반환하고, 없으면 0을 반환합니다.",
    )
    assert score(korean) == score(CLEAN)


@settings(deadline=None, max_examples=40)
@given(text=st.text(alphabet="def f():\n return1+x#\"'[]", max_size=80))
def test_any_text_gets_a_score(text: str, case: Case) -> None:
    judged = judge_program(case, text, lint=lambda code: [])
    assert 0.0 <= judged.score <= 1.0
