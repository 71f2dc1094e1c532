"""One attempt at one cell: its server, its sampler and its landings, shared by the cell's stages."""

import json
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.backends.base import Backend
from bench.driver import Load
from bench.errors import BenchError
from bench.telemetry.sampler import Sampler
from evaluators.sandbox import Sandbox
from evaluators.suites import Case, Suite
from tasks.progress import ProgressLog
from tasks.records import CellRow, StageRow
from warehouse.landing import LandingError, land_stage


@dataclass(frozen=True, kw_only=True)
class CellWork:
    """All that the stages of a cell need to know, as plain data.

    `cases` maps a suite's name to the suite and the cases of it that are asked.
    """

    run_id: str
    cell_id: str
    attempt: int
    cell_index: int
    n_cells: int
    simulated: bool
    model: str
    served_name: str
    settings: Mapping[str, Any]
    workload: str
    load: Load
    warm_up: Load
    cases: Mapping[str, tuple[Suite, Sequence[Case]]]
    repeats: int
    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    answer_concurrency: int
    weights: Mapping[str, float]
    slo: Mapping[str, float | None]
    landing_root: Path
    log_dir: Path


@dataclass(frozen=True, kw_only=True)
class StageYield:
    """What a stage's work gives: rows by table, and what its own row says.

    `failure` is the one-line reason of a stage that failed and still has rows to keep.
    """

    line: str
    tables: Mapping[str, Iterable[Any]] = field(default_factory=dict)
    failure: str | None = None
    process_ready_ms: float | None = None
    model_ready_ms: float | None = None
    first_request_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class StageOutcome:
    """How a stage ended: one line for people, and whether the cell may go on."""

    stage: str
    ok: bool
    line: str


class CellSession:
    """Samples from entry to `end_sampling`, marks the samples with the stage, lands every stage."""

    def __init__(self, work: CellWork, backend: Backend, progress: ProgressLog, sandbox: Sandbox) -> None:
        self.work = work
        self.backend = backend
        self.progress = progress
        self.sandbox = sandbox
        self.server_version: str | None = None
        self.landing_error: LandingError | None = None
        self._sampling_ended = False
        self._last_vram_mib: float | None = None
        self.started_at = datetime.now(UTC)
        self.clock = (time.monotonic_ns(), time.time_ns())
        simulated = work.simulated
        self.sampler = Sampler(
            log_path=work.log_dir / "telemetry.jsonl",
            fetch_metrics=backend.server_metrics,
            gpu="simulated" if simulated else "nvml" if backend.local else None,
            pids=backend.pids,
        )

    def __enter__(self) -> Self:
        self.work.log_dir.mkdir(parents=True, exist_ok=True)
        self.sampler.__enter__()
        try:
            self.land("open", {"cells": [self.cell_row("running", None, None)]})
        except BaseException:
            # Nobody leaves a block that was not entered, and the sampler's threads would sample on.
            self.end_sampling()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._sampling_ended:
            self.sampler.__exit__(kind, value, trace)

    @property
    def gpu_reason(self) -> str | None:
        """Why this cell has no GPU columns, or None if it has."""
        if not self.work.simulated and not self.backend.local:
            return f"target {self.backend.target.name} runs on another host"
        return self.sampler.gpu_reason

    def stage(self, stage: str, do: Callable[[], StageYield]) -> StageOutcome:
        """Run one stage's work and land what it gave, also when it failed.

        This is the cell's boundary: a `BenchError` becomes the stage's reason as it is; any other exception
        is a broken assumption, fails this cell only, and leaves its traceback beside the cell's logs.

        Raises:
            LandingError: the rows could not be written; the run cannot go on.
        """
        self.sampler.stage = stage
        self.progress.event("stage", stage=stage, cell_id=self.work.cell_id)
        vram_before_mib = self._vram_mib()
        started_ns = time.monotonic_ns()
        try:
            given = do()
        except BenchError as error:
            given = StageYield(line=str(error), failure=str(error))
        except Exception as error:
            given = self._broken(stage, error)
        ended_ns = time.monotonic_ns()
        row = StageRow(
            stage=stage,
            outcome="failed" if given.failure else "ok",
            reason=given.failure,
            started_ns=started_ns,
            ended_ns=ended_ns,
            duration_ms=(ended_ns - started_ns) / 1e6,
            vram_before_mib=vram_before_mib,
            vram_after_mib=self._vram_mib(),
            process_ready_ms=given.process_ready_ms,
            model_ready_ms=given.model_ready_ms,
            first_request_ms=given.first_request_ms,
        )
        self.land(stage, {**given.tables, "stages": [row]})
        self.progress.event(
            "stage_done", stage=stage, ok=not given.failure, line=given.line, cell_id=self.work.cell_id
        )
        return StageOutcome(stage=stage, ok=not given.failure, line=given.line)

    def end_sampling(self) -> None:
        """Take a last reading and close the samples; what comes after is not sampled."""
        self._last_vram_mib = self._vram_mib()
        self._sampling_ended = True
        self.sampler.__exit__(None, None, None)

    def _vram_mib(self) -> float | None:
        """Memory in use now, or the last reading; a simulated card goes with its server."""
        if self._sampling_ended:
            return self._last_vram_mib
        if self.work.simulated and not self.backend.alive():
            return None
        return self.sampler.vram_mib()

    def _broken(self, stage: str, error: Exception) -> StageYield:
        path = self.work.log_dir / f"{stage}.traceback.txt"
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        line = f"unexpected {type(error).__name__}: {error}"
        return StageYield(line=line, failure=" ".join(line.split())[:300])

    def land(self, stage: str, tables: Mapping[str, Iterable[Any]]) -> None:
        """Write one stage's rows into the landing."""
        land_stage(
            self.work.landing_root,
            run_id=self.work.run_id,
            cell_id=self.work.cell_id,
            attempt=self.work.attempt,
            stage=stage,
            simulated=self.work.simulated,
            tables=tables,
        )

    def cell_row(self, outcome: str, failed_stage: str | None, reason: str | None) -> CellRow:
        """The cell's own row: written as running when it begins, again when it ends."""
        work, target = self.work, self.backend.target
        return CellRow(
            cell_index=work.cell_index,
            target=target.name,
            target_kind=target.kind,
            life=target.life,
            model=work.model,
            settings=json.dumps(dict(work.settings), sort_keys=True),
            workload=work.workload,
            suites=list(work.cases),
            repeats=work.repeats,
            sampling=json.dumps(
                {"temperature": work.temperature, "top_p": work.top_p, "max_tokens": work.max_tokens}
                | {"seed": work.seed}
            ),
            weight_correctness=work.weights["correctness"],
            weight_consistency=work.weights["consistency"],
            weight_code_quality=work.weights["code_quality"],
            weight_clarity=work.weights["clarity"],
            slo_ttft_ms=work.slo["ttft_ms"],
            slo_tpot_ms=work.slo["tpot_ms"],
            slo_e2e_ms=work.slo["e2e_ms"],
            outcome=outcome,
            failed_stage=failed_stage,
            reason=reason,
            started_at=self.started_at,
            ended_at=None if outcome == "running" else datetime.now(UTC),
            clock_monotonic_ns=self.clock[0],
            clock_unix_ns=self.clock[1],
            server_version=self.server_version,
            gpu_source=self.sampler.gpu_source,
            gpu_reason=self.gpu_reason,
        )
