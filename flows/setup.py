"""From a request to a run that can start: configuration read, cells planned, finished ones left out."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from bench.backends import open_backend
from bench.backends.base import Target
from bench.driver import Load
from bench.errors import BackendError
from flows import config
from flows.config import Catalog
from flows.identity import check_run_id, experiment_id, new_run_id
from flows.plan import Cell, Plan, chosen_cases, config_hash, plan_cells
from flows.schema import Experiment, Name, Strict, WorkloadConfig
from flows.yaml_lines import ConfigError, Document
from tasks.records import ModelRow, PriceRow, RunRow, SuiteRow, TargetRow, WorkloadRow
from tasks.run_record import finished_cells, last_attempts
from tasks.session import CellWork
from warehouse.landing import LandingError, read_landed


class Overrides(Strict):
    """What one run does differently from its experiment file; absent means as the file says."""

    targets: list[Name] | None = Field(
        default=None, description="Only these targets (servers), by their names in targets.yaml."
    )
    models: list[Name] | None = Field(
        default=None, description="Only these models, by their names in models.yaml."
    )
    workloads: list[Name] | None = Field(
        default=None, description="These load shapes instead of the file's, by their names in workloads.yaml."
    )
    repeats: int | None = Field(
        default=None, ge=1, le=100, description="Answers to each question, 1 to 100; consistency needs 2."
    )


def checked_overrides(**values: Any) -> Overrides:
    """Overrides from a command line.

    Raises:
        ConfigError: a value is not one that the field can take; in one line.
    """
    try:
        return Overrides.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where}: {first['msg']}, got {first['input']!r}") from None


class Request(Strict):
    """What somebody asks to be run. `run_id` is drawn if absent; `resume` names a run that was killed."""

    experiment: str = "quick-start"
    overrides: Overrides = Overrides()
    resume: str | None = None
    retry_failed: bool = False
    run_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class PreparedRun:
    """A run that can start. `part` names its landing parts; `todo` are the cells still to run."""

    run_id: str
    part: str
    experiment: Experiment
    catalog: Catalog
    plan: Plan
    todo: tuple[Cell, ...]
    kept: Mapping[str, str]
    attempts: Mapping[str, int]
    targets: Mapping[str, Target]
    config_hash: str
    simulated: bool
    data: Path
    started_at: datetime

    @property
    def landing_root(self) -> Path:
        """Where the stages of all runs land."""
        return self.data / "landing"

    @property
    def log_dir(self) -> Path:
        """Where this run's logs lie."""
        return self.data / "logs" / self.run_id


def prepare(request: Request) -> PreparedRun:
    """Read the configuration and plan the run, or what is left of the run to resume. Writes nothing.

    Raises:
        ConfigError: a mistake in the configuration or the request.
    """
    catalog = config.load_catalog(config.config_dir())
    data = config.data_dir()
    now = datetime.now(UTC)
    if request.resume is not None:
        return _resumed(check_run_id(request.resume), catalog, data, now, retry_failed=request.retry_failed)
    path = config.experiment_path(request.experiment, catalog.folder)
    chosen = override(config.load_experiment(path, catalog), request.overrides, catalog)
    plan = plan_cells(chosen, catalog)
    if not plan.cells:
        why = "; ".join(skip.reason for skip in plan.skipped)
        raise ConfigError(f"{path}: matrix: no cell is left to run: {why}")
    return PreparedRun(
        run_id=check_run_id(request.run_id) if request.run_id else new_run_id(now),
        part="1",
        experiment=chosen,
        catalog=catalog,
        plan=plan,
        todo=plan.cells,
        kept={},
        attempts={},
        targets=_targets(plan.cells, catalog),
        config_hash=config_hash(chosen, catalog),
        simulated=_simulated(plan.cells, catalog),
        data=data,
        started_at=now,
    )


def override(experiment: Experiment, overrides: Overrides, catalog: Catalog) -> Experiment:
    """The experiment with the request's changes, its names checked again.

    Raises:
        ConfigError: a changed name is not in the catalog.
    """
    changes: dict[str, Any] = {}
    matrix = {k: v for k, v in (("targets", overrides.targets), ("models", overrides.models)) if v}
    if matrix:
        changes["matrix"] = experiment.matrix.model_copy(update=matrix)
    if overrides.workloads:
        changes["workloads"] = overrides.workloads
    if overrides.repeats:
        changes["repeats"] = overrides.repeats
    changed = experiment.model_copy(update=changes)
    config.check_names(changed, catalog, Document(Path("(overrides)"), {}, {}))
    return changed


