"""A sandbox leaves nothing behind, and one that is missing or leaks executes nothing."""

import contextlib
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evaluators.sandbox import Sandbox, SandboxUnavailable, SessionDied


def test_detached_process_is_gone_with_its_session(sandbox: Sandbox) -> None:
    name = f"bk-{os.urandom(5).hex()}"
    code = """
import os, time
def f(name):
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open("/proc/self/comm", "w").write(name)
            os.closerange(0, write)
            os.write(write, b"x")
            time.sleep(60)
        os._exit(0)
    return os.read(read, 1) == b"x"
"""
    with sandbox.open_session(code) as session:
        assert session.call("f", [name]).value is True
        assert name in process_names()
    assert name not in process_names()


HARNESS = """
import sys
from evaluators.sandbox import Sandbox
code = '''
import time
def f(name):
    open("/proc/self/comm", "w").write(name)
    print("up")
    time.sleep(600)
'''
with Sandbox().open_session(code) as session:
    print("open", flush=True)
    session.call("f", [sys.argv[1]])
"""


def test_sandbox_dies_with_a_killed_harness(sandbox: Sandbox) -> None:
    name = f"bk-{os.urandom(5).hex()}"
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS, name],
        cwd=root,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    ) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == b"open\n"
        wait_until(lambda: name in process_names())
        harness.kill()
    wait_until(lambda: name not in process_names())
    wait_until(lambda: not groups_left_by(harness.pid))


def groups_left_by(pid: int) -> list[Path]:
    """Control groups of a dead process that the next run's sandbox did not sweep away."""
    next_run = Sandbox()
    assert next_run.probe().available
    hierarchies = next_run._hierarchies
    return [] if hierarchies is None else list(hierarchies.pids.glob(f"bakeoff-{pid}-*"))


def wait_until(holds: Callable[[], bool], patience_s: float = 20.0) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def process_names() -> set[str]:
    names = set()
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            names.add(comm.read_text().strip())
        except OSError:
            continue
    return names


def test_no_descriptor_is_left_open(sandbox: Sandbox) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for code in ("def f(): return 1", "import os\ndef f(): os._exit(3)"):
        with sandbox.open_session(code) as session, contextlib.suppress(SessionDied):
            session.call("f")
    assert len(os.listdir("/proc/self/fd")) == before


def test_missing_bubblewrap_means_no_execution(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox = Sandbox()
    report = sandbox.probe()
    assert (report.available, report.isolation) == (False, None)
    assert "bwrap" in (report.reason or "")
    with pytest.raises(SandboxUnavailable, match="bwrap"):
        sandbox.open_session("def f(): return 1")


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that a dropped user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize(
    ("hole", "leak"),
    [
        ("--unshare-all|--unshare-user --unshare-pid --unshare-ipc --unshare-uts", "connects"),
        ("--clearenv|--clearenv --ro-bind /etc /etc", "reads /etc/passwd"),
        ("--clearenv|--clearenv --bind /dev/shm /var", "writes"),
    ],
)
def test_any_hole_in_the_walls_means_no_execution(
    shared_folder: Path, hole: str, leak: str, sandbox: Sandbox
) -> None:
    old, new = hole.split("|")
    words = "".join(f' "{word}"' for word in new.split())
    script = shared_folder / "bwrap"
    script.write_text(
        '#!/bin/bash\nargs=()\nfor a in "$@"; do\n'
        f'  if [ "$a" = "{old}" ]; then args+=({words}); else args+=("$a"); fi\ndone\n'
        'exec /usr/bin/bwrap "${args[@]}"\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH | stat.S_IROTH)
    report = Sandbox(bwrap=str(script)).probe()
    assert not report.available
    assert leak in (report.reason or "")


def test_launcher_that_does_not_start_means_no_execution(shared_folder: Path) -> None:
    script = shared_folder / "bwrap"
    script.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    script.chmod(0o755)
    report = Sandbox(bwrap=str(script)).probe()
    assert not report.available
    assert "No permissions" in (report.reason or "")
