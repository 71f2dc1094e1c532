"""The log of a load: one JSON object per line, appended by the worker, completed by its parent.

Kinds of line: `started` (the start stamp), `begun` (a request is about to be sent), `request` (it ended: the
fields of `Request`). A line that was cut by a kill is not a line; its request counts as not ended.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.records import Request


class LogWriter:
    """Appends lines, each with one write to the kernel: what was written survives a kill -9 of the writer."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def __enter__(self) -> "LogWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def started(self, started_ns: int) -> None:
        """The load starts: offsets count from here."""
        self._append({"kind": "started", "started_ns": started_ns})

    def begun(self, request_id: str, intended_ns: int) -> None:
        """A request is about to be sent."""
        self._append({"kind": "begun", "request_id": request_id, "intended_ns": intended_ns})

    def ended(self, request: Request) -> None:
        """A request ended, or was never sent and will not be."""
        self._append({"kind": "request", **asdict(request)})

    def close_cut_line(self) -> None:
        """Begin a new line after one that a killed writer left unfinished; an empty line is harmless."""
        self._write(b"\n")

    def _append(self, line: Mapping[str, Any]) -> None:
        self._write(json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n")

    def _write(self, data: bytes) -> None:
        """All of it or an OSError: a full disk may take a part first."""
        while data:
            data = data[os.write(self._fd, data) :]


@dataclass(frozen=True, kw_only=True)
class LogState:
    """What a log tells after its writer has gone."""

    started_ns: int | None
    begun: dict[str, int]
    """When each request that was begun was intended, by its id."""
    ended: dict[str, str]
    """Outcome of each request that ended, by its id."""


def read_state(path: Path) -> LogState:
    """Read a log for its bookkeeping; a missing file is an empty log."""
    started_ns: int | None = None
    begun: dict[str, int] = {}
    ended: dict[str, str] = {}
    for line in _objects(path):
        if line["kind"] == "started":
            started_ns = line["started_ns"]
        elif line["kind"] == "begun":
            begun[line["request_id"]] = line["intended_ns"]
        else:
            ended[line["request_id"]] = line["outcome"]
    return LogState(started_ns=started_ns, begun=begun, ended=ended)


def read_log(log_path: Path) -> Iterator[Request]:
    """The requests of a load in the order in which they ended; a missing file holds none."""
    for line in _objects(log_path):
        if line.pop("kind") == "request":
            yield Request(**line)


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    try:
        log = path.open("rb")
    except FileNotFoundError:
        return
    with log:
        for raw in log:
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if isinstance(line, dict) and "kind" in line:
                yield line