def _resumed(run_id: str, catalog: Catalog, data: Path, now: datetime, *, retry_failed: bool) -> PreparedRun:
    landing = data / "landing"
    if not (landing / run_id).is_dir():
        raise ConfigError(f"run {run_id}: nothing of it has landed in {landing}; start it anew")
    try:
        (row,) = read_landed(landing, run_id=run_id, cell_id="run", attempt=0, stage="open-1", table="runs")
        ended, attempts = finished_cells(landing, run_id), last_attempts(landing, run_id)
    except LandingError as error:
        raise ConfigError(f"run {run_id}: cannot be resumed: {error}; start it anew") from None
    try:
        experiment = Experiment.model_validate_json(row["experiment"])
    except ValidationError:
        raise ConfigError(f"run {run_id}: its experiment is of another version of bakeoff") from None
    config.check_names(experiment, catalog, Document(Path(f"(run {run_id})"), {}, {}))
    now_hash = config_hash(experiment, catalog)
    if now_hash != row["config_hash"]:
        raise ConfigError(
            f"run {run_id}: the configuration has changed since it started "
            f"({row['config_hash'][:12]} then, {now_hash[:12]} now); undo the change or start a new run"
        )
    plan = plan_cells(experiment, catalog)
    kept = {c: o for c, o in ended.items() if o == "completed" or not retry_failed}
    todo = tuple(cell for cell in plan.cells if cell.cell_id not in kept)
    parts = len(list((landing / run_id / "run" / "0").glob("open-*")))
    return PreparedRun(
        run_id=run_id,
        part=str(parts + 1),
        experiment=experiment.model_copy(update={"id": row["experiment_id"]}),
        catalog=catalog,
        plan=plan,
        todo=todo,
        kept=kept,
        attempts=attempts,
        targets=_targets(todo, catalog),
        config_hash=now_hash,
        simulated=row["simulated"],
        data=data,
        started_at=row["started_at"],
    )


def _targets(cells: Iterable[Cell], catalog: Catalog) -> dict[str, Target]:
    """The targets of `cells`, their options checked by the backends that will take them."""
    names = dict.fromkeys(cell.target for cell in cells)
    targets = {name: config.open_target(name, catalog.targets[name], os.environ) for name in names}
    for target in targets.values():
        try:
            open_backend(target)
        except BackendError as error:
            raise ConfigError(f"{catalog.folder / 'targets.yaml'}: {error}") from None
    return targets


def _simulated(cells: Iterable[Cell], catalog: Catalog) -> bool:
    return any(catalog.targets[cell.target].kind == "simulator" for cell in cells)


def run_row(run: PreparedRun) -> RunRow:
    """The run's row as it starts; draws the experiment's id if the file names none."""
    experiment = run.experiment
    return RunRow(
        experiment_id=experiment_id(experiment.id, experiment.name, run.data / "ids", run.started_at),
        experiment_name=experiment.name,
        owner=experiment.owner,
        purpose=experiment.purpose,
        hypothesis=experiment.hypothesis,
        expected_result=experiment.expected_result,
        tags=experiment.tags,
        priority=experiment.priority,
        goals=json.dumps([goal.model_dump() for goal in experiment.goals]),
        experiment=experiment.model_dump_json(),
        config_hash=run.config_hash,
        seed=experiment.seed,
        n_cells=len(run.plan.cells),
        started_at=run.started_at,
        ended_at=None,
        status="running",
        reason=None,
        isolation=None,
        isolation_reason=None,
        gpu_reason=None,
    )


def dimensions(run: PreparedRun) -> dict[bool, dict[str, list[Any]]]:
    """Rows for everything that the run's cells name, by whether only simulated cells name it."""
    real = [c for c in run.plan.cells if run.catalog.targets[c.target].kind != "simulator"]
    used = {(key, getattr(c, key)) for c in real for key in ("target", "model", "workload")}
    if real:
        used |= {("suite", choice.name) for choice in run.experiment.suites}
    parts: dict[bool, dict[str, list[Any]]] = {False: {}, True: {}}
    for table, rows in _named(run).items():
        key = "target" if table == "prices" else table.removesuffix("s")
        for row in rows:
            parts[(key, getattr(row, key)) not in used].setdefault(table, []).append(row)
    return {simulated: tables for simulated, tables in parts.items() if tables}


