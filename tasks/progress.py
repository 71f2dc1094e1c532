"""What a run is doing, as lines of a file that a display may follow from another process."""

import json
import time
from pathlib import Path
from typing import Any, Self


class ProgressLog:
    """Appends one JSON object per event to a file and flushes it; never on the token path."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("a", encoding="utf-8")

    def event(self, kind: str, **fields: Any) -> None:
        """Write one event; `t` is seconds since the epoch, for people."""
        line = json.dumps({"t": round(time.time(), 3), "kind": kind, **fields}, ensure_ascii=False)
        self._file.write(line + "\n")
        self._file.flush()

    def note(self, text: str) -> None:
        """Write a remark for whoever watches."""
        self.event("note", text=text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
