"""Sampling beside a measurement: rates, stages, and sources that fail, hang or are not there."""

import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.telemetry.sampler import Sampler, read_samples

CARD = 'sim_vram_used_mib{device="0"} %d\nsim_power_w{device="0"} 60\nsim_queue_depth 3\n'


class Source:
    """Answers metrics and lets a test wait until it was asked so many times."""

    def __init__(self, answer=lambda n: CARD % n):
        self.n = 0
        self._asked = threading.Condition()
        self._answer = answer

    def __call__(self):
        with self._asked:
            self.n += 1
            self._asked.notify_all()
        return self._answer(self.n)

    def wait(self, n):
        with self._asked:
            assert self._asked.wait_for(lambda: self.n >= n, 15)


def test_simulated_card_is_sampled_at_its_rate_and_the_server_at_its_own(tmp_path):
    source = Source()
    with Sampler(
        log_path=tmp_path / "logs" / "s.jsonl", fetch_metrics=source, gpu="simulated", hz=50, server_hz=10
    ) as sampler:
        sampler.stage = "load_test"
        source.wait(26)
    gpu, host, server = read_samples(tmp_path / "logs" / "s.jsonl")
    assert (sampler.gpu_source, sampler.gpu_reason) == ("simulated", None)
    assert len(gpu) >= 25
    assert {sample.source for sample in gpu} == {"simulated"}
    gaps_ms = [(b.t_ns - a.t_ns) / 1e6 for a, b in pairwise(gpu)]
    assert sum(gaps_ms) / len(gaps_ms) == pytest.approx(20, rel=0.5)
    assert len([s for s in server if s.metric == "sim_queue_depth"]) == pytest.approx(len(gpu) / 5, abs=2)
    assert host
    assert sampler.failures == {}


def test_samples_carry_the_stage_in_which_they_were_taken(tmp_path):
    source = Source()
    with Sampler(log_path=tmp_path / "s", fetch_metrics=source, gpu="simulated", hz=100) as sampler:
        for stage in ("load_model", "load_test"):
            sampler.stage = stage
            source.wait(source.n + 4)
    stages = [sample.stage for sample in read_samples(tmp_path / "s")[0]]
    assert [stage for stage in dict.fromkeys(stages) if stage] == ["load_model", "load_test"]
    assert stages == sorted(stages)


def test_memory_is_read_after_the_question(tmp_path):
    source = Source()
    with Sampler(log_path=tmp_path / "s", fetch_metrics=source, gpu="simulated", hz=50) as sampler:
        source.wait(3)
        asked = source.n
        assert sampler.vram_mib() > asked


def test_hanging_server_blinds_neither_host_nor_gpu(tmp_path, nvml_stub, with_nvml):
    code = f"""
import threading, time
from pathlib import Path
from bench.telemetry.sampler import Sampler, read_samples
never = threading.Event()
path = Path({str(tmp_path / "s")!r})
with Sampler(log_path=path, fetch_metrics=lambda: never.wait(), gpu="nvml", pids=lambda: [4242], hz=50) as s:
    s.stage = "load_test"
    vram = [s.vram_mib() for _ in range(5)]
    host_until = time.monotonic() + 20
    while time.monotonic() < host_until and path.read_text().count('"host"') < 2: pass
gpu, host, server = read_samples(path)
result = [s.gpu_source, s.gpu_reason, vram, len(gpu) >= 10, len(host) >= 2, server, gpu[0].process_memory_mib]
"""
    began = time.monotonic()
    result = with_nvml(nvml_stub("WITH_PROCESSES"), code)
    assert result == ["nvml", None, [21000.0] * 5, True, True, [], 18000.0]
    assert time.monotonic() - began < 15


def test_failing_server_is_noted_and_asked_again(tmp_path):
    def answer(n):
        if n % 2:
            raise BenchError("connection\nrefused")
        return "up 1\n"

    source = Source(answer)
    with Sampler(log_path=tmp_path / "s", fetch_metrics=source, gpu=None, server_hz=50) as sampler:
        source.wait(9)
    assert len(read_samples(tmp_path / "s")[2]) >= 4
    assert sampler.failures == {"server": "connection refused"}


@pytest.mark.parametrize("gpu", [None, "simulated"])
def test_without_a_source_memory_is_unknown(tmp_path, gpu):
    with Sampler(log_path=tmp_path / "s", fetch_metrics=lambda: None, gpu=gpu) as sampler:
        assert sampler.vram_mib() is None
    assert sampler.gpu_source is None
    assert sampler.gpu_reason
    assert read_samples(tmp_path / "s")[0] == []


def test_no_library_is_said_once_and_the_rest_is_sampled(tmp_path, with_nvml):
    code = f"""
from pathlib import Path
from bench.telemetry.sampler import Sampler, read_samples
path = Path({str(tmp_path / "s")!r})
with Sampler(log_path=path, fetch_metrics=lambda: "up 1", gpu="nvml") as s:
    vram = s.vram_mib()
result = [s.gpu_source, s.gpu_reason, vram, [len(kind) > 0 for kind in read_samples(path)]]
"""
    source, reason, vram, kinds = with_nvml(None, code)
    if source is not None:
        pytest.skip("this machine has NVIDIA's library")
    assert "NVML is not available" in reason
    assert vram is None
    assert kinds == [False, True, True]


def test_log_is_flushed_each_second_so_that_a_kill_loses_little(tmp_path):
    path = tmp_path / "s"
    code = f"""
from pathlib import Path
import threading
from bench.telemetry.sampler import Sampler
with Sampler(log_path=Path({str(path)!r}), fetch_metrics=lambda: "up 1", gpu=None):
    threading.Event().wait()
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3]) as process:
        until = time.monotonic() + 20
        while time.monotonic() < until and not (path.exists() and '"host"' in path.read_text()):
            assert process.poll() is None
        process.kill()
    assert read_samples(path)[1]


def test_unfinished_last_line_is_no_sample_but_a_broken_one_is_told(tmp_path):
    path = tmp_path / "s"
    line = '{"kind": "server", "t_ns": 1, "stage": "x", "metric": "m", "labels": null, "value": 2.0}\n'
    path.write_text(line + line[:30])
    assert len(read_samples(path)[2]) == 1
    path.write_text(line + "nonsense\n" + line)
    with pytest.raises(ValueError, match=r"s:2: not a sample"):
        read_samples(path)
    assert read_samples(tmp_path / "absent") == ([], [], [])


def test_full_disk_is_a_reason_and_not_a_crash():
    with Sampler(log_path=Path("/dev/full"), fetch_metrics=lambda: "up 1", gpu=None) as sampler:
        pass
    assert "No space left" in sampler.failures["log"]
