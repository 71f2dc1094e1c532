"""Reads the measuring host: processor, memory, network, and what the measuring itself takes of them."""

import time

import psutil

from bench.records import HostSample

_MIB = 1024 * 1024
_WORKER = "bench.worker"


class HostReader:
    """Keeps the processor times of the last reading, since a share of time needs two."""

    def __init__(self) -> None:
        self._own = psutil.Process()
        self._is_worker: dict[psutil.Process, bool] = {}
        self._cpu: tuple[float, float] | None = None  # busy, all: seconds
        self._client: dict[psutil.Process, float] | None = None  # seconds by process
        self._t_ns: int | None = None

    def read(self, stage: str) -> HostSample:
        """One sample. The two CPU shares hold since the last reading and are None in the first.

        `cpu_pct` is of all processors, 0 to 100; `client_cpu_pct` is of one, and sums this process and its
        load-generating workers: near 100 per worker the client, not the server, is the bottleneck.
        Network counters cover all interfaces, the loopback included.
        """
        t_ns = time.monotonic_ns()
        memory = psutil.virtual_memory()
        network = psutil.net_io_counters()
        clients = self._clients()
        sample = HostSample(
            t_ns=t_ns,
            stage=stage,
            cpu_pct=self._cpu_pct(),
            load_1m=psutil.getloadavg()[0],
            memory_used_mib=memory.used / _MIB,
            memory_available_mib=memory.available / _MIB,
            net_rx_bytes=network.bytes_recv if network else None,
            net_tx_bytes=network.bytes_sent if network else None,
            client_cpu_pct=self._client_cpu_pct(clients, t_ns),
            client_rss_mib=sum(rss for _, rss in clients.values()) / _MIB,
        )
        self._client = {process: seconds for process, (seconds, _) in clients.items()}
        self._t_ns = t_ns
        return sample

    def _cpu_pct(self) -> float | None:
        times = psutil.cpu_times()
        # guest time is already part of user time
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        now = (total - times.idle - getattr(times, "iowait", 0.0), total)
        before, self._cpu = self._cpu, now
        if before is None or now[1] <= before[1]:
            return None
        return min(100.0, max(0.0, 100 * (now[0] - before[0]) / (now[1] - before[1])))

    def _client_cpu_pct(self, clients: dict[psutil.Process, tuple[float, int]], t_ns: int) -> float | None:
        if self._client is None or self._t_ns is None or t_ns <= self._t_ns:
            return None
        used_s = sum(seconds - self._client.get(process, 0.0) for process, (seconds, _) in clients.items())
        return max(0.0, 100 * used_s / ((t_ns - self._t_ns) / 1e9))

    def _clients(self) -> dict[psutil.Process, tuple[float, int]]:
        """By process of the client: processor seconds used so far, resident bytes."""
        found = {}
        for process in [self._own, *self._workers()]:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    found[process] = (times.user + times.system, process.memory_info().rss)
            except psutil.Error:  # it has just ended
                continue
        return found

    def _workers(self) -> list[psutil.Process]:
        children = self._own.children(recursive=True)
        self._is_worker = {child: self._worker(child) for child in children}
        return [child for child, is_worker in self._is_worker.items() if is_worker]

    def _worker(self, child: psutil.Process) -> bool:
        if self._is_worker.get(child):
            return True
        try:
            return _WORKER in child.cmdline()
        except psutil.Error:
            return False


def read_host(stage: str) -> HostSample:
    """One sample on its own; without an earlier reading it has no CPU shares."""
    return HostReader().read(stage)
