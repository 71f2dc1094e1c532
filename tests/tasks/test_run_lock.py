"""One run at a time, never the same run twice, and a warehouse that is waited for, but not for long."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.run_lock import RunIsAlive, refuse_living, run_lock
from tasks.warehouse_wait import open_when_free
from warehouse.store import WarehouseLocked, open_warehouse

HOLD = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.readline()
"""


def never(text: str) -> None:
    pytest.fail(f"waited: {text}")


def test_the_same_run_is_refused_and_its_holder_named(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    with run_lock(lock, "R1", never):
        refuse_living(lock, "R2")
        with pytest.raises(RunIsAlive, match=rf"^run R1 is still running \(process {os.getpid()}\)$"):
            refuse_living(lock, "R1")
        with pytest.raises(RunIsAlive), run_lock(lock, "R1", never):
            pytest.fail("two hold the lock")
    refuse_living(lock, "R1")
    with run_lock(lock, "R1", never):
        pass


def test_a_holder_that_was_killed_does_not_keep_its_run(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    lock.write_text("4711 R1")
    refuse_living(lock, "R1")
    with run_lock(lock, "R1", never):
        assert lock.read_text() == f"{os.getpid()} R1"


def test_another_run_is_waited_for(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    told = []
    with lock.open("w") as other:
        other.write("4711 R1")
        other.flush()
        fcntl.flock(other, fcntl.LOCK_EX)

        def let_go(text: str) -> None:
            told.append(text)
            fcntl.flock(other, fcntl.LOCK_UN)

        with run_lock(lock, "R2", let_go):
            assert lock.read_text() == f"{os.getpid()} R2"
    assert told == ["waiting for another run to end (process 4711)"]


def test_a_warehouse_is_waited_for_until_its_holder_ends(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    open_warehouse(path).close()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(WarehouseLocked, match=str(holder.pid)):
            open_when_free(path, wait_s=0.3)
        holder.stdin.close()  # It ends some time later, while we wait.
        open_when_free(path, wait_s=30).close()
