"""`bakeoff serve` as a user of Prefect's UI meets it: deployments, runs from the form, logs, artifacts, cancelling."""

import itertools
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Cancelling

from tests.pipeline.workspace import Workspace, command_of, new_workspace, processes_below, until_gone
from warehouse.landing import landed_stages, read_landed

pytestmark = [pytest.mark.prefect]

STAGES = ("unload", "load_model", "warm_up", "load_test", "answer", "score", "teardown")
ONE_TINY_CELL = {"models": ["sim-hasty"], "workloads": ["tiny"]}


@dataclass(frozen=True)
class Serving:
    """A `bakeoff serve` that runs, and a client of its API."""

    space: Workspace
    ui: str
    process: subprocess.Popen[str]
    client: SyncPrefectClient

    def submit(self, **parameters: Any) -> UUID:
        deployment = self.client.read_deployment_by_name("benchmark/ad-hoc")
        return self.client.create_flow_run_from_deployment(deployment.id, parameters=parameters).id

    def until(self, run: UUID, seen: Callable[[FlowRun], bool], limit_s: float = 90) -> FlowRun:
        deadline = time.monotonic() + limit_s
        while not seen(found := self.client.read_flow_run(run)):
            if time.monotonic() > deadline:
                worker = self.space.data / "logs" / "serve" / "worker.log"
                pytest.fail(f"not within {limit_s} s, but {found.state}:\n{worker.read_text()}")
            time.sleep(0.05)
        return found

    def ended(self, run: UUID) -> FlowRun:
        return self.until(run, lambda found: found.state is not None and found.state.is_final())

    def task_names(self, run: UUID, expected: set[str]) -> set[str]:
        """Names of the run's tasks once they are `expected`, or after a while: the server learns them later."""
        only = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
        deadline = time.monotonic() + 20
        while True:
            names = {task.name for task in self.client.read_task_runs(flow_run_filter=only)}
            if names == expected or time.monotonic() > deadline:
                return names
            time.sleep(0.1)

    def log(self, run: UUID, last: str) -> list[str]:
        """Messages of the run's log, once `last` is in one of them: they arrive in batches."""
        deadline = time.monotonic() + 20
        while True:
            found = self.client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])))
            lines = [entry.message for entry in sorted(found, key=lambda entry: entry.timestamp)]
            if any(last in line for line in lines):
                return lines
            assert time.monotonic() < deadline, lines
            time.sleep(0.1)


