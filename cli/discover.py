"""List the configured servers that answer and those on this machine's usual ports, with their models."""

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from bench.backends import open_backend
from bench.backends.base import Target
from bench.errors import BenchError
from cli.output import add_json, console, write_json
from flows.config import config_dir, load_catalog, open_target
from flows.yaml_lines import ConfigError

EXAMPLE = "example: bakeoff discover --json"
FAILURES = ()

USUAL_PORTS: dict[int, str] = {
    11434: "Ollama",
    8000: "vLLM",
    30000: "SGLang",
    8080: "llama-server",
    5000: "TabbyAPI",
    1234: "LM Studio",
    4000: "LiteLLM",
}
"""Port -> the server that usually listens there; what really does is asked, not guessed."""


@dataclass(frozen=True)
class Found:
    """A server that accepts connections. `usual` is what the port suggests, nothing more."""

    name: str
    base_url: str
    usual: str | None
    models: list[str] | None
    problem: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `bakeoff discover` takes."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Show what answers; exit 1 if nothing does."""
    found = list(search())
    if args.json:
        write_json([asdict(server) for server in found], args.json)
        return 0 if found else 1
    show = console()
    for server in found:
        models = ", ".join(server.models) if server.models else server.problem or "lists no model"
        usual = f" (the usual port of {server.usual})" if server.usual else ""
        show.print(f"{server.name:<14} {server.base_url}{usual}: {models}", markup=False, soft_wrap=True)
    if not found:
        ports = ", ".join(str(port) for port in USUAL_PORTS)
        show.print(f"nothing answers on the usual ports ({ports}) or at a configured target", soft_wrap=True)
    return 0 if found else 1


def search() -> Iterator[Found]:
    """Configured attached targets first, then the usual ports that none of them uses."""
    asked = set()
    for name, config in load_catalog(config_dir()).targets.items():
        if config.life == "attached":
            try:
                target = open_target(name, config, os.environ)
            except ConfigError as error:
                yield Found(name, str(config.base_url), None, None, str(error))
                continue
            asked.add((target.base_url or "").rstrip("/").removesuffix("/v1"))
            yield from ask(target, None)
    for port, usual in USUAL_PORTS.items():
        base_url = f"http://127.0.0.1:{port}"
        if base_url not in asked:
            target = Target(
                name=f"port {port}", kind="openai", life="attached", base_url=base_url, timeout_s=3.0
            )
            yield from ask(target, usual)


def ask(target: Target, usual: str | None) -> Iterator[Found]:
    """The server at `target` if something accepts connections there, with the models it lists."""
    try:
        backend = open_backend(target)
        if not backend.alive():
            return
        yield Found(target.name, str(target.base_url), usual, backend.list_models(), None)
    except BenchError as error:
        # Its address may be what is wrong with it, and may hold a password.
        yield Found(target.name, "-", usual, None, str(error))
