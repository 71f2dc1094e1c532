"""Take the landings into the warehouse."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.run_log import say
from tasks.warehouse_wait import open_when_free
from warehouse.store import WarehouseError


@task(name="ingest", task_run_name="ingest", cache_policy=NO_CACHE, persist_result=False)
def ingest(warehouse: Path, landing_root: Path) -> State[None]:
    """Ingest every landing that is not in yet; a locked or broken warehouse loses nothing."""
    try:
        with open_when_free(warehouse) as store:
            report = store.ingest(landing_root)
    except WarehouseError as error:
        line = f"{error}; the landings wait, `bakeoff ingest` takes them later"
        say(line, ok=False)
        return Failed(message=line)
    for path, reason in report.skipped:
        say(f"landing left out: {path}: {reason}", ok=False)
    line = f"{sum(report.rows_by_table.values())} rows of {report.stages_ingested} stages ingested"
    say(line)
    return Completed(message=line)
