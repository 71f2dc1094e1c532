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
from cli.output import add_json, write_json
from cli.prefect_server import free_port, own_server, server_environment
from flows.config import ROOT, config_dir, data_dir, load_catalog

EXAMPLE = "example: bakeoff serve --port 4200"
FAILURES = (BenchError,)
POOL = "bakeoff"


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
    logs = data / "logs" / "serve"
    logs.mkdir(parents=True, exist_ok=True)
    port = args.port or free_port()
    env = {**server_environment(data, port, whole=True), "BAKEOFF_HOME": str(ROOT)}
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    with ExitStack() as owned:
        say("starting the Prefect server (a first start makes its database: up to 40 s) …")
        server = owned.enter_context(own_server(sys.executable, env, logs / "server.log"))
        words = [sys.executable, "-m", "cli.deploy", POOL]
        deploy = owned.enter_context(OwnedProcess(words, env=env, log_path=logs / "deploy.log", cwd=ROOT))
        wait_until(lambda: deploy.poll() is not None or server.poll() is not None, stop)
        if stop.is_set():
            return 0
        check_deployed(deploy, server, logs)
        words = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
        words += ["--name", "bakeoff-worker"]
        worker = owned.enter_context(OwnedProcess(words, env=env, log_path=logs / "worker.log", cwd=ROOT))
        show(port, env, args)
        wait_until(lambda: server.poll() is not None or worker.poll() is not None, stop)
        if stop.is_set():
            say("stopping …")
            return 0
        name, process = ("server", server) if server.poll() is not None else ("worker", worker)
        raise BenchError(f"the Prefect {name} ended: {last_line(process)}; see {logs / name}.log")


def show(port: int, env: dict[str, str], args: argparse.Namespace) -> None:
    """Say where the UI is and how to start a run from a shell."""
    if args.json:
        write_json({"ui": f"http://127.0.0.1:{port}", "api": env["PREFECT_API_URL"]}, args.json)
        sys.stdout.flush()
        return
    print(f"Prefect UI   http://127.0.0.1:{port}")
    print("deployments  benchmark/nightly (02:30 Asia/Seoul), benchmark/ad-hoc (start it from the UI)")
    print(f"from a shell PREFECT_API_URL={env['PREFECT_API_URL']} bakeoff run quick-start")
    print("Ctrl-C stops all of it.", flush=True)


def check_deployed(deploy: OwnedProcess, server: OwnedProcess, logs: Path) -> None:
    """Refuse to go on without the deployments.

    Raises:
        BenchError: the server ended, or the deployments could not be made.
    """
    if server.poll() is not None:
        raise BenchError(f"the Prefect server ended: {last_line(server)}; see {logs / 'server.log'}")
    if deploy.poll() != 0:
        raise BenchError(f"the deployments could not be made: {last_line(deploy)}; see {logs / 'deploy.log'}")


def last_line(process: OwnedProcess) -> str:
    """The last line a process wrote."""
    return (process.tail(1) or ["no output"])[-1]


def wait_until(done: Callable[[], bool], stop: threading.Event) -> None:
    """Wait for `done` or for somebody to ask us to stop."""
    while not done() and not stop.wait(0.2):
        pass


def say(text: str) -> None:
    """Tell a person; standard output is for programs."""
    print(text, file=sys.stderr, flush=True)
