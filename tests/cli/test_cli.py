"""The command's manners: one line for a mistake, the right status, examples that exist, a quick start."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import VERBS

QUICK = ("sql", "select", "report", "ingest")


def bakeoff(data: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "LANGFUSE_", "BAKEOFF_"))}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        env={**kept, "BAKEOFF_DATA": str(data), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(tmp_path: Path, verb: str) -> None:
    done = bakeoff(tmp_path, verb, "--help")
    assert done.returncode == 0
    assert f"bakeoff {verb}" in done.stdout.split("example")[1]


def test_help_lists_every_verb(tmp_path: Path) -> None:
    done = bakeoff(tmp_path, "--help")
    assert done.returncode == 0
    assert all(f"  {verb} " in done.stdout for verb in VERBS)


def test_unknown_verb_is_wrong_use(tmp_path: Path) -> None:
    done = bakeoff(tmp_path, "rnu")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", QUICK)
def test_reading_verbs_import_no_prefect_and_no_pandas(verb: str) -> None:
    code = f"import sys, cli.main, cli.{verb}; print([m for m in ('prefect', 'pandas', 'langfuse', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("words", [("sql", "select 1"), ("select",), ("report",)])
def test_without_a_warehouse_the_way_on_is_said_in_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = bakeoff(tmp_path, *words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "bakeoff run" in done.stderr


def test_sql_answers_as_table_and_as_json_and_writes_nothing(tmp_path: Path) -> None:
    assert bakeoff(tmp_path, "ingest").returncode == 0
    done = bakeoff(tmp_path, "sql", "select 1.5 as a, null as b, '한국어' as c, [1, 2] as d")
    assert done.returncode == 0
    assert "한국어" in done.stdout
    assert "NULL" in done.stdout
    told = bakeoff(tmp_path, "sql", "select 1.5 as a, null as b, 'inf'::double as c", "--json")
    assert json.loads(told.stdout) == [{"a": 1.5, "b": None, "c": None}]
    for query in ("drop table runs", "create table x (a int)", "selec 1", ""):
        refused = bakeoff(tmp_path, "sql", query)
        assert refused.returncode in (1, 2)
        assert refused.stderr.count("\n") == 1, refused.stderr
        assert "Traceback" not in refused.stderr


def test_select_without_a_match_says_so_and_fails(tmp_path: Path) -> None:
    bakeoff(tmp_path, "ingest")
    done = bakeoff(tmp_path, "select", "--min-quality", "0.9")
    assert done.returncode == 1
    assert "no real cell meets these limits" in done.stdout


def test_wrong_configuration_starts_nothing(tmp_path: Path) -> None:
    done = bakeoff(tmp_path / "data", "run", "quick-strat")
    assert done.returncode == 2
    assert (
        done.stderr
        == "bakeoff run: experiment: unknown experiment 'quick-strat'; did you mean 'quick-start'?\n"
    )
    assert not (tmp_path / "data").exists()


def test_plan_shows_cells_and_skips_and_starts_nothing(tmp_path: Path) -> None:
    done = bakeoff(
        tmp_path / "data", "run", "quick-start", "--plan", "--target", "simulator", "--target", "transformers"
    )
    assert done.returncode == 0, done.stderr
    assert "sim-careful on simulator" in done.stdout
    assert "sim-careful on transformers: skipped, sim-careful is served by simulator only" in done.stdout
    assert "nothing was started" in done.stdout
    assert not (tmp_path / "data").exists()
    told = json.loads(bakeoff(tmp_path / "data", "run", "--plan", "--json").stdout)
    assert len(told["cells"]) == 3
    assert told["estimate_s"] > 0


def test_options_of_a_target_are_checked_before_anything_starts(tmp_path: Path) -> None:
    done = bakeoff(
        tmp_path / "data", "run", "my-server", "--plan", "--model", "sim-hasty", "--target", "simulator"
    )
    assert done.returncode == 0
    done = bakeoff(tmp_path / "data", "run", "--repeats", "0")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_discover_and_doctor_end_without_a_traceback(tmp_path: Path) -> None:
    told = json.loads(bakeoff(tmp_path, "doctor", "--json").stdout)
    assert {"python", "disk", "warehouse", "sandbox", "gpu", "langfuse", "configuration"} <= {
        f["what"] for f in told
    }
    assert all(f["state"] in ("ok", "note", "problem") for f in told)
    done = bakeoff(tmp_path, "discover", "--json")
    assert isinstance(json.loads(done.stdout), list)
    assert "Traceback" not in done.stderr
