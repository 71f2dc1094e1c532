"""What a run on a real server says in the end: scores, leaderboard, model card, report and choice."""

import json
import shutil
from pathlib import Path

import pytest

from tests.pipeline.workspace import Workspace
from tests.real.real_run import CLOSED, OPEN, Measured

pytestmark = [pytest.mark.real, pytest.mark.prefect]


def test_leaderboard_has_real_rows(measured: Measured) -> None:
    board = measured.rows(
        """select model, workload, outcome, simulated, target_kind, n_requests, error_rate, output_tokens_per_s,
            ttft_p50_ms, ttft_p95_ms, percentile_note, goodput_ratio, load_ms, usd_per_million_output_tokens,
            quality, quality_reason
        from leaderboard order by cell_index"""
    )
    assert [(model, workload) for model, workload, *_ in board] == [
        (model, workload) for model in measured.models for workload in ("closed", "open")
    ]
    for (
        model,
        workload,
        outcome,
        simulated,
        kind,
        n,
        errors,
        rate,
        p50,
        p95,
        note,
        good,
        load_ms,
        usd,
        *q,
    ) in board:
        assert (simulated, kind) == (False, "transformers")
        if model == "tiny-missing":
            assert (outcome, n, errors, rate, p50, p95, good, load_ms, usd) == ("failed", 0, *[None] * 7)
            assert q[0] is None
            assert "load_model" in q[1]
            continue
        assert (outcome, n, errors) == ("completed", CLOSED if workload == "closed" else OPEN, 0)
        assert rate > 0
        assert p50 > 0
        assert load_ms > 0
        assert usd == pytest.approx(3.6 / 3600 / rate * 1e6)
        assert (q[0] is None) == (q[1] is not None)
        if workload == "closed":
            assert p95 >= p50
            assert good == 1
        else:
            assert p95 is None
            assert good is None
            assert f"n={OPEN}" in note


def test_model_card_says_what_the_server_supports(measured: Measured) -> None:
    card = measured.rows(
        "select model, supported, load_ms, inference_ms, note from model_card order by model, workload"
    )
    assert [(model, supported) for model, supported, *_ in card] == [
        *[("tiny-a", True)] * 2,
        *[("tiny-b", True)] * 2,
        *[("tiny-missing", False)] * 2,
    ]
    for model, supported, load_ms, inference_ms, note in card:
        if supported:
            assert load_ms > 0
            assert inference_ms > 0
        else:
            assert (load_ms, inference_ms) == (None, None)
            assert measured.models[model].name in note


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_report_renders_with_nothing_of_a_simulation(measured: Measured, lang: str) -> None:
    told = measured.space.bakeoff("report", "--lang", lang)
    assert told.returncode == 0, told.stderr
    html = Path(told.stdout.strip()).read_text(encoding="utf-8")
    assert all(model in html for model in measured.models)
    assert "no-such-model" in html
    assert 'class="band"' not in html


def test_pick_model_never_mixes_the_simulator_in(measured: Measured, tmp_path: Path) -> None:
    both = shutil.copytree(measured.space.root, tmp_path / "both")
    space = Workspace(both, measured.space.api_url)
    done = space.bakeoff("run", "tiny", "--model", "sim-hasty")
    assert done.returncode == 0, done.stdout + done.stderr
    picked = "select distinct model, simulated from pick_model(null, null, null{}) order by model"
    real = [("tiny-a", False), ("tiny-b", False)]
    assert space.rows(picked.format("")) == real
    assert space.rows(picked.format(", simulated := false")) == real
    assert space.rows(picked.format(", simulated := true")) == [("sim-hasty", True)]
    chosen = space.bakeoff("select", "--json")
    assert {(row["model"], row["simulated"]) for row in json.loads(chosen.stdout)} == set(real)
    with_p95 = space.bakeoff("select", "--max-ttft-p95-ms", "600000", "--json")
    # A p95 that is not known never satisfies a limit.
    assert {row["workload"] for row in json.loads(with_p95.stdout)} == {"closed"}


def test_the_noise_was_judged_as_noise(measured: Measured) -> None:
    judged = measured.rows(
        "select judgement, status, count(*), max(score) from scores group by all order by all"
    )
    assert {judgement for judgement, *_ in judged} == {
        "correctness",
        "consistency",
        "code_quality",
        "clarity",
    }
    runnable = measured.value("select isolation from runs") is not None
    assert sum(n for _, status, n, _ in judged if status == "not_run") == 0 or not runnable
    assert measured.value("select count(*) from scores where (status = 'scored') <> (score is not null)") == 0
    assert measured.value("select count(*) from scores where status <> 'scored' and reason is null") == 0
    assert measured.value("select count(*) from scores where score not between 0 and 1") == 0
    if runnable:
        passed = """select count(*) from checks as k join answers as a using (run_id, cell_id, attempt, answer_id)
            where k.passed and a.case_kind in ('completion', 'debugging')"""
        assert measured.value(passed) == 0, "random weights do not write programs that pass tests"
