"""Samples GPU, host and server metrics beside a measurement, each source in its own thread."""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import psutil

from bench.errors import BenchError
from bench.records import GpuSample
from bench.telemetry.gpu import GpuReader, simulated_gpu
from bench.telemetry.host import HostReader
from bench.telemetry.log import SampleLog, read_samples
from bench.telemetry.server_metrics import parse_prometheus

__all__ = ["Sampler", "read_samples"]

HOST_HZ = 2.0
_FLUSH_S = 1.0
_FRESH_WITHIN_S = 2.0
_JOIN_S = 2.0
_OPEN_S = 20.0
_SOURCE_ERRORS = (BenchError, OSError, RuntimeError, ValueError, psutil.Error)
"""What a source may raise; it is noted and the source is asked again at its next turn."""


_NO_GPU = {
    None: "no GPU of this host belongs to the target",
    "nvml": "NVML was not opened",
    "simulated": "the server's metrics have shown no simulated GPU",
}


class Sampler:
    """Owns the sampling threads and their log, from `__enter__` to `__exit__`.

    Set `stage` to mark what is sampled from then on. A source that fails or hangs stops nobody else; its last
    error is in `failures`. `gpu_source` is what GPU samples came from, `gpu_reason` why there are none.
    """

    def __init__(
        self,
        *,
        log_path: Path,
        fetch_metrics: Callable[[], str | None],
        gpu: Literal["nvml", "simulated"] | None,
        pids: Callable[[], Collection[int]] = tuple,
        hz: float = 10.0,
        server_hz: float = 1.0,
    ) -> None:
        self.stage = ""
        self.gpu_source: str | None = None
        self.gpu_reason: str | None = _NO_GPU[gpu]
        self.failures: dict[str, str] = {}
        self._log_path = log_path
        self._fetch_metrics = fetch_metrics
        self._gpu = gpu
        self._pids = pids
        self._hz = hz
        self._server_hz = server_hz
        self._stop = threading.Event()
        self._gpu_opened = threading.Event()
        self._fresh = threading.Condition()
        self._last_gpu: Sequence[GpuSample] = ()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._log = SampleLog(self._log_path)
        sources = [self._sample_host, self._sample_server, self._flush]
        if self._gpu == "nvml":
            sources.append(self._sample_nvml)
        # Daemons: a source that hangs in a system call must not keep the program from ending.
        self._threads = [threading.Thread(target=source, daemon=True) for source in sources]
        for thread in self._threads:
            thread.start()
        if self._gpu == "nvml" and not self._gpu_opened.wait(_OPEN_S):
            self.gpu_reason = f"NVML did not answer within {_OPEN_S:.0f} s"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        deadline = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._log.close()
        if self._log.error is not None:
            self.failures["log"] = self._log.error

    def vram_mib(self) -> float | None:
        """Memory used on all devices together in MiB, read after this call began.

        Waits for the next reading; None if there is no GPU source or it does not answer within 2 s.
        """
        if self._gpu is None or (self._gpu == "nvml" and self.gpu_source is None):
            return None
        asked_ns = time.monotonic_ns()
        with self._fresh:
            fresh = self._fresh.wait_for(
                lambda: bool(self._last_gpu) and self._last_gpu[0].t_ns >= asked_ns, _FRESH_WITHIN_S
            )
            used = [sample.memory_used_mib for sample in self._last_gpu] if fresh else []
        known = [mib for mib in used if mib is not None]
        return sum(known) if known and len(known) == len(used) else None

    def _sample_nvml(self) -> None:
        with GpuReader(pids=self._pids) as reader:
            self.gpu_reason = reader.unavailable_reason
            self.gpu_source = "nvml" if reader.unavailable_reason is None else None
            self._gpu_opened.set()
            if reader.unavailable_reason is None:
                self._repeat("gpu", self._hz, lambda: self._keep_gpu(reader.read(self.stage)))

    def _sample_host(self) -> None:
        reader = HostReader()
        self._repeat("host", HOST_HZ, lambda: self._log.add([reader.read(self.stage)]))

    def _sample_server(self) -> None:
        simulated = self._gpu == "simulated"
        every = max(1, round(self._hz / self._server_hz)) if simulated else 1
        turn = 0

        def read() -> None:
            nonlocal turn
            stage, t_ns = self.stage, time.monotonic_ns()
            text = self._fetch_metrics()
            if text is not None and turn % every == 0:
                self._log.add(parse_prometheus(text, stage, t_ns))
            if text is not None and simulated:
                self._keep_simulated(simulated_gpu(text, stage, t_ns))
            turn += 1

        self._repeat("server", self._hz if simulated else self._server_hz, read)

    def _keep_simulated(self, samples: Sequence[GpuSample]) -> None:
        if samples:
            self.gpu_source, self.gpu_reason = "simulated", None
            self._keep_gpu(samples)

    def _keep_gpu(self, samples: Sequence[GpuSample]) -> None:
        self._log.add(samples)
        with self._fresh:
            self._last_gpu = samples
            self._fresh.notify_all()

    def _flush(self) -> None:
        self._repeat("log", 1 / _FLUSH_S, self._log.flush)

    def _repeat(self, source: str, hz: float, read: Callable[[], None]) -> None:
        """Call `read` at a fixed rate until the end; turns that a slow reading overran are left out."""
        period_ns = round(1e9 / hz)
        started_ns = time.monotonic_ns()
        while True:
            try:
                read()
            except _SOURCE_ERRORS as error:
                self.failures[source] = " ".join(str(error).split())[:300] or type(error).__name__
            elapsed_ns = time.monotonic_ns() - started_ns
            if self._stop.wait((period_ns - elapsed_ns % period_ns) / 1e9):
                return
