"""What the sandbox allows: limits, and the command line that puts a program behind them."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Caps of one session. CPU time decides; wall time only stops what sleeps or hangs.

    A wall limit near the CPU limit would make verdicts depend on what else the machine does.
    """

    cpu_s: int = 2
    wall_s: float = 20.0
    memory_mib: int = 512
    file_mib: int = 16
    tmp_mib: int = 64
    shm_mib: int = 16
    n_processes: int = 64
    n_files: int = 128
    output_bytes: int = _MIB
    reply_bytes: int = 2 * _MIB
    start_s: float = 20.0

    def for_guest(self) -> list[str]:
        """The limits that the guest sets on itself before it sees any code, as its arguments."""
        values = (self.cpu_s, self.memory_mib * _MIB, self.file_mib * _MIB, self.n_files, self.n_processes)
        return [str(value) for value in values]


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """How to start a sandbox on this host: absolute paths, because its environment is empty.

    `mount_point` is set where the interpreter lies in a folder that only root may enter: it is then bound
    there inside a mount namespace of its own. `drop` tells whether root becomes nobody first, as limits on
    the number of processes do not bind root.
    """

    bwrap: str
    prefix: Path
    drop: bool
    mount_point: Path | None


def find_launcher(*, bwrap: str | None, is_root: bool) -> Launcher | str:
    """The launcher for this host, or the reason why there is none."""
    if sys.platform != "linux":
        return f"bubblewrap needs Linux, this is {sys.platform}"
    path = bwrap or shutil.which("bwrap")
    if path is None:
        return "bubblewrap (bwrap) is not installed: no code of a model is executed"
    prefix = Path(sys.base_prefix).resolve()
    mount_point = None
    if is_root:
        missing = [tool for tool in ("unshare", "setpriv", "mount") if shutil.which(tool) is None]
        if missing:
            return f"run as root, but {', '.join(missing)} (util-linux) is not installed"
        if not prefix.is_relative_to("/usr"):
            places = [folder for folder in map(Path, ("/mnt", "/media", "/srv", "/opt")) if folder.is_dir()]
            if not places:
                return "no folder to bind the interpreter to: /mnt, /media, /srv and /opt are missing"
            mount_point = places[0]
    return Launcher(bwrap=path, prefix=prefix, drop=is_root, mount_point=mount_point)


def command(
    launcher: Launcher, limits: Limits, program: Sequence[str], *, info_fd: int, groups: Sequence[Path]
) -> list[str]:
    """The argv that runs `python -I -S program…` in a fresh sandbox.

    `info_fd` is where bubblewrap reports the sandbox' first process; `groups` are control groups to join.
    """
    inside_usr = launcher.prefix.is_relative_to("/usr")
    home = launcher.prefix if inside_usr else Path("/py")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    argv = [launcher.bwrap, "--info-fd", str(info_fd), *_walls(limits)]
    if not inside_usr:
        argv += ["--ro-bind", str(launcher.mount_point or launcher.prefix), "/py"]
    argv += [
        "--remount-ro",
        "/",
        "--",
        str(home / "bin" / f"python{version}"),
        "-I",
        "-S",
        "-X",
        "utf8",
        *program,
    ]
    if launcher.drop:
        argv = [_tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", *argv]
    return _prepared(launcher, argv, groups)


def _walls(limits: Limits) -> list[str]:
    """Namespaces, capabilities and files: all of the host's that remains is /usr, read-only."""
    walls = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    walls += ["--cap-drop", "ALL", "--clearenv", "--hostname", "sandbox", "--ro-bind", "/usr", "/usr"]
    for name in ("/bin", "/lib", "/lib64", "/lib32"):
        folder = Path(name)
        if folder.is_symlink():
            walls += ["--symlink", str(folder.readlink()), name]
        elif folder.is_dir():
            walls += ["--ro-bind", name, name]
    # --dev leaves /dev/shm without a size: it is covered by one that has it.
    walls += ["--proc", "/proc", "--dev", "/dev"]
    walls += ["--size", str(limits.shm_mib * _MIB), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108
    walls += ["--size", str(limits.tmp_mib * _MIB), "--tmpfs", "/tmp", "--chdir", "/tmp"]  # noqa: S108
    return walls


_JOIN_AND_BIND = """
n=$1; shift
while [ "$n" -gt 0 ]; do echo $$ > "$1/cgroup.procs" || exit 91; shift; n=$((n - 1)); done
if [ -n "$1" ]; then "$1" --bind "$2" "$3" || exit 92; fi
shift 3
exec "$@"
"""
"""Joins control groups, binds the interpreter, becomes the sandbox. Its data are arguments, never text."""


def _prepared(launcher: Launcher, argv: list[str], groups: Sequence[Path]) -> list[str]:
    binds = launcher.mount_point is not None
    if not groups and not binds:
        return argv
    mount = [_tool("mount"), str(launcher.prefix), str(launcher.mount_point)] if binds else ["", "", ""]
    shell = ["/bin/sh", "-c", _JOIN_AND_BIND, "sh", str(len(groups)), *map(str, groups), *mount, *argv]
    return [_tool("unshare"), "--mount", "--propagation", "private", *shell] if binds else shell


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"{name} (util-linux) is not installed")
    return path
