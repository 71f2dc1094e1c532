import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.backends import open_backend
from bench.backends.base import Chat, Target
from bench.backends.transformers import TransformersBackend
from bench.driver import ask
from bench.errors import BackendError, ServerDied
from tests.bench.recordings import FOLDER, recording

STANDIN = Path(__file__).with_name("standin_transformers.py")


def opened(mode: str = "serves", **options: object) -> TransformersBackend:
    command = [sys.executable, str(STANDIN), str(FOLDER / "transformers"), mode]
    target = Target(
        name="hf", kind="transformers", life="managed", options={"command": command, **options}, timeout_s=10
    )
    backend = open_backend(target)
    assert isinstance(backend, TransformersBackend)
    return backend


@pytest.fixture
def running(tmp_path: Path) -> Iterator[TransformersBackend]:
    backend = opened()
    backend.start(log_dir=tmp_path)
    yield backend
    backend.stop()


def test_a_load_is_timed_until_the_server_says_ready(running: TransformersBackend) -> None:
    report = running.load_model("/models/tiny-llama", {})
    assert report.process_ready_ms > 0
    assert report.model_ready_ms > 0
    again = running.load_model("/models/cached", {})
    assert again.process_ready_ms is None


def test_a_load_that_fails_with_status_200_is_a_failure(running: TransformersBackend) -> None:
    with pytest.raises(BackendError, match="model '/models/no-such-model' cannot be loaded: Repo id must"):
        running.load_model("/models/no-such-model", {})


def test_settings_it_cannot_apply_are_refused(running: TransformersBackend) -> None:
    with pytest.raises(BackendError, match="takes no settings per model, got: context_tokens"):
        running.load_model("/models/tiny-llama", {"context_tokens": 1})


def test_it_answers_counts_and_lists(running: TransformersBackend) -> None:
    chat = Chat(model="m", messages=[], max_tokens=48, temperature=1.0, top_p=1.0, seed=1)
    (reply,) = ask(running.endpoint(), [chat], concurrency=1)
    facts = recording("transformers/chat_stream_usage").expected
    assert (reply.outcome, reply.text, reply.tokens_out) == ("ok", facts["text"], 48)
    assert running.list_models() == []
    assert running.server_metrics() is None
    running.unload(None)


def test_life_of_the_process(tmp_path: Path) -> None:
    backend = opened()
    assert not backend.alive()
    assert backend.pids() == []
    backend.unload("m")  # nothing runs, nothing to free
    with pytest.raises(BackendError, match="target 'hf' is not started"):
        backend.endpoint()
    backend.start(log_dir=tmp_path)
    try:
        (pid,) = backend.pids()
        backend.start(log_dir=tmp_path)
        assert backend.pids() == [pid]
        assert backend.alive()
        assert backend.local
        server = psutil.Process(pid)
        server.kill()
        psutil.wait_procs([server], timeout=10)
        assert not backend.alive()
        backend.start(log_dir=tmp_path)
        assert backend.alive()
        (pid,) = backend.pids()
    finally:
        backend.stop()
        backend.stop()
    assert not psutil.pid_exists(pid)


def test_a_server_that_ends_at_its_start_says_why(tmp_path: Path) -> None:
    backend = opened("dies")
    with pytest.raises(ServerDied, match=r"^target 'hf': ended with status 1: no module named torch$"):
        backend.start(log_dir=tmp_path)
    assert not backend.alive()


def test_a_server_that_never_answers_is_stopped(tmp_path: Path) -> None:
    backend = opened("mute", start_timeout_s=0.3)
    with pytest.raises(ServerDied, match=r"^target 'hf': not ready after 0\.3 s: no output$"):
        backend.start(log_dir=tmp_path)
    assert backend.pids() == []


def test_a_command_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    backend = opened(command="/nonexistent/transformers")
    with pytest.raises(
        BackendError, match="target 'hf': cannot start /nonexistent/transformers: No such file"
    ):
        backend.start(log_dir=tmp_path)


def test_only_a_managed_one_makes_sense() -> None:
    with pytest.raises(BackendError, match="kind 'transformers' is managed"):
        open_backend(Target(name="hf", kind="transformers", life="attached", base_url="http://h"))
