"""`transformers serve`, started and stopped by us (seen with 5.23)."""

import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.backends.address import resolve
from bench.backends.base import Endpoint, LoadReport, Target
from bench.backends.control import Answer, Control, json_events, model_names
from bench.backends.text import one_line
from bench.clock import NS_PER_MS, NS_PER_S
from bench.errors import BackendError, BenchError, ServerDied
from bench.process import OwnedProcess, child_environment, tree_of

_OPTIONS = {"command", "args", "env", "start_timeout_s", "load_timeout_s"}
SETTINGS: tuple[str, ...] = ()
"""None per model: its start options go into `options.args` of the target."""
_FIELDS = ("max_tokens", "temperature", "top_p", "seed", "stream_options")
"""It answers 422 to a field it does not know; these it takes."""


class TransformersBackend:
    """A managed `transformers serve`.

    Options: `command` (a word list or one string, default `transformers`), `args` (after `serve`), `env`
    (added to its environment), `start_timeout_s` (default 180), `load_timeout_s` (default 600).
    """

    def __init__(self, target: Target) -> None:
        if target.life != "managed":
            raise BackendError(
                f"target '{target.name}': kind 'transformers' is managed; a running one is kind 'openai'"
            )
        if unknown := sorted(set(target.options) - _OPTIONS):
            raise BackendError(
                f"target '{target.name}': unknown option '{unknown[0]}'; known: {', '.join(sorted(_OPTIONS))}"
            )
        self.target = target
        self.local = True
        self._process: OwnedProcess | None = None
        self._process_ready_ms: float | None = None
        self._control: Control | None = None

    def _calls(self) -> Control:
        if self._control is None:
            raise BackendError(f"target '{self.target.name}' is not started", outcome="connect")
        return self._control

    def _words(self) -> list[str]:
        command = self.target.options.get("command", "transformers")
        return shlex.split(command) if isinstance(command, str) else [str(word) for word in command]

    def start(self, *, log_dir: Path) -> None:
        """Spawn it on a free port and wait until it answers `/health`, unless it runs.

        `/health` tells that the process serves, not that a model is loaded.

        Raises:
            BackendError: the command cannot be executed.
            ServerDied: it ended, or did not answer in time.
        """
        if self._process is not None and self._process.running:
            return
        self.stop()
        port = _free_port()
        arguments = [str(word) for word in self.target.options.get("args", [])]
        process = OwnedProcess(
            [*self._words(), "serve", "--host", "127.0.0.1", "--port", str(port), *arguments],
            env=child_environment({k: str(v) for k, v in self.target.options.get("env", {}).items()}),
            log_path=log_dir / f"{self.target.name}.log",
        )
        started_ns = time.monotonic_ns()
        try:
            process.start()
        except BenchError as error:
            raise BackendError(f"target '{self.target.name}': {error}", outcome="connect") from error
        self._process = process
        address = resolve(self.target, f"http://127.0.0.1:{port}")
        self._control = Control(address, connect_timeout_s=self.target.connect_timeout_s)
        try:
            self._wait_until_healthy(process, started_ns)
        except ServerDied:
            self.stop()
            raise
        self._process_ready_ms = (time.monotonic_ns() - started_ns) / NS_PER_MS

    def _wait_until_healthy(self, process: OwnedProcess, started_ns: int) -> None:
        limit_s = float(self.target.options.get("start_timeout_s", 180.0))
        while not self._healthy():
            code = process.poll()
            waited_s = (time.monotonic_ns() - started_ns) / NS_PER_S
            if code is not None or waited_s > limit_s:
                state = f"ended with status {code}" if code is not None else f"not ready after {limit_s:g} s"
                last = one_line(process.last_line() or "no output")
                raise ServerDied(f"target '{self.target.name}': {state}: {last}", outcome="connect")
            time.sleep(0.05)

    def _healthy(self) -> bool:
        try:
            return self._calls().call("GET", "/health", timeout_s=2.0).status == 200
        except BackendError:
            return False

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.running

    def load_model(self, model: str, settings: Mapping[str, Any]) -> LoadReport:
        """Load `model` (a local folder or a name on the hub) and wait until the server says it is ready.

        `settings` are start options of the server, not of a load: those that are given must be in `args`.

        Raises:
            BackendError: the server says why it cannot load it, or does not say anything in time.
        """
        if settings:
            names = ", ".join(sorted(settings))
            raise BackendError(
                f"target '{self.target.name}': transformers serve takes no settings per model, got: {names}"
            )
        limit_s = float(self.target.options.get("load_timeout_s", 600.0))
        asked_ns = time.monotonic_ns()
        answer = self._calls().call("POST", "/load_model", {"model": model}, timeout_s=limit_s)
        ready_ns = self._ready_stamp(model, answer)
        report = LoadReport(
            process_ready_ms=self._process_ready_ms,
            model_ready_ms=(ready_ns - asked_ns) / NS_PER_MS,
            server_version=_version(self._words()[0]),
        )
        self._process_ready_ms = None
        return report

    def _ready_stamp(self, model: str, answer: Answer) -> int:
        """When the event `ready` came; a load that fails answers 200 and says so in an event."""
        control = self._calls()
        if answer.status != 200:
            raise control.refused(f"loading '{model}'", answer)
        for t_ns, event in json_events(answer):
            if event.get("status") == "ready":
                return t_ns
            if event.get("status") == "error":
                reason = event.get("message") or "no reason given"
                raise control.error(f"model '{model}' cannot be loaded: {reason}", "http_4xx")
        raise control.error(f"loading '{model}' ended without an answer", "truncated")

    def unload(self, model: str | None) -> None:
        """Drop every loaded model; nothing if the server does not run.

        Raises:
            BackendError: refused or not reachable.
        """
        if self.alive():
            self._calls().json("POST", "/reset", timeout_s=60.0)

    def stop(self) -> None:
        """End the process and give the connections back."""
        if self._process is not None:
            self._process.stop()
        if self._control is not None:
            self._control.close()
        self._process = self._control = None

    def list_models(self) -> list[str]:
        """Names in its cache: a model given by a local path is never listed.

        Raises:
            BackendError: not reachable, or its cache folder is missing.
        """
        return model_names(self._calls().json("GET", "/v1/models"))

    def server_metrics(self) -> str | None:
        """It publishes none."""
        return None

    def pids(self) -> list[int]:
        """Its process and what that started, while it runs."""
        return tree_of(self._process)

    def endpoint(self) -> Endpoint:
        """Where chats go.

        Raises:
            BackendError: it was not started.
        """
        address = self._calls().address
        return Endpoint(
            base_url=address.root,
            headers=address.headers,
            secrets=address.secrets,
            fields=_FIELDS,
            timeout_s=self.target.timeout_s,
            connect_timeout_s=self.target.connect_timeout_s,
        )


def _version(command: str) -> str | None:
    """Version of the package, asked of the interpreter beside `command`; the server never tells."""
    found = shutil.which(command)
    if found is None:
        return None
    ask = "import importlib.metadata as m; print(m.version('transformers'))"
    python = Path(found).parent / "python"
    try:
        told = subprocess.run([python, "-c", ask], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip() or None


def _free_port() -> int:
    """A port that was free just now; another program may take it before the server does, which then ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
