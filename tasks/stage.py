"""The one way in which a cell's stage becomes a Prefect task."""

from collections.abc import Callable
from typing import Any

from prefect import Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

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
            get_run_logger().error(str(error))
            return Failed(message=str(error))
        line = f"cell {session.work.cell_index} of {session.work.n_cells}: {stage}: {outcome.line}"
        if outcome.ok:
            get_run_logger().info(line)
            return Completed(message=outcome.line)
        get_run_logger().error(line)
        return Failed(message=outcome.line)

    body.__doc__ = run.__doc__
    wrap = task(name=stage, cache_policy=NO_CACHE, retries=0, persist_result=False)
    return wrap(body)
