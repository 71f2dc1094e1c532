"""What the tests on a real server share: its environment, the tiny model, a server started and stopped."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipeline.workspace import new_workspace
from tests.real.real_run import MIN_TOKENS, Measured, measure

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 180.0


@dataclass(frozen=True, kw_only=True)
class RealServer:
    """A running `transformers serve`: where it listens, its process, the last lines it wrote."""

    url: str
    process: subprocess.Popen[str]
    lines: deque[str]


@pytest.fixture(scope="session")
def real_python() -> Path:
    """The interpreter of .venv-real; without it the test is skipped, or fails where BAKEOFF_REAL=1."""
    python = ROOT / ".venv-real" / "bin" / "python"
    if (ROOT / ".venv-real" / "bakeoff-stamp").exists() and python.exists():
        return python
    reason = ".venv-real is not there or not complete: scripts/real_env.sh makes it"
    if os.environ.get("BAKEOFF_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def tiny_model(real_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny Llama."""
    return make_model(real_python, tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def real_models(
    real_python: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Path]:
    """Two tiny Llamas of different weights whose replies never end at once, by name.

    Each token of a tiny Llama has a small chance to be the end of the turn. As the first one that makes an
    empty reply, which is a failed request and rightly so; here, that all succeed has to be certain.
    """
    folder = tmp_path_factory.mktemp("models")
    models = {
        "tiny-a": shutil.copytree(tiny_model, folder / "a"),
        "tiny-b": make_model(real_python, folder / "b", "--seed", "2"),
    }
    for model in models.values():
        path = model / "generation_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**config, "min_new_tokens": MIN_TOKENS}), encoding="utf-8")
    return models


def make_model(python: Path, folder: Path, *words: str) -> Path:
    """Write a tiny Llama into `folder`, which is returned."""
    subprocess.run([python, ROOT / "scripts" / "tiny_model.py", folder, *words], check=True, timeout=120)
    return folder


@pytest.fixture(scope="session")
def offline_environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The whole environment of a real server: an empty cache of its own, and no way to the network."""
    home = tmp_path_factory.mktemp("home")
    (home / "hf" / "hub").mkdir(parents=True)  # without it /v1/models answers 500
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture(scope="session")
def start_server(
    real_python: Path, offline_environment: Mapping[str, str]
) -> Callable[[], AbstractContextManager[RealServer]]:
    """Start a server of one's own: `with start_server() as server`."""

    @contextmanager
    def start() -> Iterator[RealServer]:
        command = [real_python, "-m", "transformers.cli.transformers", "serve"]
        with subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", "0", "--model-timeout=-1"],
            env=offline_environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            # A server that never listens is killed, which ends its output and so the wait below.
            limit = threading.Timer(START_LIMIT_S, process.kill)
            limit.start()
            try:
                lines: deque[str] = deque(maxlen=50)
                url = read_url(process, lines)
                limit.cancel()
                drain = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
                drain.start()
                yield RealServer(url=url, process=process, lines=lines)
            finally:
                limit.cancel()
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            drain.join()

    return start


def read_url(process: subprocess.Popen[str], lines: deque[str]) -> str:
    """Read the server's output until it names the port that it was given."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if found := re.search(r"running on (http://\S+)", line):
            return found[1]
    pytest.fail("the server ended before it listened:\n" + "".join(lines))


@pytest.fixture(scope="session")
def real_server(start_server: Callable[[], AbstractContextManager[RealServer]]) -> Iterator[RealServer]:
    """One server for all tests that leave it as they found it."""
    with start_server() as server:
        yield server


@pytest.fixture(scope="session")
def measured(
    tmp_path_factory: pytest.TempPathFactory,
    prefect_api: str,
    real_python: Path,
    offline_environment: Mapping[str, str],
    real_models: Mapping[str, Path],
) -> Measured:
    """One run of six cells: two models and one that is not there, each under two loads. Only to be looked at."""
    space = new_workspace(tmp_path_factory.mktemp("real"), prefect_api)
    (first, one), (second, other) = real_models.items()
    models = {first: one, "tiny-missing": space.root / "no-such-model", second: other}
    return measure(space, real_python, offline_environment, models)
