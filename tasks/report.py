"""Render the report of a run."""

from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from reports.data import ReportError
from tasks.reporting import write_report
from warehouse.store import WarehouseError


@task(name="report", cache_policy=NO_CACHE, persist_result=False)
def render_report(warehouse: Path, folder: Path, run_id: str) -> State[None]:
    """Write the HTML report in English and Korean; the message is the English one's path."""
    try:
        path = write_report(warehouse, folder, run_id, lang="en")
        write_report(warehouse, folder, run_id, lang="ko")
    except (ReportError, WarehouseError) as error:
        get_run_logger().error(str(error))
        return Failed(message=str(error))
    get_run_logger().info(f"report: {path}")
    return Completed(message=str(path))
