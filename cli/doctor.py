"""Check what this machine can measure: one line each, with a way to fix what it cannot."""

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.backends import open_backend
from bench.errors import BenchError
from bench.telemetry.gpu import GpuReader
from cli.output import add_json, check_data_dir, console, write_json
from evaluators.sandbox import Sandbox
from flows.config import Catalog, config_dir, data_dir, langfuse_settings, load_catalog, open_target
from flows.yaml_lines import ConfigError
from tracing.export import receiver_problem
from warehouse.store import WarehouseError, open_warehouse

EXAMPLE = "example: bakeoff doctor"
FAILURES = ()

LOW_DISK_GIB = 2.0
"""Below this a night of runs may not fit."""


@dataclass(frozen=True)
class Finding:
    """One check: `state` is ok, note (something will be NULL) or problem; `fix` says what to do."""

    what: str
    state: str
    text: str
    fix: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `bakeoff doctor` takes."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Show all findings; exit 1 if one of them is a problem."""
    findings = list(examine())
    if args.json:
        write_json([asdict(finding) for finding in findings], args.json)
    else:
        style = {"ok": "green", "note": "yellow", "problem": "red"}
        show = console()
        for finding in findings:
            show.print(f"{finding.state:<8}", style=style[finding.state], end="")
            show.print(f"{finding.what:<14} {finding.text}", markup=False, soft_wrap=True)
            if finding.fix:
                show.print(f"{'':<23}fix: {finding.fix}", markup=False, soft_wrap=True)
    return 1 if any(finding.state == "problem" for finding in findings) else 0


def examine() -> Iterator[Finding]:
    """All checks, cheapest first."""
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield disk(data_dir())
    yield warehouse(data_dir() / "warehouse.duckdb")
    yield sandbox()
    yield gpu()
    yield langfuse()
    try:
        catalog = load_catalog(config_dir())
    except ConfigError as error:
        yield Finding("configuration", "problem", str(error), "correct the line it names")
        return
    yield Finding("configuration", "ok", f"{len(catalog.targets)} targets, {len(catalog.models)} models")
    yield from targets(catalog)


def disk(data: Path) -> Finding:
    """Free space where the data folder lies."""
    place = next(p for p in (data, *data.parents) if os.path.lexists(p))
    try:
        check_data_dir(data)
    except ConfigError as error:
        return Finding("disk", "problem", str(error), "set BAKEOFF_DATA to a folder that you may write")
    free_gib = shutil.disk_usage(place).free / 2**30
    text = f"{free_gib:.1f} GiB free for {data}"
    if free_gib < LOW_DISK_GIB:
        return Finding("disk", "problem", text, "free some space, or set BAKEOFF_DATA to a larger disk")
    return Finding("disk", "ok", text)


def warehouse(path: Path) -> Finding:
    """Whether the warehouse can be opened."""
    if not path.exists():
        return Finding("warehouse", "ok", f"{path} will be made by the first run")
    try:
        with open_warehouse(path, read_only=True) as store:
            return Finding("warehouse", "ok", f"{path}, {len(store.rows('runs'))} runs")
    except WarehouseError as error:
        return Finding("warehouse", "problem", str(error), "move the file away, then `bakeoff ingest`")


def sandbox() -> Finding:
    """Whether code that a model wrote can be executed in isolation."""
    report = Sandbox().probe()
    if report.available:
        return Finding("sandbox", "ok", f"bubblewrap, isolation {report.isolation}, self-test passed")
    return Finding(
        "sandbox",
        "note",
        f"{report.reason}: correctness and the quality total will be NULL",
        "install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap) on a Linux with user namespaces",
    )


def gpu() -> Finding:
    """Whether NVML answers."""
    with GpuReader() as reader:
        if reader.unavailable_reason is None:
            names = ", ".join(sorted({s.device_name or "unnamed" for s in reader.read("doctor")}))
            return Finding("gpu", "ok", names or "NVML answers and lists no device")
        return Finding(
            "gpu",
            "note",
            f"{reader.unavailable_reason}: GPU columns will be NULL",
            "install the NVIDIA driver",
        )


def langfuse() -> Finding:
    """Whether traces will be exported."""
    reason = receiver_problem(langfuse_settings())
    if reason is None:
        return Finding("langfuse", "ok", "keys are set; runs are exported when they have ended")
    return Finding(
        "langfuse",
        "note",
        f"{reason}: no traces",
        "set LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL",
    )


def targets(catalog: Catalog) -> Iterator[Finding]:
    """Whether each configured target can be reached; managed ones are only checked for their command."""
    for name, config in catalog.targets.items():
        what = f"target {name}"
        try:
            backend = open_backend(open_target(name, config, os.environ))
            if config.life == "managed":
                command = str(
                    config.options.get(
                        "command", sys.executable if config.kind == "simulator" else config.kind
                    )
                )
                found = shutil.which(command.split()[0])
                fix = None if found else f"install it, or set options.command of target {name}"
                yield Finding(what, "ok" if found else "note", f"managed, started by {command}", fix)
            elif backend.alive():
                yield Finding(
                    what, "ok", f"answers; models: {', '.join(backend.list_models()) or 'none listed'}"
                )
            else:
                yield Finding(
                    what, "note", f"nothing answers at {config.base_url}", "start it, or correct base_url"
                )
        except (BenchError, ConfigError) as error:
            yield Finding(what, "note", str(error), "correct it in targets.yaml")
