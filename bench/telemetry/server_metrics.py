"""Reads the Prometheus text that a server publishes about itself."""

import json
import math
import re
from collections.abc import Iterator

from bench.records import ServerSample

MAX_SAMPLES = 5_000
"""More values than this in one reading are cut off: a server must not be able to fill our disk."""

# Possessive quantifiers (`*+`): a hostile server's line cannot make the pattern try again and again.
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]{0,199}+"
_VALUE_TEXT = r'"(?:[^"\\]|\\.)*+"'
_LABEL = rf"\s*+({_NAME})\s*+=\s*+({_VALUE_TEXT})\s*+"
_LINE = re.compile(rf"({_NAME})\s*+(?:\{{((?:{_LABEL},?+)*+)\s*+\}})?+\s*+(\S++)")
_ONE_LABEL = re.compile(_LABEL)
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def parse_prometheus(text: str, stage: str, t_ns: int) -> list[ServerSample]:
    """The values in `text`, as read at `t_ns` (monotonic) during `stage`.

    Left out: `*_created` (a client library's artefact), histogram buckets (their sums and counts stay),
    lines that are no metric (an HTML page has none). NaN and infinities become None: there is no number.
    """
    samples: list[ServerSample] = []
    for metric, labels, value in _values(text):
        if len(samples) == MAX_SAMPLES:
            break
        encoded = json.dumps(labels, sort_keys=True, ensure_ascii=False) if labels else None
        samples.append(ServerSample(t_ns=t_ns, stage=stage, metric=metric, labels=encoded, value=value))
    return samples


def _values(text: str) -> Iterator[tuple[str, dict[str, str], float | None]]:
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        labels = {name: _unescape(quoted) for name, quoted in _ONE_LABEL.findall(match[2] or "")}
        if match[1].endswith("_created") or (match[1].endswith("_bucket") and "le" in labels):
            continue
        try:
            value = float(match[match.lastindex or 0])
        except ValueError:
            continue
        yield match[1], labels, value if math.isfinite(value) else None


def _unescape(quoted: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPES.get(found[0], found[0]), quoted[1:-1])
