"""A landing is there whole or not at all, and gives back what was put in."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.records import GpuSample, HostSample, Request, ServerSample
from warehouse.landing import LandingError, land_run, land_stage, landed_stages, read_landed

REPO = Path(__file__).parents[2]
WHERE: dict[str, Any] = {"run_id": "R1", "cell_id": "c1", "attempt": 1}

SERVER = {"t_ns": 1, "stage": "load_test", "metric": "m", "labels": None, "value": 1.0}


def server_rows(n: int) -> Iterator[dict[str, Any]]:
    return (SERVER | {"t_ns": i} for i in range(n))


def leftovers(root: Path) -> list[str]:
    return [p.name for p in root.rglob("*") if p.is_file() or p.name.startswith(".")]


@given(
    value=st.one_of(st.none(), st.floats(allow_nan=False)),
    labels=st.one_of(st.none(), st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)),
    metric=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    t_ns=st.integers(-(2**63), 2**63 - 1),
)
@settings(max_examples=15, deadline=None)
def test_what_is_landed_comes_back(value: float | None, labels: Any, metric: str, t_ns: int) -> None:
    text = None if labels is None else json.dumps(labels, ensure_ascii=False)
    row = ServerSample(t_ns=t_ns, stage="answer", metric=metric, labels=text, value=value)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        land_stage(root, **WHERE, stage="teardown", simulated=True, tables={"server_samples": [row]})
        (found,) = read_landed(root, **WHERE, stage="teardown", table="server_samples")
    assert found == {**WHERE, "simulated": True, **vars(row)}


def test_every_kind_of_value_comes_back(tmp_path: Path, make_row: Callable[..., dict[str, Any]]) -> None:
    seoul = datetime(2026, 11, 21, 2, 30, tzinfo=timezone(timedelta(hours=9)))
    run = make_row("runs", purpose="한국어와 'quotes' \"too\"\n\0", tags=["밤", "a,b"], started_at=seoul)
    land_run(tmp_path, run_id="R1", simulated=False, part="open", tables={"runs": [run]})
    (found,) = read_landed(tmp_path, "R1", "run", 0, "open", "runs")
    assert found == {"run_id": "R1", "simulated": False, **run}
    assert found["started_at"].utcoffset() == timedelta(0)

    chunks = make_row("requests", chunk_offsets_ns=list(range(5000)), error="x" * 300, request_id="긴 것")
    gpu = make_row("gpu_samples", device_index=3, throttle_reasons=[], power_w=math.inf)
    answer = make_row("answers", text="가" * 6_000_000 + "\ud800", case_kind="review")
    tables = {"requests": [chunks], "gpu_samples": [gpu], "answers": [answer], "host_samples": []}
    land_stage(tmp_path, **WHERE, stage="load_test", simulated=False, tables=tables)
    where = {**WHERE, "stage": "load_test"}
    assert (
        read_landed(tmp_path, **where, table="requests")[0]["chunk_offsets_ns"] == chunks["chunk_offsets_ns"]
    )
    assert read_landed(tmp_path, **where, table="gpu_samples")[0]["throttle_reasons"] == []
    assert read_landed(tmp_path, **where, table="gpu_samples")[0]["power_w"] == math.inf
    # Half a character is not text; what could be kept of it is.
    assert read_landed(tmp_path, **where, table="answers")[0]["text"] == "가" * 6_000_000 + "\ufffd"
    assert read_landed(tmp_path, **where, table="host_samples") == []


def test_not_a_number_is_landed_as_unknown(tmp_path: Path) -> None:
    land_stage(
        tmp_path,
        **WHERE,
        stage="s",
        simulated=False,
        tables={"server_samples": [SERVER | {"value": math.nan}]},
    )
    assert read_landed(tmp_path, **WHERE, stage="s", table="server_samples")[0]["value"] is None


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("server_samples", {"surprise": 1}, "unknown: surprise"),
        ("server_samples", {"run_id": "R2"}, "unknown: run_id"),
        ("server_samples", {"metric": 3}, "server_samples.metric (VARCHAR): 3: a int is not text"),
        ("server_samples", {"metric": None}, "NOT NULL constraint failed"),
        ("server_samples", {"labels": {"a": 1}}, "a dict is not text"),
        ("server_samples", {"labels": "{"}, "server_samples.labels (JSON)"),
        ("server_samples", {"value": "1"}, "a str is not a number"),
        ("server_samples", {"value": True}, "a bool is not a number"),
        ("server_samples", {"t_ns": 1.0}, "a float is not a whole number"),
        ("server_samples", {"t_ns": 2**63}, "9223372036854775808"),
        ("runs", {"started_at": datetime(2026, 1, 1)}, "not a datetime with a time zone"),  # noqa: DTZ001 meant
        ("runs", {"tags": "a"}, "a str is not a list"),
        ("prices", {"as_of": datetime(2026, 1, 1, tzinfo=UTC)}, "is not a date"),
        ("requests", {"chunk_offsets_ns": ["1"]}, "a str is not a whole number"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, make_row: Callable[..., dict[str, Any]], table: str, change: dict[str, Any], message: str
) -> None:
    rows = [make_row(table) | change]
    arguments: dict[str, Any] = {"simulated": False, "tables": {table: rows}}
    if table in ("runs", "prices"):
        with pytest.raises(LandingError) as refused:
            land_run(tmp_path, run_id="R1", part="open", **arguments)
    else:
        with pytest.raises(LandingError) as refused:
            land_stage(tmp_path, **WHERE, stage="s", **arguments)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert leftovers(tmp_path) == []


def test_a_missing_field_an_unknown_table_and_a_key_twice_are_refused(
    tmp_path: Path, make_row: Callable[..., dict[str, Any]]
) -> None:
    short = {k: v for k, v in SERVER.items() if k != "labels"}
    request = make_row("requests")
    for tables, message in (
        ({"server_samples": [short]}, "missing: labels"),
        ({"nothing": []}, "unknown table 'nothing'"),
        ({"landings": []}, "unknown table 'landings'"),
        ({"requests": [request, request]}, "duplicate key"),
        ({"requests": [3]}, "a row is a int"),
    ):
        with pytest.raises(LandingError, match=message):
            land_stage(tmp_path, **WHERE, stage="s", simulated=False, tables=tables)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        ".hidden",
        "../../etc",
        "a/b",
        "/abs",
        "a\\b",
        "a\n",
        "a\0",
        "한글",
        "a" * 121,
        "-rf ~",
        "a b",
    ],
)
def test_a_name_cannot_leave_the_landing(tmp_path: Path, name: str) -> None:
    root = tmp_path / "landing"
    for part in ("run_id", "cell_id", "stage"):
        with pytest.raises(LandingError, match="is not a name"):
            land_stage(root, **({**WHERE, "stage": "s"} | {part: name}), simulated=False, tables={})
    with pytest.raises(LandingError, match="is not a name"):
        land_run(root, run_id="R1", simulated=False, part=name, tables={})
    with pytest.raises(LandingError, match="is not a name"):
        landed_stages(root, name)
    with pytest.raises(LandingError, match="is not a name"):
        read_landed(root, name, "c1", 1, "s", "requests")
    assert list(tmp_path.iterdir()) == []


def test_a_stage_is_landed_once_and_the_first_one_stays(tmp_path: Path) -> None:
    for n in (2, 5):
        arguments: dict[str, Any] = {**WHERE, "stage": "s", "simulated": False}
        if n == 2:
            land_stage(tmp_path, **arguments, tables={"server_samples": server_rows(n)})
            continue
        with pytest.raises(LandingError, match="landed before"):
            land_stage(tmp_path, **arguments, tables={"server_samples": server_rows(n)})
    assert len(read_landed(tmp_path, **WHERE, stage="s", table="server_samples")) == 2
    with pytest.raises(LandingError, match="reserved"):
        land_stage(tmp_path, run_id="R1", cell_id="run", attempt=1, stage="s", simulated=False, tables={})
    with pytest.raises(LandingError, match="below 0"):
        land_stage(tmp_path, run_id="R1", cell_id="c", attempt=-1, stage="s", simulated=False, tables={})


def test_a_root_with_signs_of_its_own_is_only_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "it's [a]*" / "x=1" / "한글 폴더"
    (tmp_path / "it's a").mkdir()
    land_stage(root, **WHERE, stage="s", simulated=False, tables={"server_samples": server_rows(3)})
    rows = read_landed(root, **WHERE, stage="s", table="server_samples")
    assert [row["t_ns"] for row in rows] == [0, 1, 2]
    assert "x" not in rows[0]


def test_only_whole_stages_count_as_landed(tmp_path: Path) -> None:
    for stage in ("good", "cut", "changed", "extra", "unsigned", "moved"):
        land_stage(tmp_path, **WHERE, stage=stage, simulated=False, tables={"server_samples": server_rows(9)})
    land_run(tmp_path, run_id="R1", simulated=False, part="open", tables={})
    attempt = tmp_path / "R1" / "c1" / "1"
    file = attempt / "cut" / "server_samples.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    changed = attempt / "changed" / "server_samples.parquet"
    data = bytearray(changed.read_bytes())
    data[20] ^= 1
    changed.write_bytes(data)
    (attempt / "extra" / "more.parquet").write_bytes(b"")
    (attempt / "unsigned" / "manifest.json").unlink()
    (attempt / "moved").rename(attempt / "elsewhere")
    (attempt / ".half").mkdir()
    (attempt / "a file").touch()
    assert landed_stages(tmp_path, "R1") == {("c1", 1): {"good"}}
    assert landed_stages(tmp_path, "R2") == {}
    for stage in ("cut", "changed", "extra", "unsigned", "elsewhere", "never"):
        with pytest.raises(LandingError):
            read_landed(tmp_path, **WHERE, stage=stage, table="server_samples")
    with pytest.raises(LandingError, match="no table 'requests'"):
        read_landed(tmp_path, **WHERE, stage="good", table="requests")


CHILD = """
import itertools, sys
from pathlib import Path
from warehouse.landing import land_stage
row = {"t_ns": 1, "stage": "s", "metric": "m", "labels": None, "value": 1.0}
def rows(n):
    for i in range(n):
        yield row | {"t_ns": i}
