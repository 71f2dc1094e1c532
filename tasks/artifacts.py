"""What a run shows in Prefect's UI: progress while it runs, a summary and a leaderboard when it has ended."""

from pathlib import Path
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from reports.markdown import leaderboard_artifact, run_summary
from tasks.reporting import report_data
from tasks.warehouse_wait import open_when_free


class ProgressArtifact:
    """The share of stages that have ended; updated once a stage, never during one.

    Args:
        run_id: shown beside the share.
        n_cells: how many cells will run.
        n_stages: how many stages each of them has at most.
    """

    def __init__(self, run_id: str, *, n_cells: int, n_stages: int) -> None:
        self._run_id = run_id
        self._n_cells = n_cells
        self._n_stages = n_stages
        self._cell = 0
        created = create_progress_artifact(0.0, key="bakeoff-progress", description=f"run {run_id}")
        self._id: UUID = created  # type: ignore[assignment]  # sync here; the stub says maybe a coroutine

    def begin_cell(self) -> None:
        """The next cell begins at its own share, also if the one before it has skipped stages."""
        self._cell += 1

    def stage_done(self, stage: int, text: str) -> None:
        """The `stage`-th stage of this cell has ended, counted from 1."""
        share = ((self._cell - 1) * self._n_stages + stage) / (self._n_cells * self._n_stages)
        self._show(100.0 * share, f"run {self._run_id} · cell {self._cell}/{self._n_cells} · {text}")

    def finish(self, text: str) -> None:
        """Nothing more will come."""
        self._show(100.0, f"run {self._run_id} · {text}")

    def _show(self, percent: float, description: str) -> None:
        update_progress_artifact(self._id, progress=percent, description=description)


def publish_artifacts(warehouse: Path, run_id: str, report: str | None) -> None:
    """Put a markdown summary, the leaderboard and a link to the report beside the flow run."""
    with open_when_free(warehouse, read_only=True) as store:
        data = report_data(store, run_id)
    # Said in each description: the table's own column of it lies beyond the right edge of the page.
    about = f"run {run_id} · SIMULATED" if data.run["simulated"] else f"run {run_id}"
    create_markdown_artifact(run_summary(data, lang="en"), key="bakeoff-summary", description=about)
    create_table_artifact(
        leaderboard_artifact(data.leaderboard), key="bakeoff-leaderboard", description=about
    )
    if report is not None:
        # A browser follows no link from a web page to a file, so the path is there to be copied.
        create_link_artifact(
            Path(report).as_uri(),
            key="bakeoff-report",
            link_text=report,
            description=f"{about} · open this file on the machine that ran it",
        )
