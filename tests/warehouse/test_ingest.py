"""Landings go in once, all or none; broken ones wait outside and say why."""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warehouse.catalog import schema_version
from warehouse.landing import land_run, land_stage
from warehouse.manifest import file_sha256
from warehouse.store import Warehouse, WarehouseError, WarehouseLocked, open_warehouse

REPO = Path(__file__).parents[2]
Make = Callable[..., dict[str, Any]]


def land(root: Path, stage: str = "s", n: int = 3, **where: Any) -> Path:
    rows = [{"t_ns": i, "stage": "answer", "metric": "m", "labels": None, "value": None} for i in range(n)]
    place = {"run_id": "R1", "cell_id": "c1", "attempt": 1, "simulated": False} | where
    return land_stage(root, **place, stage=stage, tables={"server_samples": rows})


def count(warehouse: Warehouse, table: str = "server_samples") -> int:
    row = warehouse._con.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    n = row[0]
    return int(n)


def test_twice_is_once(tmp_path: Path) -> None:
    land(tmp_path, "a"), land(tmp_path, "b", attempt=2), land(tmp_path, "a", run_id="R2")
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        first = warehouse.ingest(tmp_path)
        assert (first.stages_ingested, first.rows_by_table, first.skipped) == (3, {"server_samples": 9}, [])
        second = warehouse.ingest(tmp_path)
        assert (second.stages_ingested, second.rows_by_table, second.skipped) == (0, {}, [])
        assert count(warehouse) == 9
    with open_warehouse(tmp_path / "w.duckdb") as again:
        assert again.ingest(tmp_path).stages_ingested == 0
        assert count(again) == 9


def test_one_run_can_be_taken_alone(tmp_path: Path, memory: Warehouse) -> None:
    land(tmp_path), land(tmp_path, run_id="R2")
    assert memory.ingest(tmp_path, "R2").stages_ingested == 1
    assert memory.sql("select distinct run_id from server_samples")[1] == [("R2",)]
    assert memory.ingest(tmp_path, "nothing").stages_ingested == 0
    assert memory.ingest(tmp_path / "not there").stages_ingested == 0


@pytest.mark.parametrize(
    ("order", "together"),
    [
        (("open", "interrupted", "close"), True),
        (("close", "open", "interrupted"), False),
        (("interrupted", "close", "open"), False),
    ],
)
def test_the_row_that_was_landed_last_stays_in_whatever_order_it_comes(
    tmp_path_factory: pytest.TempPathFactory, make_row: Make, order: tuple[str, ...], together: bool
) -> None:
    landed, root = tmp_path_factory.mktemp("landed"), tmp_path_factory.mktemp("landing")
    for part in ("open", "interrupted", "close"):
        run = make_row("runs", status=part)
        land_run(landed, run_id="R1", simulated=False, part=part, tables={"runs": [run]})
        cell = make_row("cells", outcome=part)
        place: dict[str, Any] = {"run_id": "R1", "cell_id": "c1", "attempt": 1, "simulated": False}
        land_stage(landed, **place, stage=part, tables={"cells": [cell]})
    with open_warehouse(None) as warehouse:
        for part in order:
            for folder in ("run/0", "c1/1"):
                shutil.copytree(landed / "R1" / folder / part, root / "R1" / folder / part)
            if not together:
                warehouse.ingest(root)
        warehouse.ingest(root)
        assert warehouse.sql("select status from runs")[1] == [("close",)]
        assert warehouse.sql("select outcome from cells")[1] == [("close",)]


def rewrite(folder: Path, **change: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | change))


def sign(folder: Path, n_rows: int) -> None:
    """Make the manifest agree with whatever the file is now."""
    file = folder / "server_samples.parquet"
    entry = {"n_rows": n_rows, "n_bytes": file.stat().st_size, "sha256": file_sha256(file)}
    rewrite(folder, tables={"server_samples": entry})


def cut(folder: Path) -> None:
    file = folder / "server_samples.parquet"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def cut_and_signed(folder: Path) -> None:
    cut(folder)
    sign(folder, 3)


def of_another_cell(folder: Path) -> None:
    other = land(folder.parents[4] / "elsewhere", cell_id="c9")
    shutil.copy(other / "server_samples.parquet", folder)
    sign(folder, 3)


def of_another_table(folder: Path) -> None:
    place: dict[str, Any] = {"run_id": "R1", "cell_id": "c1", "attempt": 1, "stage": "s", "simulated": False}
    row = dict.fromkeys(
        ("cpu_pct", "load_1m", "memory_used_mib", "memory_available_mib", "net_rx_bytes"), None
    )
    row |= dict.fromkeys(("net_tx_bytes", "client_cpu_pct", "client_rss_mib"), None) | {
        "t_ns": 1,
        "stage": "s",
    }
    other = land_stage(folder.parents[4] / "elsewhere", **place, tables={"host_samples": [row]})
    shutil.copy(other / "host_samples.parquet", folder / "server_samples.parquet")
    sign(folder, 1)


