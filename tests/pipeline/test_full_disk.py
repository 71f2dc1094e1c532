"""A landing disk that is full ends the run with one clear line; what had landed before stays."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.workspace import Workspace, until_gone

pytestmark = [pytest.mark.prefect]


@pytest.fixture
def small_landing(workspace: Workspace) -> Iterator[Path]:
    """The landing folder on a file system of 160 KiB: enough for the run's opening and a few stages."""
    landing = workspace.data / "landing"
    landing.mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(landing)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield landing
    finally:
        subprocess.run(["umount", "-l", str(landing)], check=True)


def test_full_landing_disk(workspace: Workspace, small_landing: Path) -> None:
    done = workspace.bakeoff("run", "tiny")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "No space left on device" in done.stderr
    assert until_gone(str(workspace.root)) == []
    whole = [p.parent for p in small_landing.glob("**/manifest.json")]
    assert whole, "what had landed before the disk was full is there"
    assert not [p for p in small_landing.glob("*/*/*/.*") if p.is_dir()], "no half landing is left"
    taken = workspace.bakeoff("ingest")
    assert taken.returncode == 0, taken.stderr
    assert workspace.rows("select count(*) from runs") == [(1,)]
    ranked = workspace.rows("select outcome from leaderboard")
    assert ranked in ([], [("completed",)]), "the cell that met the full disk is not ranked"
