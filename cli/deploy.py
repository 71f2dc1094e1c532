"""Prepares a Prefect server of our own: concurrency limit, work pool, deployments of prefect.yaml.

Started by `bakeoff serve` with the pool's name, in the environment of the server that it has just started.
"""

import subprocess
import sys

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectAlreadyExists
from prefect.states import Crashed

from cli.measure import API_WAIT_S, prepare_api

ALIVE = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


def main() -> int:
    """Do it; exit with the status of `prefect deploy`."""
    prepare_api(API_WAIT_S, own=True)
    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(WorkPoolCreate(name=sys.argv[1], type="process"))
        except ObjectAlreadyExists:
            print(f"work pool {sys.argv[1]} is there already")
        bury(client)
    return subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"], check=False
    ).returncode


def bury(client: SyncPrefectClient) -> None:
    """Mark runs that a killed server left as running: their worker ended with it, nobody else would."""
    left = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(ALIVE))))
    for run in client.read_flow_runs(flow_run_filter=left):
        if run.deployment_id is not None:
            why = "bakeoff serve ended while this ran; what had landed is kept, see resume in the ad-hoc form"
            client.set_flow_run_state(run.id, Crashed(message=why), force=True)


if __name__ == "__main__":
    sys.exit(main())
