"""`bakeoff sql` as a user calls it: what it refuses, and how much of a long answer it shows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from warehouse.store import open_warehouse


@pytest.fixture
def data(tmp_path: Path) -> Path:
    open_warehouse(tmp_path / "warehouse.duckdb").close()
    return tmp_path


def sql(data: Path, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "sql", *words],
        env={**os.environ, "BAKEOFF_DATA": str(data)},
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_statement_that_would_write_is_one_line_and_writes_nothing(data: Path) -> None:
    done = sql(data, f"copy (select 1) to '{data / 'written'}'")
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"not copy" in done.stderr
    assert not (data / "written").exists()


def test_a_file_that_is_missing_or_no_text_is_wrong_use_in_one_line(data: Path) -> None:
    (data / "binary.sql").write_bytes(b"select '\xff'")
    for file, why in (("none.sql", b"No such file"), ("binary.sql", b"not UTF-8"), (".", b"directory")):
        done = sql(data, "--file", str(data / file))
        assert done.returncode == 2
        assert done.stderr.count(b"\n") == 1
        assert why in done.stderr


def test_a_long_answer_is_cut_for_people_and_whole_as_json(data: Path) -> None:
    query = "select i from range(1001) as r (i)"
    shown = sql(data, query).stdout.decode().splitlines()
    assert len(shown) == 1 + 1000 + 1
    assert shown[-2].strip() == "999"
    assert "1 rows more" in shown[-1]
    assert "--json gives all 1,001" in shown[-1]
    assert len(json.loads(sql(data, query, "--json").stdout)) == 1001
    assert len(sql(data, "select i from range(1000) as r (i)").stdout.splitlines()) == 1 + 1000
