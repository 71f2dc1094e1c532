"""The file between the sampler and whoever lands its samples: one JSON object a line, flushed each second."""

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.records import GpuSample, HostSample, ServerSample

Sample = GpuSample | HostSample | ServerSample
_KINDS: dict[str, type[GpuSample] | type[HostSample] | type[ServerSample]] = {
    "gpu": GpuSample,
    "host": HostSample,
    "server": ServerSample,
}
_NAMES = {record: kind for kind, record in _KINDS.items()}


class SampleLog:
    """Owns the open file; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._waiting: list[Sample] = []
        self._lock = threading.Lock()
        self.error: str | None = None

    def add(self, samples: Sequence[Sample]) -> None:
        """Take samples; they reach the file with the next flush."""
        with self._lock:
            self._waiting.extend(samples)

    def flush(self) -> None:
        """Write what waits. If the disk takes no more, that is noted in `error` and the samples are lost."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            if self._file.closed:
                return
            try:
                self._file.writelines(
                    json.dumps({"kind": _NAMES[type(sample)], **asdict(sample)}, ensure_ascii=False) + "\n"
                    for sample in waiting
                )
                self._file.flush()
            except OSError as error:
                self.error = f"cannot write samples to {self._file.name}: {error.strerror}"

    def close(self) -> None:
        """Flush and close; later samples are dropped."""
        self.flush()
        with self._lock:
            try:
                self._file.close()
            except OSError as error:
                self.error = f"cannot write samples to {self._file.name}: {error.strerror}"


def read_samples(path: Path) -> tuple[list[GpuSample], list[HostSample], list[ServerSample]]:
    """All samples of a log, in order; a last line that a kill left unfinished is not one.

    Raises:
        ValueError: another line is not a sample.
    """
    gpu: list[GpuSample] = []
    host: list[HostSample] = []
    server: list[ServerSample] = []
    for sample in _samples(path):
        if isinstance(sample, GpuSample):
            gpu.append(sample)
        elif isinstance(sample, HostSample):
            host.append(sample)
        else:
            server.append(sample)
    return gpu, host, server


def _samples(path: Path) -> Iterator[Sample]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith("\n"):
                return
            try:
                fields: dict[str, Any] = json.loads(line)
                yield _KINDS[fields.pop("kind")](**fields)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}:{number}: not a sample: {error}") from error
