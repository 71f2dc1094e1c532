"""Every command and every query that a document shows works."""

import argparse
import importlib
import os
import re
import shlex
from pathlib import Path

import pytest

from cli.main import VERBS, main
from tests.docs.conftest import REAL_RUN
from tests.docs.documents import DOCUMENTS, ROOT, Command, blocks, commands, read
from warehouse.store import Warehouse, open_warehouse

ENDS_WELL = ("sql", "select", "report", "ingest")
LOOKS_AROUND = ("doctor", "discover")
"""What these say depends on the machine, and with it their status: 1 is an answer too."""

BAKEOFF = sorted(set(commands("bakeoff")), key=lambda c: (c.document, c.text))
SQL = [
    pytest.param(body, id=f"{path.relative_to(ROOT)}-{i}")
    for path in DOCUMENTS
    for i, body in enumerate(blocks(path.read_text("utf-8"), "sql"))
]


def named(command: Command) -> str:
    return f"{command.document}: {command.text}"


def words_of(command: Command) -> list[str]:
    text = command.text.replace("RUN_ID", REAL_RUN)
    return shlex.split(text, comments=True)[1:]


def is_run_here(command: Command) -> bool:
    """Lines to type of verbs that read, or that write into the data folder alone."""
    verb, *rest = words_of(command)
    return command.in_block and (verb in (*ENDS_WELL, *LOOKS_AROUND) or "--plan" in rest)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, without variables of the developer's own."""
    for name in list(os.environ):
        if name.startswith(("PREFECT_", "LANGFUSE_", "BAKEOFF_")):
            monkeypatch.delenv(name)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.mark.parametrize("command", BAKEOFF, ids=named)
def test_command_is_understood(command: Command) -> None:
    verb, *rest = words_of(command)
    assert verb in VERBS, f"there is no verb {verb}"
    module = importlib.import_module(f"cli.{verb}")
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    parser.parse_args(rest)
    if verb == "run" and rest and not rest[0].startswith("-") and rest[0].islower():
        assert (ROOT / "configs" / "experiments" / f"{rest[0]}.yaml").is_file()


@pytest.mark.parametrize("command", [c for c in BAKEOFF if is_run_here(c)], ids=named)
def test_command_that_only_reads_really_runs(
    command: Command,
    data_folder: Path,
    nowhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BAKEOFF_DATA", str(data_folder))
    words = words_of(command)
    status = main(words)
    told = capsys.readouterr()
    assert status in ((0, 1) if words[0] in LOOKS_AROUND else (0,)), told.err
    assert told.out or list(nowhere.iterdir()), "it said nothing and wrote nothing"


def test_documents_show_commands_of_every_verb_and_some_are_run() -> None:
    assert {words_of(c)[0] for c in BAKEOFF} == set(VERBS)
    assert {words_of(c)[0] for c in BAKEOFF if is_run_here(c)} == {*ENDS_WELL, *LOOKS_AROUND, "run"}


def test_make_targets_that_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    shown = {c.text.split("#")[0].split()[1] for c in commands("make")}
    assert {"run", "test", "check", "test-real"} <= shown
    assert shown <= targets


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_readme_opens_with_the_two_commands(name: str) -> None:
    lines = [line.strip() for line in read(name).splitlines() if line.startswith("    ")]
    assert [line.split("#")[0].strip() for line in lines[:2]] == ["make run", "make test"]
    assert "bakeoff run my-server" in blocks(read(name), "sh")[0]


@pytest.mark.parametrize("query", SQL)
def test_query_runs_on_an_empty_warehouse_and_on_one_with_runs(query: str, data_folder: Path) -> None:
    with open_warehouse(None) as empty:
        assert answer(empty, query) == []
    with open_warehouse(data_folder / "warehouse.duckdb", read_only=True) as filled:
        answer(filled, query)


def answer(store: Warehouse, query: str) -> list[tuple[object, ...]]:
    columns, found = store.sql(query)
    assert columns
    return found


def test_there_are_queries() -> None:
    assert len(SQL) >= 6
