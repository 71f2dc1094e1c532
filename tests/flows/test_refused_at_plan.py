"""What is wrong with a plan ends the command with status 2 and one line, before anything is started."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.config import ROOT


def plan(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "LANGFUSE_", "BAKEOFF_"))}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "run", "quick-start", "--plan", *words],
        env={**kept, "BAKEOFF_DATA": str(folder / "data"), "BAKEOFF_CONFIG": str(folder / "configs")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("added", "words", "expected"),
    [
        ("a: &a [*a]\n", (), "quick-start.yaml:{line}: not valid YAML: an alias to what it stands in"),
        ("a: " + "[" * 3000 + "\n", (), "quick-start.yaml:{line}: not valid YAML: nested too deeply"),
        ("id: 2026-13-45\n", (), "quick-start.yaml:{line}: id: String should match pattern"),
        ("", ("--model", "sim-hasty", "--model", "sim-hasty"), "matrix.models.1: 'sim-hasty' stands twice"),
    ],
)
def test_one_line_and_status_2(tmp_path: Path, added: str, words: tuple[str, ...], expected: str) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    path = tmp_path / "configs" / "experiments" / "quick-start.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + added, encoding="utf-8")
    done = plan(tmp_path, *words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert expected.format(line=text.count("\n") + 1) in done.stderr
    assert not (tmp_path / "data").exists()
