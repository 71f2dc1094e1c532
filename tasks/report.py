"""Render the report of a run."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from reports.data import ReportError
from tasks.reporting import write_report
from tasks.run_log import say
from tasks.warehouse_wait import WAIT_S
from warehouse.store import WarehouseError


@task(name="report", task_run_name="report", cache_policy=NO_CACHE, persist_result=False)
def render_report(warehouse: Path, folder: Path, run_id: str) -> State[None]:
    """Write the HTML report in English and Korean; the message is the English one's path."""
    try:
        path = write_report(warehouse, folder, run_id, lang="en", wait_s=WAIT_S)
        write_report(warehouse, folder, run_id, lang="ko", wait_s=WAIT_S)
    except (ReportError, WarehouseError) as error:
        say(str(error), ok=False)
        return Failed(message=str(error))
    say(f"report: {path}")
    return Completed(message=str(path))
