"""Run ruff on a program and return what it found: the linter's only subprocess."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

from ruff import find_ruff_bin  # type: ignore[import-untyped]

RULES = "E7,E9,W1,W2,W6,F,B,N,A001,C90,PLR0911,PLR0912,PLR0913,PLR0915"
"""Layout, unused and undefined names, likely bugs, naming, complexity.

No docstring rules: several of them know English only (imperative mood, ASCII full stops).
"""

RUFF_VERSION = version("ruff")
"""Pinned by the lock file: rules change between releases, and with them the scores."""

TIMEOUT_S = 20.0


class LintUnavailable(Exception):
    """The linter could not be run, in one line; says nothing about any program."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One remark of the linter: its rule, such as `F841`, the line and its text."""

    rule: str
    line: int
    message: str


Lint = Callable[[str], list[Finding]]
"""Finds what a linter objects to in a program; raises LintUnavailable."""


def ruff_findings(code: str) -> list[Finding]:
    """What ruff objects to, with no configuration but ours and deaf to the program's own `noqa`.

    Raises:
        LintUnavailable: ruff is missing, failed or took longer than `TIMEOUT_S`.
    """
    command = ["check", "--isolated", "--no-cache", "--ignore-noqa", "--quiet", "--select", RULES]
    command += ["--target-version", "py311", "--output-format", "json", "--stdin-filename", "answer.py", "-"]
    try:
        done = subprocess.run(
            [find_ruff_bin(), *command],
            input=code.encode("utf-8", errors="replace"),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LintUnavailable(f"ruff could not be run: {error}") from error
    if done.returncode not in (0, 1):
        said = done.stderr.decode(errors="replace").strip().splitlines() or [""]
        raise LintUnavailable(f"ruff ended with status {done.returncode}: {said[0][:200]}")
    return [
        Finding(rule=item["code"] or "syntax", line=item["location"]["row"], message=item["message"][:200])
        for item in json.loads(done.stdout)
    ]
