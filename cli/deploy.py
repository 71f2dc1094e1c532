"""Prepares a Prefect server for this project: concurrency limit, work pool, deployments of prefect.yaml.

Started by `bakeoff serve` with the pool's name, in the environment of the server that it has just started.
"""

import subprocess
import sys

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists

from cli.child import API_WAIT_S, prepare_api


def main() -> int:
    """Do it; exit with the status of `prefect deploy`."""
    prepare_api(API_WAIT_S, own=True)
    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(WorkPoolCreate(name=sys.argv[1], type="process"))
        except ObjectAlreadyExists:
            print(f"work pool {sys.argv[1]} is there already")
    return subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
