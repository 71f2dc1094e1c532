"""Shows what a run is doing by following its progress file: live on a terminal, plain lines elsewhere."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

Event = dict[str, Any]


def follow(
    path: Path, running: Callable[[], bool], every_s: float = 0.2, *, skip: int = 0
) -> Iterator[Event | None]:
    """Events of the progress file as they are written, until the run's process has ended; None when idle.

    The first `skip` bytes are of an earlier attempt at the run.
    """
    rest = ""
    position = skip
    while True:
        last_round = not running()
        if path.exists():
            with path.open(encoding="utf-8") as file:
                file.seek(position)
                *lines, rest = (rest + file.read()).split("\n")
                position = file.tell()
            yield from (json.loads(line) for line in lines)
        if last_round:
            return
        yield None
        time.sleep(every_s)


class Display:
    """Turns events into lines; on a terminal the last line is alive and shows the stage's progress."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = (
            Live(console=console, refresh_per_second=5, transient=True) if console.is_terminal else None
        )
        self._cell = ""
        self._stage = "starting Prefect"
        self._load = ""
        self._since = time.monotonic()
        self.end: Event | None = None

    def starting(self, what: str) -> None:
        """Say on plain output what a live display shows by itself: that the start takes a while."""
        if self._live is None:
            self._say(what)

    def show(self, events: Iterator[Event | None]) -> None:
        """Show events until there are no more."""
        if self._live is None:
            self._each(events)
            return
        with self._live:
            self._each(events)

    def _each(self, events: Iterator[Event | None]) -> None:
        for event in events:
            if event is not None:
                self._take(event)
            if self._live is not None:
                seconds = time.monotonic() - self._since
                parts = [p for p in (self._cell, self._stage, self._load, f"{seconds:.0f} s") if p]
                self._live.update(Text("  … " + " · ".join(parts), style="cyan"))

    def _take(self, event: Event) -> None:
        handler = getattr(self, f"_on_{event['kind']}", None)
        if handler is not None:
            handler(event)

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style))

    def _now(self, stage: str) -> None:
        self._stage, self._load, self._since = stage, "", time.monotonic()

    def _on_plan(self, event: Event) -> None:
        kept = f", {event['kept']} kept from before" if event["kept"] else ""
        self._say(f"run {event['run_id']}: {len(event['cells'])} cells to measure{kept}")
        self._now("waiting to start")

    def _on_note(self, event: Event) -> None:
        self._say(f"  {event['text']}", "yellow")

    def _on_cell(self, event: Event) -> None:
        self._cell = f"cell {event['i']} of {event['n']}"
        self._say(f"{self._cell}: {event['label']}", "bold")

    def _on_stage(self, event: Event) -> None:
        self._now(event["stage"])

    def _on_load(self, event: Event) -> None:
        errors = event["finished"] - event["ok"]
        of = f" of {event['total']}" if event["total"] else ""
        self._load = f"{event['finished']}{of} requests · {event['rps']:.1f}/s · {errors} errors"

    def _on_stage_done(self, event: Event) -> None:
        mark, style = ("ok    ", "") if event["ok"] else ("FAILED", "red")
        seconds = time.monotonic() - self._since
        self._say(f"  {event['stage']:<10} {mark} {seconds:5.1f} s  {event['line']}", style)
        self._now("next stage")

    def _on_step(self, event: Event) -> None:
        self._cell = ""
        style = "" if event["ok"] else "yellow"
        self._say(f"{event['step']}: {event['line']}", style)
        self._now("finishing")

    def _on_end(self, event: Event) -> None:
        self.end = event
        self._now("stopping Prefect")
