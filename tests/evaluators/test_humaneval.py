"""A few tasks of HumanEval through the same sandbox: canonical solutions pass, stubs do not."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluators.sandbox import Sandbox, Session

NEAR = Path(__file__).parents[3] / "shared" / "data" / "humaneval" / "HumanEval.jsonl.gz"
DATA = Path(os.environ.get("BAKEOFF_HUMANEVAL") or NEAR)


def tasks(n: int) -> Iterator[dict[str, Any]]:
    if not DATA.is_file():
        pytest.skip("HumanEval.jsonl.gz is not here; set BAKEOFF_HUMANEVAL to its path")
    with gzip.open(DATA, "rt", encoding="utf-8") as lines:
        for line, _ in zip(lines, range(n), strict=False):
            yield json.loads(line)


def holds(session: Session, task: dict[str, Any]) -> bool:
    """Run the data set's own check, here, with a candidate that asks the sandbox."""

    def candidate(*args: object) -> object:
        reply = session.call(task["entry_point"], list(args))
        assert reply.is_value, reply
        return reply.value

    trusted: dict[str, Any] = {}
    exec(task["test"], trusted)
    try:
        trusted["check"](candidate)
    except (AssertionError, TypeError):  # the check computes with what came back
        return False
    return True


def test_canonical_solutions_pass_and_stubs_fail(sandbox: Sandbox) -> None:
    for task in tasks(12):
        with sandbox.open_session(task["prompt"] + task["canonical_solution"]) as session:
            assert holds(session, task), task["task_id"]
        with sandbox.open_session(task["prompt"] + "    return None\n") as session:
            assert not holds(session, task), task["task_id"]
