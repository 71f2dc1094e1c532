"""Reads graphics cards: real ones through NVML, the simulator's from its metrics; the rest is None."""

import contextlib
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import pynvml

from bench.records import GpuSample
from bench.telemetry.server_metrics import parse_prometheus

_MIB = 1024 * 1024
_ERRORS = (pynvml.NVMLError, pynvml.NVMLLibraryMismatchError)
T = TypeVar("T")

THROTTLE_REASONS: Mapping[int, str] = {
    0x001: "gpu_idle",
    0x002: "applications_clocks_setting",
    0x004: "sw_power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal_slowdown",
    0x040: "hw_thermal_slowdown",
    0x080: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
    0x200: "board_limit",
    0x400: "reliability",
}
"""NVML's bits for why clocks are below their maximum."""


@dataclass(frozen=True, kw_only=True)
class GpuFacts:
    """What does not change while a run lasts; each field None if unknown."""

    names: list[str] | None
    driver_version: str | None
    cuda_version: str | None


class GpuReader:
    """Owns one connection to NVML; without NVML it reads nothing and says why in `unavailable_reason`."""

    def __init__(self, *, pids: Callable[[], Collection[int]] = tuple) -> None:
        self._pids = pids
        self._devices: list[Any] = []
        self._names: list[tuple[str | None, str | None]] = []
        self._connected = False
        self.unavailable_reason: str | None = "not opened"

    def __enter__(self) -> Self:
        try:
            pynvml.nvmlInit()
        except _ERRORS as error:
            self.unavailable_reason = f"NVML is not available: {error}"
            return self
        self._connected = True
        count = _optional(pynvml.nvmlDeviceGetCount)
        handles = [_optional(pynvml.nvmlDeviceGetHandleByIndex, index) for index in range(count or 0)]
        self._devices = [handle for handle in handles if handle is not None]
        self._names = [
            (_text(pynvml.nvmlDeviceGetUUID, device), _text(pynvml.nvmlDeviceGetName, device))
            for device in self._devices
        ]
        self.unavailable_reason = None if self._devices else "NVML found no device"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._devices = []
        if self._connected:
            self._connected = False
            with contextlib.suppress(*_ERRORS):  # the driver may be gone; there is nothing left to release
                pynvml.nvmlShutdown()

    def facts(self) -> GpuFacts:
        """Names of the devices, version of the driver and the CUDA version that it supports."""
        if not self._connected:
            return GpuFacts(names=None, driver_version=None, cuda_version=None)
        cuda = _optional(pynvml.nvmlSystemGetCudaDriverVersion)
        return GpuFacts(
            names=[name or "unknown" for _, name in self._names],
            driver_version=_text(pynvml.nvmlSystemGetDriverVersion),
            cuda_version=None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
        )

    def read(self, stage: str) -> list[GpuSample]:
        """One sample per device; [] without NVML. Fields that the card refuses are None."""
        pids = frozenset(self._pids()) if self._devices else frozenset()
        return [self._read(index, stage, pids) for index in range(len(self._devices))]

    def _read(self, index: int, stage: str, pids: frozenset[int]) -> GpuSample:
        device = self._devices[index]
        uuid, name = self._names[index]
        t_ns = time.monotonic_ns()
        used, reserved, total = _memory_mib(device)
        rates = _optional(pynvml.nvmlDeviceGetUtilizationRates, device)
        power_mw = _optional(pynvml.nvmlDeviceGetPowerUsage, device)
        return GpuSample(
            t_ns=t_ns,
            stage=stage,
            source="nvml",
            device_index=index,
            device_uuid=uuid,
            device_name=name,
            memory_used_mib=used,
            memory_reserved_mib=reserved,
            memory_total_mib=total,
            process_memory_mib=_process_memory_mib(device, pids) if pids else None,
            utilization_pct=None if rates is None else float(rates.gpu),
            memory_utilization_pct=None if rates is None else float(rates.memory),
            power_w=None if power_mw is None else power_mw / 1000,
            energy_mj=_optional(pynvml.nvmlDeviceGetTotalEnergyConsumption, device),
            temperature_c=_number(pynvml.nvmlDeviceGetTemperature, device, pynvml.NVML_TEMPERATURE_GPU),
            sm_clock_mhz=_number(pynvml.nvmlDeviceGetClockInfo, device, pynvml.NVML_CLOCK_SM),
            memory_clock_mhz=_number(pynvml.nvmlDeviceGetClockInfo, device, pynvml.NVML_CLOCK_MEM),
            throttle_reasons=_throttle_reasons(device),
        )


