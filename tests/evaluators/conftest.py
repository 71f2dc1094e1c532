"""The default suite, a real sandbox, and the simulator's planted answers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from evaluators.judge import JudgedAnswer
from evaluators.sandbox import Limits, Sandbox
from evaluators.suites import Case, Suite, load_suite

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def suite() -> Suite:
    return load_suite(ROOT / "suites" / "coding-core")


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    """A sandbox with a short CPU limit; its wall limit is far off, as other tests run beside this one."""
    made = Sandbox(limits=Limits(cpu_s=1, wall_s=20.0, memory_mib=256))
    report = made.probe()
    if not report.available:
        pytest.skip(f"no sandbox: {report.reason}")
    return made


Planted = Callable[[str, str, str], list[str]]


@pytest.fixture(scope="session")
def planted() -> Planted:
    """Planted texts by case, model and language: one per variant."""

    def read(case_id: str, model: str, language: str) -> list[str]:
        path = ROOT / "bench" / "simulator" / "answers" / f"{case_id}.yaml"
        texts: list[str] = yaml.safe_load(path.read_text(encoding="utf-8"))["answers"][model][language]
        return texts

    return read


@pytest.fixture(scope="session")
def answers_of(suite: Suite, planted: Planted) -> Callable[..., list[JudgedAnswer]]:
    """A simulated model's answers to the whole suite, three repeats of each case and language."""

    def make(model: str, *, tag: str | None = None) -> list[JudgedAnswer]:
        made = []
        for case in suite.cases:
            if tag is not None and tag not in case.tags:
                continue
            for language in suite.languages:
                texts = planted(case.case_id, model, language)
                made += [
                    JudgedAnswer(
                        answer_id=f"{case.case_id}-{language}-{repeat}",
                        case_id=case.case_id,
                        language=language,
                        repeat=repeat,
                        text=texts[repeat % len(texts)],
                        outcome="ok",
                    )
                    for repeat in range(3)
                ]
        return made

    return make


@pytest.fixture(scope="session")
def code_case() -> Callable[..., Case]:
    """A case of our own with one function `f` and the steps given."""

    def make(*steps: dict[str, object], entry_points: tuple[str, ...] = ("f",)) -> Case:
        return Case.model_validate(
            {
                "case_id": "made",
                "kind": "completion",
                "prompts": {"en": "Write f.", "ko": "f를 작성하세요."},
                "entry_points": list(entry_points),
                "tests": [{"id": f"t{n}", "steps": [step]} for n, step in enumerate(steps)],
            }
        )

    return make
