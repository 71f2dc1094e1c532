"""`python -m bench.simulator`: start the simulated server and say on standard output where it listens."""

import argparse
import asyncio
import gc
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from bench.simulator.chats import Chats
from bench.simulator.connection import Connection
from bench.simulator.faults import Fault, FaultError, FaultPlan, parse_fault_option
from bench.simulator.machine import Machine
from bench.simulator.model import PROFILES, Settings
from bench.simulator.precise import precise_loop
from bench.simulator.server import Simulator
from bench.simulator.text import load_planted


def _fault(text: str) -> Fault:
    try:
        return parse_fault_option(text)
    except FaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.001 <= speed <= 1000:
        raise argparse.ArgumentTypeError(f"speed must be a number from 0.001 to 1000, got {text!r}")
    return speed


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; wrong use ends the program with status 2 and one line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.simulator", description="A chat server with known, seeded behaviour."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--seed", type=int, default=0, help="seed of all delays")
    parser.add_argument("--speed", type=_speed, default=1.0, help="divide all delays by this")
    parser.add_argument(
        "--load", action="append", default=[], choices=list(PROFILES), help="have this model loaded at start"
    )
    parser.add_argument(
        "--fault", action="append", default=[], type=_fault, help="NAME or NAME:every=N,after=N; repeatable"
    )
    parser.add_argument("--exit-on-stdin-eof", action="store_true", help="end when standard input closes")
    return parser.parse_args(argv)


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    machine = Machine(seed=options.seed, speed=options.speed, now_ns=time.monotonic_ns())
    for model in options.load:
        machine.place(PROFILES[model], Settings())
    faults = FaultPlan(options.fault)
    chats = Chats(machine, loop=loop, planted=load_planted(), faults=faults)
    simulator = Simulator(machine, chats, faults, loop=loop)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if options.exit_on_stdin_eof:
        threading.Thread(target=_watch_stdin, args=(loop, stopped), daemon=True).start()
    server = await loop.create_server(lambda: Connection(simulator), options.host, options.port, backlog=1024)
    gc.freeze()  # what is loaded by now stays; collecting it again and again would only delay tokens
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps({"port": port, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    await stopped.wait()
    server.close()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    while os.read(0, 4096):
        pass
    with suppress(RuntimeError):  # the loop has already ended for another reason
        loop.call_soon_threadsafe(stopped.set)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal (or the end of standard input) says stop."""
    options = parse_arguments(argv)
    try:
        with asyncio.Runner(loop_factory=precise_loop) as runner:
            runner.run(_serve(options))
    except OSError as error:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
