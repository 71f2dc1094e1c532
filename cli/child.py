"""The process in which a run measures: waits for Prefect's API, then runs the flow.

Started by `bakeoff run` with the request and with `own` or `given`, for whose Prefect server it is; its
output is a log file, its progress a file that the display follows.
"""

import signal
import sys
import time

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

from flows.benchmark import benchmark
from flows.setup import Request
from tasks.gpu_slot import GPU_LIMIT

API_WAIT_S = 180.0
"""A first start of Prefect's server makes its database; on two slow cores that takes up to 40 s."""


def main() -> int:
    """Run the request; exit 0 if the flow ended Completed."""
    # A shell that starts us in the background has SIGINT ignored, and we would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    request = Request.model_validate_json(sys.argv[1])
    prepare_api(API_WAIT_S, own=sys.argv[2] == "own")
    state = benchmark(**dict(request), return_state=True)
    print(f"{state.name}: {state.message}", flush=True)
    return 0 if state.is_completed() else 1


def prepare_api(limit_s: float, *, own: bool) -> None:
    """Wait until Prefect's API answers, and make sure that the GPU limit exists.

    Args:
        limit_s: how long to wait.
        own: the server was started for this run alone, so a slot of the limit that is still taken belongs
            to a run that was killed with its server, and is given back.

    Raises:
        TimeoutError: it did not answer in time.
    """
    deadline = time.monotonic() + limit_s
    with get_client(sync_client=True) as client:
        while (error := client.api_healthcheck()) is not None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Prefect's API did not answer within {limit_s:.0f} s: {error}")
            time.sleep(0.2)
        client.upsert_global_concurrency_limit_by_name(GPU_LIMIT, limit=1)
        if own:
            client.update_global_concurrency_limit(GPU_LIMIT, GlobalConcurrencyLimitUpdate(active_slots=0))


if __name__ == "__main__":
    sys.exit(main())
