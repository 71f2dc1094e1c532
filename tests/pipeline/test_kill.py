"""Killed or interrupted in any stage: no orphan, no lost landed row, and --resume finishes the rest."""

import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.pipeline.workspace import Workspace, process_of, until_gone

pytestmark = [pytest.mark.prefect]

STAGES = ("unload", "load_model", "warm_up", "load_test", "answer", "score", "teardown")
HOW = ("kill the measuring process", "kill the command", "Ctrl-C")
STATUS = {"kill the measuring process": 1, "kill the command": -signal.SIGKILL, "Ctrl-C": 130}
"""Exit status of the command when it is stopped in each way."""

LAST = "sim-balanced"
"""Model of the last cell: the one in which runs are stopped. Its name is part of the cell's id."""


def stop(space: Workspace, words: tuple[str, ...], stage: str, how: str) -> int:
    """Start a run, end it as `how` says when its last cell is in `stage`; the exit status."""
    before = len(space.events())
    process = space.start("run", *words)

    def reached(_: Mapping[str, Any]) -> bool:
        begun = [e["stage"] for e in space.events()[before:] if e["kind"] == "stage" and LAST in e["cell_id"]]
        return stage in begun

    space.wait_for(reached, process)
    if how == "kill the measuring process":
        os.kill(process_of(str(space.root), "cli.child"), signal.SIGKILL)
    elif how == "kill the command":
        process.kill()
    else:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in out + err
    assert until_gone(str(space.root)) == []
    return process.returncode


def landings(space: Workspace) -> set[str]:
    """Every folder that has landed as a whole, relative to the landing."""
    root = space.data / "landing"
    return {str(p.parent.relative_to(root)) for p in root.glob("**/manifest.json")}


def check_stopped(space: Workspace, how: str) -> tuple[set[str], set[tuple[Any, ...]]]:
    """What a run that was just stopped leaves: its landings, and their stages in the warehouse."""
    landed = landings(space)
    taken = space.bakeoff("ingest")
    assert taken.returncode == 0, taken.stderr
    stages = set(space.rows("select cell_id, attempt, stage from stages"))
    assert stages, "what had landed before is in the warehouse"
    (status,) = space.rows("select status from runs")[0]
    # Killed outright nobody was left to write down how it ended; the next resume does.
    allowed = {"Ctrl-C": {"interrupted"}, "kill the command": {"running", "interrupted"}}
    assert status in allowed.get(how, {"running"})
    return landed, stages


def check_resume(space: Workspace, stages: Sequence[str], how: str) -> None:
    """Stop a run in the first of `stages`, resume it and stop it in the next, and so on; then let it end.

    After each stop nothing that had landed is lost and no process is left. Each run starts a Prefect server
    of its own: a killed run keeps its slot of the limit on a shared one for a minute, and its own is killed
    with it.
    """
    space.api_url = None
    space.experiment(
        "kills",
        matrix={"targets": ["simulator"], "models": ["sim-hasty", "sim-balanced"]},
        workloads=["tiny"],
        suites=[{"name": "coding-core", "tags": ["quick"]}],
        repeats=2,
    )
    words: tuple[str, ...] = ("kills",)
    landed: set[str] = set()
    before: set[tuple[Any, ...]] = set()
    for stage in stages:
        status = stop(space, words, stage, how)
        assert status == STATUS[how], stage
        now_landed, now = check_stopped(space, how)
        assert landed <= now_landed, f"a landing was lost in {stage}"
        assert before <= now, f"rows were lost in {stage}"
        landed, before = now_landed, now
        words = ("--resume", space.run_id())

    # The kill may come just after the cell's last landing: then the cell has ended, and is not run again.
    ended = any(LAST in folder and folder.endswith("/teardown") for folder in landed)
    done = space.bakeoff("run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert landed <= landings(space), "a landing was lost"
    assert before <= set(space.rows("select cell_id, attempt, stage from stages"))
    attempts = space.rows("select model, attempt, outcome from cells order by cell_index, attempt")
    assert attempts[0] == ("sim-hasty", 1, "completed")
    last = len(stages) if ended else len(stages) + 1
    interrupted = [(LAST, attempt, "interrupted") for attempt in range(1, last)]
    assert attempts[1:] == [*interrupted, (LAST, last, "completed")]
    ranked = space.rows("select model, attempt from leaderboard order by model")
    assert ranked == [(LAST, last), ("sim-hasty", 1)]
    assert space.rows("select status from runs") == [("completed",)]
    assert until_gone(str(space.root)) == []


@pytest.mark.parametrize(("stage", "how"), [("load_test", HOW[0]), ("answer", HOW[2])])
def test_a_stopped_run_is_resumed(workspace: Workspace, stage: str, how: str) -> None:
    check_resume(workspace, [stage], how)


@pytest.mark.real
@pytest.mark.parametrize("how", HOW)
def test_a_run_stopped_once_in_every_stage_is_resumed_each_time(workspace: Workspace, how: str) -> None:
    check_resume(workspace, STAGES, how)


@pytest.mark.real
def test_resume_is_refused_when_the_configuration_has_changed(workspace: Workspace) -> None:
    assert workspace.bakeoff("run", "tiny", "--model", "sim-hasty").returncode == 0
    run_id = workspace.run_id()
    workspace.edit("workloads.yaml", lambda c: c["workloads"]["tiny"].update(n_requests=7))
    refused = workspace.bakeoff("run", "--resume", run_id)
    assert refused.returncode == 2
    assert "the configuration has changed since it started" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.real
def test_resuming_a_finished_run_measures_nothing_again(workspace: Workspace) -> None:
    assert workspace.bakeoff("run", "tiny", "--model", "sim-hasty").returncode == 0
    before = workspace.rows("select * from requests order by request_id")
    done = workspace.bakeoff("run", "--resume", workspace.run_id())
    assert done.returncode == 0, done.stdout + done.stderr
    assert workspace.rows("select * from requests order by request_id") == before
