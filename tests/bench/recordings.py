"""The recorded replies of real servers (tests/cases/streams), for tests."""

import asyncio
import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11

from bench.backends.reply import Capture
from tests.bench.servers import Call, Handler

FOLDER = Path(__file__).parents[1] / "cases" / "streams"
NS_PER_US = 1000


@dataclass(frozen=True)
class Recording:
    name: str
    request: dict[str, Any]
    reads: list[tuple[int, bytes]]
    expected: dict[str, Any]


def recording(name: str, folder: Path = FOLDER) -> Recording:
    path = folder / f"{name}.jsonl"
    first, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    reads = [(line["t_us"] * NS_PER_US, base64.b64decode(line["b64"])) for line in lines if "b64" in line]
    expected = json.loads((path.parent / "expected.json").read_text())[path.stem]
    return Recording(name, first["request"], reads, expected)


def all_recordings(folder: Path = FOLDER) -> list[Recording]:
    names = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.glob("*/*.jsonl"))
    return [recording(name, folder) for name in names]


def generations() -> list[Recording]:
    return [r for r in all_recordings() if r.request["path"].endswith("completions")]


def captured(record: Recording) -> Capture:
    """What our wire would have kept: framing removed by h11, every piece with the stamp of its read."""
    capture = Capture(sent_ns=0)
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    try:
        for t_ns, data in [*record.reads, (record.reads[-1][0], b"")]:
            connection.receive_data(data)
            _take(connection, capture, t_ns)
    except h11.RemoteProtocolError:
        capture.failure = ("truncated", "server closed the connection")
    return capture


def _take(connection: h11.Connection, capture: Capture, t_ns: int) -> None:
    while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
        if isinstance(event, h11.Response):
            capture.http_status = event.status_code
            capture.content_type = dict(event.headers).get(b"content-type", b"").decode()
            capture.headers_ns = t_ns
        elif isinstance(event, h11.Data):
            capture.reads.append((t_ns, bytes(event.data)))
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return


def replayed(record: Recording) -> Handler:
    """A handler that sends a recording again, one write per read."""

    async def handler(_: Call, writer: asyncio.StreamWriter) -> None:
        for _, data in record.reads:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(0.0003)

    return handler
