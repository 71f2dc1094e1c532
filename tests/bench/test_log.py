from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load import Load, Planned, never_answered
from bench.log import LogWriter, read_log, read_state
from bench.prompts import Prompt
from bench.records import Request

PROMPT = Prompt(prompt_id="ko-1", language="ko", text="안녕")
LOAD = Load(
    arrivals="closed",
    concurrency=1,
    n_requests=3,
    prompts=[PROMPT],
    prompt_set="short",
    max_tokens=4,
    temperature=0.0,
    top_p=1.0,
    seed=0,
    model="m",
)


def row(name: str, outcome: str = "aborted") -> Request:
    planned = Planned(request_id=name, prompt=PROMPT, intended_ns=5)
    return never_answered(LOAD, planned, outcome, "대기 중 \U0001f600\n중단")


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "log") as log:
        log.started(3)
        log.begun("a", 4)
        log.ended(row("a"))
        log.ended(row("b", "unknown"))
    assert list(read_log(tmp_path / "log")) == [row("a"), row("b", "unknown")]
    state = read_state(tmp_path / "log")
    assert (state.started_ns, state.begun, state.ended) == (3, {"a": 4}, {"a": "aborted", "b": "unknown"})


def test_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert list(read_log(tmp_path / "none")) == []
    assert read_state(tmp_path / "none").started_ns is None


@given(data=st.data())
def test_a_log_cut_anywhere_loses_only_the_cut_line(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("log")
    names = [f"r{i}" for i in range(4)]
    with LogWriter(folder / "log") as log:
        for name in names:
            log.ended(row(name))
    whole = (folder / "log").read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    (folder / "log").write_bytes(whole[:cut])
    n_whole = whole[:cut].count(b"\n") + (cut < len(whole) and whole[cut : cut + 1] == b"\n")
    assert [r.request_id for r in read_log(folder / "log")] == names[:n_whole]
    with LogWriter(folder / "log") as log:
        log.close_cut_line()
        log.ended(row("added"))
    assert [r.request_id for r in read_log(folder / "log")] == [*names[:n_whole], "added"]
