from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.backends import open_backend
from bench.backends.base import Chat, Target
from bench.backends.simulator import SimulatorBackend
from bench.driver import ask
from bench.errors import BackendError, ServerDied

CHAT = Chat(
    model="sim-hasty",
    messages=[{"role": "user", "content": "Hi"}],
    max_tokens=5,
    temperature=0.0,
    top_p=1.0,
    seed=1,
)


def opened(**options: object) -> SimulatorBackend:
    backend = open_backend(Target(name="sim", kind="simulator", life="managed", options=options))
    assert isinstance(backend, SimulatorBackend)
    return backend


@pytest.fixture
def running(tmp_path: Path) -> Iterator[SimulatorBackend]:
    backend = opened(seed=1, speed=20)
    backend.start(log_dir=tmp_path)
    yield backend
    backend.stop()


def test_load_ask_unload(running: SimulatorBackend) -> None:
    assert ask(running.endpoint(), [CHAT], concurrency=1)[0].outcome == "http_4xx"
    report = running.load_model("sim-hasty", {"context_tokens": 4096})
    assert report.process_ready_ms > 0
    assert report.model_ready_ms > 0
    assert report.server_version
    reply = ask(running.endpoint(), [CHAT], concurrency=1)[0]
    assert (reply.outcome, reply.tokens_out, reply.tokens_out_source) == ("ok", 5, "usage")
    assert "sim-hasty" in running.list_models()
    assert "sim_vram_used_mib" in running.server_metrics()
    running.unload("sim-hasty")
    assert ask(running.endpoint(), [CHAT], concurrency=1)[0].outcome == "http_4xx"
    running.unload(None)


def test_a_load_it_refuses_is_one_line(running: SimulatorBackend) -> None:
    with pytest.raises(BackendError, match="unknown setting 'context_token'"):
        running.load_model("sim-hasty", {"context_token": 1})
    with pytest.raises(BackendError, match="no-such-model"):
        running.load_model("no-such-model", {})


def test_an_attached_one_is_called_and_not_stopped(running: SimulatorBackend) -> None:
    other = open_backend(
        Target(name="other", kind="simulator", life="attached", base_url=running.endpoint().base_url)
    )
    assert other.alive()
    assert other.local
    assert other.pids() == []
    other.load_model("sim-hasty", {})
    other.stop()
    assert running.alive()
    assert ask(running.endpoint(), [CHAT], concurrency=1)[0].outcome == "ok"


def test_a_dead_one_is_noticed_and_can_be_started_again(tmp_path: Path) -> None:
    backend = opened(speed=20, faults=["die:after=1"])
    backend.start(log_dir=tmp_path)
    try:
        backend.load_model("sim-hasty", {})
        died = psutil.Process(*backend.pids())
        outcomes = [r.outcome for r in ask(backend.endpoint(), [CHAT, CHAT, CHAT], concurrency=1)]
        assert outcomes == ["ok", "truncated", "connect"]
        psutil.wait_procs([died], timeout=10)
        assert not backend.alive()
        assert backend.server_metrics() is None
        backend.start(log_dir=tmp_path)
        assert backend.alive()
        (pid,) = backend.pids()
    finally:
        backend.stop()
    assert not psutil.pid_exists(pid)


def test_one_that_does_not_come_up_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerDied, match=r"target 'sim': .*ended with status 2; last output: .*nonsense"):
        opened(faults=["nonsense"]).start(log_dir=tmp_path)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(BackendError, match="unknown option 'sped'; known: faults, seed, speed"):
        opened(sped=2)
