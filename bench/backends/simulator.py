"""The simulator behind the same seam as a real server; it is reached over a socket and nothing else."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bench
from bench.backends.address import Address, accepts_connections, is_here, resolve
from bench.backends.base import Endpoint, LoadReport, Target
from bench.backends.control import Control, model_names
from bench.clock import NS_PER_MS
from bench.errors import BackendError, BenchError, ServerDied
from bench.process import OwnedProcess, child_environment, tree_of

_START_TIMEOUT_S = 20.0
_LOAD_TIMEOUT_S = 60.0
_OPTIONS = {"seed", "speed", "faults"}
SETTINGS: tuple[str, ...] = ("context_tokens", "max_sequences", "dtype")
"""What may be set when it loads a model."""


class SimulatorBackend:
    """A simulated server, started by us (`managed`) or by somebody else (`attached`).

    Options of a managed one: `seed`, `speed` and `faults`, a list of NAME or NAME:every=N,after=N.
    """

    def __init__(self, target: Target) -> None:
        if unknown := sorted(set(target.options) - _OPTIONS):
            raise BackendError(
                f"target '{target.name}': unknown option '{unknown[0]}'; known: {', '.join(sorted(_OPTIONS))}"
            )
        self.target = target
        self._process: OwnedProcess | None = None
        self._process_ready_ms: float | None = None
        self._address = resolve(target) if target.life == "attached" else None
        self._control: Control | None = None

    @property
    def local(self) -> bool:
        """A managed one always is; an attached one by its address."""
        return self.target.life == "managed" or is_here(self._where().host)

    def _where(self) -> Address:
        if self._address is None:
            raise BackendError(f"target '{self.target.name}' is not started", outcome="connect")
        return self._address

    def _calls(self) -> Control:
        if self._control is None:
            self._control = Control(self._where(), connect_timeout_s=self.target.connect_timeout_s)
        return self._control

    def start(self, *, log_dir: Path) -> None:
        """Spawn it on a free port, if it is managed and does not run.

        Raises:
            ServerDied: it did not come up.
        """
        if self.target.life == "attached" or (self._process is not None and self._process.running):
            return
        self.stop()
        process = OwnedProcess(
            [sys.executable, "-m", "bench.simulator", *self._arguments()],
            env=child_environment({"PYTHONPATH": str(Path(bench.__file__).parents[1])}),
            log_path=log_dir / f"{self.target.name}.log",
        )
        started_ns = time.monotonic_ns()
        try:
            process.start()
            port = json.loads(process.first_line(_START_TIMEOUT_S, prefix='{"port"'))["port"]
        except BenchError as error:
            process.stop()
            raise ServerDied(f"target '{self.target.name}': {error}", outcome="connect") from error
        self._process_ready_ms = (time.monotonic_ns() - started_ns) / NS_PER_MS
        self._process = process
        self._address = resolve(self.target, f"http://127.0.0.1:{port}")

    def _arguments(self) -> list[str]:
        options = self.target.options
        arguments = ["--port", "0"]
        for name in ("seed", "speed"):
            if name in options:
                arguments += [f"--{name}", str(options[name])]
        for fault in options.get("faults", []):
            arguments += ["--fault", str(fault)]
        return arguments

    def alive(self) -> bool:
        """Managed: the process runs. Attached: its address accepts connections."""
        if self.target.life == "managed":
            return self._process is not None and self._process.running
        return accepts_connections(self._where(), self.target.connect_timeout_s)

    def load_model(self, model: str, settings: Mapping[str, Any]) -> LoadReport:
        """Load `model`; the answer comes when it is ready, so its arrival is the time.

        Raises:
            BackendError: refused (unknown model, not enough pretended memory) or not reachable.
        """
        control = self._calls()
        asked_ns = time.monotonic_ns()
        control.json(
            "POST", "/sim/load", {"model": model, "settings": dict(settings)}, timeout_s=_LOAD_TIMEOUT_S
        )
        model_ready_ms = (time.monotonic_ns() - asked_ns) / NS_PER_MS
        told = control.json("GET", "/sim/version")
        report = LoadReport(
            process_ready_ms=self._process_ready_ms,
            model_ready_ms=model_ready_ms,
            server_version=str(told.get("version")) if isinstance(told, dict) else None,
        )
        self._process_ready_ms = None
        return report

    def unload(self, model: str | None) -> None:
        """Unload `model`, or all models; one that is not loaded is no error.

        Raises:
            BackendError: refused or not reachable.
        """
        self._calls().json("POST", "/sim/unload", {"model": model})

    def stop(self) -> None:
        """End the process if it is ours, and give the connections back."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.stop()
            self._process = self._address = None

    def list_models(self) -> list[str]:
        """Names it can serve, loaded or not.

        Raises:
            BackendError: not reachable.
        """
        return model_names(self._calls().json("GET", "/v1/models"))

    def server_metrics(self) -> str | None:
        """GET /metrics; None while it does not answer."""
        try:
            answer = self._calls().call("GET", "/metrics", timeout_s=2.0)
        except BackendError:
            return None
        return answer.body.decode("utf-8", "replace") if answer.status == 200 else None

    def pids(self) -> list[int]:
        """Its process and what that started, while it runs."""
        return tree_of(self._process)

    def endpoint(self) -> Endpoint:
        """Where chats go.

        Raises:
            BackendError: it was not started.
        """
        address = self._where()
        return Endpoint(
            base_url=address.root,
            headers=address.headers,
            secrets=address.secrets,
            timeout_s=self.target.timeout_s,
            connect_timeout_s=self.target.connect_timeout_s,
        )