def _optional(call: Callable[..., T], *arguments: object) -> T | None:
    """The call's result, or None where card, driver or library do not offer it."""
    try:
        return call(*arguments)
    except _ERRORS:
        return None


def _number(call: Callable[..., Any], *arguments: object) -> float | None:
    value = _optional(call, *arguments)
    return None if value is None else float(value)


def _text(call: Callable[..., Any], *arguments: object) -> str | None:
    value = _optional(call, *arguments)
    if value is None:
        return None
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _memory_mib(device: Any) -> tuple[float | None, float | None, float | None]:
    """Used, reserved and total memory; version 2 of the call keeps the driver's reserve apart from `used`."""
    memory = _optional(pynvml.nvmlDeviceGetMemoryInfo, device, pynvml.nvmlMemory_v2)
    if memory is not None:
        return memory.used / _MIB, memory.reserved / _MIB, memory.total / _MIB
    memory = _optional(pynvml.nvmlDeviceGetMemoryInfo, device)
    return (None, None, None) if memory is None else (memory.used / _MIB, None, memory.total / _MIB)


def _process_memory_mib(device: Any, pids: frozenset[int]) -> float | None:
    """Memory of the processes `pids`; None if the card lists none of them.

    That is unknown rather than 0: in a container NVML may name processes by the host's numbers.
    """
    listed = _optional(pynvml.nvmlDeviceGetComputeRunningProcesses, device) or []
    ours = [process.usedGpuMemory for process in listed if process.pid in pids]
    if not ours or any(used is None for used in ours):
        return None
    return float(sum(ours)) / _MIB


def _throttle_reasons(device: Any) -> list[str] | None:
    """Why clocks are held down, by name; [] if they are not. Older drivers know only the older call."""
    bits = _optional(pynvml.nvmlDeviceGetCurrentClocksEventReasons, device)
    if bits is None:
        bits = _optional(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, device)
    if bits is None:
        return None
    return [name for bit, name in THROTTLE_REASONS.items() if bits & bit]


def simulated_gpu(text: str, stage: str, t_ns: int) -> list[GpuSample]:
    """The simulator's pretended cards in its metrics `text`; [] if it has none."""
    return [_simulated(labels, values, stage, t_ns) for labels, values in _by_device(text, stage, t_ns)]


def _by_device(text: str, stage: str, t_ns: int) -> Iterator[tuple[dict[str, str], dict[str, float]]]:
    devices: dict[str, dict[str, float]] = {}
    for sample in parse_prometheus(text, stage, t_ns):
        if sample.metric.startswith("sim_") and sample.labels and sample.value is not None:
            devices.setdefault(sample.labels, {})[sample.metric] = sample.value
    for encoded, values in devices.items():
        labels = json.loads(encoded)
        if "sim_vram_used_mib" in values and labels.get("device", "").isdecimal():
            yield labels, values


def _simulated(labels: dict[str, str], values: dict[str, float], stage: str, t_ns: int) -> GpuSample:
    energy_mj = values.get("sim_energy_mj_total")
    return GpuSample(
        t_ns=t_ns,
        stage=stage,
        source="simulated",
        device_index=int(labels["device"]),
        device_uuid=labels.get("uuid"),
        device_name=labels.get("name"),
        memory_used_mib=values.get("sim_vram_used_mib"),
        memory_reserved_mib=None,
        memory_total_mib=values.get("sim_vram_total_mib"),
        process_memory_mib=None,
        utilization_pct=values.get("sim_gpu_utilization_pct"),
        memory_utilization_pct=None,
        power_w=values.get("sim_power_w"),
        energy_mj=None if energy_mj is None else int(energy_mj),
        temperature_c=values.get("sim_temperature_c"),
        sm_clock_mhz=None,
        memory_clock_mhz=None,
        throttle_reasons=None,
    )
