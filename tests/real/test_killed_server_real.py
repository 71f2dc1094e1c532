"""A real server that is killed outright in the middle of a load test."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.pipeline.workspace import Workspace, process_of, until_gone
from tests.real.real_run import configure

pytestmark = [pytest.mark.real, pytest.mark.prefect]


def test_server_killed_in_the_load_test_fails_its_cell_and_is_started_again_for_the_next(
    workspace: Workspace,
    real_python: Path,
    offline_environment: Mapping[str, str],
    real_models: Mapping[str, Path],
) -> None:
    configure(workspace, real_python, offline_environment, real_models)
    workspace.experiment(
        "killed", matrix={"targets": ["transformers"], "models": list(real_models)}, workloads=["long"]
    )
    process = workspace.start("run", "killed")
    workspace.wait_for(lambda event: event["kind"] == "load" and event["ok"] > 0, process)
    os.kill(process_of(str(workspace.root), "transformers.cli.transformers serve"), signal.SIGKILL)
    out, err = process.communicate(timeout=150)
    assert process.returncode == 1
    assert "Traceback" not in out + err
    assert until_gone(str(workspace.root)) == []
    cells = workspace.rows("select model, outcome, failed_stage, reason from cells order by cell_index")
    assert [cell[:3] for cell in cells] == [("tiny-a", "failed", "load_test"), ("tiny-b", "completed", None)]
    assert "died during the load test" in cells[0][3]
    # Every intended request is a row of the first cell too: answered, cut off, refused or never sent.
    counted = workspace.rows(
        """select c.model, count(*), count(*) filter (r.outcome = 'ok')
        from requests as r join cells as c using (run_id, cell_id, attempt)
        where r.phase = 'load_test' group by c.model order by c.model"""
    )
    assert [(model, n) for model, n, _ in counted] == [("tiny-a", 60), ("tiny-b", 60)]
    assert 0 < counted[0][2] < 60
    assert counted[1][2] == 60
    started = workspace.rows(
        """select s.process_ready_ms from stages as s join cells as c using (run_id, cell_id, attempt)
        where s.stage = 'load_model' order by c.cell_index"""
    )
    assert all(ready_ms is not None and ready_ms > 0 for (ready_ms,) in started)
