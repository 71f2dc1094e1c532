"""What goes wrong at a target is a row with its stage and reason; the other cells go on."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.pipeline.workspace import Workspace, until_gone

pytestmark = [pytest.mark.prefect]


class _Html(BaseHTTPRequestHandler):
    """Answers every path with a login page, as a proxy in between does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html><body>Please log in</body></html>")

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def html_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Html)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def silent_server() -> Iterator[str]:
    """Accepts connections (the kernel does) and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def add_target(space: Workspace, name: str, base_url: str) -> None:
    target = {
        "kind": "openai",
        "life": "attached",
        "base_url": base_url,
        "timeout_s": 1,
        "connect_timeout_s": 1,
    }
    space.edit("targets.yaml", lambda c: c["targets"].update({name: target}))
    space.edit("models.yaml", lambda c: c["models"].update({"any-model": {}, "other-model": {}}))


def test_bad_targets_fail_their_cells_with_a_reason_and_the_others_go_on(workspace: Workspace) -> None:
    with html_server() as html, silent_server() as silent:
        add_target(workspace, "refusing", free_address())
        add_target(workspace, "html", html)
        add_target(workspace, "silent", silent)
        workspace.experiment(
            "faults",
            matrix={
                "targets": ["refusing", "html", "silent", "simulator"],
                "models": ["any-model", "other-model", "sim-hasty"],
            },
            workloads=["tiny"],
        )
        able = {"any-model": ["refusing", "html", "silent"], "other-model": ["refusing"]}
        workspace.edit("models.yaml", lambda c: [c["models"][m].update(targets=t) for m, t in able.items()])
        done = workspace.bakeoff("run", "faults")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "4 of 5 cells failed" in done.stderr
    cells = workspace.rows(
        "select target, model, outcome, failed_stage, reason from cells order by cell_index"
    )
    outcomes = {(target, model): (outcome, stage) for target, model, outcome, stage, _ in cells}
    reasons = {(target, model): reason for target, model, _, _, reason in cells}
    assert outcomes["simulator", "sim-hasty"] == ("completed", None)
    assert outcomes["refusing", "any-model"] == ("failed", "unload")
    assert "does not answer" in reasons["refusing", "any-model"]
    # The dead one is not hammered: its next cell fails at once, for the same reason.
    assert outcomes["refusing", "other-model"] == ("failed", "unload")
    assert reasons["refusing", "other-model"] == reasons["refusing", "any-model"]
    tried = workspace.rows(
        "select count(*) from stages where stage = 'unload' and cell_id in (select cell_id from cells where target = 'refusing')"
    )
    assert tried == [(1,)]
    assert outcomes["html", "any-model"][0] == "failed"
    assert outcomes["silent", "any-model"][0] == "failed"
    assert "did not answer within" in reasons["silent", "any-model"]
    assert workspace.rows("select status from runs") == [("partial",)]
    assert all("\n" not in reason for reason in reasons.values() if reason)
    supported = dict(workspace.rows("select distinct target, supported from model_card"))
    assert supported["simulator"] is True


def test_server_that_dies_in_the_load_test_loses_no_request_and_is_restarted_for_the_next_cell(
    workspace: Workspace,
) -> None:
    workspace.edit(
        "targets.yaml", lambda c: c["targets"]["simulator"].update(options={"faults": ["die:after=4"]})
    )
    done = workspace.bakeoff("run", "tiny")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    cells = workspace.rows("select outcome, failed_stage, reason from cells order by cell_index")
    assert [cell[:2] for cell in cells] == [("failed", "load_test"), ("failed", "load_test")]
    assert all("died during the load test" in cell[2] for cell in cells)
    # Every intended request is a row, also those that the death cut off or prevented.
    counts = workspace.rows("select count(*) from requests where phase = 'load_test' group by cell_id")
    assert counts == [(6,), (6,)]
    loads = workspace.rows("select count(*) from stages where stage = 'load_model' and outcome = 'ok'")
    assert loads == [(2,)], "the second cell's load_model brought a new server up"
    assert workspace.rows("select status from runs") == [("failed",)]
    assert until_gone(str(workspace.root)) == []


@pytest.mark.real
def test_model_that_cannot_be_loaded_is_a_row_of_the_model_card(workspace: Workspace) -> None:
    workspace.edit("models.yaml", lambda c: c["models"].update({"sim-absent": {"targets": ["simulator"]}}))
    done = workspace.bakeoff("run", "tiny", "--model", "sim-absent", "--model", "sim-hasty")
    assert done.returncode == 1
    card = workspace.rows("select model, supported, note from model_card order by model")
    assert [(model, supported) for model, supported, _ in card] == [
        ("sim-absent", False),
        ("sim-hasty", True),
    ]
    assert "sim-absent" in card[0][2]
    assert workspace.rows("select model, outcome, quality from leaderboard order by model")[0] == (
        "sim-absent",
        "failed",
        None,
    )


@pytest.mark.real
def test_each_failing_reply_is_a_failed_row_of_its_own_class(workspace: Workspace) -> None:
    expected = {
        "http_500": "http_5xx",
        "cut": "truncated",
        "truncated": "truncated",
        "error_event": "stream_error",
        "garbage": "bad_body",
    }
    for fault in expected:
        target = {"kind": "simulator", "life": "managed", "options": {"faults": [f"{fault}:every=3"]}}
        workspace.edit("targets.yaml", lambda c, f=fault, t=target: c["targets"].update({f: t}))
    workspace.edit("models.yaml", lambda c: c["models"]["sim-hasty"].update(targets=list(expected)))
    workspace.experiment(
        "replies", matrix={"targets": list(expected), "models": ["sim-hasty"]}, workloads=["tiny"]
    )
    done = workspace.bakeoff("run", "replies")
    assert done.returncode == 0, done.stdout + done.stderr
    for fault, outcome in expected.items():
        of_target = f"cell_id in (select cell_id from cells where target = '{fault}')"
        seen = dict(
            workspace.rows(f"select outcome, count(*) from requests where {of_target} group by outcome")
        )
        assert seen.pop("ok") > 0, fault
        assert set(seen) == {outcome}, fault
        failed = (
            f"select count(*) from requests where phase = 'load_test' and outcome <> 'ok' and {of_target}"
        )
        ((n_failed,),) = workspace.rows(failed)
        (row,) = workspace.rows(
            f"select n_requests, n_ok, error_rate from leaderboard where target = '{fault}'"
        )
        assert row == (6, 6 - n_failed, pytest.approx(n_failed / 6)), fault
    assert workspace.rows("select count(*) from server_samples")[0][0] > 0
