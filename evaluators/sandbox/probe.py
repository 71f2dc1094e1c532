"""Attack a sandbox from inside and say what leaked: run before any answer is executed."""

import contextlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from evaluators.sandbox.policy import Limits
from evaluators.sandbox.session import Session

_ATTACKS = '''
import os, socket, time

def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
        return True
    except OSError:
        return False

def finds(canary):
    """Whether any process that can be seen has the canary in its environment."""
    seen = " ".join(os.environ.values())
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", errors="replace") as file:
                seen += file.read()
        except OSError:
            pass
    return canary in seen

def reads(path):
    try:
        with open(path) as file:
            return bool(file.read())
    except OSError:
        return False

def writes():
    written = []
    for folder in ("/", "/usr", "/etc", "/py", "/dev", "/var", "/home", "/root"):
        try:
            with open(folder + "/bakeoff-probe", "w") as file:
                file.write("x")
            written.append(folder)
        except OSError:
            pass
    return written

def forks_beyond(limit):
    """Whether more than `limit` children can be started at once."""
    children = []
    try:
        while len(children) <= limit:
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            children.append(pid)
    except OSError:
        pass
    for pid in children:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    return len(children) > limit

def leaves_behind(name):
    """Start a process that detaches itself and calls itself `name`."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            with open("/proc/self/comm", "w") as file:
                file.write(name)
            os.write(write, b"x")
            time.sleep(60)
        os._exit(0)
    return os.read(read, 1) != b"x"
'''


def find_leaks(execute: Callable[[str], AbstractContextManager[Session]], limits: Limits) -> list[str]:
    """The ways out of a sandbox that were found: empty if its walls hold.

    Raises:
        SandboxFault, SessionDied: the attack could not be carried out.
    """
    canary = f"canary-{os.urandom(12).hex()}"
    name = f"bk-{os.urandom(5).hex()}"
    leaks: list[str] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as server,
        _in_environment(canary),
    ):
        secret = Path(folder) / "secret"
        secret.write_text(canary)
        Path(folder).chmod(0o755)
        attacks: list[tuple[str, list[str | int]]] = [
            ("connects", [server.getsockname()[1]]),
            ("finds", [canary]),
            ("reads", [str(secret)]),
            ("reads", ["/etc/passwd"]),
            ("forks_beyond", [limits.n_processes]),
            ("leaves_behind", [name]),
        ]
        with execute(_ATTACKS) as session:
            for attack, args in attacks:
                reply = session.call(attack, args)
                if reply.value is not False:
                    leaks.append(f"{attack} {args[0]}: {reply.message or reply.value!r}")
            written = session.call("writes").value
            if written != []:
                leaks.append(f"writes {written!r}")
    if name in _process_names():
        leaks.append("a detached process outlived its sandbox")
    return leaks


@contextlib.contextmanager
def _in_environment(canary: str) -> Iterator[None]:
    os.environ["BAKEOFF_CANARY"] = canary
    try:
        yield
    finally:
        os.environ.pop("BAKEOFF_CANARY", None)


def _process_names() -> set[str]:
    names = set()
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            names.add(comm.read_text().strip())
    return names
