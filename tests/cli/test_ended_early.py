"""A run whose Prefect server was killed: the reason is the server's, and the measuring process is stopped."""

import os
import signal
import sys
from pathlib import Path

from bench.process import OwnedProcess
from cli.run import ended_early


def test_a_killed_server_is_the_reason_and_its_run_is_interrupted(tmp_path: Path) -> None:
    env = dict(os.environ)
    wait = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    wait += "print('{}', flush=True)\nsignal.pause()"
    with (
        OwnedProcess([sys.executable, "-c", wait.format("up")], env=env, log_path=tmp_path / "s") as server,
        OwnedProcess([sys.executable, "-c", wait.format("on")], env=env, log_path=tmp_path / "c") as child,
    ):
        assert (server.first_line(20), child.first_line(20)) == ("up", "on")
        os.kill(server.pid, signal.SIGKILL)
        while server.poll() is None:
            pass
        why = ended_early(child, server, tmp_path)
        assert child.poll() is not None
    assert why == f"the Prefect server ended: up; see {tmp_path / 'prefect-server.log'}"
    assert "KeyboardInterrupt" in (tmp_path / "c").read_text()
