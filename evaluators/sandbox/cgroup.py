"""Total caps on memory and processes of one sandbox, through control groups of version 1 or 2.

Limits of a process (rlimits) are per process: twenty children hold twenty times as much. Only a control group
caps the sum. It needs a writable hierarchy, which root usually has and a plain user usually does not; without
one the sandbox still caps each process and their number.
"""

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_serial = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Hierarchies:
    """Folders below which groups can be made; with version 2 both are the same folder."""

    version: int
    memory: Path
    pids: Path


@dataclass(frozen=True, kw_only=True)
class Group:
    """One sandbox's groups: the folders to join, and how to read what happened."""

    version: int
    memory: Path
    pids: Path

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders whose `cgroup.procs` a process must be written to."""
        return (self.memory,) if self.version == 2 else (self.memory, self.pids)

    def oom_kills(self) -> int:
        """How many processes the kernel killed for memory in this group."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        try:
            lines = (self.memory / name).read_text().splitlines()
        except OSError:
            return 0
        counts = dict(line.split(maxsplit=1) for line in lines if " " in line)
        return int(counts.get("oom_kill", "0"))


def find_hierarchies(root: Path = Path("/sys/fs/cgroup")) -> Hierarchies | None:
    """Where this process may make groups with memory and pids caps, or None."""
    if os.geteuid() != 0:
        return None
    candidates = [Hierarchies(version=2, memory=root, pids=root)]
    own = _own_paths()
    candidates += [
        Hierarchies(
            version=1,
            memory=root / "memory" / own.get("memory", ""),
            pids=root / "pids" / own.get("pids", ""),
        ),
        Hierarchies(version=1, memory=root / "memory", pids=root / "pids"),
    ]
    for candidate in candidates:
        with contextlib.suppress(OSError), capped(candidate, memory_bytes=64 << 20, n_processes=8):
            _sweep(candidate)
            return candidate
    return None


def _sweep(where: Hierarchies) -> None:
    """Remove the empty groups of processes that were killed before they could; busy ones stay."""
    for parent in {where.memory, where.pids}:
        for folder in parent.glob("bakeoff-*-*"):
            pid = folder.name.split("-")[1]
            if pid.isdigit() and not Path("/proc", pid).exists():
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _own_paths() -> dict[str, str]:
    own: dict[str, str] = {}
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return own
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            own[controller] = path.strip("/")
    return own


@contextlib.contextmanager
def capped(where: Hierarchies, *, memory_bytes: int, n_processes: int) -> Iterator[Group]:
    """A fresh group with these caps, removed afterwards.

    Raises:
        OSError: the hierarchy is not there or not writable.
    """
    name = f"bakeoff-{os.getpid()}-{next(_serial)}"
    group = Group(version=where.version, memory=where.memory / name, pids=where.pids / name)
    made: list[Path] = []
    try:
        for folder in group.folders:
            folder.mkdir()
            made.append(folder)
        limit = "memory.max" if where.version == 2 else "memory.limit_in_bytes"
        # open() without O_CREAT: a hierarchy without the controller must fail, not get a plain file.
        _write(group.memory / limit, memory_bytes)
        _write(group.pids / "pids.max", n_processes)
        yield group
    finally:
        for folder in made:
            _remove(folder)


def _write(path: Path, value: int) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, str(value).encode())
    finally:
        os.close(fd)


def _remove(folder: Path, patience_s: float = 1.0) -> None:
    """Remove a group; the kernel lets go of a dead process' group a moment after it was reaped."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.002)
