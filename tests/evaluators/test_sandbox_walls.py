"""What a hostile program can reach, use up and leave behind: nothing, little, nothing."""

import socket
import tempfile
import time
from pathlib import Path

import pytest

from evaluators.sandbox import Limits, Sandbox, SessionDied

MIB = 1 << 20


def run(sandbox: Sandbox, code: str, *args: object):
    """What `f(*args)` of a program gave in a sandbox of its own."""
    with sandbox.open_session(code) as session:
        assert session.loaded.raised is None, session.loaded
        return session.call("f", list(args))


def status_of(sandbox: Sandbox, code: str) -> str:
    with sandbox.open_session(code) as session, pytest.raises(SessionDied) as death:
        session.call("f")
    return death.value.status


def test_probe_says_strict(sandbox: Sandbox) -> None:
    report = sandbox.probe()
    assert (report.available, report.isolation, report.reason) == (True, "strict", None)


def test_network_is_unreachable(sandbox: Sandbox) -> None:
    code = """
import socket
def f(port):
    reached = []
    for kind, address in ((socket.SOCK_STREAM, ("127.0.0.1", port)), (socket.SOCK_STREAM, ("192.0.2.1", 80))):
        try:
            with socket.socket(socket.AF_INET, kind) as s:
                s.settimeout(0.3)
                s.connect(address)
                reached.append(address[0])
        except OSError:
            pass
    for name in ("\\0bakeoff-abstract", ):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(name)
                reached.append("abstract")
        except OSError:
            pass
    return reached
"""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("\0bakeoff-abstract")
        abstract.listen()
        assert run(sandbox, code, tcp.getsockname()[1]).value == []


def test_udp_does_not_leave(sandbox: Sandbox) -> None:
    code = """
import socket
def f(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.sendto(b"out", ("127.0.0.1", port))
        except OSError:
            pass
    return True
"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        assert run(sandbox, code, udp.getsockname()[1]).value is True
        with pytest.raises(BlockingIOError):
            udp.recv(10)


def test_host_files_are_not_there(sandbox: Sandbox) -> None:
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "secret"
        secret.write_text("canary")
        Path(folder).chmod(0o755)
        code = """
import os
def f(paths):
    return [path for path in paths if os.path.exists(path)] + os.listdir("/tmp")
"""
        here = [
            str(secret),
            "/etc/passwd",
            "/etc/shadow",
            "/root",
            "/home",
            "/var",
            str(Path(__file__)),
            "/sys/fs",
        ]
        assert run(sandbox, code, here).value == []


def test_environment_is_empty_even_of_process_one(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKEOFF_SECRET_CANARY", "canary-in-env")
    code = """
import os
def f():
    seen = "".join(f"{k}={v}" for k, v in os.environ.items())
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("environ", "cmdline"):
            try:
                seen += open(f"/proc/{pid}/{name}").read()
            except OSError:
                pass
    return ["canary-in-env" in seen, len(seen) > 0]
"""
    assert run(sandbox, code).value == [False, True]


def test_nothing_of_the_host_can_be_written(sandbox: Sandbox) -> None:
    code = """
import os
def f():
    written = []
    for folder in ("/", "/usr", "/usr/bin", "/py", "/py/bin", "/dev", "/proc", "/proc/sys/kernel", "/sys"):
        try:
            with open(folder + "/hostname", "w") as file:
                file.write("x")
            written.append(folder)
        except OSError:
            pass
    return written
"""
    assert run(sandbox, code).value == []


def test_only_the_sandbox_processes_are_visible(sandbox: Sandbox) -> None:
    code = "import os\ndef f(): return [p for p in os.listdir('/proc') if p.isdigit()]"
    assert len(run(sandbox, code).value) <= 2


def test_no_new_user_namespace(sandbox: Sandbox) -> None:
    code = """
import ctypes
def f(): return ctypes.CDLL(None).unshare(0x10000000)
"""
    assert run(sandbox, code).value == -1


@pytest.mark.parametrize("with_cgroup", [True, False])
def test_fork_bomb_is_bounded(with_cgroup: bool) -> None:
    bomb = """
import os, time
def f():
    n = 0
    try:
        while n < 2000:
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
            n += 1
    except OSError:
        pass
    return n
