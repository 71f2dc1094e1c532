"""Readings of a graphics card: all fields, few fields, no driver, no card, no library, a simulated one."""

import ctypes
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.records import GpuSample
from bench.simulator.machine import Machine
from bench.simulator.metrics import Lateness, metrics_text
from bench.simulator.model import PROFILES, VRAM_IDLE_MIB, VRAM_TOTAL_MIB, Settings, loaded_mib
from bench.telemetry.gpu import simulated_gpu

READ = """
from dataclasses import asdict
import time
from bench.telemetry.gpu import GpuReader
before_ns = time.monotonic_ns()
with GpuReader(pids=lambda: {pids}) as reader:
    samples = [asdict(s) for s in reader.read("load_test")] + [asdict(s) for s in reader.read("answer")]
    facts = asdict(reader.facts())
    reason = reader.unavailable_reason
after_ns = time.monotonic_ns()
result = dict(samples=samples, facts=facts, reason=reason, before_ns=before_ns, after_ns=after_ns)
"""


@pytest.fixture
def read(nvml_stub, with_nvml):
    def run(*macros, pids="[]", **env):
        return with_nvml(nvml_stub(*macros), READ.format(pids=pids), **env)

    return run


def test_card_that_offers_everything_fills_every_field(read):
    result = read("WITH_PROCESSES", pids="[4242, 1]")
    first = result["samples"][0]
    assert result["before_ns"] <= first.pop("t_ns") <= result["after_ns"]
    assert first == {
        "stage": "load_test",
        "source": "nvml",
        "device_index": 0,
        "device_uuid": "GPU-aaaa",
        "device_name": "Stub H100",
        "memory_used_mib": 20000.0,
        "memory_reserved_mib": 551.0,
        "memory_total_mib": 81559.0,
        "process_memory_mib": 18000.0,
        "utilization_pct": 97.0,
        "memory_utilization_pct": 41.0,
        "power_w": 652.345,
        "energy_mj": 5000065234,
        "temperature_c": 64.0,
        "sm_clock_mhz": 1785.0,
        "memory_clock_mhz": 2619.0,
        "throttle_reasons": ["sw_power_cap", "hw_thermal_slowdown"],
    }
    assert result["samples"][2]["stage"] == "answer"
    assert result["samples"][2]["energy_mj"] == 5000065234 + 65234


def test_card_that_offers_little_leaves_the_rest_unknown(read):
    second = read("WITH_PROCESSES", pids="[4242]")["samples"][1]
    known = {name for name, value in second.items() if value is not None}
    assert known == {
        "t_ns",
        "stage",
        "source",
        "device_index",
        "device_uuid",
        "device_name",
        "memory_used_mib",
        "memory_total_mib",
    }
    assert second["memory_used_mib"] == 1000.0


@pytest.mark.parametrize(
    ("macros", "pids"),
    [((), "[4242]"), (("WITH_PROCESSES",), "[7]"), (("WITH_PROCESSES",), "[]")],
    ids=["library without the call", "processes not listed", "nobody asked for"],
)
def test_unknown_process_memory_is_none_and_not_zero(read, macros, pids):
    sample = read(*macros, pids=pids)["samples"][0]
    assert sample["process_memory_mib"] is None
    assert sample["memory_used_mib"] == 20000.0


def test_facts_name_devices_driver_and_cuda(read):
    assert read()["facts"] == {
        "names": ["Stub H100", "Stub T4"],
        "driver_version": "575.51.03",
        "cuda_version": "12.9",
    }


@pytest.mark.parametrize(
    ("env", "reason"),
    [({"NVML_STUB_NO_DRIVER": "1"}, "Driver Not Loaded"), ({"NVML_STUB_NO_DEVICE": "1"}, "no device")],
)
def test_no_driver_and_no_device_are_reasons(read, env, reason):
    result = read(**env)
    assert result["samples"] == []
    assert reason in result["reason"]


def test_no_library_is_a_reason(with_nvml):
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        result = with_nvml(None, READ.format(pids="[]"))
        assert result["samples"] == []
        assert "Library Not Found" in result["reason"]
        assert result["facts"] == {"names": None, "driver_version": None, "cuda_version": None}
    else:
        pytest.skip("this machine has NVIDIA's library")


def test_each_reader_has_a_connection_of_its_own_and_gives_it_back(nvml_stub, with_nvml):
    code = """
import ctypes
from bench.telemetry.gpu import GpuReader
opened = ctypes.CDLL("libnvidia-ml.so.1").nvmlStubOpened
result = [opened()]
with GpuReader() as a:
    result.append(opened())
    with GpuReader() as b:
        result.append(opened())
    result.append(len(a.read("x")))
result.append(opened())
"""
    assert with_nvml(nvml_stub(), code) == [0, 1, 2, 2, 0]


def simulated_text():
    machine = Machine(seed=1, speed=1.0, now_ns=0)
    machine.place(PROFILES["sim-hasty"], Settings())
    return metrics_text(machine, Lateness(), 2_000_000_000)


def test_simulated_card_is_read_from_its_metrics_and_says_so():
    (sample,) = simulated_gpu(simulated_text(), "warm_up", 11)
    assert (sample.t_ns, sample.stage, sample.source, sample.device_index) == (11, "warm_up", "simulated", 0)
    assert sample.memory_used_mib == VRAM_IDLE_MIB + loaded_mib(PROFILES["sim-hasty"], Settings())
    assert sample.memory_total_mib == VRAM_TOTAL_MIB
    assert sample.energy_mj == round(sample.power_w * 2 * 1000)
    assert sample.utilization_pct == 0.0
    assert sample.sm_clock_mhz is None
    assert sample.throttle_reasons is None


@given(st.text(max_size=200))
def test_other_text_has_no_simulated_card(text):
    assert simulated_gpu(text, "x", 0) == []
    assert simulated_gpu("vllm:num_requests_running 3\n" + text, "x", 0) == []


def test_missing_simulated_values_stay_unknown():
    (sample,) = simulated_gpu('sim_vram_used_mib{device="1"} 5\n', "x", 0)
    unknown = {field.name for field in fields(GpuSample) if getattr(sample, field.name) is None}
    assert {"energy_mj", "power_w", "utilization_pct", "device_name"} <= unknown
    assert sample.device_index == 1
