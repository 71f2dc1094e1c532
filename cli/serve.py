"""Run the Prefect server, a worker and the deployments in one command, until Ctrl-C."""

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.errors import BenchError
from bench.process import OwnedProcess
from cli.output import add_json, check_data_dir, write_json
from cli.prefect_server import check_port, claimed, free_port, own_server, server_environment
from flows.config import ROOT, config_dir, data_dir, load_catalog

EXAMPLE = "example: bakeoff serve --port 4200"
FAILURES = (BenchError,)
POOL = "bakeoff"

STARTED = "started!"
"""What the worker says when it has begun to look for runs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `bakeoff serve` takes."""
    parser.add_argument(
        "--port", type=int, default=0, help="port of UI and API on loopback; a free one if absent"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; exit 1 if the server or the worker ended by itself."""
    load_catalog(config_dir())
    data = data_dir()
    check_data_dir(data)
    port = args.port or free_port()
    check_port(port)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    env = environment(data, port)
    with claimed(data, env["PREFECT_API_URL"]), ExitStack() as owned:
        say("starting the Prefect server (a first start makes its database: up to 40 s) …")
        processes = start_all(owned, env, data / "logs" / "serve", stop)
        if not stop.is_set():
            show(port, env, args)
        wait_until(lambda: any(process.poll() is not None for process in processes.values()), stop)
        if stop.is_set():
            say("stopping …")
            return 0
        for name, process in processes.items():
            check_alive(name, process, data / "logs" / "serve")
    return 1


def environment(data: Path, port: int) -> dict[str, str]:
    """What the server, the worker and, through it, the runs get; relative folders made absolute."""
    return {
        **server_environment(data, port, whole=True),
        "BAKEOFF_HOME": str(ROOT),
        "BAKEOFF_CONFIG": str(config_dir()),
        # Prefect wraps its messages at the terminal's width, and a log file has none.
        "COLUMNS": "240",
    }


def start_all(
    owned: ExitStack, env: dict[str, str], logs: Path, stop: threading.Event
) -> dict[str, OwnedProcess]:
    """Start the server, make the deployments, start the worker; returns early if asked to stop.

    Returns:
        the processes that must keep running, by name.

    Raises:
        BenchError: one of them ended, or the deployments could not be made.
    """
    server = owned.enter_context(own_server(sys.executable, env, logs / "server.log"))
    words = [sys.executable, "-m", "cli.deploy", POOL]
    deploy = owned.enter_context(OwnedProcess(words, env=env, log_path=logs / "deploy.log", cwd=ROOT))
    wait_until(lambda: deploy.poll() is not None or server.poll() is not None, stop)
    if stop.is_set():
        return {}
    check_alive("server", server, logs)
    if deploy.poll() != 0:
        raise BenchError(f"the deployments could not be made: {last_line(deploy)}; see {logs / 'deploy.log'}")
    # One run at a time: the start of a second one would already disturb the first one's measurement.
    words = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
    words += ["--name", "bakeoff-worker", "--limit", "1"]
    worker = owned.enter_context(OwnedProcess(words, env=env, log_path=logs / "worker.log", cwd=ROOT))
    wait_until(lambda: worker.poll() is not None or any(STARTED in line for line in worker.tail()), stop)
    if not stop.is_set():
        check_alive("worker", worker, logs)
    return {"server": server, "worker": worker}


def show(port: int, env: dict[str, str], args: argparse.Namespace) -> None:
    """Say where the UI is and how to start a run from a shell."""
    if args.json:
        write_json({"ui": f"http://127.0.0.1:{port}", "api": env["PREFECT_API_URL"]}, args.json)
        sys.stdout.flush()
        return
    print(f"Prefect UI   http://127.0.0.1:{port}")
    print("deployments  benchmark/nightly (02:30 Asia/Seoul), benchmark/ad-hoc (start it from the UI)")
    print("from a shell bakeoff run quick-start (on this data folder it shows up in the UI as well)")
    print("Ctrl-C stops all of it.", flush=True)


def check_alive(name: str, process: OwnedProcess, logs: Path) -> None:
    """Refuse to go on without a process.

    Raises:
        BenchError: it has ended; with the last line it wrote.
    """
    if process.poll() is not None:
        raise BenchError(f"the Prefect {name} ended: {last_line(process)}; see {logs / name}.log")


def last_line(process: OwnedProcess) -> str:
    """The last line a process wrote."""
    return process.last_line() or "no output"


def wait_until(done: Callable[[], bool], stop: threading.Event) -> None:
    """Wait for `done` or for somebody to ask us to stop."""
    while not done() and not stop.wait(0.2):
        pass


def say(text: str) -> None:
    """Tell a person; standard output is for programs."""
    print(text, file=sys.stderr, flush=True)