"""


def run_child(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + code, *arguments],
        cwd=REPO,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_kill_in_the_middle_of_a_landing_leaves_none(tmp_path: Path) -> None:
    code = """
def stuck():
    yield from rows(1000)
    print("half", flush=True)
    sys.stdin.read()
where = {"run_id": "R1", "cell_id": "c1", "attempt": 1, "stage": "s", "simulated": False}
land_stage(Path(sys.argv[1]), **where, tables={"host_samples": [], "server_samples": stuck()})
"""
    with run_child(code, str(tmp_path)) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "half\n"
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert landed_stages(tmp_path, "R1") == {}
    land_stage(tmp_path, **WHERE, stage="s", simulated=False, tables={"server_samples": server_rows(3)})
    assert landed_stages(tmp_path, "R1") == {("c1", 1): {"s"}}


@pytest.mark.parametrize("after", [1, 2, 3])
def test_kill_at_any_moment_loses_nothing_that_was_landed(tmp_path: Path, after: int) -> None:
    code = """
for i in itertools.count(1):
    where = {"run_id": "R1", "cell_id": "c1", "attempt": i, "stage": "s", "simulated": False}
    land_stage(Path(sys.argv[1]), **where, tables={"server_samples": rows(500)})
    print(i, flush=True)
"""
    said = []
    with run_child(code, str(tmp_path)) as child:
        assert child.stdout is not None
        for line in child.stdout:
            said.append(int(line))
            if len(said) == after:
                # Whatever the child is doing now; it lands without a pause.
                child.send_signal(signal.SIGKILL)
        child.wait()
    visible = {int(p.name) for p in (tmp_path / "R1" / "c1").iterdir() if (p / "s").is_dir()}
    assert set(said) <= visible
    assert landed_stages(tmp_path, "R1") == {("c1", i): {"s"} for i in visible}


def test_a_file_that_may_not_grow_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    code = """
import resource
from warehouse.landing import LandingError
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
where = {"run_id": "R1", "cell_id": "c1", "attempt": 1, "simulated": False}
land_stage(Path(sys.argv[1]), **where, stage="small", tables={"server_samples": rows(3)})
try:
    land_stage(Path(sys.argv[1]), **where, stage="big", tables={"server_samples": rows(10_000)})
