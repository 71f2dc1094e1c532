import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bench.errors import BenchError
from bench.process import OwnedProcess, child_environment

ROOT = Path(__file__).parents[2]
ENV = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


def own(code: str, log: Path) -> OwnedProcess:
    return OwnedProcess([sys.executable, "-u", "-c", code], env=ENV, log_path=log)


def assert_gone(pid: int, timeout_s: float = 10.0) -> None:
    """The process ends (a zombie whose parent has not looked yet counts as ended)."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], timeout_s)[0], f"process {pid} still lives"
    finally:
        os.close(handle)


def test_output_is_read_while_it_runs_and_stop_ends_it(tmp_path: Path) -> None:
    with own(
        "import time; print('hello'); print('{\"port\": 1}'); time.sleep(60)", tmp_path / "log"
    ) as child:
        assert child.first_line(10.0, prefix="{") == '{"port": 1}'
        assert child.running
        assert child.poll() is None
        assert child.tail(1) == ['{"port": 1}']
        pid = child.pid
        assert os.getpgid(pid) == pid
    assert child.poll() == -signal.SIGTERM
    assert not child.running
    assert_gone(pid)
    child.stop()


def test_the_exit_status_of_a_program_that_ends_by_itself_is_kept(tmp_path: Path) -> None:
    with own("raise SystemExit(7)", tmp_path / "log") as child:
        with pytest.raises(BenchError, match="ended with status 7; last output: none"):
            child.first_line(10.0)
        assert child.poll() == 7


def test_a_silent_program_is_not_waited_for_forever(tmp_path: Path) -> None:
    with (
        own("input() if 0 else __import__('time').sleep(60)", tmp_path / "log") as child,
        pytest.raises(BenchError, match=r"was silent for 0\.05 s"),
    ):
        child.first_line(0.05)


def test_a_program_that_cannot_be_executed_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"^cannot start /nonexistent/server: No such file or directory$"):
        OwnedProcess(["/nonexistent/server"], env=ENV, log_path=tmp_path / "log").start()


def test_a_folder_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    child = OwnedProcess(["true"], env=ENV, log_path=tmp_path / "log", cwd=tmp_path / "missing")
    with pytest.raises(BenchError, match="cannot start true: No such file or directory"):
        child.start()


def test_a_program_that_ignores_a_polite_request_is_forced(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(60)"
    )
    with own(code, tmp_path / "log") as child:
        child.first_line(10.0)
        child.stop(grace_s=0.05)
        assert child.poll() == -signal.SIGKILL


def test_it_can_be_started_again_and_only_its_own_output_is_read(tmp_path: Path) -> None:
    child = own("import os, time; print(os.getpid()); time.sleep(60)", tmp_path / "log")
    with child:
        first = child.first_line(10.0)
        child.start()  # runs already: nothing happens
        assert child.pid == int(first)
        child.stop()
        child.start()
        assert child.first_line(10.0) == str(child.pid) != first


GRANDCHILD = (
    "import subprocess, sys, os, time\n"
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
    "print(p.pid)\n"
)


@pytest.mark.parametrize("end", ["time.sleep(60)", "os._exit(3)"])
def test_a_grandchild_in_a_session_of_its_own_ends_too(tmp_path: Path, end: str) -> None:
    with own(GRANDCHILD + end, tmp_path / "log") as child:
        grandchild = int(child.first_line(10.0))
    assert_gone(grandchild)


def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent_code = (
        "import os, sys, time; from pathlib import Path; from bench.process import OwnedProcess\n"
        f"child = OwnedProcess([sys.executable, '-u', '-c', {GRANDCHILD + 'time.sleep(60)'!r}],"
        f" env=dict(os.environ), log_path=Path({str(tmp_path / 'log')!r}))\n"
        "child.start(); print(child.pid, child.first_line(10.0), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", parent_code], env=ENV, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout as output:
        pids = [int(word) for word in output.readline().split()]
    guards = [p.pid for p in psutil.Process(parent.pid).children()]
    assert len(pids) == 2
    assert len(guards) == 1
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for pid in pids + guards:
        assert_gone(pid)


def test_a_killed_watchdog_takes_its_program_along_at_the_next_look(tmp_path: Path) -> None:
    with own("import time; print('up'); time.sleep(60)", tmp_path / "log") as child:
        child.first_line(10.0)
        watchdog = psutil.Process(child.pid).parent()
        assert watchdog is not None
        watchdog.kill()
        watchdog.wait(10)
        assert child.poll() == -signal.SIGKILL
        assert_gone(child.pid)


def test_a_server_does_not_see_our_secrets() -> None:
    own_environment = {
        "PATH": "/bin",
        "LANGFUSE_SECRET_KEY": "sk-1",
        "CUDA_VISIBLE_DEVICES": "0",
        "LC_ALL": "C",
    }
    assert child_environment({"MODE": "x", "LC_ALL": "ko_KR.UTF-8"}, own=own_environment) == {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "0",
        "LC_ALL": "ko_KR.UTF-8",
        "MODE": "x",
    }
