"""The simulated chat server's routes: chat goes to `Chats`, the rest is answered here."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from bench.simulator.chat import BadChat
from bench.simulator.chats import Chats
from bench.simulator.connection import Connection
from bench.simulator.faults import FaultError, FaultPlan, parse_fault
from bench.simulator.machine import Loading, LoadRefused, Machine
from bench.simulator.metrics import metrics_text
from bench.simulator.model import NS_PER_MS, PROFILES, SettingsError, loaded_mib, parse_settings
from bench.simulator.wire import HttpRequest, error_reply, json_reply, reply

VERSION = "1"


class BadControl(ValueError):
    """A control request whose body is not what the route takes, in one line."""


class Simulator:
    """Answers the requests of all connections."""

    def __init__(
        self, machine: Machine, chats: Chats, faults: FaultPlan, *, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._machine = machine
        self._chats = chats
        self._faults = faults
        self._loop = loop
        self._routes: dict[tuple[str, str], Callable[[Connection, HttpRequest], None]] = {
            ("POST", "/v1/chat/completions"): chats.serve,
            ("GET", "/v1/models"): self._models,
            ("GET", "/health"): lambda c, _: c.end(json_reply(200, {"status": "ok"})),
            ("GET", "/metrics"): self._metrics,
            ("GET", "/sim/version"): lambda c, _: c.end(json_reply(200, {"version": VERSION})),
            ("GET", "/sim/requests"): lambda c, _: c.end(json_reply(200, {"data": chats.finished()})),
            ("POST", "/sim/load"): self._load,
            ("POST", "/sim/unload"): self._unload,
            ("POST", "/sim/fault"): self._fault,
        }

    def serve(self, connection: Connection, request: HttpRequest) -> None:
        """Answer one request; what the client did wrong becomes a 4xx reply."""
        handler = self._routes.get((request.method, request.path))
        if handler is None:
            status = 405 if any(path == request.path for _, path in self._routes) else 404
            connection.end(error_reply(status, f"no {request.method} {request.path} here", "not_found_error"))
            return
        try:
            handler(connection, request)
        except (BadControl, FaultError, SettingsError) as error:
            connection.end(error_reply(400, str(error), "invalid_request_error"))
        except (BadChat, LoadRefused) as error:
            connection.end(error_reply(error.status, str(error), "invalid_request_error"))

    def gone(self, connection: Connection) -> None:
        """Free what a client that hung up still holds."""
        self._chats.gone(connection)

    def _models(self, connection: Connection, _: HttpRequest) -> None:
        loading = self._machine.loading
        data = []
        for name in PROFILES:
            status = "loaded" if name in self._machine.resident else "loadable"
            if loading is not None and loading.profile.name == name:
                status = "loading"
            entry = {"id": name, "object": "model", "created": 0, "owned_by": "bakeoff-simulator"}
            data.append({**entry, "status": status})
        connection.end(json_reply(200, {"object": "list", "data": data}))

    def _metrics(self, connection: Connection, _: HttpRequest) -> None:
        now_ns = time.monotonic_ns()
        self._chats.pump(now_ns)
        text = metrics_text(self._machine, self._chats.lateness, now_ns)
        connection.end(reply(200, text.encode(), "text/plain; version=0.0.4; charset=utf-8"))

    def _load(self, connection: Connection, request: HttpRequest) -> None:
        raw = _object(request.body, {"model", "settings"})
        model, settings = _model(raw), parse_settings(raw.get("settings") or {})
        if self._faults.next_load() is not None:
            raise LoadRefused(507, f"out of memory: {model!r} refused on demand")
        one = self._machine.resident.get(model)
        if one is not None and one.settings != settings:
            self._remove(model)
        now_ns = time.monotonic_ns()
        self._chats.pump(now_ns)
        loading = self._machine.begin_load(model, settings, now_ns)
        if loading is None:
            mib = loaded_mib(PROFILES[model], settings)
            connection.end(
                json_reply(200, {"model": model, "cached": True, "load_ms": None, "vram_mib": mib})
            )
        else:
            self._loop.call_at(loading.ready_ns / 1e9, self._finish_load, connection, loading)

    def _finish_load(self, connection: Connection, loading: Loading) -> None:
        self._machine.finish_load()
        result = {
            "model": loading.profile.name,
            "cached": False,
            "load_ms": (loading.ready_ns - loading.started_ns) / NS_PER_MS,
            "vram_mib": loaded_mib(loading.profile, loading.settings),
        }
        connection.end(json_reply(200, result))

    def _unload(self, connection: Connection, request: HttpRequest) -> None:
        """Unload one model, or all if none is named; replies under way are cut."""
        raw = _object(request.body, {"model"})
        wanted = list(self._machine.resident) if raw.get("model") is None else [_model(raw)]
        unloaded = [model for model in wanted if self._remove(model)]
        connection.end(json_reply(200, {"unloaded": unloaded}))

    def _remove(self, model: str) -> bool:
        self._chats.cut_model(model)
        return self._machine.unload(model, time.monotonic_ns())

    def _fault(self, connection: Connection, request: HttpRequest) -> None:
        """Set a fault, or clear all with `{"fault": null}`; the reply lists those in force."""
        raw = _object(request.body, {"fault", "every", "after"})
        if raw.get("fault") is None:
            self._faults.clear()
        else:
            self._faults.set(parse_fault(raw))
        connection.end(json_reply(200, {"faults": [asdict(fault) for fault in self._faults.in_force()]}))


def _object(body: bytes, keys: set[str]) -> dict[str, Any]:
    try:
        raw = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadControl("the body is not JSON") from error
    if not isinstance(raw, dict) or set(raw) - keys:
        raise BadControl(f"the body must be an object with at most the keys {', '.join(sorted(keys))}")
    return raw


def _model(raw: dict[str, Any]) -> str:
    if not isinstance(raw.get("model"), str):
        raise BadControl("'model' must be a string")
    return str(raw["model"])
