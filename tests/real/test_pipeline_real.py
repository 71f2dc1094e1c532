"""The whole pipeline on a real model server: what must hold whatever the machine's speed.

One run of six cells (two models and one that is not there, each under a closed and an open load) is made once
and looked at from all sides; the server is the managed `transformers serve` of .venv-real.
"""

import itertools
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pynvml
import pytest

from tests.pipeline.workspace import Workspace, command_of, new_workspace, processes_below, until_gone

pytestmark = [pytest.mark.real, pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

CLOSED, OPEN = 80, 12
"""Requests of the two loads: enough for a p95, and too few for one."""

ANSWER_TOKENS = 48
CASES, LANGUAGES, REPEATS = 4, 2, 2
N_ANSWERS = CASES * LANGUAGES * REPEATS

WORKLOADS = {
    "closed": {
        "arrivals": "closed",
        "concurrency": 2,
        "n_requests": CLOSED,
        "prompts": "short",
        "max_tokens": 8,
        "warm_up_requests": 2,
        # Longer than a request may take at all: each that succeeds is a good one.
        "slo": {"ttft_ms": 600_000},
    },
    "open": {
        "arrivals": "constant",
        "rate_rps": 4,
        "n_requests": OPEN,
        "prompts": "short",
        "max_tokens": 16,
        "warm_up_requests": 1,
    },
    "long": {
        "arrivals": "closed",
        "concurrency": 2,
        "n_requests": 60,
        "prompts": "short",
        "max_tokens": 32,
        "warm_up_requests": 1,
        "abort_error_rate": None,
    },
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The run's workspace, and what the command said."""

    space: Workspace
    done: subprocess.CompletedProcess[str]
    python: Path
    models: Mapping[str, Path]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.space.rows(sql)

    def value(self, sql: str) -> Any:
        ((value,),) = self.space.rows(sql)
        return value


def configure(space: Workspace, python: Path, env: Mapping[str, str], models: Mapping[str, Path]) -> None:
    """Name the real server and its models in the workspace's configuration."""
    kept = {name: value for name, value in env.items() if name not in ("HOME", "PATH")}
    # Several threads gain nothing on a model this small, and wait for each other where cores are few.
    kept |= {"OMP_NUM_THREADS": "1"}
    options = {
        "command": [str(python), "-m", "transformers.cli.transformers"],
        "args": ["--model-timeout=-1"],
        "env": kept,
    }
    target = {"kind": "transformers", "life": "managed", "options": options}
    space.edit("targets.yaml", lambda c: c["targets"].update(transformers=target))
    named = {
        name: {"served_name": str(path), "targets": ["transformers"], "family": "llama"}
        for name, path in models.items()
    }
    space.edit("models.yaml", lambda c: c["models"].update(named))
    space.edit("workloads.yaml", lambda c: c["workloads"].update(WORKLOADS))
    price = {"usd_per_hour": 3.6, "source": "the test", "as_of": "2026-01-01"}
    space.edit("prices.yaml", lambda c: c["prices"].update(transformers=price))


@pytest.fixture(scope="module")
def measured(
    tmp_path_factory: pytest.TempPathFactory,
    prefect_api: str,
    real_python: Path,
    offline_environment: Mapping[str, str],
    tiny_model: Path,
    other_model: Path,
) -> Measured:
    space = new_workspace(tmp_path_factory.mktemp("real"), prefect_api)
    models = {"tiny-a": tiny_model, "tiny-missing": space.root / "no-such-model", "tiny-b": other_model}
    configure(space, real_python, offline_environment, models)
    space.experiment(
        "real",
        matrix={"targets": ["transformers"], "models": list(models)},
        workloads=["closed", "open"],
        suites=[{"name": "coding-core", "tags": ["quick"]}],
        repeats=REPEATS,
        sampling={"max_tokens": ANSWER_TOKENS},
    )
    done = space.bakeoff("run", "real", limit_s=400)
    # Before anything else is started in this workspace: whatever the run started has ended with it.
    assert until_gone(str(space.root)) == []
    return Measured(space=space, done=done, python=real_python, models=models)


def test_one_missing_model_fails_its_cells_by_name_and_the_others_complete(measured: Measured) -> None:
    assert measured.done.returncode == 1, measured.done.stdout + measured.done.stderr
    assert "Traceback" not in measured.done.stdout + measured.done.stderr
    assert "2 of 6 cells failed" in measured.done.stderr
    assert measured.value("select status from runs") == "partial"
    cells = measured.rows(
        "select model, workload, outcome, failed_stage, reason from cells order by cell_index"
    )
    assert [cell[:4] for cell in cells] == [
        ("tiny-a", "closed", "completed", None),
        ("tiny-a", "open", "completed", None),
        ("tiny-missing", "closed", "failed", "load_model"),
        ("tiny-missing", "open", "failed", "load_model"),
        ("tiny-b", "closed", "completed", None),
        ("tiny-b", "open", "completed", None),
    ]
    for *_, outcome, _, reason in cells:
        assert (outcome == "failed") == (reason is not None)
        assert reason is None or ("no-such-model" in reason and "\n" not in reason)


def test_every_fact_table_has_real_rows_only(measured: Measured) -> None:
    tables = {name for (name,) in measured.rows("select table_name from duckdb_tables() where not internal")}
    marked = {
        name
        for (name,) in measured.rows(
            "select table_name from duckdb_columns() where column_name = 'simulated'"
        )
    } & tables
    assert tables - marked == {"schema_migrations"}
    counts = {
        table: measured.rows(
            f"select count(*), count(*) filter (simulated is distinct from false) from {table}"
        )[0]
        for table in sorted(marked)
    }
    assert {table: simulated for table, (_, simulated) in counts.items() if simulated} == {}
    n_rows = {table: rows for table, (rows, _) in counts.items()}
    assert n_rows["runs"] == n_rows["environments"] == n_rows["targets"] == n_rows["prices"] == 1
    assert (n_rows["models"], n_rows["workloads"], n_rows["suites"]) == (3, 2, 1)
    assert n_rows["cells"] == 6
    assert n_rows["stages"] == 4 * 7 + 2 * 3
    assert n_rows["requests"] == 2 * (CLOSED + 2 + OPEN + 1)
    assert n_rows["answers"] == 4 * N_ANSWERS
    assert n_rows["scores"] == 4 * N_ANSWERS * 4
    assert n_rows["checks"] >= 4 * N_ANSWERS
    assert n_rows["host_samples"] > 0
    assert n_rows["server_samples"] == 0, "this server publishes no metrics"
    assert n_rows["trace_exports"] == 1, "that nothing was exported is remembered too"
    assert n_rows["landings"] > 0
    assert (n_rows["gpu_samples"] > 0) == nvml_offers_a_card()


def nvml_offers_a_card() -> bool:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    try:
        return bool(pynvml.nvmlDeviceGetCount() > 0)
    finally:
        pynvml.nvmlShutdown()


def test_without_a_card_gpu_columns_are_null_and_the_run_says_why_once(measured: Measured) -> None:
    reason = measured.value("select gpu_reason from runs")
    sources = measured.rows("select distinct gpu_source from cells")
    vram = measured.rows(
        "select vram_after_load_mib, vram_peak_mib from leaderboard where outcome = 'completed'"
    )
    if nvml_offers_a_card():
        assert reason is None
        assert sources == [("nvml",)]
        assert all(after is not None and peak is not None for after, peak in vram)
        return
    assert "NVML" in reason
    assert "\n" not in reason
    assert sources == [(None,)]
    assert vram == [(None, None)] * 4
    assert measured.value("select count(*) from stages where vram_before_mib is not null") == 0


def test_every_intended_request_is_a_row_and_the_open_load_is_sent_on_time(measured: Measured) -> None:
    counted = measured.rows(
        """select c.workload, r.phase, count(*), count(*) filter (r.outcome = 'ok')
        from requests as r join cells as c using (run_id, cell_id, attempt)
        group by c.cell_index, c.workload, r.phase order by c.cell_index, r.phase"""
    )
    of_one_model = [
        ("closed", "load_test", CLOSED, CLOSED),
        ("closed", "warm_up", 2, 2),
        ("open", "load_test", OPEN, OPEN),
        ("open", "warm_up", 1, 1),
    ]
    assert counted == of_one_model * 2
    steps = measured.rows(
        """select distinct step_ns from (
            select r.intended_ns - lag(r.intended_ns) over (partition by r.cell_id order by r.intended_ns) as step_ns
            from requests as r join cells as c using (run_id, cell_id, attempt)
            where c.workload = 'open' and r.phase = 'load_test'
        ) where step_ns is not null"""
    )
    assert steps == [(250_000_000,)]


def test_stamps_are_ordered_and_no_first_token_is_later_than_its_reply(measured: Measured) -> None:
    order = (
        "intended_ns",
        "sent_ns",
        "headers_ns",
        "first_byte_ns",
        "first_token_ns",
        "last_token_ns",
        "closed_ns",
    )
    ordered = " and ".join(f"{a} <= {b}" for a, b in itertools.pairwise(order))
    assert measured.value(f"select count(*) from requests where not coalesce({ordered}, false)") == 0
    assert (
        measured.value("select count(*) from request_metrics where not coalesce(ttft_ms <= e2e_ms, false)")
        == 0
    )
    assert measured.value("select count(*) from request_metrics where not coalesce(ttft_ms > 0, false)") == 0
    # Each chunk has its own stamp, in the order of arrival, the first and the last being those of the row.
    assert (
        measured.value(
            """select count(*) from requests where not coalesce(
                len(chunk_offsets_ns) = content_chunks
                and chunk_offsets_ns = list_sort(chunk_offsets_ns)
                and sent_ns + chunk_offsets_ns[1] = first_token_ns
                and sent_ns + chunk_offsets_ns[-1] = last_token_ns, false)"""
        )
        == 0
    )
    # One clock: a request lies inside its own stage.
    assert (
        measured.value(
            """select count(*) from requests as r join stages as s
                on r.run_id = s.run_id and r.cell_id = s.cell_id and r.attempt = s.attempt and r.phase = s.stage
            where not coalesce(s.started_ns <= r.intended_ns and r.closed_ns <= s.ended_ns, false)"""
        )
        == 0
    )


def test_token_counts_are_those_of_usage(measured: Measured) -> None:
    wrong = """select count(*) from requests where not coalesce(
        tokens_out_source = 'usage' and tokens_out = tokens_out_usage and tokens_in > 0
        and content_chunks between 0 and tokens_out and tokens_out between 1 and max_tokens
        and finish_reason in ('length', 'stop') and (finish_reason = 'length') = (tokens_out = max_tokens), false)"""
    assert measured.value(wrong) == 0
    wrong = f"""select count(*) from answers where not coalesce(
        outcome = 'ok' and tokens_out_source = 'usage' and tokens_out between 1 and {ANSWER_TOKENS}, false)"""
    assert measured.value(wrong) == 0


def test_prompts_were_counted_as_the_models_own_tokenizer_counts_them(measured: Measured) -> None:
    for model in ("tiny-a", "tiny-b"):
        asked = measured.rows(
            f"""select distinct a.prompt, a.tokens_in from answers as a join cells as c using (run_id, cell_id, attempt)
            where c.model = '{model}'"""
        )
        assert len(asked) == CASES * LANGUAGES
        told = subprocess.run(
            [measured.python, Path(__file__).with_name("count_tokens.py"), measured.models[model]],
            input=json.dumps([prompt for prompt, _ in asked]),
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            timeout=120,
        )
        assert [tokens for _, tokens in asked] == json.loads(told.stdout)


def test_each_model_was_asked_itself(measured: Measured) -> None:
    echoes = measured.rows(
        """select distinct c.model, r.model_echo
        from requests as r join cells as c using (run_id, cell_id, attempt) order by all"""
    )
    assert echoes == [(m, f"{measured.models[m]}@main") for m in ("tiny-a", "tiny-b")]
    texts = measured.rows(
        """select c.model, list(a.text order by a.answer_id) from answers as a
        join cells as c using (run_id, cell_id, attempt) where c.workload = 'open' group by c.model"""
    )
    assert texts[0][1] != texts[1][1], "other weights, other text"


def test_loads_are_real_and_timed(measured: Measured) -> None:
    loads = measured.rows(
        """select c.model, s.outcome, s.process_ready_ms, s.model_ready_ms, s.duration_ms
        from stages as s join cells as c using (run_id, cell_id, attempt)
        where s.stage = 'load_model' order by c.cell_index"""
    )
    assert [(model, outcome) for model, outcome, *_ in loads] == [
        *[("tiny-a", "ok")] * 2,
        *[("tiny-missing", "failed")] * 2,
        *[("tiny-b", "ok")] * 2,
    ]
    # One process served all cells; each cell loaded its model anew.
    assert loads[0][2] > 0
    assert [process_ready_ms for *_, process_ready_ms, _, _ in loads[1:]] == [None] * 5
    for _, outcome, process_ready_ms, model_ready_ms, duration_ms in loads:
        if outcome == "ok":
            assert model_ready_ms > 0
            assert (process_ready_ms or 0) + model_ready_ms <= duration_ms
        else:
            assert model_ready_ms is None
    firsts = measured.rows("select first_request_ms from stages where stage = 'warm_up'")
    assert len(firsts) == 4
    assert all(first_ms > 0 for (first_ms,) in firsts)


def test_where_it_ran_is_remembered(measured: Measured) -> None:
    told = subprocess.run(
        [measured.python, "-c", "import transformers; print(transformers.__version__)"],
        stdout=subprocess.PIPE, check=True, text=True, timeout=120,
    )  # fmt: skip
    versions = measured.rows("select distinct server_version from cells where outcome = 'completed'")
    assert versions == [(told.stdout.strip(),)]
    ((cpus, memory_mib, packages, isolation, isolation_reason),) = measured.rows(
        """select cpu_count, memory_mib, packages, isolation, isolation_reason
        from environments join runs using (run_id)"""
    )
    assert cpus == os.cpu_count()
    assert memory_mib > 0
    assert {"httpx", "prefect", "duckdb"} <= set(json.loads(packages))
    assert (isolation is None) == (isolation_reason is not None)


def test_the_host_was_sampled_in_every_stage_that_lasts(measured: Measured) -> None:
    sampled = measured.rows(
        """select c.cell_index, list(distinct h.stage order by h.stage)
        from host_samples as h join cells as c using (run_id, cell_id, attempt)
        where c.outcome = 'completed' group by c.cell_index order by c.cell_index"""
    )
    assert [index for index, _ in sampled] == [1, 2, 5, 6]
    assert all({"load_test", "answer"} <= set(stages) for _, stages in sampled)
    outside = """select count(*) from host_samples as h join stages as s using (run_id, cell_id, attempt, stage)
        where not coalesce(h.t_ns >= s.started_ns and h.memory_used_mib > 0 and h.client_rss_mib > 0, false)"""
    assert measured.value(outside) == 0


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


def test_pick_model_never_mixes_the_simulator_in(measured: Measured) -> None:
    done = measured.space.bakeoff("run", "tiny", "--model", "sim-hasty")
    assert done.returncode == 0, done.stdout + done.stderr
    picked = "select distinct model, simulated from pick_model(null, null, null{}) order by model"
    real = [("tiny-a", False), ("tiny-b", False)]
    assert measured.rows(picked.format("")) == real
    assert measured.rows(picked.format(", simulated := false")) == real
    assert measured.rows(picked.format(", simulated := true")) == [("sim-hasty", True)]
    chosen = measured.space.bakeoff("select", "--json")
    assert {(row["model"], row["simulated"]) for row in json.loads(chosen.stdout)} == set(real)
    with_p95 = measured.space.bakeoff("select", "--max-ttft-p95-ms", "600000", "--json")
    # A p95 that is not known never satisfies a limit.
    assert {row["workload"] for row in json.loads(with_p95.stdout)} == {"closed"}


def test_server_killed_in_the_load_test_fails_its_cell_and_is_started_again_for_the_next(
    workspace: Workspace,
    real_python: Path,
    offline_environment: Mapping[str, str],
    tiny_model: Path,
    other_model: Path,
) -> None:
    configure(workspace, real_python, offline_environment, {"tiny-a": tiny_model, "tiny-b": other_model})
    workspace.experiment(
        "killed", matrix={"targets": ["transformers"], "models": ["tiny-a", "tiny-b"]}, workloads=["long"]
    )
    process = workspace.start("run", "killed")
    workspace.wait_for(lambda event: event["kind"] == "load" and event["ok"] > 0, process)
    (server,) = [
        pid
        for pid in processes_below(str(workspace.root))
        if "transformers.cli.transformers serve" in command_of(pid) and "watchdog" not in command_of(pid)
    ]
    os.kill(server, signal.SIGKILL)
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
