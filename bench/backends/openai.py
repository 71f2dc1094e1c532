"""Any server that speaks OpenAI's chat completions and that somebody else runs."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bench.backends.address import accepts_connections, is_here, resolve
from bench.backends.base import Endpoint, LoadReport, Target
from bench.backends.control import Control, is_simulator, model_names
from bench.errors import BackendError

_OPTIONS = {"chat_path", "extra_body"}
SETTINGS: tuple[str, ...] = ()
"""None: the server is somebody else's, and how it was started is not known here."""
_MAX_LISTED = 8


class OpenAIBackend:
    """An attached server: it is called, never started, loaded or stopped.

    Options: `chat_path` (default /v1/chat/completions) and `extra_body` (fields added to every request).
    """

    def __init__(self, target: Target) -> None:
        if target.life != "attached":
            raise BackendError(
                f"target '{target.name}': kind 'openai' can only be attached, not {target.life}"
            )
        if unknown := sorted(set(target.options) - _OPTIONS):
            raise BackendError(
                f"target '{target.name}': unknown option '{unknown[0]}'; known: {', '.join(sorted(_OPTIONS))}"
            )
        self.target = target
        self._address = resolve(target)
        self._local: bool | None = None
        self._publishes_metrics = True
        self._control: Control | None = None

    @property
    def local(self) -> bool:
        """Whether its address is one of this host's."""
        if self._local is None:
            self._local = is_here(self._address.host)
        return self._local

    def _calls(self) -> Control:
        if self._control is None:
            self._control = Control(self._address, connect_timeout_s=self.target.connect_timeout_s)
        return self._control

    def start(self, *, log_dir: Path) -> None:
        """Nothing: the server is not ours."""

    def alive(self) -> bool:
        """Whether something accepts connections at its address."""
        return accepts_connections(self._address, self.target.connect_timeout_s)

    def load_model(self, model: str, settings: Mapping[str, Any]) -> LoadReport:
        """Check that the server can be reached and does not list other models only.

        Nothing is loaded, so no time is reported; `settings` cannot be applied from here. A server without a
        usable list is taken at its word: the warm-up will show. `*` in a listed name stands for anything.

        Raises:
            BackendError: not reachable, key refused, the model is not among those it lists, or the server is
                our simulator, whose rows would pass for real ones.
        """
        control = self._calls()
        answer = control.call("GET", "/v1/models")
        if answer.status in {401, 403}:
            raise control.refused("GET /v1/models", answer)
        listing = answer.json() if answer.status == 200 else None
        if is_simulator(listing):
            raise control.error(
                f"{self._address.root} is Bakeoff's simulator: give target '{self.target.name}' the kind "
                "'simulator', so that its rows are marked as simulated",
                "bad_body",
            )
        listed = model_names(listing)
        if listed and not any(model == name or ("*" in name and fnmatchcase(model, name)) for name in listed):
            more = f" and {len(listed) - _MAX_LISTED} more" if len(listed) > _MAX_LISTED else ""
            raise control.error(
                f"model '{model}' is not served by {self._address.root}; "
                f"it lists: {', '.join(listed[:_MAX_LISTED])}{more}",
                "http_4xx",
            )
        return LoadReport(process_ready_ms=None, model_ready_ms=None, server_version=self._version())

    def _version(self) -> str | None:
        """What GET /version tells (vLLM and others have it); None if it does not."""
        try:
            answer = self._calls().call("GET", "/version")
        except BackendError:
            return None
        told = answer.json() if answer.status == 200 else None
        version = told.get("version") if isinstance(told, dict) else None
        return version[:100] if isinstance(version, str) else None

    def unload(self, model: str | None) -> None:
        """Nothing: the protocol has no way to unload."""

    def stop(self) -> None:
        """Give our connections back; the server stays."""
        if self._control is not None:
            self._control.close()
            self._control = None

    def list_models(self) -> list[str]:
        """Names that GET /v1/models lists.

        Raises:
            BackendError: not reachable, or no list.
        """
        return model_names(self._calls().json("GET", "/v1/models"))

    def server_metrics(self) -> str | None:
        """GET /metrics; a server that answered once that it has none is not asked again."""
        if not self._publishes_metrics:
            return None
        try:
            answer = self._calls().call("GET", "/metrics", timeout_s=2.0)
        except BackendError:
            return None
        if answer.status in {401, 403, 404, 405}:
            self._publishes_metrics = False
        return answer.body.decode("utf-8", "replace") if answer.status == 200 else None

    def pids(self) -> list[int]:
        """None are ours."""
        return []

    def endpoint(self) -> Endpoint:
        """Where chats go."""
        return Endpoint(
            base_url=self._address.root,
            path=str(self.target.options.get("chat_path", "/v1/chat/completions")),
            headers=self._address.headers,
            secrets=self._address.secrets,
            extra_body=dict(self.target.options.get("extra_body", {})),
            timeout_s=self.target.timeout_s,
            connect_timeout_s=self.target.connect_timeout_s,
        )
