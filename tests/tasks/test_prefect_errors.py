"""What Prefect's client really raises is caught by the name we have for it."""

import socket

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from tasks.prefect_errors import PREFECT_ERRORS


def test_a_server_that_has_gone_is_a_prefect_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and not listening: every connection is refused.
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api"
        with (
            temporary_settings({PREFECT_API_URL: url, PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(sync_client=True) as client,
            pytest.raises(PREFECT_ERRORS),
        ):
            client.read_flows()
    assert not any(issubclass(ValueError, kind) for kind in PREFECT_ERRORS)
