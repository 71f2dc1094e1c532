"""Readings of this host and of the measuring processes on it."""

import subprocess
import sys
import time

from bench.telemetry.host import HostReader, read_host


def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_first_reading_has_no_shares_of_time():
    sample = read_host("load_test")
    assert sample.stage == "load_test"
    assert sample.cpu_pct is None
    assert sample.client_cpu_pct is None
    assert sample.memory_available_mib > 0
    assert sample.client_rss_mib > 1


def test_work_of_this_process_is_seen():
    reader = HostReader()
    first = reader.read("a")
    wall_ns, cpu_ns = time.monotonic_ns(), time.process_time_ns()
    burn(0.25)
    second = reader.read("b")
    used = 100 * (time.process_time_ns() - cpu_ns) / (time.monotonic_ns() - wall_ns)
    assert second.t_ns > first.t_ns
    assert abs(second.client_cpu_pct - used) < 25
    assert 0 < second.cpu_pct <= 100


def test_workers_count_as_client_and_other_children_do_not(tmp_path):
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").touch()
    (tmp_path / "bench" / "worker.py").write_text("print('up', flush=True)\ninput()\n")

    def child(*arguments):
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        process.stdout.readline()
        return process

    reader = HostReader()
    alone = reader.read("a").client_rss_mib
    with child("-c", "x = bytearray(200_000_000); print('up', flush=True); input()") as other:
        with_other = reader.read("a").client_rss_mib
        with child("-m", "bench.worker") as worker:
            with_worker = reader.read("a").client_rss_mib
            worker.communicate("\n")
        other.communicate("\n")
    assert with_other - alone < 100
    assert 2 < with_worker - with_other < 100
