"""A warehouse that cannot be written loses nothing: landings wait, and `bakeoff ingest` takes them later."""

import subprocess
import sys

import pytest

from tests.pipeline.workspace import Workspace

pytestmark = [pytest.mark.prefect]

HOLD = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_locked_warehouse(workspace: Workspace) -> None:
    path = workspace.data / "warehouse.duckdb"
    path.parent.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        done = workspace.bakeoff("run", "tiny", "--model", "sim-hasty")
        assert done.returncode == 1
        assert "bakeoff ingest" in done.stdout + done.stderr
        assert str(holder.pid) in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        refused = workspace.bakeoff("ingest")
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert holder.stdin is not None
        holder.stdin.close()
    taken = workspace.bakeoff("ingest")
    assert taken.returncode == 0, taken.stderr
    assert workspace.rows("select count(*) from requests where phase = 'load_test'") == [(6,)]
    again = workspace.bakeoff("ingest")
    assert again.stdout == "0 rows of 0 stages ingested\n"


@pytest.mark.real
def test_a_file_that_is_no_warehouse(workspace: Workspace) -> None:
    path = workspace.data / "warehouse.duckdb"
    path.parent.mkdir()
    path.write_text("this is a note, not a database\n" * 100)
    done = workspace.bakeoff("run", "tiny", "--model", "sim-hasty")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "warehouse.duckdb" in done.stderr
    assert path.read_text().startswith("this is a note"), "somebody's file was not overwritten"
    path.rename(path.with_suffix(".txt"))
    assert workspace.bakeoff("ingest").returncode == 0
    assert workspace.rows("select outcome from cells") == [("completed",)]
