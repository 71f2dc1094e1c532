"""The quick-start as a new user runs it: empty home, fresh data folder, no Prefect server, Langfuse listening."""

import json
import re
from pathlib import Path

import pytest

from flows.config import ROOT
from tests.pipeline.workspace import Workspace, until_gone
from tests.tracing.double import SECRET, running_double

pytestmark = [pytest.mark.prefect]

FACTS = [
    "runs",
    "environments",
    "targets",
    "models",
    "workloads",
    "suites",
    "prices",
    "cells",
    "stages",
    "requests",
    "gpu_samples",
    "host_samples",
    "server_samples",
    "answers",
    "checks",
    "scores",
    "trace_exports",
]
CANARY = "sk-canary-of-another-server"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str, str]:
    """One real run; the tests below look at what it left."""
    root = tmp_path_factory.mktemp("fresh")
    (root / "home").mkdir()
    space = Workspace(root, api_url=None)
    with running_double() as langfuse:
        keys = {
            "PUBLIC_KEY": "pk-lf-test",
            "SECRET_KEY": SECRET,
            "BASE_URL": f"http://127.0.0.1:{langfuse.port}",
        }
        space.env = {f"LANGFUSE_{name}": value for name, value in keys.items()}
        space.env |= {"BAKEOFF_CONFIG": str(ROOT / "configs"), "MY_SERVER_API_KEY": CANARY}
        done = space.bakeoff("run", "--json", "result.json")
        spans, scores = len(langfuse.spans), len(langfuse.scores)
    assert done.returncode == 0, done.stdout + done.stderr
    assert space.rows("select status, n_spans_sent, n_scores_sent from trace_exports") == [
        ("ok", spans, scores)
    ]
    assert until_gone(str(root)) == []
    return space, done.stdout, done.stderr


def test_it_ends_with_leaderboard_report_and_queries(started: tuple[Workspace, str, str]) -> None:
    space, out, err = started
    assert "Traceback" not in out + err
    assert "SIMULATED" in out
    (report,) = re.findall(r"^report +(\S+)$", out, re.MULTILINE)
    assert "sim-careful" in Path(report).read_text(encoding="utf-8")
    queries = re.findall(r'^ +bakeoff sql "(.*)"$', out, re.MULTILINE)
    assert len(queries) == 3
    for query in queries:
        assert space.rows(query), query
    told = json.loads((space.root / "result.json").read_text(encoding="utf-8"))
    assert told["status"] == "completed"
    assert told["missed_goals"] == []
    assert len(told["leaderboard"]) == 3


def test_planted_differences_come_out(started: tuple[Workspace, str, str]) -> None:
    space, _, _ = started
    best_first = [row[0] for row in space.rows("select model from leaderboard order by quality desc")]
    fast_first = [row[0] for row in space.rows("select model from leaderboard order by ttft_p50_ms")]
    small_first = [row[0] for row in space.rows("select model from leaderboard order by vram_peak_mib")]
    assert best_first == ["sim-careful", "sim-balanced", "sim-hasty"]
    assert fast_first == small_first == best_first[::-1]


def test_every_fact_table_has_rows_and_all_of_them_say_simulated(started: tuple[Workspace, str, str]) -> None:
    space, _, _ = started
    for table in FACTS:
        assert space.rows(f"select count(*) > 0, bool_and(simulated) from {table}") == [(True, True)], table
    assert space.rows("select distinct source from gpu_samples") == [("simulated",)]
    assert space.rows("select * from pick_model(null, null, null)") == []


def test_too_few_samples_for_a_p99_are_null_and_said(started: tuple[Workspace, str, str]) -> None:
    space, _, _ = started
    rows = space.rows("select n_ok, ttft_p95_ms is not null, ttft_p99_ms, percentile_note from leaderboard")
    for n_ok, has_p95, p99, note in rows:
        assert (n_ok, has_p95, p99) == (80, True, None)
        assert "p99" in note
        assert "368" in note


def test_traces_are_counted_and_complete(started: tuple[Workspace, str, str]) -> None:
    space, _, _ = started
    calls = space.rows("select (select count(*) from requests) + (select count(*) from answers)")[0][0]
    scored = space.rows("select count(*) from scores where score is not null")[0][0]
    exported = space.rows(
        "select status, n_traces_sent, n_spans_sent, n_scores_sent, reason from trace_exports"
    )
    assert exported == [("ok", calls, calls, scored, None)]


def test_what_was_measured_on_is_remembered(started: tuple[Workspace, str, str]) -> None:
    space, _, _ = started
    (row,) = space.rows(
        "select e.config_hash = r.config_hash, length(e.commit_sha) = 40, e.cpu_count > 0, json_extract_string(e.packages, '$.prefect'), r.isolation "
        "from environments as e inner join runs as r on e.run_id = r.run_id"
    )
    assert row == (True, True, True, "3.8.8", "strict")


def test_no_secret_is_in_anything_that_was_written(started: tuple[Workspace, str, str]) -> None:
    space, out, err = started
    assert SECRET not in out + err
    for path in space.root.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert SECRET.encode() not in content, path
            assert CANARY.encode() not in content, path


def test_report_and_json_of_the_reading_verbs(started: tuple[Workspace, str, str]) -> None:
    space, _, _ = started
    korean = space.bakeoff("report", "--lang", "ko", "-o", "ko.html")
    assert korean.returncode == 0, korean.stderr
    assert 'lang="ko"' in (space.root / "ko.html").read_text(encoding="utf-8")
    chosen = space.bakeoff(
        "select", "--max-ttft-p95-ms", "500", "--min-quality", "0.5", "--simulated", "--json"
    )
    assert chosen.returncode == 0
    assert json.loads(chosen.stdout)[0]["model"] == "sim-careful"
    none = space.bakeoff("select", "--min-quality", "0.1", "--json")
    assert (none.returncode, json.loads(none.stdout)) == (1, [])
    unknown = space.bakeoff("report", "R20260101T000000Z-0000")
    assert unknown.returncode == 1
    assert unknown.stderr.count("\n") == 1
