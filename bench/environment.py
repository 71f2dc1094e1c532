"""Records what a run is measured on: hardware, system, versions; it cannot be recovered later."""

import json
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import psutil

from bench.records import Environment
from bench.telemetry.gpu import GpuReader

_GIT_TIMEOUT_S = 5.0


def read_environment(*, config_hash: str, root: Path) -> Environment:
    """The environment of this process; what cannot be found out is None.

    Args:
        config_hash: hash of the configuration that the run uses.
        root: the project's own folder; the commit is None unless it is the top of a git checkout.
    """
    with GpuReader() as reader:
        gpu = reader.facts()
    commit = _commit(root)
    return Environment(
        hostname=platform.node() or None,
        os=_os_name(),
        kernel=platform.release() or None,
        cpu_model=_cpu_model(),
        cpu_count=psutil.cpu_count(),
        memory_mib=psutil.virtual_memory().total / (1024 * 1024),
        python_version=platform.python_version(),
        bakeoff_version=_own_version(),
        commit_sha=commit,
        commit_dirty=_dirty(root) if commit else None,
        config_hash=config_hash,
        gpu_names=gpu.names,
        gpu_driver_version=gpu.driver_version,
        gpu_cuda_version=gpu.cuda_version,
        packages=json.dumps(_packages(), sort_keys=True),
    )


def _os_name() -> str | None:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system() or None


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip() or None
    return platform.processor() or None


def _own_version() -> str | None:
    try:
        return version("bakeoff")
    except PackageNotFoundError:
        return None


def _packages() -> dict[str, str]:
    # A half-removed package has metadata without a name; it says nothing.
    named = ((one.metadata["Name"], one.version) for one in distributions())
    return {name: number for name, number in named if name}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _commit(root: Path) -> str | None:
    """The checkout's commit; a folder merely inside somebody else's checkout has none of ours."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != root.resolve():
        return None
    return _git(root, "rev-parse", "HEAD")


def _dirty(root: Path) -> bool | None:
    changes = _git(root, "status", "--porcelain")
    return None if changes is None else bool(changes)