BREAKAGES: list[tuple[Callable[[Path], object], str]] = [
    (cut, "not the file that was written"),
    (cut_and_signed, "too small|No magic bytes|footer"),
    (lambda f: sign(f, 4), "has 3 rows, the manifest says 4"),
    (lambda f: rewrite(f, simulated=True), "3 rows of another run, cell, attempt or kind"),
    (of_another_cell, "3 rows of another run, cell, attempt or kind"),
    (of_another_table, "does not have a column|not found|Conflict|column"),
    (lambda f: rewrite(f, schema_version=schema_version() + 1), "landed by a newer version"),
    (
        lambda f: rewrite(f, place={"run_id": "R2", "cell_id": "c1", "attempt": 1, "stage": "s"}),
        "another landing",
    ),
    (lambda f: rewrite(f, place={}), "cannot be read"),
    (lambda f: rewrite(f, surprise=1), "cannot be read"),
    (lambda f: (f / "manifest.json").write_text("{"), "cannot be read"),
    (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe"), "cannot be read"),
    (lambda f: (f / "manifest.json").unlink(), "no manifest.json"),
    (lambda f: (f / "server_samples.parquet").unlink(), "files and manifest differ: server_samples.parquet"),
    (lambda f: (f / "runs.parquet").touch(), "files and manifest differ: runs.parquet"),
]


@pytest.mark.parametrize(("damage", "reason"), BREAKAGES)
def test_a_broken_landing_waits_and_does_not_hold_up_the_others(
    tmp_path: Path, memory: Warehouse, damage: Callable[[Path], object], reason: str
) -> None:
    root = tmp_path / "landing"
    good, broken = land(root, "good", cell_id="c2"), land(root)
    damage(broken)
    report = memory.ingest(root)
    assert report.stages_ingested == 1
    ((path, why),) = report.skipped
    assert path == str(broken)
    assert re.search(reason, why), why
    assert "\n" not in why
    assert count(memory) == 3
    assert good.is_dir()
    assert broken.is_dir()
    # It is still said the next time, until someone looks at it.
    assert [p for p, _ in memory.ingest(root).skipped] == [str(broken)]


def test_a_table_that_nobody_knows_is_refused(tmp_path: Path, memory: Warehouse) -> None:
    folder = land(tmp_path)
    (folder / "server_samples.parquet").rename(folder / "schema_migrations.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    rewrite(folder, tables={"schema_migrations": manifest["tables"]["server_samples"]})
    assert "unknown table 'schema_migrations'" in memory.ingest(tmp_path).skipped[0][1]


def test_rows_with_a_key_that_is_there_are_left_out_and_the_rest_of_the_ingest_stays(
    tmp_path: Path, memory: Warehouse, make_row: Make
) -> None:
    place: dict[str, Any] = {"run_id": "R1", "cell_id": "c1", "attempt": 1, "simulated": False}
    first, again = make_row("answers", text="first"), make_row("answers", text="again")
    land_stage(tmp_path, **place, stage="one", tables={"answers": [first]})
    samples = [make_row("host_samples")]
    land_stage(tmp_path, **place, stage="two", tables={"host_samples": samples, "answers": [again]})
    land_stage(tmp_path, **place, stage="three", tables={"host_samples": samples})
    report = memory.ingest(tmp_path)
    assert report.stages_ingested == 2
    assert "answers: 1 rows with the same key" in report.skipped[0][1]
    assert memory.sql("select text from answers")[1] == [("first",)]
    assert count(memory, "host_samples") == 1


def test_a_warm_up_request_and_a_load_test_request_may_share_their_id(
    tmp_path: Path, memory: Warehouse, make_row: Make
) -> None:
    place: dict[str, Any] = {"run_id": "R1", "cell_id": "c1", "attempt": 1, "simulated": False}
    for phase in ("warm_up", "load_test"):
        rows = [make_row("requests", phase=phase, request_id="0")]
        land_stage(tmp_path, **place, stage=phase, tables={"requests": rows})
    assert memory.ingest(tmp_path).skipped == []
    assert count(memory, "requests") == 2


def test_a_real_server_and_a_simulated_one_of_the_same_name_stay_apart(
    tmp_path: Path, memory: Warehouse, make_row: Make
) -> None:
    for run_id, simulated, kind in (("R1", False, "vllm"), ("R2", True, "simulator")):
        rows = [make_row("targets", target="t", kind=kind)]
        land_run(tmp_path, run_id=run_id, simulated=simulated, part="open", tables={"targets": rows})
    memory.ingest(tmp_path)
    assert memory.sql("select kind, simulated from targets order by run_id")[1] == [
        ("vllm", False),
        ("simulator", True),
    ]


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    start = (
        "import sys\nfrom pathlib import Path\nfrom warehouse.store import open_warehouse, WarehouseLocked\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", start + code, *arguments],
        cwd=REPO,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


INGEST = """
warehouse, root = map(Path, sys.argv[1:3])
try:
    with open_warehouse(warehouse) as store:
        print("open", flush=True)
        store.ingest(root)
        print("done", flush=True)
except WarehouseLocked:
    print("locked", flush=True)
"""


@pytest.mark.parametrize("wal_bytes", [0, 1, 100_000])
def test_kill_in_the_middle_of_an_ingest_takes_all_or_nothing(tmp_path: Path, wal_bytes: int) -> None:
    path, root = tmp_path / "w.duckdb", tmp_path / "landing"
    for i in range(3):
        land(root, f"s{i}", n=8_000)
    open_warehouse(path).close()
    wal = tmp_path / "w.duckdb.wal"
    with child(INGEST, str(path), str(root)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        # Killed as soon as the log of the transaction has this size (or it is over, which is fine as well).
        while process.poll() is None and not (wal.stat().st_size if wal.exists() else 0) >= wal_bytes:
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    with open_warehouse(path) as warehouse:
        assert count(warehouse) in (0, 24_000)
        report = warehouse.ingest(root)
        assert report.skipped == []
        assert count(warehouse) == 24_000
        assert count(warehouse, "landings") == 3


def test_several_processes_take_the_same_landings_once(tmp_path: Path) -> None:
    path, root = tmp_path / "w.duckdb", tmp_path / "landing"
    for i in range(3):
        land(root, f"s{i}", n=500)
    open_warehouse(path).close()
    processes = [child(INGEST, str(path), str(root)) for _ in range(4)]
    said = [process.communicate()[0].split()[-1] for process in processes]
    assert set(said) <= {"done", "locked"}
    assert "done" in said
    with open_warehouse(path) as warehouse:
        assert warehouse.ingest(root).stages_ingested == 0
        assert count(warehouse) == 1500


def test_several_threads_take_the_same_landings_once(tmp_path: Path) -> None:
    path, root = tmp_path / "w.duckdb", tmp_path / "landing"
    for i in range(3):
        land(root, f"s{i}", n=2000)
    said: list[str] = []
    gate = threading.Barrier(3)

    def take() -> None:
        with open_warehouse(path) as warehouse:
            gate.wait()
            try:
                warehouse.ingest(root)
                said.append("done")
            except WarehouseLocked:
                said.append("locked")

    open_warehouse(path).close()
    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "done" in said
    assert len(said) == 3
    with open_warehouse(path) as warehouse:
        assert count(warehouse) == 6000
        assert count(warehouse, "landings") == 3


def test_a_locked_warehouse_names_its_holder_and_the_landings_wait(tmp_path: Path) -> None:
    path, root = tmp_path / "w.duckdb", tmp_path / "landing"
    land(root)
    hold = "store = open_warehouse(Path(sys.argv[1]))\nprint('held', flush=True)\nsys.stdin.read()\n"
    with child(hold, str(path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        for read_only in (False, True):
            with pytest.raises(WarehouseLocked) as refused:
                open_warehouse(path, read_only=read_only)
            assert refused.value.pid == process.pid
            assert "\n" not in str(refused.value)
        process.communicate("")
    with open_warehouse(path) as warehouse:
        assert warehouse.ingest(root).stages_ingested == 1


def test_a_read_only_warehouse_takes_nothing_and_says_so(tmp_path: Path) -> None:
    path, root = tmp_path / "w.duckdb", tmp_path / "landing"
    land(root)
    open_warehouse(path).close()
    with open_warehouse(path, read_only=True) as warehouse, pytest.raises(WarehouseError, match="read-only"):
        warehouse.ingest(root)


def test_a_warehouse_that_may_not_grow_takes_nothing_and_stays_whole(tmp_path: Path) -> None:
    path, root = tmp_path / "w.duckdb", tmp_path / "landing"
    land(root, "s0")
    with open_warehouse(path) as warehouse:
        warehouse.ingest(root)
    for i in range(1, 4):
        land(root, f"s{i}", n=24_000)
    limited = """
import resource
from warehouse.store import WarehouseError
size = Path(sys.argv[1]).stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    with open_warehouse(Path(sys.argv[1])) as store:
        store.ingest(Path(sys.argv[2]))
        print("went in")
except WarehouseError as error:
    print("refused:", error)
"""
    with child(limited, str(path), str(root)) as process:
        out, _ = process.communicate()
    assert out.startswith("refused:"), out
    assert "nothing was taken in" in out
    assert out.count("\n") == 1
    with open_warehouse(path) as warehouse:
        assert count(warehouse) == 3
        warehouse.ingest(root)
        assert count(warehouse) == 72_003