def _named(run: PreparedRun) -> dict[str, list[Any]]:
    catalog, cells = run.catalog, run.plan.cells
    targets = {c.target: catalog.targets[c.target] for c in cells}
    models = {c.model: catalog.models[c.model] for c in cells}
    workloads = {c.workload: catalog.workloads[c.workload] for c in cells}
    suites = {c.name: catalog.suites[c.name] for c in run.experiment.suites}
    fields = ("served_name", "family", "parameters_b", "quantisation", "context_tokens", "licence", "note")
    shape = ("arrivals", "rate_rps", "concurrency", "n_requests", "duration_s", "max_tokens")
    return {
        "targets": [
            TargetRow(target=n, kind=t.kind, base_url=t.base_url, life=t.life) for n, t in targets.items()
        ],
        "models": [ModelRow(model=n, **{f: getattr(m, f) for f in fields}) for n, m in models.items()],
        "workloads": [
            WorkloadRow(workload=n, prompt_set=w.prompts, **{f: getattr(w, f) for f in shape})
            for n, w in workloads.items()
        ],
        "suites": [
            SuiteRow(suite=n, version=s.version, content_hash=s.content_hash, n_cases=len(s.cases))
            for n, s in suites.items()
        ],
        "prices": [
            PriceRow(target=n, usd_per_hour=p.usd_per_hour, source=p.source, as_of=p.as_of)
            for n, p in catalog.prices.items()
            if n in targets
        ],
    }


def label(cell: Cell) -> str:
    """A cell in words: model, target, settings if any, workload."""
    settings = ", ".join(f"{key}={value}" for key, value in cell.settings.items())
    return " ".join(part for part in (cell.model, "on", cell.target, settings, f"({cell.workload})") if part)


def cell_work(run: PreparedRun, cell: Cell) -> CellWork:
    """What the stages of one cell need to know."""
    catalog, experiment = run.catalog, run.experiment
    load = catalog.workloads[cell.workload]
    served = catalog.models[cell.model].served_name or cell.model
    attempt = run.attempts.get(cell.cell_id, 0) + 1
    suites = {choice.name: catalog.suites[choice.name] for choice in experiment.suites}
    return CellWork(
        run_id=run.run_id,
        cell_id=cell.cell_id,
        attempt=attempt,
        cell_index=cell.index,
        n_cells=len(run.plan.cells),
        simulated=catalog.targets[cell.target].kind == "simulator",
        model=cell.model,
        served_name=served,
        settings=cell.settings,
        workload=cell.workload,
        load=_load(run, load, served, "load_test"),
        warm_up=_load(run, load, served, "warm_up"),
        cases={
            name: (suite, [c for c in suite.cases if c.case_id in chosen_cases(experiment, catalog, name)])
            for name, suite in suites.items()
        },
        repeats=experiment.repeats,
        temperature=experiment.sampling.temperature,
        top_p=experiment.sampling.top_p,
        max_tokens=experiment.sampling.max_tokens,
        seed=experiment.sampling.seed,
        answer_concurrency=experiment.sampling.concurrency,
        weights=experiment.weights.model_dump(),
        slo=load.slo.model_dump(),
        landing_root=run.landing_root,
        log_dir=run.log_dir / cell.cell_id / str(attempt),
    )


def _load(run: PreparedRun, load: WorkloadConfig, served_name: str, phase: str) -> Load:
    """The cell's load test, or its warm-up: the same prompts' shape, one after another, other salt."""
    warm = phase == "warm_up"
    prompts = [p for p in run.catalog.prompt_sets[load.prompts] if p.language in load.languages]
    return Load(
        phase=phase,
        arrivals="closed" if warm else load.arrivals,
        concurrency=1 if warm else load.concurrency,
        rate_rps=None if warm else load.rate_rps,
        n_requests=load.warm_up_requests if warm else load.n_requests,
        duration_s=None if warm else load.duration_s,
        prompts=prompts,
        prompt_set=load.prompts,
        model=served_name,
        max_tokens=load.max_tokens,
        temperature=run.experiment.sampling.temperature,
        top_p=run.experiment.sampling.top_p,
        seed=run.experiment.seed + (1 if warm else 0),
        abort_error_rate=None if warm else load.abort_error_rate,
    )
