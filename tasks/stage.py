"""The one way in which a cell's stage becomes a Prefect task."""

from collections.abc import Callable
from typing import Any

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.run_log import say
from tasks.session import CellSession, StageOutcome
from warehouse.landing import LandingError


def stage_task(stage: str, run: Callable[..., StageOutcome]) -> Task[..., State[Any]]:
    """Wrap `run(session, ...)` as the task of `stage`: no cache, no retry, one log line.

    A stage that failed ends as a Failed state whose message is the reason; nothing is raised, so the log
    shows the reason and no traceback. A landing that cannot be written is also left in the session, for
    the flow to end the run with.
    """

    def body(session: CellSession, **arguments: Any) -> State[Any]:
        try:
            outcome = run(session, **arguments)
        except LandingError as error:
            session.landing_error = error
            say(str(error), ok=False)
            return Failed(message=str(error))
        work = session.work
        say(f"cell {work.cell_index}/{work.n_cells} · {stage}: {outcome.line}", ok=outcome.ok)
        return Completed(message=outcome.line) if outcome.ok else Failed(message=outcome.line)

    def run_name(parameters: dict[str, Any]) -> str:
        work = parameters["session"].work
        return f"{stage} · cell {work.cell_index}/{work.n_cells} · {work.model}"

    body.__doc__ = run.__doc__
    # Prefect's protocol for the name asks for a class method that no plain function has, and does without it.
    wrap = task(
        name=stage,
        task_run_name=run_name,  # type: ignore[arg-type]
        cache_policy=NO_CACHE,
        retries=0,
        persist_result=False,
    )
    return wrap(body)