except LandingError as error:
    print(error)
"""
    with run_child(code, str(tmp_path)) as child:
        out, _ = child.communicate()
    assert child.returncode == 0
    assert out.count("\n") == 1
    assert "File too large" in out
    assert landed_stages(tmp_path, "R1") == {("c1", 1): {"small"}}
    assert not any(name.startswith(".") for name in leftovers(tmp_path))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 KiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_one_line_and_what_was_landed_stays(tiny_disk: Path) -> None:
    land_stage(tiny_disk, **WHERE, stage="small", simulated=False, tables={"server_samples": server_rows(3)})
    with pytest.raises(LandingError, match="No space left on device") as refused:
        land_stage(
            tiny_disk, **WHERE, stage="big", simulated=False, tables={"server_samples": server_rows(10_000)}
        )
    assert "\n" not in str(refused.value)
    assert landed_stages(tiny_disk, "R1") == {("c1", 1): {"small"}}
    assert not any(name.startswith(".") for name in leftovers(tiny_disk))
    land_stage(tiny_disk, **WHERE, stage="next", simulated=False, tables={"server_samples": server_rows(3)})


def test_a_disk_that_fills_while_parquet_is_written_is_one_line_too(
    tiny_disk: Path, make_row: Callable[..., dict[str, Any]]
) -> None:
    # One line of JSON fits on one page; the Parquet file of the same row, with its 32 columns, does not.
    filler = tiny_disk / "filler"
    filler.write_bytes(b"x" * (shutil.disk_usage(tiny_disk).free - 4096))
    tables = {"requests": [make_row("requests")]}
    with pytest.raises(LandingError, match="No space left on device") as refused:
        land_stage(tiny_disk, **WHERE, stage="big", simulated=False, tables=tables)
    assert "\n" not in str(refused.value)
    assert leftovers(tiny_disk) == ["filler"]
    filler.unlink()
    land_stage(tiny_disk, **WHERE, stage="big", simulated=False, tables=tables)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "landing").touch()
    with pytest.raises(LandingError, match="cannot be written: Not a directory"):
        land_stage(tmp_path / "landing", **WHERE, stage="s", simulated=False, tables={})


def test_records_are_landed_as_they_are(tmp_path: Path, schema: dict[str, Any]) -> None:
    added = {"run_id", "simulated", "cell_id", "attempt"}
    for record, table in (
        (Request, "requests"),
        (GpuSample, "gpu_samples"),
        (HostSample, "host_samples"),
        (ServerSample, "server_samples"),
    ):
        assert set(record.__dataclass_fields__) | added == {column.name for column in schema[table]}