"""
    sandbox = Sandbox()
    if not sandbox.probe().available:
        pytest.skip(f"no sandbox: {sandbox.probe().reason}")
    if not with_cgroup:
        sandbox._hierarchies = None  # as on a host where no control group can be made
    assert 0 < run(sandbox, bomb).value < Limits().n_processes


@pytest.mark.parametrize("folder", ["/dev/shm", "/tmp"])
def test_scratch_space_is_bounded(sandbox: Sandbox, folder: str) -> None:
    code = f"""
def f():
    written = 0
    try:
        for n in range(40):
            with open("{folder}/part%d" % n, "wb") as file:
                for _ in range(15):
                    file.write(bytes(1 << 20))
                    file.flush()
                    written += 1
    except OSError:
        pass
    return written
"""
    limits = sandbox.limits
    assert 0 < run(sandbox, code).value <= max(limits.tmp_mib, limits.shm_mib)


def test_one_file_is_bounded(sandbox: Sandbox) -> None:
    code = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def f():
    with open("/tmp/big", "wb") as file:
        for n in range(100):
            try:
                file.write(bytes(1 << 20))
                file.flush()
            except OSError:
                return n
"""
    assert run(sandbox, code).value <= sandbox.limits.file_mib


def test_memory_of_one_process_is_bounded(sandbox: Sandbox) -> None:
    reply = run(sandbox, "def f(): return len(bytearray(3 << 30))")
    assert "MemoryError" in (reply.raised or ())


def test_memory_of_all_processes_is_bounded(sandbox: Sandbox) -> None:
    if not sandbox.probe().caps_total_memory:
        pytest.skip("no control group can be made here: only each process is capped")
    code = """
import os
def f():
    started = []
    for _ in range(8):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            hog = bytearray(b"x") * (120 << 20)
            os.write(write, b"x")
            os.read(read, 2)
            os._exit(0)
        os.close(write)
        started.append(read)
    return sum(os.read(read, 1) == b"x" for read in started)
"""
    held_mib, status = 0, None
    with sandbox.open_session(code) as session:
        try:
            held_mib = 120 * session.call("f").value
        except SessionDied as death:
            status = death.status
    assert status in (None, "oom")
    assert held_mib <= sandbox.limits.memory_mib + sandbox.limits.tmp_mib


def test_endless_loop_is_a_cpu_timeout(sandbox: Sandbox) -> None:
    assert status_of(sandbox, "def f():\n    while True: pass") == "cpu_timeout"


def test_endless_loop_that_ignores_the_signal_is_one_too(sandbox: Sandbox) -> None:
    code = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\ndef f():\n    while True: pass"
    assert status_of(sandbox, code) == "cpu_timeout"


def test_sleeping_program_is_a_wall_timeout(sandbox: Sandbox) -> None:
    impatient = Sandbox(limits=Limits(wall_s=1.0))
    assert status_of(impatient, "import time\ndef f(): time.sleep(1000)") == "wall_timeout"


def test_endless_output_is_cut(sandbox: Sandbox) -> None:
    started = time.monotonic()
    assert status_of(sandbox, "def f():\n    while True: print('x' * 4096)") == "output_cap"
    assert time.monotonic() - started < sandbox.limits.wall_s


def test_program_that_reads_standard_input_gets_nothing(sandbox: Sandbox) -> None:
    reply = run(sandbox, "def f(): return input()")
    assert "EOFError" in (reply.raised or ())


def test_ordinary_library_code_works(sandbox: Sandbox) -> None:
    code = """
import asyncio, dataclasses, datetime, decimal, itertools, json, random, re, tempfile, threading
@dataclasses.dataclass
class P:
    x: int
async def twice(n):
    await asyncio.sleep(0)
    return 2 * n
def f():
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    worker = threading.Thread(target=lambda: None)
    worker.start()
    worker.join()
    return [asyncio.run(twice(4)), P(3).x, str(decimal.Decimal("0.1")), re.sub("a", "b", "aa"), json.dumps({"한": 1})]
"""
    assert run(sandbox, code).value == [8, 3, "0.1", "bb", '{"\\ud55c": 1}']