@contextmanager
def started(space: Workspace, *words: str) -> Iterator[Serving]:
    process = space.start("serve", "--json", *words)
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        else:
            assert process.stderr is not None
            pytest.fail(f"it ended: {''.join(lines)}{process.stderr.read()}")
        told = json.loads("".join(lines))
        with SyncPrefectClient(api=told["api"]) as client:
            yield Serving(space, told["ui"], process, client)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One `bakeoff serve` for all tests of this module; SIGTERM must end it with all that it started."""
    space = new_workspace(tmp_path_factory.mktemp("serve"), api_url=None)
    space.env["PREFECT_WORKER_QUERY_SECONDS"] = "1"
    with started(space) as it:
        yield it
        it.process.send_signal(signal.SIGTERM)
        out, err = it.process.communicate(timeout=60)
    assert it.process.returncode == 0, out + err
    assert "Traceback" not in out + err
    assert until_gone(str(space.root)) == []


def test_a_run_from_the_form_is_measured_and_shown(serving: Serving) -> None:
    run = serving.submit(experiment="tiny", overrides=ONE_TINY_CELL)
    found = serving.ended(run)
    assert found.state is not None
    assert (found.name, found.state.name, found.state.message) == (
        "tiny",
        "Completed",
        "1 of 1 cells completed",
    )

    lines = serving.log(run, "1 of 1 cells completed")
    (first,) = [line for line in lines if "cells to run of tiny" in line]
    run_id = first.split()[1].rstrip(":")
    for stage in STAGES:
        assert sum(line.startswith(f"cell 1/1 · {stage}: ") for line in lines) == 1, lines
    assert not any("Finished in state" in line or "Traceback" in line for line in lines)

    expected = {f"{stage} · cell 1/1 · sim-hasty" for stage in STAGES} | {"ingest", "export traces", "report"}
    assert serving.task_names(run, expected) == expected

    mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
    shown = {artifact.key: artifact for artifact in serving.client.read_artifacts(artifact_filter=mine)}
    assert {key: artifact.type for key, artifact in shown.items()} == {
        "bakeoff-progress": "progress",
        "bakeoff-summary": "markdown",
        "bakeoff-leaderboard": "table",
        "bakeoff-report": "markdown",  # Prefect keeps a link as the Markdown of it
    }
    assert all(run_id in str(artifact.description) for artifact in shown.values())
    assert "SIMULATED" in str(shown["bakeoff-leaderboard"].description)
    assert shown["bakeoff-progress"].data == 100.0
    assert "SIMULATED" in str(shown["bakeoff-summary"].data)
    (row,) = json.loads(str(shown["bakeoff-leaderboard"].data))
    assert row["Cell"].startswith("sim-hasty")
    assert (serving.space.data / "reports" / f"{run_id}.html").as_uri() in str(shown["bakeoff-report"].data)

    where = f"where run_id = '{run_id}'"
    assert serving.space.rows(f"select status, experiment_name from runs {where}") == [("completed", "tiny")]
    assert serving.space.rows(f"select model, workload, outcome from cells {where}") == [
        ("sim-hasty", "tiny", "completed")
    ]
    assert serving.space.rows(f"select count(*) from requests {where} and phase = 'load_test'") == [(6,)]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"overrides": {"repeats": 0}}, "overrides.repeats"),
        ({"overrides": {"models": ["../../etc/passwd"]}}, "overrides.models"),
        ({"retry_failed": "perhaps"}, "retry_failed"),
    ],
)
def test_a_bad_parameter_is_refused_when_the_run_is_created(
    serving: Serving, parameters: dict[str, Any], field: str
) -> None:
    with pytest.raises(PrefectHTTPStatusError, match=re.escape(f"Validation failed for field '{field}")):
        serving.submit(**parameters)


def test_every_field_of_the_form_is_described(serving: Serving) -> None:
    schema = serving.client.read_deployment_by_name("benchmark/ad-hoc").parameter_openapi_schema
    assert schema is not None
    fields = schema["properties"] | schema["definitions"]["Overrides"]["properties"]
    assert all(field.get("description") for field in fields.values()), fields


def test_nightly_is_set_for_half_past_two_in_seoul(serving: Serving) -> None:
    nightly = serving.client.read_deployment_by_name("benchmark/nightly")
    assert nightly.parameters == {"experiment": "nightly"}
    (schedule,) = nightly.schedules
    assert schedule.active
    cron = schedule.schedule
    assert (cron.cron, cron.timezone) == ("30 2 * * *", "Asia/Seoul")  # type: ignore[union-attr]


def test_the_server_makes_runs_of_the_nightly_schedule(serving: Serving) -> None:
    nightly = serving.client.read_deployment_by_name("benchmark/nightly").id
    deadline = time.monotonic() + 30
    while not (runs := [r for r in serving.client.read_flow_runs() if r.deployment_id == nightly]):
        log = serving.space.data / "logs" / "serve" / "server.log"
        assert time.monotonic() < deadline, f"no run has been scheduled:\n{log.read_text()[-3000:]}"
        time.sleep(0.1)
    planned = sorted(run.expected_start_time.astimezone(ZoneInfo("Asia/Seoul")) for run in runs)  # type: ignore[union-attr]
    assert {(at.hour, at.minute) for at in planned} == {(2, 30)}
    assert all(later - at == timedelta(days=1) for at, later in itertools.pairwise(planned))


def test_a_mistake_in_the_configuration_fails_the_run_in_one_line(serving: Serving) -> None:
    run = serving.submit(experiment="tiny", overrides={"models": ["sim-hastily"]})
    found = serving.ended(run)
    assert found.state is not None
    assert found.state.name == "Failed"
    assert "did you mean 'sim-hasty'?" in str(found.state.message)
    assert "\n" not in str(found.state.message)
    lines = serving.log(run, "did you mean")
    assert sum("did you mean" in line for line in lines) == 1
    assert not any("Traceback" in line for line in lines)


@pytest.mark.real
def test_a_cancelled_run_stops_its_servers_and_is_marked_interrupted(serving: Serving) -> None:
    serving.space.edit("workloads.yaml", lambda c: c["workloads"].update(endless={**c["workloads"]["tiny"], "n_requests": 100_000}))  # fmt: skip
    serving.space.experiment(
        "endless", matrix={"targets": ["simulator"], "models": ["sim-hasty"]}, workloads=["endless"]
    )
    run = serving.submit(experiment="endless")
    only = FlowRunFilter(id=FlowRunFilterId(any_=[run]))

    def loading(_: FlowRun) -> bool:
        tasks = serving.client.read_task_runs(flow_run_filter=only)
        return any(t.name.startswith("load_test") and t.state and t.state.is_running() for t in tasks)

    serving.until(run, loading)
    measuring = [pid for pid in processes_below(str(serving.space.root)) if "bench." in command_of(pid)]
    assert measuring
    serving.client.set_flow_run_state(run, Cancelling())
    found = serving.ended(run)
    assert found.state is not None
    assert found.state.is_cancelled()
    (first,) = [line for line in serving.log(run, "cells to run") if "cells to run" in line]
    run_id, landing = first.split()[1].rstrip(":"), serving.space.data / "landing"
    assert [pid for pid in measuring if "bench." in command_of(pid)] == []
    ((cell_id, attempt),) = landed_stages(landing, run_id)
    (cell,) = read_landed(landing, run_id=run_id, cell_id=cell_id, attempt=attempt, stage="interrupted", table="cells")  # fmt: skip
    assert (cell["outcome"], cell["reason"]) == (
        "interrupted",
        "interrupted: cancelled, or its worker was stopped",
    )
    (row,) = read_landed(landing, run_id=run_id, cell_id="run", attempt=0, stage="close-1", table="runs")
    assert row["status"] == "interrupted"


def test_a_second_one_is_refused_in_one_line(serving: Serving, tmp_path: Path) -> None:
    port = serving.ui.rsplit(":", 1)[1]
    other = new_workspace(tmp_path, api_url=None)
    busy = other.bakeoff("serve", "--port", port)
    assert busy.returncode == 1
    assert busy.stderr.count("\n") == 1
    assert f"port {port}: address already in use" in busy.stderr
    same_data = serving.space.bakeoff("serve")
    assert same_data.returncode == 1
    assert same_data.stderr.count("\n") == 1
    assert serving.ui in same_data.stderr


@pytest.mark.real
def test_a_run_from_a_shell_uses_the_server_that_serves_its_data(serving: Serving) -> None:
    done = serving.space.bakeoff("run", "tiny", "--model", "sim-balanced")
    assert done.returncode == 0, done.stdout + done.stderr
    from_shell = [
        run for run in serving.client.read_flow_runs() if run.name == "tiny" and run.deployment_id is None
    ]
    assert [run.state.name for run in from_shell if run.state] == ["Completed"]


@pytest.mark.real
def test_killed_while_it_runs_it_leaves_nothing_and_starts_again(tmp_path: Path) -> None:
    space = new_workspace(tmp_path, api_url=None)
    space.edit("workloads.yaml", lambda c: c["workloads"]["tiny"].update(n_requests=100_000))
    with started(space) as first:
        run = first.submit(experiment="tiny")
        first.until(run, lambda found: found.state is not None and found.state.is_running())
        first.process.kill()
        first.process.wait()
        assert until_gone(str(space.root)) == []
    space.edit("workloads.yaml", lambda c: c["workloads"]["tiny"].update(n_requests=6))
    with started(space) as second:
        # Nobody else would ever end it in the UI.
        assert second.client.read_flow_run(run).state.name == "Crashed"  # type: ignore[union-attr]
        again = second.ended(second.submit(experiment="tiny", overrides=ONE_TINY_CELL))
        assert again.state is not None
        assert again.state.name == "Completed"
        second.process.send_signal(signal.SIGINT)
        second.process.communicate(timeout=60)
        assert second.process.returncode == 0
    assert until_gone(str(space.root)) == []
