"""What a run's cells name, each with a flag of its own: a run may mix simulated and real targets."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluators.sandbox import Sandbox
from flows.config import ROOT, load_catalog, load_experiment
from flows.plan import plan_cells
from flows.setup import PreparedRun, dimensions, run_row
from tasks.run_record import recorded_run
from warehouse.store import open_warehouse

CATALOG = load_catalog(ROOT / "configs")
EXPERIMENT = load_experiment(ROOT / "configs" / "experiments" / "quick-start.yaml", CATALOG)


def prepared(data: Path, **matrix: list[str]) -> PreparedRun:
    """A run of the shipped configuration with a real target beside the simulator, and a model that runs on both."""
    anywhere = CATALOG.models["sim-hasty"].model_copy(update={"targets": None})
    catalog = replace(CATALOG, models={**CATALOG.models, "both": anywhere})
    chosen = EXPERIMENT.model_copy(update={"matrix": EXPERIMENT.matrix.model_copy(update=matrix)})
    plan = plan_cells(chosen, catalog)
    return PreparedRun(
        run_id="R1",
        part="1",
        experiment=chosen,
        catalog=catalog,
        plan=plan,
        todo=plan.cells,
        kept={},
        attempts={},
        targets={},
        config_hash="x",
        simulated=True,
        data=data,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def flags(run: PreparedRun, data: Path) -> dict[str, dict[str, bool]]:
    """Name -> simulated of each table, through landing and warehouse."""
    place: dict[str, Any] = {"run_id": "R1", "part": "1", "simulated": run.simulated, "root": ROOT}
    rows: dict[str, Any] = {"row": run_row(run), "dimensions": dimensions(run)}
    with recorded_run(data / "landing", **place, **rows, sandbox=Sandbox()) as ends:
        assert ends == []
    with open_warehouse(data / "w.duckdb") as warehouse:
        assert warehouse.ingest(data / "landing").skipped == []
        keys = {"targets": "target", "prices": "target", "models": "model", "workloads": "workload"}
        keys |= {"suites": "suite", "runs": "run_id", "environments": "run_id"}
        return {t: dict(warehouse.sql(f"select {k}, simulated from {t}")[1]) for t, k in keys.items()}


def test_in_a_mixed_run_each_row_has_its_own_flag(tmp_path: Path) -> None:
    run = prepared(tmp_path, targets=["simulator", "my-server"], models=["sim-hasty", "both"])
    assert {(c.target, c.model) for c in run.plan.cells} >= {
        ("simulator", "sim-hasty"),
        ("my-server", "both"),
    }
    found = flags(run, tmp_path)
    assert found["targets"] == {"simulator": True, "my-server": False}
    assert found["models"] == {"sim-hasty": True, "both": False}
    assert set(found["workloads"].values()) == {False}
    assert set(found["suites"].values()) == {False}
    assert all(simulated == (target == "simulator") for target, simulated in found["prices"].items())
    assert found["runs"] == found["environments"] == {"R1": True}


def test_in_a_simulated_run_everything_is_simulated(tmp_path: Path) -> None:
    run = prepared(tmp_path, targets=["simulator"], models=["sim-hasty"])
    assert {flag for table in flags(run, tmp_path).values() for flag in table.values()} == {True}
