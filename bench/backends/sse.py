"""Server-sent events out of stamped reads, by the WHATWG rules.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Event:
    """One event that carried data; `t_ns` stamps the read that completed it, its blank line included."""

    t_ns: int
    kind: str
    data: str


def events(reads: Iterable[tuple[int, bytes]]) -> Iterator[Event]:
    """Split a body into its events.

    Args:
        reads: (stamp in ns, bytes) in order of arrival; borders may fall anywhere, inside a character too.

    Yields:
        The events in order. Comments, pings and events without data are left out, and so is a last event
        that was not closed by a blank line, as the rules want it: it was cut.
    """
    kind = ""
    data: list[str] = []
    for t_ns, line in _lines(reads):
        if not line:
            if data:
                yield Event(t_ns, kind or "message", "\n".join(data))
            kind, data = "", []
            continue
        name, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        if name == b"data":
            data.append(text)
        elif name == b"event":
            kind = text


def _lines(reads: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Complete lines without their ends, each with the stamp of the read that completed it.

    A CR ends its line at once; an LF that follows in the next read belongs to it.
    """
    rest: list[bytes] = []  # joined only when a line ends: one endless line must not cost its length squared
    after_cr = False
    first = True
    for t_ns, chunk in reads:
        if after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            after_cr = False
        if not chunk:
            continue
        after_cr = chunk.endswith(b"\r")
        head, *others = _LINE_END.split(chunk)
        rest.append(head)
        for other in others:
            line = b"".join(rest)
            yield t_ns, line.removeprefix(_BOM) if first else line
            first = False
            rest = [other]
