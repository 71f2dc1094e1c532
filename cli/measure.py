"""Waits for Prefect's API, then runs the flow; imported by `cli.child`, which takes Ctrl-C from the start."""

import os
import time

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from flows.benchmark import benchmark
from flows.setup import Request
from tasks.gpu_slot import GPU_LIMIT

API_WAIT_S = 180.0
"""A first start of Prefect's server makes its database; on two slow cores that takes up to 40 s."""

GIVEN_WAIT_S = 10.0
"""A server that somebody else runs is there or it is not."""


def measure(request_json: str, api: str) -> int:
    """Run the request; exit 0 if the flow ended Completed.

    Args:
        request_json: a `Request`.
        api: `own` if the Prefect server was started for this run, else what named its address.
    """
    request = Request.model_validate_json(request_json)
    try:
        if api == "own":
            prepare_api(API_WAIT_S, own=True)
        else:
            prepare_api(GIVEN_WAIT_S, own=False)
    except TimeoutError as error:
        named = "" if api == "own" else f" at {os.environ['PREFECT_API_URL']} (from {api})"
        print(f"no Prefect server answers{named}: {error}", flush=True)
        return 1
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
    wait_for_api(limit_s)
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(GPU_LIMIT, limit=1)
        if own:
            client.update_global_concurrency_limit(GPU_LIMIT, GlobalConcurrencyLimitUpdate(active_slots=0))


def wait_for_api(limit_s: float) -> None:
    """Wait until Prefect's API answers.

    Raises:
        TimeoutError: it did not answer in time.
    """
    deadline = time.monotonic() + limit_s
    # Without the client's own retries, which would wait for minutes on an address that swallows packets.
    with (
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(sync_client=True, httpx_settings={"timeout": min(limit_s / 2, 10.0)}) as client,
    ):
        while (error := client.api_healthcheck()) is not None:
            if time.monotonic() > deadline:
                why = " ".join(str(error).split()) or type(error).__name__
                raise TimeoutError(f"waited {limit_s:.0f} s: {why[:200]}")
            time.sleep(0.2)
