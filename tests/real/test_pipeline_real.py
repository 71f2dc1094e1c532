"""The whole pipeline on a real model server: how its cells end and what it stores, whatever the speed."""

import json
import os
import subprocess

import pynvml
import pytest

from tests.real.real_run import CLOSED, N_ANSWERS, OPEN, Measured

pytestmark = [pytest.mark.real, pytest.mark.prefect]


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
    assert reason is not None
    assert "NVML" in reason
    assert "\n" not in reason
    assert sources == [(None,)]
    assert vram == [(None, None)] * 4
    assert measured.value("select count(*) from stages where vram_before_mib is not null") == 0


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
