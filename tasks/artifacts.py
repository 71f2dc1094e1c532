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
from warehouse.store import open_warehouse


class ProgressArtifact:
    """The share of stages that have ended; updated once a stage, never during one."""

    def __init__(self, run_id: str, *, n_steps: int) -> None:
        self._n_steps = max(n_steps, 1)
        self._done = 0
        created = create_progress_artifact(0.0, key="bakeoff-progress", description=f"run {run_id}")
        self._id: UUID = created  # type: ignore[assignment]  # sync here; the stub says maybe a coroutine

    def step(self, text: str) -> None:
        """One more stage has ended."""
        self._done = min(self._done + 1, self._n_steps)
        update_progress_artifact(self._id, progress=100.0 * self._done / self._n_steps, description=text)

    def finish(self, text: str) -> None:
        """Nothing more will come."""
        update_progress_artifact(self._id, progress=100.0, description=text)


def publish_artifacts(warehouse: Path, run_id: str, report: str | None) -> None:
    """Put a markdown summary, the leaderboard and a link to the report beside the flow run."""
    with open_warehouse(warehouse, read_only=True) as store:
        data = report_data(store, run_id)
    create_markdown_artifact(run_summary(data, lang="en"), key="bakeoff-summary", description=f"run {run_id}")
    create_table_artifact(
        leaderboard_artifact(data.leaderboard), key="bakeoff-leaderboard", description=f"run {run_id}"
    )
    if report is not None:
        create_link_artifact(Path(report).as_uri(), key="bakeoff-report", link_text=f"Report of run {run_id}")
