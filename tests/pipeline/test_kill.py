"""Killed or interrupted in any stage: no orphan, no lost landed row, and --resume finishes the rest."""

import os
import signal
from collections.abc import Mapping
from typing import Any

import pytest

from tests.pipeline.workspace import Workspace, command_of, processes_below, until_gone

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

STAGES = ("unload", "load_model", "warm_up", "load_test", "answer", "score", "teardown")
HOW = ("kill the measuring process", "kill the command", "Ctrl-C")


def stop_in_second_cell(space: Workspace, stage: str, how: str) -> int:
    """Start the experiment, and end it as `how` says when its second cell is in `stage`; the exit status."""
    process = space.start("run", "kills")

    def reached(event: Mapping[str, Any]) -> bool:
        cells = [e["cell_id"] for e in space.events() if e["kind"] == "cell"]
        at = event["kind"] == "stage" and event["stage"] == stage
        return len(cells) == 2 and at and event["cell_id"] == cells[1]

    space.wait_for(reached, process)
    if how == "kill the measuring process":
        (measuring,) = [
            pid
            for pid in processes_below(str(space.root))
            if "cli.child" in command_of(pid) and "watchdog" not in command_of(pid)
        ]
        os.kill(measuring, signal.SIGKILL)
    elif how == "kill the command":
        process.kill()
    else:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in out + err
    assert until_gone(str(space.root)) == []
    return process.returncode


def check_resume(space: Workspace, stage: str, how: str) -> None:
    """Stop as told, look at what is left, resume, and look at the whole.

    Each run starts a Prefect server of its own: a killed run keeps its slot of the limit on a shared one
    for a minute, and its own is killed with it.
    """
    space.api_url = None
    space.experiment(
        "kills",
        matrix={"targets": ["simulator"], "models": ["sim-hasty", "sim-balanced"]},
        workloads=["tiny"],
        suites=[{"name": "coding-core", "tags": ["quick"]}],
        repeats=2,
    )
    status = stop_in_second_cell(space, stage, how)
    assert status == (130 if how == "Ctrl-C" else -signal.SIGKILL if how == "kill the command" else 1)
    run_id = space.run_id()
    landed = {
        p.parent.relative_to(space.data / "landing") for p in space.data.glob("landing/**/manifest.json")
    }
    space.bakeoff("ingest")
    before = space.rows("select cell_id, attempt, stage from stages")
    assert before, "what had landed before is in the warehouse"

    done = space.bakeoff("run", "--resume", run_id)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    again = {
        p.parent.relative_to(space.data / "landing") for p in space.data.glob("landing/**/manifest.json")
    }
    assert landed <= again, "a landing was lost"
    assert set(before) <= set(space.rows("select cell_id, attempt, stage from stages"))
    attempts = space.rows("select model, attempt, outcome from cells order by cell_index, attempt")
    assert attempts[0] == ("sim-hasty", 1, "completed")
    second = [row for row in attempts if row[0] == "sim-balanced"]
    assert second == [("sim-balanced", 1, "interrupted"), ("sim-balanced", 2, "completed")]
    ranked = space.rows("select model, attempt from leaderboard order by model")
    assert ranked == [("sim-balanced", 2), ("sim-hasty", 1)]
    assert space.rows("select status from runs") == [("completed",)]
    assert until_gone(str(space.root)) == []


@pytest.mark.parametrize(("stage", "how"), [("load_test", HOW[0]), ("answer", HOW[2])])
def test_a_stopped_run_is_resumed(workspace: Workspace, stage: str, how: str) -> None:
    check_resume(workspace, stage, how)


@pytest.mark.real
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("stage", STAGES)
def test_a_run_stopped_anywhere_is_resumed(workspace: Workspace, stage: str, how: str) -> None:
    check_resume(workspace, stage, how)


def test_resume_is_refused_when_the_configuration_has_changed(workspace: Workspace) -> None:
    assert workspace.bakeoff("run", "tiny", "--model", "sim-hasty").returncode == 0
    run_id = workspace.run_id()
    workspace.edit("workloads.yaml", lambda c: c["workloads"]["tiny"].update(n_requests=7))
    refused = workspace.bakeoff("run", "--resume", run_id)
    assert refused.returncode == 2
    assert "the configuration has changed since it started" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_resuming_a_finished_run_measures_nothing_again(workspace: Workspace) -> None:
    assert workspace.bakeoff("run", "tiny", "--model", "sim-hasty").returncode == 0
    before = workspace.rows("select * from requests order by request_id")
    done = workspace.bakeoff("run", "--resume", workspace.run_id())
    assert done.returncode == 0, done.stdout + done.stderr
    assert workspace.rows("select * from requests order by request_id") == before
