"""A workspace in which the real command is run: data folder, configuration, and what it started."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from flows.config import ROOT
from warehouse.store import open_warehouse

RUN_LIMIT_S = 150.0

TINY = {
    "arrivals": "closed",
    "concurrency": 2,
    "n_requests": 6,
    "prompts": "short",
    "max_tokens": 8,
    "warm_up_requests": 1,
}
"""A load test of a fraction of a second."""


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """What is started here takes Ctrl-C, also where a shell that put the tests into the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass
class Workspace:
    """A data folder, a copy of the configuration, and the command that works on them."""

    root: Path
    api_url: str | None
    env: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def configs(self) -> Path:
        return self.root / "configs"

    def environ(self) -> dict[str, str]:
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "LANGFUSE_", "BAKEOFF_"))
        }
        api = {"PREFECT_API_URL": self.api_url} if self.api_url else {}
        home = {"HOME": str(self.root / "home"), "LANG": "C.UTF-8"}
        return {
            **kept,
            **home,
            **api,
            "BAKEOFF_DATA": str(self.data),
            "BAKEOFF_CONFIG": str(self.configs),
            **self.env,
        }

    def edit(self, file: str, change: Callable[[dict[str, Any]], None]) -> None:
        path = self.configs / file
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    def experiment(self, name: str, **content: Any) -> None:
        path = self.configs / "experiments" / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"name": name, **content}), encoding="utf-8")

    def start(self, *words: str) -> subprocess.Popen[str]:
        with heeding_interrupts():
            return subprocess.Popen(
                [sys.executable, "-m", "cli.main", *words],
                env=self.environ(),
                cwd=self.root,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def bakeoff(self, *words: str, limit_s: float = RUN_LIMIT_S) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            pytest.fail(f"bakeoff {' '.join(words)} took over {limit_s} s:\n{out}\n{err}")
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(self.data / "warehouse.duckdb", read_only=True) as store:
            return store.sql(sql)[1]

    def run_id(self) -> str:
        """The one run that has landed anything here."""
        (run,) = [p.name for p in (self.data / "landing").iterdir() if p.is_dir()]
        return run

    def events(self) -> list[dict[str, Any]]:
        """The progress of the newest run."""
        files = sorted((self.data / "logs").glob("R*/progress.jsonl"))
        text = files[-1].read_text(encoding="utf-8") if files else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def wait_for(self, seen: Callable[[Mapping[str, Any]], bool], process: subprocess.Popen[str]) -> None:
        """Until an event of the run's progress satisfies `seen`; fails if the run ends before."""
        deadline = time.monotonic() + 90
        while not any(seen(event) for event in self.events()):
            if process.poll() is not None:
                pytest.fail("the run ended first:\n{}\n{}".format(*process.communicate()))
            if time.monotonic() > deadline:
                process.kill()
                pytest.fail("the run did not get there within 90 s:\n{}\n{}".format(*process.communicate()))
            time.sleep(0.02)


def new_workspace(root: Path, api_url: str | None) -> Workspace:
    """The shipped configuration in a folder of its own, with the workload and the experiment `tiny` besides."""
    shutil.copytree(ROOT / "configs", root / "configs")
    (root / "home").mkdir()
    space = Workspace(root, api_url)
    space.edit("workloads.yaml", lambda c: c["workloads"].update(tiny=TINY))
    space.experiment(
        "tiny",
        matrix={"targets": ["simulator"], "models": ["sim-hasty", "sim-balanced"]},
        workloads=["tiny"],
    )
    return space


def processes_below(marker: str) -> list[int]:
    """Ids of living processes whose environment holds `marker`: what a workspace has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                held = (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if marker.encode() in held and state != "Z":
                found.append(int(entry.name))
    return found


def command_of(pid: int) -> str:
    """The command line of a process, empty if it has gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def process_of(marker: str, words: str) -> int:
    """Id of the one process below `marker` whose command holds `words`, the watchdog before it left out.

    While it starts another program there are two for a moment, the later one being about to become that.
    """
    started = {}
    for pid in processes_below(marker):
        command = command_of(pid)
        if words in command and "watchdog" not in command:
            with suppress(psutil.NoSuchProcess):
                started[pid] = psutil.Process(pid).create_time()
    assert started, f"no process runs {words}"
    return min(started, key=lambda pid: (started[pid], pid))


def until_gone(marker: str, limit_s: float = 30.0) -> list[int]:
    """Wait for the processes below `marker` to end; returns those that have not within the limit."""
    deadline = time.monotonic() + limit_s
    while (left := processes_below(marker)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
